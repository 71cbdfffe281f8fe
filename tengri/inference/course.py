r"""A course: rounds of importance sampling from mixtures of tiles that follow a posterior.

A posterior of few bands is a thin, bent sheet: no few ellipsoids cover it. After each round of
draws some of all that were made, chosen by weights tempered while few count, become the centres of
the next mixture, each with the Gauss-Newton covariance at its own place: tiles that lie on the
sheet and grow into its corners (population Monte Carlo with local kernels: Cappé et al. 2004, J.
Comput. Graph. Stat. 13, 907; local covariances as in Martin et al. 2012, SIAM J. Sci. Comput. 34,
A1460). The draws of all rounds but the first count, as draws of the mixture of their mixtures (the
deterministic mixture of adaptive multiple importance sampling: Cornuet et al. 2012, Scand. J. Stat.
39, 798).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import logsumexp

from tengri.forward.batching import map_traced
from tengri.inference.importance import (
    FLUXES,
    POOR,
    Draws,
    SamplingPlan,
    tempered,
    weighed,
    with_amplitude,
)
from tengri.inference.laplace import STEP, marginal_curvature
from tengri.inference.likelihood import Density
from tengri.inference.mixture import (
    Mixture,
    draw,
    log_density,
    mixture_at,
    whitening_of_precision,
)
from tengri.inference.observations import Case

#: Draws that count, for each component of the next mixture, at least.
COUNTED = 3.0
#: Precision of the prior in a tile, over that of the prior: what is not measured is cut smaller.
TILE = 1.5


class _Past(NamedTuple):
    """Rounds of a course, those to come without weight.

    Attributes
    ----------
    mixture : Mixture, of arrays (rounds, k, …)
    theta : Array, shape (rounds, n, d)
    drawn : Draws, of arrays (rounds, n, …)
        ``log_weight`` is that of a uniform proposal.
    log_q : Array, shape (rounds, rounds, n)
        ln density of each mixture at the draws of each round.
    """

    mixture: Mixture
    theta: Array
    drawn: Draws
    log_q: Array

    def log_weight(self, last: Array) -> Array:
        """Return log weights (rounds, n) of draws of the mixture of mixtures, up to a round."""
        rounds = jnp.arange(len(self.theta))
        used = (rounds <= last) & (rounds >= jnp.minimum(last, POOR))
        log_q = logsumexp(jnp.where(used[:, None, None], self.log_q, -jnp.inf), axis=0)
        found = self.drawn.log_weight - log_q + jnp.log(jnp.sum(used))
        return jnp.where(used[:, None] & ~jnp.isnan(found), found, -jnp.inf)


def course(
    density: Density, mixture: Mixture, case: Case, key: Array, plan: SamplingPlan
) -> tuple[Draws, Mixture]:
    """Return the weighted draws of some rounds, and the mixture that they lead to."""

    def made(mixture: Mixture, key: Array) -> tuple[Array, Draws]:
        first, second = jax.random.split(key)
        theta = draw(mixture, first, plan.draws)
        return theta, weighed(density, case, *with_amplitude(density, theta, case, second))

    def one_round(i: Array, state: tuple[Mixture, _Past]) -> tuple[Mixture, _Past]:
        mixture, past = state
        first, second = jax.random.split(jax.random.fold_in(key, i))
        new = (mixture, *made(mixture, first))
        kept = past.mixture, past.theta, past.drawn
        mixtures, theta, drawn = jax.tree.map(lambda all_, x: all_.at[i].set(x), kept, new)
        at_all = _until(i, lambda x: log_density(mixture, x), theta)
        of_all = _until(i, lambda one: log_density(one, theta[i]), mixtures)
        past = _Past(mixtures, theta, drawn, past.log_q.at[i].set(at_all).at[:, i].set(of_all))
        weight = tempered(past.log_weight(i).reshape(-1), COUNTED * plan.components)
        xi, theta = (x.reshape(-1, x.shape[-1]) for x in (drawn.xi, theta))
        return _tiles(density, case, xi, theta, weight, second, plan.components), past

    n = plan.rounds
    shapes = mixture, *jax.eval_shape(made, mixture, key)
    mixtures, theta, drawn = jax.tree.map(lambda x: jnp.zeros((n, *x.shape), x.dtype), shapes)
    past = _Past(mixtures, theta, drawn, jnp.full((n, n, plan.draws), -jnp.inf))
    last, past = jax.lax.fori_loop(0, n, one_round, (mixture, past))
    drawn = past.drawn._replace(log_weight=past.log_weight(jnp.asarray(n - 1)))
    return jax.tree.map(lambda x: x[POOR:].reshape(plan.total, *x.shape[2:]), drawn), last


def _until(last: Array, function: Callable[[Any], Array], rounds: Any) -> Array:
    """Return a function of each of some rounds up to a round, -inf of later ones."""

    def one(row: tuple[Array, Any]) -> Array:
        i, x = row
        nothing = jax.eval_shape(function, x)
        none = jnp.full(nothing.shape, -jnp.inf, nothing.dtype)
        return jax.lax.cond(i <= last, function, lambda _: none, x)

    n = len(jax.tree.leaves(rounds)[0])
    return jax.lax.map(one, (jnp.arange(n), rounds))


def _tiles(
    density: Density, case: Case, xi: Array, theta: Array, weight: Array, key: Array, n: int
) -> Mixture:
    """Return a mixture of n tiles at draws xi (m, size), theta (m, d), chosen by weight (m,)."""
    total = jnp.cumsum(weight)
    position = (jnp.arange(n) + jax.random.uniform(key)) / n
    chosen = jnp.searchsorted(total, position * total[-1]).clip(max=len(total) - 1)
    size = xi.shape[1]
    moves = STEP * jnp.concatenate([jnp.zeros((1, size)), jnp.eye(size)])
    points = (xi[chosen][:, None] + moves).reshape(-1, size)
    r = map_traced(lambda v: density.residuals(v, case)[0], points, FLUXES)
    r = r.reshape(n, size + 1, -1)
    slope = jnp.swapaxes((r[:, 1:] - r[:, :1]) / STEP, 1, 2)
    slope = jnp.where(jnp.isfinite(slope).all(axis=(1, 2), keepdims=True), slope, 0.0)
    precision = jax.vmap(lambda s: marginal_curvature(s, density.place))(slope)
    tile = precision + (TILE - 1.0) * jnp.eye(theta.shape[1])
    return mixture_at(theta[chosen], *whitening_of_precision(tile), theta, weight)
