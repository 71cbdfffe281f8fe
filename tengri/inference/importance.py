r"""Importance sampling of one galaxy's posterior from a mixture that adapts to it.

1. Many solutions of least squares from prior draws (`tengri.inference.laplace`), each with its
   Gauss-Newton covariance, are the components of a first mixture. Where the redshift is free the
   draws are the best of many in each stratum of its prior, so that no mode is missed.
2. Rounds of draws move the mixture to the posterior (population Monte Carlo: Cappé et al. 2008,
   Stat. Comput. 18, 447), their weights tempered while they are few.
3. The draws of all rounds count, as draws of the mixture of their mixtures (the deterministic
   mixture of adaptive multiple importance sampling: Cornuet et al. 2012, Scand. J. Stat. 39, 798).
   Amplitudes come from their own conditional distribution (`tengri.inference.amplitude`).

Written for one galaxy; `tengri.inference.fitter` maps it over a catalogue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import logsumexp

from tengri.forward.batching import Execution, Sizes, map_traced
from tengri.inference.amplitude import draw_amplitude, log_amplitude_prior
from tengri.inference.laplace import Solution, curvature, marginal_curvature, solve
from tengri.inference.likelihood import Density, measured_bands
from tengri.inference.mixture import (
    Mixture,
    draw,
    first_mixture,
    log_density,
    updated,
    whitening_of_precision,
)
from tengri.inference.observations import Case
from tengri.inference.space import log_normal

#: Draws of a galaxy that are predicted together: what fits a processor's cache.
FLUXES = Execution(Sizes(128, 128), Sizes(4096, 4096))
#: Temperature of the evidences that are the weights of the first mixture.
TEMPERATURE = 4.0
#: Least effective share of the draws that an update goes by.
EFFECTIVE_SHARE = 0.1
#: Halvings of the interval in which the temperature of the weights is sought.
HALVINGS = 12


@dataclass(frozen=True)
class SamplingPlan:
    """How much is done for each galaxy.

    Attributes
    ----------
    starts, steps : int
        Solutions of least squares, and steps of each.
    scouts : int
        Prior draws in each stratum of a free redshift.
    rounds, draws : int
        Rounds of a course, and draws of each; what has not converged has further courses.
    """

    starts: int = 12
    steps: int = 8
    scouts: int = 32
    rounds: int = 4
    draws: int = 1024

    @property
    def total(self) -> int:
        """Draws of a course."""
        return self.rounds * self.draws


class Draws(NamedTuple):
    """Weighted draws of one galaxy's posterior, n of them.

    Attributes
    ----------
    xi : Array, shape (n, size)
    log_weight : Array, shape (n,)
        ln of posterior over proposal; its mean estimates the evidence.
    log_likelihood : Array, shape (n,)
    log_density : Array, shape (n,)
        ln of the posterior density in the parameters' own units, but for the evidence.
    chi2 : Array, shape (n,)
    """

    xi: Any
    log_weight: Any
    log_likelihood: Any
    log_density: Any
    chi2: Any


def proposal(density: Density, case: Case, key: Array, plan: SamplingPlan) -> Mixture:
    """Return a mixture that covers the posterior of a galaxy."""
    first, second = jax.random.split(key)
    start = _starts(density, case, first, plan)
    return _first_mixture(density, _solutions(density, case, start, second, plan))


def course(
    density: Density, mixture: Mixture, case: Case, key: Array, plan: SamplingPlan
) -> tuple[Draws, Mixture]:
    """Return the weighted draws of some rounds, and the mixture that they lead to."""

    def one_round(mixture: Mixture, key: Array) -> tuple[Mixture, tuple[Mixture, Array, Draws]]:
        first, second = jax.random.split(key)
        theta = draw(mixture, first, plan.draws)
        drawn = _weighed(density, case, *with_amplitude(density, theta, case, second))
        own = drawn.log_weight - log_density(mixture, theta)
        return adapted(mixture, theta, own), (mixture, theta, drawn)

    keys = jax.random.split(key, plan.rounds)
    last, (mixtures, theta, drawn) = jax.lax.scan(one_round, mixture, keys)

    def log_q(x: Array) -> Array:
        return logsumexp(jax.lax.map(lambda one: log_density(one, x), mixtures), axis=0)

    log_weight = drawn.log_weight - jax.lax.map(log_q, theta) + math.log(plan.rounds)
    drawn = drawn._replace(log_weight=log_weight)
    return jax.tree.map(lambda x: x.reshape(plan.total, *x.shape[2:]), drawn), last


def with_amplitude(
    density: Density, theta: Array, case: Case, key: Array
) -> tuple[Array, Array, Array]:
    """Return vectors with drawn amplitudes (n, size), fluxes (n, n_bands), and log densities (n,).

    The last are those of the prior over that of the amplitude's draw.
    """
    xi = _with_amplitude(density, theta, jnp.zeros(len(theta)))
    flux = map_traced(lambda v: density.flux(v, case), xi, FLUXES)
    log_p = log_normal(theta)
    if density.amplitude is None:
        return xi, flux, log_p
    drawn = draw_amplitude(density, flux, case, key)
    prior = density.space.priors[density.space.names.index(density.amplitude)]
    xi = _with_amplitude(density, theta, prior.standardize(drawn.value))
    log_p = log_p + log_amplitude_prior(density, drawn.value) - drawn.log_density
    return xi, flux * drawn.factor[:, None], log_p


def _weighed(density: Density, case: Case, xi: Array, flux: Array, log_p: Array) -> Draws:
    """Return draws with the weights that prior and likelihood give them; 0 without an answer."""
    fit = density.fitness(flux.T, xi, case)
    own_prior = jax.vmap(lambda v: density.log_redshift_prior(v, case))(xi)
    log_weight = fit.log_likelihood + own_prior + log_p
    log_weight = jnp.where(jnp.isnan(log_weight), -jnp.inf, log_weight)
    in_own_units = fit.log_likelihood + own_prior + density.space.log_prior(xi)
    return Draws(xi, log_weight, fit.log_likelihood, in_own_units, fit.chi2)


def adapted(mixture: Mixture, theta: Array, log_weight: Array) -> Mixture:
    """Return the mixture moved to its draws (n, d), weights tempered while few count."""
    best = jnp.max(log_weight)
    log_weight = log_weight - jnp.where(jnp.isfinite(best), best, 0.0)
    needed = EFFECTIVE_SHARE * log_weight.shape[0]

    def halve(ends: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        low, high = ends
        middle = 0.5 * (low + high)
        enough = kish(_power(log_weight, middle)) >= needed
        return (jnp.where(enough, middle, low), jnp.where(enough, high, middle)), None

    zero, one = jnp.zeros_like(best), jnp.ones_like(best)
    all_of_it = kish(_power(log_weight, one)) >= needed
    (low, _), _ = jax.lax.scan(halve, (zero, one), None, length=HALVINGS)
    weight = _power(log_weight, jnp.where(all_of_it, one, low))
    moved = updated(mixture, theta, weight)
    return jax.tree.map(lambda a, b: jnp.where(jnp.isfinite(best), a, b), moved, mixture)


def _power(log_weight: Array, power: Array) -> Array:
    """Return weights to a power, normalised; what has none keeps none."""
    none = ~jnp.isfinite(log_weight)
    weight = jnp.where(none, 0.0, jnp.exp(power * jnp.where(none, 0.0, log_weight)))
    return weight / jnp.maximum(jnp.sum(weight), jnp.finfo(weight.dtype).tiny)


def kish(weight: Array) -> Array:
    """Return the effective number of weights, (Σw)² / Σw² (Kish 1965)."""
    return jnp.sum(weight) ** 2 / jnp.sum(weight * weight)


def modes(density: Density, case: Case, key: Array, plan: SamplingPlan) -> Solution:
    """Return the best mode of a galaxy, from many starts."""
    start = _starts(density, case, key, plan)
    n = density.residuals(start[0], case)[0].shape[0]
    nothing = jnp.zeros_like(start[0]), jnp.zeros(n, start.dtype)
    found = jax.vmap(lambda v: solve(density, case, v, *nothing, 2 * plan.steps))(start)
    best = jnp.argmin(found.cost)
    return jax.tree.map(lambda x: x[best], found)


def laplace_draws(density: Density, case: Case, mode: Solution, key: Array, n: int) -> Draws:
    """Return draws of the normal distribution about a mode, with what weights they should have."""
    white, root = whitening_of_precision(curvature(mode.slope))
    z = jax.random.normal(key, (n, mode.xi.shape[0]))
    xi = mode.xi + z @ root.T
    log_q = log_normal(z) + jnp.sum(jnp.log(jnp.diagonal(white)))
    flux = jax.vmap(lambda v: density.flux(v, case))(xi)
    return _weighed(density, case, xi, flux, log_normal(xi) - log_q)


# --- the first mixture ------------------------------------------------------------------------


def _starts(density: Density, case: Case, key: Array, plan: SamplingPlan) -> Array:
    """Return prior draws (starts, size): of a free redshift the best in each stratum."""
    size = density.space.size
    if "redshift" not in density.space.names:
        return jax.random.normal(key, (plan.starts, size))
    first, second, third = jax.random.split(key, 3)
    place = density.space.starts["redshift"]
    xi = jax.random.normal(first, (plan.starts, plan.scouts, size))
    u = jnp.arange(plan.starts)[:, None] + jax.random.uniform(second, xi.shape[:2])
    xi = xi.at[..., place].set(jax.scipy.special.ndtri(jnp.clip(u / plan.starts, 1e-6, 1 - 1e-6)))
    theta = _without_amplitude(density, xi.reshape(-1, size))
    scouts, flux, _ = with_amplitude(density, theta, case, third)
    score = density.fitness(flux.T, scouts, case).log_likelihood
    score = jnp.where(jnp.isnan(score), -jnp.inf, score).reshape(xi.shape[:2])
    best = jnp.argmax(score, axis=1)
    return scouts.reshape(xi.shape)[jnp.arange(plan.starts), best]


def _solutions(
    density: Density, case: Case, start: Array, key: Array, plan: SamplingPlan
) -> Solution:
    """Return randomised solutions (starts, …), their residuals those of the data as they are."""
    n = density.residuals(start[0], case)[0].shape[0]
    measured = jnp.asarray(measured_bands(case))
    moved = jnp.concatenate([measured, jnp.ones(n - measured.shape[0], bool)])
    shift = jnp.where(moved, jax.random.normal(key, (plan.starts, n)), 0.0)
    found = jax.vmap(lambda v, e: solve(density, case, v, v, e, plan.steps))(start, shift)
    return found._replace(residual=found.residual + shift)


def _first_mixture(density: Density, found: Solution) -> Mixture:
    """Return one component for each solution, by their evidences."""
    precision = jax.vmap(lambda slope: marginal_curvature(slope, density.place))(found.slope)
    white, root = whitening_of_precision(precision)
    log_det = jnp.sum(jnp.log(jnp.diagonal(white, axis1=1, axis2=2)), axis=1)
    squares = jnp.sum(found.residual**2, axis=1) + jnp.sum(found.xi**2, axis=1)
    evidence = -0.5 * squares - log_det
    good = jnp.isfinite(found.cost) & jnp.isfinite(evidence)
    best = jnp.max(jnp.where(good, evidence, -jnp.inf))
    log_weight = jnp.where(good, (evidence - best) / TEMPERATURE, -20.0)
    log_weight = jnp.where(jnp.isfinite(best), jnp.maximum(log_weight, -20.0), 0.0)
    unit = jnp.eye(white.shape[-1])
    white, root = (jnp.where(good[:, None, None], m, unit) for m in (white, root))
    return first_mixture(log_weight, _without_amplitude(density, found.xi), white, root)


def _without_amplitude(density: Density, xi: Array) -> Array:
    return xi if density.place is None else jnp.delete(xi, density.place, axis=-1)


def _with_amplitude(density: Density, theta: Array, amplitude: Array) -> Array:
    """Return vectors (n, size) of the other coordinates and that of the amplitude."""
    if density.place is None:
        return theta
    parts = theta[:, : density.place], amplitude[:, None], theta[:, density.place :]
    return jnp.concatenate(parts, axis=1)
