"""A stochastic history through the whole model: a population, its mean, its scatter, gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel
from tengri.components.stellar.sfh import make_log_age_grid

N = 2000
BANDS = ["galex_fuv", "sdss_u", "sdss_r", "2mass_ks"]
GIVEN = {"mean_sfh_type": ["const", "field"], "sfh_const_log_peak_sfr": 0.0,
         "sfh_const_start_gyr": 10.0, "dust_tau_bc": 0.0, "dust_tau_diff": 0.0,
         "redshift": 0.05}  # fmt: skip
SCATTER = {"sfh_field_psd_sigma": 0.3, "sfh_field_psd_tau_myr": 100.0}


@pytest.fixture(scope="module")
def model(ssp):
    spec = Parameters(**GIVEN, sfh_field_psd_sigma=(0.01, 1.0), sfh_field_psd_tau_myr=(10.0, 500.0))
    return SEDModel(spec, ssp, Instrument.from_names(BANDS).observation(), units="nJy")


@pytest.fixture(scope="module")
def smooth(ssp):
    spec = Parameters(**{**GIVEN, "mean_sfh_type": "const"})
    model = SEDModel(spec, ssp, Instrument.from_names(BANDS).observation(), units="nJy")
    return np.asarray(model.predict_photometry())


@pytest.fixture(scope="module")
def population(model):
    rows = model.spec.sample_batch(jax.random.key(7), N)
    assert rows["sfh_field_xi"].shape == (N, 256)
    return rows | {k: np.full(N, v) for k, v in SCATTER.items()}


def test_a_population_has_the_mean_flux_of_its_mean_history(model, smooth, population):
    """Flux is linear in the SFR and the modulator has mean 1: 4 standard errors of 2000 draws."""
    flux = np.asarray(model.predict_photometry_batch(population))
    assert flux.shape == (N, len(BANDS)) and np.isfinite(flux).all()
    error = flux.std(axis=0) / np.sqrt(N)
    assert np.all(np.abs(flux.mean(axis=0) - smooth) < 4.0 * error)
    assert np.all(error < 0.02 * smooth)
    # the younger the stars that a band sees, the more it scatters, and never more than the SFR
    scatter = np.log10(flux).std(axis=0)
    assert np.all(np.diff(scatter) < 0.0)
    assert 0.15 < scatter[0] < 0.3 and scatter[-1] < 0.1


@pytest.mark.slow
def test_a_batch_is_its_galaxies(model, population):
    few = {k: np.asarray(v)[:3] for k, v in population.items()}
    batch = np.asarray(model.predict_photometry_batch(few))
    for i in range(3):
        one = model.predict_photometry({k: v[i] for k, v in few.items()})
        np.testing.assert_allclose(batch[i], one, rtol=1e-9)


@pytest.mark.slow
def test_longer_and_stronger_walks_scatter_more(model, population):
    few = {k: np.asarray(v)[:400] for k, v in population.items()}

    def scatter(**changed):
        rows = few | {f"sfh_field_psd_{k}": np.full(400, v) for k, v in changed.items()}
        return np.log10(model.predict_photometry_batch(rows)).std(axis=0)

    base = scatter()
    assert np.all(scatter(sigma=0.6) > 1.5 * base)
    assert np.all(scatter(tau_myr=400.0) > base)


@pytest.mark.slow
def test_gradients_by_field_scatter_and_time(model, population):
    one = {k: np.asarray(v)[0] for k, v in population.items()}
    names = ("sfh_field_xi", *SCATTER)
    rest = {k: v for k, v in one.items() if k not in names}

    def log_flux(q):
        return jnp.log(model.predict_photometry(rest | q))

    at = {k: jnp.asarray(one[k]) for k in names}
    jacobian = jax.jit(jax.jacrev(log_flux))(at)
    direction = {k: np.asarray(jax.random.normal(jax.random.key(i), v.shape)) * np.abs(v).max()
                 for i, (k, v) in enumerate(at.items())}  # fmt: skip
    for name in names:
        assert np.isfinite(jacobian[name]).all() and np.any(jacobian[name] != 0.0)
        step = {k: 1e-5 * direction[k] if k == name else 0.0 * direction[k] for k in names}
        above, below = (jax.tree.map(lambda a, b, s=s: a + s * b, at, step) for s in (1.0, -1.0))
        numeric = (log_flux(above) - log_flux(below)) / 2e-5
        exact = jnp.tensordot(jacobian[name], direction[name], np.ndim(at[name]))
        np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-8)
    # every node that is younger than the history counts for some band, and no other
    counts = np.abs(jacobian["sfh_field_xi"]).max(axis=0) > 0.0
    assert counts[10.0 ** make_log_age_grid() < 0.95e10].all()
    assert not counts[10.0 ** make_log_age_grid() > 1.1e10].any()
