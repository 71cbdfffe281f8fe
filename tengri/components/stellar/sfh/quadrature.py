"""Mass in age bins by Gauss-Legendre, in the coordinate in which a steep history is flat.

Within a bin of width h let y in [0, 1] run from the end where the SFR is higher, and let a/h be
its logarithmic slope there. With u = (1 - e^{-ay}) / (1 - e^{-a}),

    ∫ SFR dt  =  h (1 - e^{-a})/a  ∫_0^1 SFR e^{ay} du,

and what is left under the integral varies slowly even where the bin holds many e-foldings.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

# (widest bin [Gyr], nodes): for features of 0.2 Gyr, and of less in bins young enough to lie
# within a galaxy at high redshift
NODES = ((0.02, 2), (0.08, 3), (0.25, 5))
NODES_PER_GYR = 20.0
OLDEST_GYR = 13.8
MOST_NODES = 12  # per panel
LEAST_TILT = 1e-3  # keeps 1 - e^{-a} accurate; any tilt is a valid substitution


ALLOWED = (1, 2, 3, 5, 8, 12, 24, 48, 96, 192, 288)  # few kinds of bins: little to compile


@dataclass(frozen=True)
class Rule:
    """The nodes of all bins end to end, so that a history is evaluated once, on one vector.

    Bins with equally many nodes form a block, in which the nodes of one rank stand together.

    Attributes
    ----------
    bin : ndarray of int, (n_node,)
        The bin of each node.
    u, w : ndarray, (n_node,)
        Place in [0, 1] and weight.
    blocks : tuple of (int, ndarray of int)
        Nodes per bin, and the bins, of each block.
    """

    bin: np.ndarray
    u: np.ndarray
    w: np.ndarray
    blocks: tuple[tuple[int, np.ndarray], ...]

    @classmethod
    def build(cls, edges: np.ndarray) -> Rule:
        """Choose the nodes for bins between ``edges`` [Gyr]."""
        counts = node_counts(edges)
        blocks, bins, u, w = [], [], [], []
        for n in np.unique(counts):
            members = np.flatnonzero(counts == n)
            x, weight = _unit_rule(int(n))
            blocks.append((x.size, members))
            bins.append(np.tile(members, x.size))
            u.append(np.repeat(x, members.size))
            w.append(np.repeat(weight, members.size))
        return cls(np.concatenate(bins), np.concatenate(u), np.concatenate(w), tuple(blocks))

    def spread(self, values: Array) -> Array:
        """Give each node the value (n,) of its bin: (n_node,)."""
        return jnp.concatenate([jnp.tile(_take(values, b), n) for n, b in self.blocks])

    def sums(self, values: Array) -> Array:
        """Add up the values (n_node,) of each bin: (n,)."""
        sums, start = [], 0
        for nodes, bins in self.blocks:
            stop = start + nodes * bins.size
            sums.append(_row_sum(values[start:stop].reshape(nodes, bins.size)))
            start = stop
        order = np.argsort(np.concatenate([bins for _, bins in self.blocks]))
        return _take(jnp.concatenate(sums), order)


def _take(values: Array, index: np.ndarray) -> Array:
    """``values[index]``, as a slice where it is one: compilers do not vectorise gathers."""
    first, last = int(index[0]), int(index[-1])
    run = np.array_equal(index, np.arange(first, last + 1))
    return values[first : last + 1] if run else values[index]


def _row_sum(rows: Array) -> Array:
    """Sum over the first axis; a short one as a chain, which compilers do vectorise."""
    if len(rows) > MOST_NODES:
        return jnp.sum(rows, axis=0)
    return functools.reduce(operator.add, rows)


def node_counts(edges: np.ndarray) -> np.ndarray:
    """Return the number of quadrature nodes of each bin."""
    edges = np.minimum(np.append(edges[:-1], np.inf), OLDEST_GYR)  # nothing before the Big Bang
    wanted = [_count(width) for width in np.diff(edges)]
    return np.array([next(n for n in ALLOWED if n >= count) for count in wanted])


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
    limits = np.append(edges[:-1], np.inf)
    ends = jnp.minimum(jnp.asarray(limits), t_univ)
    width = jnp.diff(ends)
    at_ends = jax.lax.stop_gradient(slope(ends))
    tilt = jax.lax.stop_gradient(width) * (
        jnp.minimum(at_ends[:-1], 0.0) + jnp.maximum(at_ends[1:], 0.0)
    )
    a = jnp.maximum(jnp.abs(tilt), LEAST_TILT)
    drop = -jnp.expm1(-a)
    rule = Rule.build(edges)
    # a barrier, or the compiler repeats what is made once per bin at every node
    each = rule.spread(tilt), rule.spread(a), rule.spread(drop)
    tilts, steep, drops = jax.lax.optimization_barrier(each)
    kept = 1.0 - jnp.asarray(rule.u, float) * drops  # e^{-ay}, (n_node,)
    y = -jnp.log(kept) / steep
    x = jnp.where(tilts > 0, 1.0 - y, y)
    first = jnp.minimum(jnp.asarray(limits[rule.bin]), t_univ)
    last = jnp.minimum(jnp.asarray(limits[rule.bin + 1]), t_univ)
    scale = jax.lax.stop_gradient(log_sfr(jnp.clip(t_peak, 0.0, t_univ)))
    sfr = jnp.exp(log_sfr(first + (last - first) * x) - scale)
    return scale, width * drop / a * rule.sums(jnp.asarray(rule.w, float) * sfr / kept)


def _unit_rule(n: int) -> tuple[np.ndarray, np.ndarray]:
    """At least n nodes on [0, 1] and their weights; many are dealt out to panels."""
    panels = -(-n // MOST_NODES)
    x, w = np.polynomial.legendre.leggauss(-(-n // panels))
    nodes = (np.arange(panels)[:, None] + 0.5 * (x + 1)) / panels
    return nodes.ravel(), np.tile(0.5 * w / panels, panels)
