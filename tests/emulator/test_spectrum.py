"""Spectral surrogates: the exact equations on few eigenspectra, from file to every prediction."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

import emulator
from emulator import export
from emulator.artefact import read
from emulator.history import cosmology_to_dict
from emulator.reading import read_any
from emulator.spectral.artefact import SpectralArtefact, write
from emulator.spectral.compressed_grid import CompressedGrid
from emulator.spectral.decomposition import factors, relative_weights
from emulator.spectral.model import EmulatedSpectrumModel
from emulator.verification import evaluate, verify, with_checks
from tengri import Observation, Parameters, Photometry, SEDModel, load_ssp_data
from tengri.cosmology import as_cosmology
from tengri.errors import ConfigError, DataError, UnknownNameError
from tengri.numerics.low_rank import LowRank, sum_of_rows
from tengri.observation.spectrograph import Spectrograph
from tests.emulator.conftest import draws, top_hat

#: What is kept of the grid, so that tests are quick [Å], and in how many eigenspectra.
SPAN, N = (3900.0, 6400.0), 24
BANDS = Observation(Photometry((top_hat("b", 4400, 5200), top_hat("v", 5200, 6000))))
SPEC = {"mean_sfh_type": "dpl", "dust_tau_diff": (0.0, 3.0), "redshift": (0.01, 0.1)}


@pytest.fixture(scope="module")
def artefact() -> SpectralArtefact:
    """A grid with gas, and the check pairs of a simple spec."""
    grid = CompressedGrid.of(load_ssp_data(), N, SPAN)
    spec, cosmology = Parameters(**SPEC), cosmology_to_dict(as_cosmology(None))
    errors = {"68": np.full(len(grid.axes["wave"]), 1e-3)}
    bare = SpectralArtefact(spec, BANDS.photometry, (grid,), cosmology, errors=errors)
    params = draws(spec, 8, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return with_checks(
            bare, params, evaluate(EmulatedSpectrumModel(bare).exact_model(), params)
        )


def both(artefact, **spec):
    fast = EmulatedSpectrumModel(artefact, Parameters(**{**SPEC, **spec}))
    return fast, fast.exact_model()


def shared(fast, exact):
    """Return where the wavelengths of the surrogate are among those of the exact model."""
    return np.searchsorted(exact.galaxy.wave, fast.galaxy.wave)


def test_a_matrix_of_low_rank_is_found_again():
    rng = np.random.default_rng(0)
    a, v = rng.random((40, 3)), rng.random((3, 60))
    found, few = factors(a @ v, relative_weights(np.ones(60), a @ v), 3)
    np.testing.assert_allclose(found @ few, a @ v, rtol=1e-5)
    matrix = LowRank.of(found, np.arange(40) != 7, a @ v)
    np.testing.assert_allclose(matrix @ np.eye(60), a @ v, rtol=1e-5)
    summed = sum_of_rows(jnp.asarray(rng.random(40), float), matrix.in_default_float())
    assert summed.shape == (60,)


@pytest.mark.parametrize(
    "spec",
    [
        {"mean_sfh_type": "delta", "dust_law": "calzetti", "met_logzsol": (-1.0, 0.2)},
        pytest.param(
            {"mean_sfh_type": ["delayed", "burst"], "dust_law_diff": "noll09"},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["delta", "burst"],
)
def test_spectra_are_those_of_the_exact_model(artefact, spec):
    fast, exact = both(artefact, **spec)
    params = draws(fast.spec, 16)
    ours = np.asarray(fast.predict_rest_sed_batch(params).sed)
    truth = np.asarray(exact.predict_rest_sed_batch(params).sed)[:, shared(fast, exact)]
    error = np.abs(ours / truth - 1.0)[np.isfinite(truth).all(axis=1)]
    assert np.median(error) < 2e-3 and np.percentile(error, 99) < 2e-2


def test_bands_follow_and_a_batch_is_its_galaxies(artefact):
    fast, exact = both(artefact)
    params = draws(fast.spec, 16)
    ours, truth = (np.asarray(m.predict_magnitudes_batch(params)) for m in (fast, exact))
    assert np.nanmax(np.abs(ours - truth)) < 5e-3
    one = {name: values[3] for name, values in params.items()}
    np.testing.assert_allclose(fast.predict_magnitudes(one), ours[3], atol=2e-4)
    np.testing.assert_allclose(fast.predict_rest_sed(one).sed,
                               fast.predict_rest_sed_batch(params).sed[3], rtol=1e-4)  # fmt: skip


@pytest.mark.slow
def test_slopes_are_those_of_the_exact_model(artefact):
    one = {name: jnp.asarray(v[0], float) for name, v in draws(Parameters(**SPEC), 1).items()}
    slopes = [jax.grad(lambda p, m=m: m.predict_magnitudes(p)[0])(one) for m in both(artefact)]
    for name in one:
        assert float(slopes[0][name]) == pytest.approx(float(slopes[1][name]), rel=0.03, abs=1e-3)


def test_a_file_holds_it_whole(artefact, tmp_path):
    write(tmp_path / "surrogate.h5", artefact)
    assert verify(tmp_path / "surrogate.h5").n_checks == 8
    fast = emulator.load(tmp_path, spec=Parameters(**SPEC))
    assert isinstance(fast, EmulatedSpectrumModel) and isinstance(fast, SEDModel)
    params = draws(fast.spec, 4)
    copy = pickle.loads(pickle.dumps(fast))
    before, after = (np.asarray(m.predict_photometry_batch(params)) for m in (fast, copy))
    np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(fast.predict_errors(level=68), 1.0857e-3, rtol=1e-3)
    with pytest.raises(DataError, match="surrogate of spectra"):
        read(tmp_path / "surrogate.h5")
    with pytest.raises(ConfigError, match="no export"):
        export.to_numpy(tmp_path, tmp_path)
    assert read_any(tmp_path / "surrogate.h5").sha256


def test_its_own_errors_are_part_of_the_likelihood_of_spectra(artefact):
    """A spectrum without noise is off by what the surrogate is off: as likely as it says."""
    pixels = Spectrograph.of(np.linspace(4600.0, 6200.0, 60), 200.0, name="low")
    spec = Parameters(mean_sfh_type="delta", dust_tau_diff=(0.0, 3.0), redshift=0.1)
    fast = EmulatedSpectrumModel(artefact, spec, Observation(None, (pixels,)), units="nJy")
    errors = np.linspace(1e-3, 1e-2, len(fast.galaxy.wave))
    larger = replace(artefact, errors={"68": errors.astype(np.float32)})
    model = EmulatedSpectrumModel(larger, spec, Observation(None, (pixels,)), units="nJy")
    expected = np.interp(pixels.wave / 1.1, model.galaxy.wave, errors)
    np.testing.assert_allclose(model.pixel_errors(pixels, 0.1), expected, rtol=1e-5)
    posterior, galaxy = model.joint_posterior(), {"dust_tau_diff": 0.4}
    flux = np.asarray(posterior(posterior.params(posterior.vector(galaxy)))["low"], np.float64)
    data = posterior.data(spectra={"low": (1.01 * flux, 1e-3 * flux)})
    found = float(posterior.log_likelihood(posterior.vector(galaxy), data))
    sigma = flux * np.hypot(1e-3, expected)
    assert found == pytest.approx(norm(flux, sigma).logpdf(1.01 * flux).sum(), rel=1e-3)


def test_wavelengths_are_fewer_beyond_a_span():
    """Bands see the same light, and every wavelength of the span is kept as it was."""
    ssp, span = load_ssp_data(), (5000.0, 5400.0)
    every = ssp.ssp_wave
    fewer = every[(every < span[0]) | (every > span[1])][::7]
    beyond = np.union1d(fewer, every[[0, -1]])
    grid = CompressedGrid.of(ssp, N, span, n_young=12, beyond=beyond)
    wave = grid.axes["wave"]
    inside = (every >= span[0]) & (every <= span[1])
    np.testing.assert_array_equal(wave[(wave >= span[0]) & (wave <= span[1])], every[inside])
    assert grid.span == span and len(wave) == inside.sum() + len(beyond)
    assert grid.loadings["young"].shape[-1] == 12 and grid.loadings["old"].shape[-1] == N
    mine, theirs = grid.ssp.ssp_flux[4, 90], ssp.ssp_flux[4, 90].astype(np.float64)
    assert np.trapezoid(mine, wave) == pytest.approx(np.trapezoid(theirs, every), rel=2e-3)


def test_what_it_cannot_be_asked(artefact):
    with pytest.raises(ConfigError, match="no grid of stars alone"):
        EmulatedSpectrumModel(artefact, Parameters(nebular="cloudy", redshift=0.1))
    with pytest.raises(UnknownNameError, match="out_of_domain"):
        EmulatedSpectrumModel(artefact, out_of_domain="rise")
    with pytest.raises(DataError, match="stands for the SSP grid"):
        EmulatedSpectrumModel(artefact).exact_model(replace(load_ssp_data(), sha256="0" * 64))
    with pytest.raises(ConfigError, match="populations"):
        CompressedGrid.of(load_ssp_data(), 200, SPAN)
    with pytest.raises(UnknownNameError, match="level"):
        EmulatedSpectrumModel(artefact).spectrum_errors(50)
    loadings = {**artefact.grids[0].loadings, "old": np.zeros((7, 3, N), np.float32)}
    broken = replace(artefact.grids[0], loadings=loadings)
    with pytest.raises(ConfigError, match="loadings of the old"):
        broken.check()


@pytest.mark.slow
@pytest.mark.parametrize("components", [{}, {"dust_emission": "dl07", "agn_model": "standard"}])
def test_the_published_one_has_lines_and_gas(components):
    spec = Parameters(mean_sfh_type="delayed", nebular="cloudy", neb_logU=(-3.5, -2.0),
                      dust_tau_diff=0.3, redshift=(0.01, 2.0), **components)  # fmt: skip
    fast = emulator.load("spectrum_compact", spec=spec)
    exact, params = fast.exact_model(), draws(spec, 24)
    ours, truth = (m.predict_lines_batch(params) for m in (fast, exact))
    luminosity = np.asarray(truth.luminosity_lsun)
    lit = luminosity > 1e-3 * luminosity.max(axis=1, keepdims=True)
    error = np.abs(np.asarray(ours.luminosity_lsun) / luminosity - 1.0)[lit]
    assert np.percentile(error, 99) < 0.01
    ew = np.abs(np.asarray(ours.ew_rest) / np.asarray(truth.ew_rest) - 1.0)[lit]
    assert np.median(ew) < 0.003 and np.percentile(ew, 99) < 0.01
    derived = [m.predict_derived({k: v[0] for k, v in params.items()}) for m in (fast, exact)]
    for name, value in derived[1].items():
        ours_now = float(derived[0][name])
        assert ours_now == pytest.approx(float(value), rel=2e-3, abs=2e-3), name
