r"""Importance sampling of one galaxy's posterior from mixtures that follow it.

1. Many solutions of least squares from prior draws (`tengri.inference.laplace`), each with its
   Gauss-Newton covariance, are the components of a first mixture. Where the redshift is free the
   draws are the best of many in each stratum of its prior, so that no mode is missed.
2. Rounds of draws lead to the next mixtures (`tengri.inference.course`). Amplitudes come from their
   own conditional distribution (`tengri.inference.amplitude`).

Written for one galaxy; `tengri.inference.fitter` maps it over a catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from tengri.errors import ConfigError
from tengri.forward.batching import Execution, Sizes, map_traced
from tengri.inference.amplitude import draw_amplitude, log_amplitude_prior
from tengri.inference.laplace import Solution, curvature, marginal_curvature, solve
from tengri.inference.likelihood import Density, measured_bands
from tengri.inference.mixture import (
    Mixture,
    first_mixture,
    padded,
    whitening_of_precision,
)
from tengri.inference.observations import Case
from tengri.inference.space import log_normal

#: Draws of a galaxy that are predicted together: what fits a processor's cache.
FLUXES = Execution(Sizes(128, 128), Sizes(4096, 4096))
#: Temperature of the evidences that are the weights of the first mixture.
TEMPERATURE = 4.0
#: Rounds of a course whose draws are given away: their mixture was a poor one.
POOR = 1
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
    components : int
        Tiles of each mixture.
    rounds, draws : int
        Rounds of a course, and draws of each; what has not converged has further courses.
    """

    starts: int = 16
    steps: int = 8
    scouts: int = 32
    components: int = 64
    rounds: int = 6
    draws: int = 768

    def __post_init__(self) -> None:
        if self.components < self.starts or self.rounds <= POOR:
            raise ConfigError(
                f"A plan has at least as many components as starts and {POOR + 1} rounds; got "
                f"{self.components}, {self.starts} and {self.rounds}."
            )

    @property
    def total(self) -> int:
        """Draws of a course that count."""
        return (self.rounds - POOR) * self.draws


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
    found = _first_mixture(density, _solutions(density, case, start, second, plan))
    return padded(found, plan.components)


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


def weighed(density: Density, case: Case, xi: Array, flux: Array, log_p: Array) -> Draws:
    """Return draws with the weights that prior and likelihood give them; 0 without an answer."""
    fit = density.fitness(flux.T, xi, case)
    own_prior = jax.vmap(lambda v: density.log_redshift_prior(v, case))(xi)
    log_weight = fit.log_likelihood + own_prior + log_p
    log_weight = jnp.where(jnp.isnan(log_weight), -jnp.inf, log_weight)
    in_own_units = fit.log_likelihood + own_prior + density.space.log_prior(xi)
    return Draws(xi, log_weight, fit.log_likelihood, in_own_units, fit.chi2)


def tempered(log_weight: Array, needed: float) -> Array:
    """Return weights (n,) that sum to one, to the largest power up to 1 under which enough count.

    All are alike where none is finite.
    """
    best = jnp.max(log_weight)
    log_weight = jnp.where(jnp.isfinite(best), log_weight - best, 0.0)

    def halve(ends: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        low, high = ends
        middle = 0.5 * (low + high)
        enough = kish(_power(log_weight, middle)) >= needed
        return (jnp.where(enough, middle, low), jnp.where(enough, high, middle)), None

    zero, one = jnp.zeros_like(best), jnp.ones_like(best)
    all_of_it = kish(_power(log_weight, one)) >= needed
    (low, _), _ = jax.lax.scan(halve, (zero, one), None, length=HALVINGS)
    return _power(log_weight, jnp.where(all_of_it, one, low))


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
    return weighed(density, case, xi, flux, log_normal(xi) - log_q)


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
