"""Mass in age bins by Gauss-Legendre, in the coordinate in which a steep history is flat.

Within a bin of width h let y in [0, 1] run from the end where the SFR is higher, and let a/h be
its logarithmic slope there. With u = (1 - e^{-ay}) / (1 - e^{-a}),

    ∫ SFR dt  =  h (1 - e^{-a})/a  ∫_0^1 SFR e^{ay} du,

and what is left under the integral varies slowly even where the bin holds many e-foldings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

# (widest bin [Gyr], nodes): for features of 0.2 Gyr, and of less in bins young enough to lie
# within a galaxy at high redshift
NODES = ((0.002, 1), (0.02, 2), (0.06, 3), (0.12, 4), (0.25, 5))
NODES_PER_GYR = 20.0
OLDEST_GYR = 13.8
MOST_NODES = 12  # per panel
LEAST_TILT = 1e-3  # keeps 1 - e^{-a} accurate; any tilt is a valid substitution


def node_counts(edges: np.ndarray) -> np.ndarray:
    """Return the number of quadrature nodes of each bin."""
    edges = np.append(edges[:-1], max(edges[-1], OLDEST_GYR))
    return np.array([_count(width) for width in np.diff(edges)])


def _count(width: float) -> int:
    fits = (n for widest, n in NODES if width <= widest * (1 + 1e-9))
    return next(fits, int(np.ceil(NODES_PER_GYR * min(width, OLDEST_GYR))))


def bin_masses(
    log_sfr: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    t_peak: Array,
    edges: np.ndarray,
    t_univ: Array,
) -> tuple[Array, Array]:
    """Integrate ``exp(log_sfr)`` over each bin, cut at the Big Bang.

    Parameters
    ----------
    log_sfr, slope : callable
        ln SFR of lookback time and its derivative [1/Gyr]; the SFR has one maximum.
    t_peak : scalar
        Where, or near enough for the SFR there to set the scale.
    edges : ndarray, (n + 1,)
        The last bin reaches back to the Big Bang.
    t_univ : scalar

    Returns
    -------
    ln_scale : Array, scalar
    m : Array, (n,)
        The integral over bin i is ``m[i] * exp(ln_scale)``.
    """
    ends = jnp.minimum(jnp.asarray(np.append(edges[:-1], np.inf)), t_univ)
    low, width = ends[:-1], jnp.diff(ends)
    at_ends = jax.lax.stop_gradient(slope(ends))
    tilt = jax.lax.stop_gradient(width) * (
        jnp.minimum(at_ends[:-1], 0.0) + jnp.maximum(at_ends[1:], 0.0)
    )
    a = jnp.maximum(jnp.abs(tilt), LEAST_TILT)
    # once per bin: without the barrier the compiler repeats it at every node
    tilt, a, drop = jax.lax.optimization_barrier((tilt, a, -jnp.expm1(-a)))
    scale = jax.lax.stop_gradient(log_sfr(jnp.clip(t_peak, 0.0, t_univ)))
    sums = []
    for bins, n in _runs(node_counts(edges)):
        u, w = (jnp.asarray(column) for column in _unit_rule(n))
        kept = 1.0 - u * drop[bins]  # e^{-ay}, (nodes, bins)
        y = -jnp.log(kept) / a[bins]
        x = jnp.where(tilt[bins] > 0, 1.0 - y, y)
        sfr = jnp.exp(log_sfr(low[bins] + width[bins] * x) - scale)
        sums.append(jnp.sum(w * sfr / kept, axis=0))
    return scale, width * drop / a * jnp.concatenate(sums)


def _unit_rule(n: int) -> tuple[np.ndarray, np.ndarray]:
    """At least n nodes on [0, 1] and their weights, as columns; many are dealt out to panels."""
    panels = -(-n // MOST_NODES)
    x, w = np.polynomial.legendre.leggauss(-(-n // panels))
    left = np.arange(panels)[:, None]
    nodes = (left + 0.5 * (x + 1)) / panels
    weights = np.broadcast_to(0.5 * w / panels, nodes.shape)
    return nodes.reshape(-1, 1), weights.reshape(-1, 1)


def _runs(counts: np.ndarray) -> Iterator[tuple[slice, int]]:
    """Neighbouring bins with equally many nodes, to be handled as one block."""
    start = 0
    for n, run in groupby(counts):
        stop = start + sum(1 for _ in run)
        yield slice(start, stop), int(n)
        start = stop
