"""The light of dust beside a network: the spectrum is exact, and may be any."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from emulator import export
from emulator.analytic.dust import DustLight
from emulator.artefact import write
from emulator.scaling import OutputScaling
from emulator.surrogate import EmulatedSEDModel
from emulator.targets import SSPPhotometryTarget
from emulator.verification import verify
from tengri import Observation, Parameters, Photometry, SEDModel
from tengri.components.dust.emission import EMISSION_MODELS
from tengri.errors import ConfigError, ParameterError
from tengri.observation.bands import BandProjection
from tests.emulator.conftest import draws, perfect, tiny_ssp, top_hat, untrained_kernel
from tests.emulator.test_export import alone

EDGES = {"g": (4000, 5500), "k": (19500, 23500), "i8": (65e3, 95e3), "w4": (2e5, 2.6e5)}
FILTERS = tuple(top_hat(name, *edges) for name, edges in EDGES.items())
BOX = {
    "mean_sfh_type": "dpl",
    "met_logzsol": -0.3,
    "dust_tau_bc": (0.0, 4.0),
    "dust_tau_diff": (0.0, 3.0),
    "dust_slope": -0.7,
    "redshift": (0.01, 2.0),
}
EVERY_DUST = pytest.mark.parametrize("name", sorted(EMISSION_MODELS))


def model(dust: str | None, **more):
    spec = Parameters(**{**BOX, **more}, dust_emission=dust)
    return SEDModel(spec, tiny_ssp(), Observation(Photometry(FILTERS)))


@pytest.fixture(scope="module")
def target():
    exact = model("dl07")
    return SSPPhotometryTarget.build(exact.spec, exact.observation.photometry,
                                     exact.ssp.age_edges_gyr)  # fmt: skip


@pytest.fixture(scope="module")
def artefact(target):
    """Random weights; everything around them is real."""
    exact = model("dl07")
    rng = np.random.default_rng(4)
    y = rng.normal(size=(200, target.n_out))
    scaling = OutputScaling.fit(y, pca=True, components=3, blocks=target.n_rows)
    return untrained_kernel(exact, target, scaling)


@EVERY_DUST
def test_bands_of_dust_are_those_of_a_fine_grid(name):
    """Against integrals over 30 times finer wavelengths, at any redshift, slopes included."""
    emission = EMISSION_MODELS[name]
    fine = np.exp(np.arange(np.log(7.5e3), np.log(3e5), 3e-4))
    p = {q.name: q.default for q in emission.params}
    with jax.enable_x64(True):
        dust = DustLight.build(emission, FILTERS, 0.01, 2.0).in_default_float()
        projection = BandProjection.build(fine, FILTERS[1:], 0.01, 2.0).in_default_float()
        spectrum = emission.spectrum(fine, p) * 1e15

        def ours(z):
            return dust.bands({**p, "redshift": z})

        z = np.linspace(0.011, 1.99, 40)
        found = np.asarray(jax.jit(jax.vmap(ours))(z))
        expected = np.asarray(jax.jit(jax.vmap(lambda z: projection.project(spectrum, z)))(z))
        slope = np.asarray(jax.jit(jax.vmap(jax.jacfwd(ours)))(z))
        true_slope = jax.jit(jax.vmap(jax.jacfwd(lambda z: projection.project(spectrum, z))))(z)
    assert (found[:, 0] == 0.0).all()
    np.testing.assert_allclose(found[:, 2:], expected[:, 1:], rtol=2e-3, atol=3e-4)
    seen = expected[:, 0] > 1e-3 * expected[:, 2]
    np.testing.assert_allclose(found[seen, 1], expected[seen, 0], rtol=4e-3)
    largest = np.abs(true_slope).max(axis=0)[1:]
    assert (np.abs(slope[:, 2:] - true_slope[:, 1:]) < 0.02 * largest).all()


def test_templates_at_the_corners_are_all_that_are_lit():
    grid, law = EMISSION_MODELS["dl07"].grid, EMISSION_MODELS["dl07"]
    wave, rng = np.geomspace(2e4, 5e6, 300), np.random.default_rng(5)
    with jax.enable_x64(True):
        shapes = grid.shapes(wave)
        for low, high in ((0.1, 25.0), (0.1, 0.1), (25.0, 25.0)):
            p = {"dust_qpah": rng.uniform(0.47, 4.58), "dust_umin": rng.uniform(low, high),
                 "dust_gamma_dl": rng.uniform()}  # fmt: skip
            (i, j), weights = grid.corner(jax.tree.map(jax.numpy.asarray, p))
            few = np.einsum("abk,abkw->w", weights, shapes[int(i) : i + 2, int(j) : j + 2])
            assert np.sum(weights) == pytest.approx(1.0)
            np.testing.assert_allclose(few, law.spectrum(wave, p), rtol=1e-12)


def test_the_table_of_integrals_holds_the_integrals():
    """At the ends of the redshifts, too."""
    emission = EMISSION_MODELS["dl07"]
    with jax.enable_x64(True):
        table, integrals = (DustLight.build(e, FILTERS, 0.01, 2.0).in_default_float()
                            for e in (emission, replace(emission, grid=None)))  # fmt: skip
        p = {"dust_qpah": 1.7, "dust_umin": 3.1, "dust_gamma_dl": 0.04}
        for z in (0.01, 0.0101, 0.7, 1.234, 1.9999, 2.0):
            found, expected = (light.bands({**p, "redshift": np.float64(z)})
                               for light in (table, integrals))  # fmt: skip
            np.testing.assert_allclose(found, expected, rtol=1e-11)


@EVERY_DUST
def test_a_perfect_network_with_any_dust_is_the_exact_model(target, name):
    emulated, flux = perfect(target, model(name))
    np.testing.assert_allclose(emulated, flux, rtol=1e-3)
    assert (np.abs(emulated / flux - 1.0)[:, 0] < 3e-5).all()  # no dust shines in the optical


@pytest.mark.slow
def test_the_dust_may_be_any_or_none(artefact):
    fast = EmulatedSEDModel(artefact)
    batch = draws(Parameters(**BOX), 8)
    flux = {
        dust: np.asarray(
            fast.with_spec(Parameters(**BOX, dust_emission=dust)).predict_photometry_batch(
                {**batch, **{p.name: p.default for p in EMISSION_MODELS[dust].params}}
                if dust else batch
            )
        )
        for dust in (None, "dl07", "casey2012")
    }  # fmt: skip
    assert (flux["dl07"][:, 2:] > flux[None][:, 2:]).all()
    assert np.abs(flux["dl07"] / flux["casey2012"] - 1.0)[:, 2:].max() > 0.05
    np.testing.assert_allclose(flux["dl07"][:, 0], flux[None][:, 0], rtol=1e-6)


def test_parameters_of_the_dust_are_not_guarded_but_bounded(artefact):
    fast = EmulatedSEDModel(artefact)
    one = {n: float(v[0]) for n, v in draws(fast.spec, 1).items()}
    wider = {**one, "dust_qpah": 0.6, "dust_umin": 20.0}
    assert np.isfinite(fast.predict_magnitudes(wider)).all()
    with pytest.raises(ParameterError, match="dust_qpah"):
        fast.predict_magnitudes({**one, "dust_qpah": 9.0})
    with pytest.raises(ParameterError, match=r"dust_tau_bc.*trained on"):
        fast.predict_magnitudes({**one, "dust_tau_bc": 5.0})


def test_file_and_numpy_alone(artefact, tmp_path):
    write(tmp_path / "dusty.h5", artefact)
    assert verify(tmp_path / "dusty.h5").difference < 1e-6
    export.to_numpy(tmp_path / "dusty.h5", tmp_path, "mine")
    params = draws(artefact.spec, 20, seed=9)
    answer = alone(tmp_path, export.standalone_arguments(artefact, params))
    ours = np.asarray(EmulatedSEDModel(artefact).predict_photometry_batch(params))
    np.testing.assert_allclose(answer["flux"], ours, rtol=3e-5)


def test_what_numpy_does_not_know_is_said(artefact, tmp_path):
    spec = Parameters(**BOX, dust_emission="casey2012")
    write(tmp_path / "other.h5", replace(artefact, spec=spec, checks={}))
    with pytest.raises(ConfigError, match="casey2012"):
        export.to_numpy(tmp_path / "other.h5", tmp_path, "other")
