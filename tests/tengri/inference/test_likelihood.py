"""The likelihood of a fit: the errors of a surrogate are those of the galaxy at hand."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
from tengri.inference import Noise, Observations
from tengri.inference.likelihood import Density, own_errors
from tengri.inference.space import Space

#: Errors of the data so small that those of the surrogate count.
SNR = 3e4


def test_one_rule_for_the_errors_of_a_surrogate():
    """That of `Posterior`: by colours and redshift, for one vector and for many."""
    fast = emulator.load("sdss_nodes", units="nJy")
    space = Space.of(fast.spec)
    density = Density(fast.evaluator(), space=space, noise=Noise(), amplitude=None,
                      **own_errors(fast))  # fmt: skip
    xi = jnp.asarray(np.random.default_rng(0).normal(0.0, 0.4, (3, space.size)))
    predicted = np.stack([fast.predict_photometry(space.params(v)) for v in xi])
    flux = predicted[0] * (1.0 + np.array([1.0, -0.5, 0.3, -2.0, 0.7]) / SNR)
    observed = Observations.of(flux[None], flux[None] / SNR, fast.filter_names)
    case = jax.tree.map(lambda x: x[0], observed.cases)
    found = density.fitness(jnp.asarray(predicted).T, xi, case).log_likelihood
    flat = fast.flat_function()
    data = flat.data(flux, flux / SNR)
    for value, one, v in zip(found, predicted, xi):
        expected = flat.log_likelihood(space.params(v), data)
        assert value == pytest.approx(float(expected), rel=1e-4)
        alone = density.fitness(jnp.asarray(one), v, case).log_likelihood
        assert alone == pytest.approx(float(expected), rel=1e-4)
    overall = replace(density, by_colours=None)
    other = overall.fitness(jnp.asarray(predicted[0]), xi[0], case).log_likelihood
    assert abs(float(other - found[0])) > 0.1
    assert np.isfinite(jax.grad(density.log_posterior)(xi[0], case)).all()
