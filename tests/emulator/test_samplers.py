"""NUTS (blackjax) and emcee on ``flat_function``: both find the posterior of a quadrature."""

from __future__ import annotations

import blackjax
import emcee
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
from tengri import Parameters
from tengri.priors import Fixed

pytestmark = pytest.mark.slow

TRUTH = {"sfh_tsnorm_log_peak_sfr": 1.0, "dust_tau_diff": 0.8}


@pytest.fixture(scope="module")
def problem():
    """Two parameters and five bands at S/N 20: (flat function, data)."""
    trained = emulator.load("sdss_tsnorm").spec
    middle = trained.from_unit(jnp.full(trained.n_latent, 0.5))
    given = {name: Fixed(float(middle[name])) for name in trained.free_params}
    given |= {"sfh_tsnorm_log_peak_sfr": (-1.0, 3.0), "dust_tau_diff": (0.0, 3.0)}
    flat = emulator.load("sdss_tsnorm", spec=Parameters(**given), units="nJy").flat_function()
    flux = np.asarray(flat(TRUTH), float)
    noise = flux / 20.0
    return flat, flat.data(flux + noise * np.random.default_rng(3).normal(size=flux.size), noise)


@pytest.fixture(scope="module")
def quadrature(problem):
    """Mean and standard deviation of both coordinates on a grid around the truth."""
    flat, data = problem
    centre = np.asarray(flat.vector(TRUTH))
    axes = [c + np.linspace(-1.2, 1.2, 161) for c in centre]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    log_p = np.asarray(jax.jit(jax.vmap(flat.log_posterior, (0, None)))(jnp.asarray(grid), data))
    weight = np.exp(log_p - log_p.max())
    mean = np.average(grid, axis=0, weights=weight)
    return mean, np.sqrt(np.average((grid - mean) ** 2, axis=0, weights=weight))


def agrees(samples, quadrature):
    mean, sigma = quadrature
    shift = np.abs(samples.mean(axis=0) - mean) / sigma
    assert (shift < 0.15).all(), shift
    np.testing.assert_allclose(samples.std(axis=0), sigma, rtol=0.15)


def test_nuts(problem, quadrature):
    flat, data = problem

    def density(u):
        return flat.log_posterior(u, data)

    first, second = jax.random.split(jax.random.key(0))
    adapt = blackjax.window_adaptation(blackjax.nuts, density)
    (state, settings), _ = adapt.run(first, flat.vector(TRUTH), num_steps=300)
    step = blackjax.nuts(density, **settings).step

    @jax.jit
    def run(key, state):
        return jax.lax.scan(lambda s, k: (step(k, s)[0],) * 2, state, jax.random.split(key, 1500))

    samples = np.asarray(run(second, state)[1].position)
    agrees(samples, quadrature)


def test_emcee(problem, quadrature):
    flat, data = problem
    density = jax.jit(jax.vmap(lambda u: flat.log_posterior(u, data)))
    start = np.asarray(flat.vector(TRUTH)) + 0.05 * np.random.default_rng(0).normal(size=(24, 2))
    sampler = emcee.EnsembleSampler(24, 2, lambda u: np.asarray(density(u)), vectorize=True)
    sampler.random_state = np.random.RandomState(1).get_state()
    sampler.run_mcmc(start, 600)
    agrees(sampler.get_chain(discard=200, flat=True), quadrature)
