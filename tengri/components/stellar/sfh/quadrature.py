"""Mass in age bins by Gauss-Legendre, with as many nodes as the width of the bin asks for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

# (widest bin [Gyr], nodes): 1e-3 of the total mass for features of 0.2 Gyr, where bins young
# enough to lie within a short-lived galaxy are held to features of a tenth of that.
NODES = ((0.002, 1), (0.012, 2), (0.03, 3), (0.1, 4), (0.25, 5))
NODES_PER_GYR = 20.0
OLDEST_GYR = 13.8


def node_counts(edges: np.ndarray) -> np.ndarray:
    """Return the number of quadrature nodes of each bin."""
    edges = np.append(edges[:-1], max(edges[-1], OLDEST_GYR))
    return np.array([_count(width) for width in np.diff(edges)])


def _count(width: float) -> int:
    fits = (n for widest, n in NODES if width <= widest * (1 + 1e-9))
    return next(fits, int(np.ceil(NODES_PER_GYR * min(width, OLDEST_GYR))))


def bin_masses(
    log_sfr: Callable[[Array], Array], edges: np.ndarray, t_univ: Array
) -> tuple[Array, Array]:
    """Integrate ``exp(log_sfr)`` over each bin, cut at the Big Bang.

    Returns
    -------
    ln_scale : Array, scalar
    m : Array, (n,)
        The integral over bin i is ``m[i] * exp(ln_scale)``.
    """
    counts = node_counts(edges)
    unit, weight = _rules(counts)
    # edges per node, from static arrays: no gather in the compiled program
    low = jnp.minimum(jnp.asarray(np.repeat(edges[:-1], counts)), t_univ)
    high = jnp.minimum(jnp.asarray(np.repeat(np.append(edges[1:-1], np.inf), counts)), t_univ)
    width = high - low
    f = log_sfr(low + width * jnp.asarray(unit))
    # bins of no width must not set the scale
    scale = jax.lax.stop_gradient(jnp.max(jnp.where(width > 0, f, -jnp.inf)))
    inside = jnp.where(width > 0, f - scale, 0.0)
    return scale, _sum_runs(width * jnp.asarray(weight) * jnp.exp(inside), counts)


def _rules(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rules = [np.polynomial.legendre.leggauss(int(n)) for n in counts]
    unit = np.concatenate([0.5 * (x + 1) for x, _ in rules])
    return unit, np.concatenate([0.5 * w for _, w in rules])


def _sum_runs(values: Array, counts: np.ndarray) -> Array:
    """Sum the nodes of each bin; neighbours with equally many nodes are summed as one block."""
    sums, start = [], 0
    for n, run in groupby(counts):
        length = sum(1 for _ in run)
        stop = start + length * int(n)
        sums.append(values[start:stop].reshape(length, int(n)).sum(axis=1))
        start = stop
    return jnp.concatenate(sums)
