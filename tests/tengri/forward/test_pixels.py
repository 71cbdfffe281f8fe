"""Spectra in pixels: photons are kept, and convolutions are those of SciPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

from tengri import Parameters, SEDModel, load_ssp_data
from tengri.components.stellar.library import fwhm_aa
from tengri.constants import C_AA_PER_S, C_KM_S, FWHM_PER_SIGMA
from tengri.errors import ConfigError, DataError, ParameterError
from tengri.forward.pixels import PixelProjection
from tengri.observation.spectrograph import Spectrograph

GALAXY = {"neb_logU": -2.5, "redshift": 0.1}


@pytest.fixture(scope="module")
def stars():
    return load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")


@pytest.fixture(scope="module")
def model(stars):
    spec = Parameters(sfh_const_log_total_mass=9.0, sfh_const_start_gyr=0.1, met_logzsol=-0.3,
                      nebular="cloudy", neb_logU=(-4, 0), redshift=(0.05, 0.3))  # fmt: skip
    return SEDModel(spec, stars)


def photons(wave, lnu, lo, hi):
    """Return ∫ f dlnλ of a spectrum that is linear in λ, exactly."""
    at = np.unique(np.concatenate([wave[(wave > lo) & (wave < hi)], [lo, hi]]))
    f, log_step = np.interp(at, wave, lnu), np.log(at[1:] / at[:-1])
    above = 1.0 - at[:-1] * log_step / np.diff(at)
    return np.sum(f[:-1] * (log_step - above) + f[1:] * above)


def test_constant_resolution_is_scipy_s_convolution():
    """A spectrum with lines and an edge, on nodes that know nothing of the pixels."""
    rng, sigma, z = np.random.default_rng(1), 6e-4, 0.2
    nodes = np.sort(rng.uniform(3000.0, 9000.0, 900))
    f = 1.0 + rng.random(900) + 20.0 * np.exp(-0.5 * ((nodes - 5000.0) / 8.0) ** 2)
    f *= (nodes > 4000.0) & (nodes < 7000.0)
    pixels = Spectrograph.of(edges=np.geomspace(4200.0, 9500.0, 1201))
    made = PixelProjection.build(nodes, pixels, (0.0, 0.5), sigma)
    found = made.project(jnp.asarray(f), jnp.full(len(pixels) + 1, sigma**2), z)
    widths = np.diff(np.log(pixels.edges))
    kept = np.sum(np.asarray(found) * widths)
    assert kept == pytest.approx(photons(nodes, f, nodes[0], nodes[-1]), rel=1e-7)
    step = 2e-6
    fine = np.arange(np.log(4100.0), np.log(9700.0), step)
    blurred = gaussian_filter1d(
        np.interp(np.exp(fine) / (1 + z), nodes, f), sigma / step, truncate=7
    )
    counts = np.concatenate([[0.0], np.cumsum(0.5 * step * (blurred[1:] + blurred[:-1]))])
    scipy = np.diff(np.interp(np.log(pixels.edges), fine, counts)) / widths
    np.testing.assert_allclose(found, scipy, rtol=1e-3, atol=1e-4 * f.max())


@pytest.mark.slow
def test_the_spectrum_of_a_galaxy_is_a_sum_over_its_wavelengths(model, stars):
    """Each pixel spreads the light around it, with Φ of SciPy; lines are Gaussians on top."""
    power = np.array([[3500.0, 120.0], [10000.0, 300.0]])
    pixels = Spectrograph.of(np.arange(4500.0, 8000.0, 15.0), lambda w: np.interp(w, *power.T))
    found = np.asarray(
        model.predict_spectrum(pixels, GALAXY, vel_sigma_kms=180.0, gas_sigma_kms=50)
    )
    assert not model.too_sharp(pixels, GALAXY, 180.0).any()
    lines, z = model.predict_lines(GALAXY), 0.1
    spread = lambda rest: 1.0 / FWHM_PER_SIGMA / np.interp(rest * (1 + z), *power.T)  # noqa: E731
    widths = np.diff(np.log(pixels.edges))

    def shares(rest, sigma):
        at = (np.log(pixels.edges)[:, None] - np.log(rest * (1 + z))) / sigma
        return np.diff(ndtr(at), axis=0) / widths[:, None]

    rest = lines.wavelength
    seen = shares(rest, np.hypot(spread(rest), 50.0 / C_KM_S))
    of_lines = seen @ (np.asarray(lines.flux) * rest * (1 + z) / C_AA_PER_S)
    # stars and continuum: the same model without metals' lines to hide them, at two log U
    other = {**GALAXY, "neb_logU": -3.5}
    change = found - np.asarray(model.predict_spectrum(pixels, other, vel_sigma_kms=180.0,
                                                       gas_sigma_kms=50.0))  # fmt: skip
    flux = np.asarray(model.predict_lines(other).flux)
    expected = of_lines - seen @ (flux * rest * (1 + z) / C_AA_PER_S)
    assert np.abs(change - expected).max() < 2e-3 * np.abs(expected).max()
    names = ("sfh_const_log_total_mass", "sfh_const_start_gyr", "met_logzsol")
    history = {name: model.spec.fixed_value(name) for name in names}
    bare = SEDModel(Parameters(**history, redshift=(0.05, 0.3)), stars)
    sed = bare.predict_obs_sed({"redshift": z})
    nodes, f = np.asarray(sed.wavelength), np.asarray(sed.sed)
    fine = np.exp(np.arange(np.log(4000.0), np.log(9000.0), 1e-4))
    each = np.interp(fine, nodes, f)
    seen_at = pixels.edges / (1 + z)
    grid = fwhm_aa(stars, seen_at) / FWHM_PER_SIGMA / seen_at
    sigma = np.sqrt(spread(seen_at) ** 2 + (180.0 / C_KM_S) ** 2 - grid**2)
    direct = np.diff(ndtr(np.log(pixels.edges[:, None] / fine) / sigma[:, None]), axis=0)
    direct = direct @ (each * 1e-4) / widths
    made = np.asarray(bare.predict_spectrum(pixels, {"redshift": z}, vel_sigma_kms=180.0))
    np.testing.assert_allclose(made, direct, rtol=3e-4)


def test_a_flat_spectrum_stays_flat():
    """Also where the line-spread function has a step, and near the ends of what is seen."""
    pixels = Spectrograph.of(np.arange(5000.0, 6000.0, 2.0), 1500.0)
    made = PixelProjection.build(np.linspace(3000.0, 9000.0, 50), pixels, (0.0, 0.0), 1e-3)
    variance = jnp.where(np.arange(len(pixels) + 1) < 250, 0.0, 1e-6)
    np.testing.assert_allclose(made.project(jnp.ones(50), variance, 0.0), 1.0, rtol=1e-6)


def test_no_photon_is_lost_where_the_resolution_changes():
    """Over steps of σ, on a spectrum with features everywhere; a line by itself, too."""
    rng = np.random.default_rng(2)
    nodes = np.linspace(3000.0, 9000.0, 2000)
    f = (1.0 + rng.random(2000)) * ((nodes > 4500.0) & (nodes < 7500.0))
    pixels = Spectrograph.of(np.arange(4000.0, 8000.0, 1.3), lambda w: np.where(w < 6e3, 5e2, 5e3))
    made = PixelProjection.build(nodes, pixels, (0.0, 0.0), 1e-3)
    variance = pixels.spread.values**2 + 1e-6 * rng.random(len(pixels) + 1)
    found = np.asarray(made.project(jnp.asarray(f), jnp.asarray(variance), 0.0))
    kept = np.sum(found * np.diff(np.log(pixels.edges)))
    assert kept == pytest.approx(photons(nodes, f, nodes[0], nodes[-1]), rel=1e-7)


@pytest.mark.parametrize("dispersion", [0.0, 300.0])
def test_photons_are_kept(model, dispersion):
    """Those of the spectrum between the ends; neither end is on a line of gas."""
    pixels = Spectrograph.of(np.arange(4830.0, 7600.0, 1.5), lambda w: 0.4 * (w - 2500.0))
    found = np.asarray(model.predict_spectrum(pixels, GALAXY, vel_sigma_kms=dispersion))
    sed, ends = model.predict_obs_sed(GALAXY), pixels.edges[[0, -1]]
    total = photons(np.asarray(sed.wavelength), np.asarray(sed.sed), *ends)
    assert np.sum(found * np.diff(np.log(pixels.edges))) == pytest.approx(total, rel=1e-6)


@pytest.mark.slow
def test_slopes_and_single_precision(model):
    pixels = Spectrograph.of(np.arange(5000.0, 6000.0, 4.0), 300.0)
    some = np.array([20, 127])

    def call(stars, gas, z):
        given = {"vel_sigma_kms": stars, "gas_sigma_kms": gas}
        return model.predict_spectrum(pixels, {**GALAXY, "redshift": z}, **given)[some]

    at = (150.0, 120.0, 0.1)
    traced = jax.jit(call)
    exact = jax.jacfwd(call, argnums=(0, 1, 2))(*at)
    for i, step in enumerate((0.5, 0.5, 1e-6)):
        up, down = ([*at[:i], at[i] + sign * step, *at[i + 1 :]] for sign in (1, -1))
        numeric = (traced(*up) - traced(*down)) / (2 * step)
        np.testing.assert_allclose(exact[i], numeric, rtol=2e-3, atol=1e-4 * np.abs(numeric).max())
    whole = model.predict_spectrum(pixels, GALAXY, vel_sigma_kms=200.0)
    with jax.enable_x64(False):
        single = model.predict_spectrum(pixels, GALAXY, vel_sigma_kms=200.0)
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, whole, rtol=3e-4)


def test_a_batch_of_spectra_is_its_galaxies(model):
    pixels = Spectrograph.of(np.arange(5000.0, 5400.0, 40.0), 100.0)
    galaxies = {"neb_logU": np.array([-3.0, -2.0, -1.5]), "redshift": np.array([0.1, 0.2, 0.25])}
    found = model.predict_spectrum_batch(pixels, galaxies, vel_sigma_kms=150.0)
    assert found.shape == (3, len(pixels))
    for i, flux in enumerate(found):
        one = {name: values[i] for name, values in galaxies.items()}
        expected = model.predict_spectrum(pixels, one, vel_sigma_kms=150.0)
        np.testing.assert_allclose(flux, expected, rtol=1e-5)
    beyond = Spectrograph.of(np.array([30.0, 31.0, 32.0]), 100.0)
    with pytest.raises(ParameterError, match="must lie within"):
        model.predict_spectrum_batch(beyond, galaxies | {"redshift": np.array([0.1, 0.2, 9.0])})


def test_what_is_sharper_than_the_grid_is_flagged(model):
    wave = np.arange(4500.0, 8000.0, 10.0)
    assert not model.too_sharp(Spectrograph.of(wave, 100.0), GALAXY).any()
    assert model.too_sharp(Spectrograph.of(wave, 5000.0), GALAXY).all()
    assert not model.too_sharp(Spectrograph.of(wave, 5000.0), GALAXY, 1000.0).any()


def test_a_line_spread_function_is_given_in_many_ways(tmp_path):
    wave = np.linspace(4000.0, 8000.0, 401)
    path = tmp_path / "r.txt"
    path.write_text("# λ R\n3000 1000\n9000 4000\n")
    rule = lambda w: 1000.0 + 0.5 * (w - 3000.0)  # noqa: E731
    given = [Spectrograph.of(wave, r) for r in (rule, rule(wave), path, str(path))]
    for other in given[1:]:
        np.testing.assert_allclose(other.resolution[1:-1], given[0].resolution[1:-1], rtol=1e-6)
    np.testing.assert_allclose(given[0].resolution, rule(wave), rtol=1e-5)
    assert Spectrograph.of(wave).resolution.min() == np.inf
    assert hash(Spectrograph.of(wave, 1e3)) == hash(Spectrograph.of(wave, 1e3))
    edges = Spectrograph.of(edges=[4000.0, 4010.0, 4030.0])
    np.testing.assert_allclose(edges.wave, [4005.0, 4020.0])


WAVE = np.arange(5000.0, 5100.0)
BAD = {
    "neither": (lambda: Spectrograph.of(), ConfigError, "wave="),
    "falling": (lambda: Spectrograph.of(WAVE[::-1]), ParameterError, "increase"),
    "one": (lambda: Spectrograph.of([5000.0]), ParameterError, "two wavelengths"),
    "zero": (lambda: Spectrograph.of(WAVE, 0.0), ConfigError, "positive"),
    "shape": (lambda: Spectrograph.of(WAVE, [1.0, 2.0]), ConfigError, "100 pixels"),
    "no file": (lambda: Spectrograph.of(WAVE, "no.txt"), DataError, "no.txt"),
    "words": (lambda: Spectrograph.of(WAVE, {"R": 1}), ConfigError, "two columns"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_of_pixels(case):
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()


def test_mistakes_of_velocities(model, stars):
    pixels = Spectrograph.of(WAVE, 500.0)
    with pytest.raises(ParameterError, match="vel_sigma_kms is a number of 0 to 1000 km/s"):
        model.predict_spectrum(pixels, GALAXY, vel_sigma_kms=-1.0)
    with pytest.raises(ConfigError, match=r"Spectrograph.of\(wave, resolution\)"):
        model.predict_spectrum(WAVE, GALAXY, vel_sigma_kms=100.0)
    with pytest.raises(ConfigError, match="gas_sigma_kms has no effect"):
        spec = Parameters(sfh_const_log_total_mass=9.0, redshift=0.1)
        SEDModel(spec, stars).predict_spectrum(pixels, gas_sigma_kms=50.0)
    with pytest.raises(ParameterError, match="must lie within"):
        model.predict_spectrum(Spectrograph.of([1.0, 2.0, 3.0]), GALAXY)
