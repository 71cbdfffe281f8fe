"""Every evaluator against the direct way: one galaxy, its whole spectrum, the union grid."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.dust.attenuation import LAWS
from tengri.forward.exact import ExactEvaluator
from tengri.forward.fixed_redshift import FixedRedshiftEvaluator
from tengri.observation.bands import band_matrix
from tests.evaluators import evaluators_of

STARS = {
    "sfh_const_log_total_mass": (9.0, 11.0),
    "sfh_const_start_gyr": (0.5, 5.0),
    "met_logzsol": (-2.0, 0.2),
    "dust_tau_bc": (0.0, 4.0),
    "dust_tau_diff": (0.0, 3.0),
}
BANDS = ["galex_nuv", "sdss_u", "sdss_r", "2mass_ks"]
N = 12


def build(ssp, redshift, **settings):
    spec = Parameters(**STARS, redshift=redshift, **settings)
    return SEDModel(spec, ssp, Instrument.from_names(BANDS).observation())


def direct(model: SEDModel, params: dict) -> np.ndarray:
    """Return the fluxes of one galaxy from the spectrum that an observer sees."""
    z = float(model.spec.resolve(params)["redshift"])
    sed = np.asarray(model.predict_obs_sed(params).sed)
    return band_matrix(model.galaxy.wave, model.observation.photometry.filters, z) @ sed


def rows(batch: dict, i: int) -> dict:
    return {name: np.asarray(value)[i] for name, value in batch.items()}


def check(model: SEDModel, batch: dict, rtol: float = 1e-9) -> None:
    flux = np.asarray(model.predict_photometry_batch(batch))
    for i in (0, 5, N - 1):
        np.testing.assert_allclose(flux[i], direct(model, rows(batch, i)), rtol=rtol)


def test_free_redshift(ssp):
    model = build(ssp, (0.05, 5.0))
    check(model, model.spec.sample_batch(jax.random.key(0), N))


QUICK = ("calzetti",)


@pytest.mark.parametrize(
    "law",
    [pytest.param(law, marks=() if law in QUICK else pytest.mark.slow)
     for law in LAWS],
)  # fmt: skip
def test_few_wavelengths_tell_the_screens_of_every_law(ssp, law):
    shape = {p.name: p.prior for p in LAWS[law].params}
    model = build(ssp, 2.5, dust_law=law, **shape)
    check(model, model.spec.sample_batch(jax.random.key(1), N))
    evaluators = evaluators_of(model)
    assert evaluators.at(2.5).wave.size < 0.2 * evaluators.over().galaxy.wave.size


@pytest.fixture(scope="module")
def compressed(ssp):
    return build(ssp, 2.5, dust_law="calzetti")


def test_ends_of_the_prior_that_float32_rounds(ssp):
    """0.05 and 0.01 are other numbers in float32: the fast paths serve them all the same."""
    model = build(ssp, 0.05, dust_law="calzetti")
    with jax.enable_x64(False):
        batch = model.spec.sample_batch(jax.random.key(3), N)
        given = {**batch, "redshift": np.full(N, 0.05, np.float32)}
        evaluators = evaluators_of(model)
        for asked in (batch, given):
            chosen = evaluators.choose(model.spec.resolve(asked, batch=True))
            assert chosen is evaluators.at(0.05)
            assert isinstance(chosen, FixedRedshiftEvaluator)
        free = build(ssp, (0.01, 1.0), dust_law="calzetti")
        track = {"redshift": np.linspace(0.01, 1.0, N, dtype=np.float32), **batch}
        evaluators = evaluators_of(free)
        chosen = evaluators.choose(free.spec.resolve(track, batch=True))
        assert chosen is evaluators.over((0.01, 1.0), traced=False)
        assert evaluators.over((0.01, 1.0)) is evaluators.over()


def test_beyond_the_box_the_whole_spectrum_serves(compressed):
    batch = compressed.spec.sample_batch(jax.random.key(2), N)
    dusty = {**batch, "dust_tau_diff": np.full(N, 30.0)}
    evaluators = evaluators_of(compressed)
    chosen = evaluators.choose(compressed.spec.resolve(dusty, batch=True))
    assert chosen is evaluators.over((2.5, 2.5), traced=False)
    assert isinstance(chosen, ExactEvaluator)
    check(compressed, dusty)
    del batch["redshift"], dusty["redshift"]
    inside_jit = jax.jit(compressed.predict_photometry)
    assert np.isfinite(inside_jit(rows(batch, 0))).all()
    assert np.isnan(inside_jit(rows(dusty, 0))).all()
    # a fixed value may be anything, so that the whole spectrum serves a traced one
    fixed = Parameters(**{**STARS, "dust_tau_diff": 0.3}, redshift=2.5, dust_law="calzetti")
    model = SEDModel(fixed, compressed.ssp, compressed.observation)
    flux = jax.jit(model.predict_photometry)(rows(dusty, 0))
    np.testing.assert_allclose(flux, direct(compressed, rows(dusty, 0)), rtol=1e-9)


def test_gradients_through_few_wavelengths(compressed):
    p = rows(compressed.spec.sample_batch(jax.random.key(3), N), 0)

    def slopes(evaluator):
        def flux(tau):
            return evaluator.bands({**p, "dust_tau_diff": tau}).flux

        return jax.jit(jax.jacfwd(flux))(p["dust_tau_diff"])

    want = slopes(compressed.evaluator())
    few = evaluators_of(compressed).at(2.5)
    np.testing.assert_allclose(slopes(few), want, rtol=1e-7)


@pytest.mark.slow
def test_many_galaxies_at_one_redshift_take_few_wavelengths(ssp, monkeypatch):
    monkeypatch.setattr("tengri.forward.exact_evaluators.MIN_ROWS_TO_SPECIALISE", N)
    model = build(ssp, (0.05, 5.0))
    evaluators = evaluators_of(model)
    batch = {**model.spec.sample_batch(jax.random.key(4), N), "redshift": 0.7}
    chosen = evaluators.choose(model.spec.resolve(batch, batch=True))
    assert chosen is evaluators.at(0.7)
    check(model, {**batch, "redshift": np.full(N, 0.7)})
    few = {name: np.asarray(value)[: N - 1] for name, value in batch.items() if name != "redshift"}
    near = model.spec.resolve({**few, "redshift": 0.8}, batch=True)
    assert evaluators.choose(near) is evaluators.over((0.05, 5.0), traced=False)


@pytest.mark.slow
def test_gas_is_part_of_the_few_wavelengths():
    stars = load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")
    model = build(stars, 0.3, nebular="cloudy", neb_logU=(-4.0, -1.0), neb_fesc=(0.0, 1.0))
    check(model, model.spec.sample_batch(jax.random.key(5), N))


@pytest.mark.slow
def test_float32(compressed):
    batch = compressed.spec.sample_batch(jax.random.key(6), 64)
    exact = np.asarray(compressed.predict_photometry_batch(batch))
    with jax.enable_x64(False):
        single = np.asarray(compressed.predict_photometry_batch(batch)).astype(float)
    bright = exact > 1e-4 * exact.max(axis=1, keepdims=True)
    error = np.abs(single / exact - 1.0)[bright]
    assert np.median(error) < 5e-6 and error.max() < 1e-4
