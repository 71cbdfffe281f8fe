r"""Modes of one galaxy's posterior, and the normal distributions about them.

In coordinates with a standard normal prior the posterior is a problem of least squares,
:math:`\frac12 |r(\xi)|^2 + \frac12 |\xi - c|^2` with whitened residuals r and c = 0, solved by
Levenberg-Marquardt steps. The Gauss-Newton matrix :math:`1 + J^T J` is positive definite and its
inverse the covariance of the Laplace approximation.

With c drawn from the prior and the data moved by noise, the solution is nearly a posterior draw,
and exactly one where the model is linear: randomised maximum likelihood (Oliver, He & Reynolds
1996; Bardsley et al. 2014, SIAM J. Sci. Comput. 36, A1895). Many of them lie along a degeneracy
where one mode would not show it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from tengri.inference.likelihood import Density
from tengri.inference.observations import Case
from tengri.numerics.small_matrices import solve_positive

#: Differences [widths of the prior] from which slopes are taken: as quick as forward mode, and what
#: is compiled is then the model alone.
STEP = 0.02
#: Longest step, in widths of the prior.
LONGEST = 1.5
#: Damping at the start, and its factors after a step that helps and one that does not.
DAMPING, LESS, MORE = 0.3, 0.2, 5.0


class Solution(NamedTuple):
    """A point of least squares.

    Attributes
    ----------
    xi : Array, shape (size,)
    cost : Array, shape ()
        Half the sum of all squares; infinite where the model has no answer.
    residual : Array, shape (n_residual,)
    slope : Array, shape (n_residual, size)
    """

    xi: Array
    cost: Array
    residual: Array
    slope: Array


def solve(
    density: Density, case: Case, start: Array, centre: Array, shift: Array, steps: int
) -> Solution:
    """Minimise the sum of squares from ``start``.

    Parameters
    ----------
    start, centre : Array, shape (size,)
        ``centre`` is that of the prior: 0 for a mode.
    shift : Array, shape (n_residual,)
        What is taken from the residuals: 0 for a mode.
    """

    def at(xi: Array) -> Solution:
        points = jnp.concatenate([xi[None], xi + STEP * jnp.eye(xi.shape[0], dtype=xi.dtype)])
        r, answered = jax.vmap(lambda v: density.residuals(v, case))(points)
        r, slope = r[0] - shift, (r[1:] - r[0]).T / STEP
        good = jnp.all(answered) & jnp.isfinite(r).all() & jnp.isfinite(slope).all()
        cost = 0.5 * (jnp.sum(r * r) + jnp.sum((xi - centre) ** 2))
        return Solution(xi, jnp.where(good, cost, jnp.inf), r, jnp.where(good, slope, 0.0))

    def step(state: tuple[Solution, Array], _: None) -> tuple[tuple[Solution, Array], None]:
        now, damping = state
        trial = at(now.xi + _move(now, centre, damping))
        better = trial.cost < now.cost
        kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), trial, now)
        return (kept, jnp.where(better, damping * LESS, damping * MORE)), None

    # nothing is known at the start: the first move is none, and the model is compiled once
    shapes = jax.eval_shape(at, start)
    first = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    first = first._replace(xi=start, cost=jnp.asarray(jnp.inf, start.dtype))
    damping = jnp.asarray(DAMPING / LESS, start.dtype)
    return jax.lax.scan(step, (first, damping), None, length=steps + 1)[0][0]


def _move(now: Solution, centre: Array, damping: Array) -> Array:
    """Return the step that the slopes ask for; none from a point without an answer."""
    gradient = now.slope.T @ now.residual + (now.xi - centre)
    matrix = curvature(now.slope)
    matrix = matrix + damping * jnp.diag(jnp.diagonal(matrix))
    move = -solve_positive(matrix, gradient)
    move = move * jnp.minimum(1.0, LONGEST / (jnp.max(jnp.abs(move)) + 1e-12))
    return jnp.where(jnp.isfinite(now.cost) & jnp.isfinite(move), move, 0.0)


def curvature(slope: Array) -> Array:
    """Return the Gauss-Newton matrix of slopes (…, n_residual, size)."""
    return jnp.swapaxes(slope, -1, -2) @ slope + jnp.eye(slope.shape[-1])


def marginal_curvature(slope: Array, place: int | None) -> Array:
    """Return the inverse covariance of all coordinates but one, (size - 1, size - 1).

    Residuals are projected off the slope of the coordinate, which is as exact as it is small.
    """
    if place is None:
        return curvature(slope)
    own = slope[:, place]
    others = jnp.delete(slope, place, axis=1)
    apart = others - jnp.outer(own, own @ others) / (1.0 + own @ own)
    matrix = others.T @ apart
    return 0.5 * (matrix + matrix.T) + jnp.eye(others.shape[1])
