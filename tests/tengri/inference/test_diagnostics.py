"""Diagnostics against known values and against another implementation."""

from __future__ import annotations

import blackjax.diagnostics as other
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.inference.diagnostics import (
    kish,
    pareto_fit,
    predictive_p,
    resampled,
    smoothed,
    weighted_quantiles,
)


@pytest.mark.parametrize("shape", [0.2, 0.6, 1.1])
def test_smoothing_is_that_of_blackjax(shape):
    ratio = np.random.default_rng(3).pareto(1.0 / shape, 4000) + 1.0
    weight, k = smoothed(np.log(ratio)[None])
    log_weight, expected = other.psis_weights(jnp.log(ratio))
    assert k[0] == pytest.approx(float(expected), abs=0.02)
    assert k[0] == pytest.approx(shape, abs=0.2)
    if expected > 1 / 3:  # below it the other one leaves the weights as they are
        np.testing.assert_allclose(weight[0], np.exp(np.asarray(log_weight)), rtol=0.03)


def test_weights_that_are_alike_and_none_at_all():
    weight, k = smoothed(np.array([np.zeros(100), np.full(100, -np.inf)]))
    np.testing.assert_allclose(weight, [np.full(100, 0.01), np.zeros(100)])
    assert k.tolist() == [0.0, np.inf]
    np.testing.assert_allclose(kish(weight), [100.0, 0.0])
    assert kish(np.array([[0.5, 0.5, 0.0, 0.0]])) == pytest.approx(2.0)


def test_the_fit_of_a_pareto_tail():
    excess = np.sort(0.7 * (np.random.default_rng(0).uniform(size=20000) ** -0.4 - 1.0) / 0.4)
    k, sigma = pareto_fit(excess)
    assert k == pytest.approx(0.4, abs=0.03) and sigma == pytest.approx(0.7, rel=0.05)


def test_weighted_quantiles_and_resampling():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 200_000))
    weight = np.exp(x)  # moves a standard normal by one
    weight /= weight.sum(axis=1, keepdims=True)
    found = weighted_quantiles(x, weight, np.array([0.16, 0.5, 0.84]))
    np.testing.assert_allclose(found, [[0.0055, 1.0, 1.9945]] * 2, atol=0.03)
    assert x[0, resampled(weight, 5000, 0)[0]].mean() == pytest.approx(1.0, abs=0.03)


def test_predictive_p_of_chi_square():
    chi2 = np.array([[5.0, 5.0], [40.0, 60.0]])
    p = predictive_p(chi2, np.full((2, 2), 0.5), np.array([5, 5]))
    assert p[0] == pytest.approx(0.41588, abs=1e-4) and p[1] < 1e-6


def test_diagnostics_of_chains_are_those_of_arviz():
    """Rank-normalised split R̂, bulk and tail sizes of chains that mix, and of one that is off."""
    import arviz

    rng = np.random.default_rng(5)
    noise = rng.normal(size=(4, 500, 2))
    chains = np.empty_like(noise)
    chains[:, 0] = noise[:, 0]
    for i in range(1, 500):  # first-order autoregression
        chains[:, i] = 0.6 * chains[:, i - 1] + noise[:, i]
    chains[0, :, 1] += 1.5
    for ours, theirs, words in (
        (other.rhat, arviz.rhat, {"method": "rank"}),
        (other.ess_bulk, arviz.ess, {"method": "bulk"}),
        (other.ess_tail, arviz.ess, {"method": "tail"}),
    ):
        expected = [float(theirs(chains[:, :, i], **words)) for i in range(2)]
        np.testing.assert_allclose(np.asarray(ours(jnp.asarray(chains))), expected, rtol=0.02)
    assert float(other.rhat(jnp.asarray(chains))[1]) > 1.01
