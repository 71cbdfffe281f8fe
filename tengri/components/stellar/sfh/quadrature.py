"""Mass in age bins by Gauss-Legendre, in the coordinate in which a steep history is flat.

Within a bin of width h let y in [0, 1] run from the end where the SFR is higher, and let a/h be
its logarithmic slope there. With u = (1 - e^{-ay}) / (1 - e^{-a}),

    ∫ SFR dt  =  h (1 - e^{-a})/a  ∫_0^1 SFR e^{ay} du,

and what is left under the integral varies slowly even where the bin holds many e-foldings.
"""

from __future__ import annotations

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

    Attributes
    ----------
    bin : ndarray of int, (n_node,)
        The bin of each node.
    u, w : ndarray, (n_node,)
        Place in [0, 1] and weight.
    blocks : tuple of (int, int)
        Nodes per bin and number of bins, for each run of equal bins in the vector.
    place : ndarray of int, (n,)
        Where each bin's sum stands when the blocks are summed in turn.
    """

    bin: np.ndarray
    u: np.ndarray
    w: np.ndarray
    blocks: tuple[tuple[int, int], ...]
    place: np.ndarray

    @classmethod
    def build(cls, edges: np.ndarray) -> Rule:
        """Choose the nodes for bins between ``edges`` [Gyr]."""
        counts = node_counts(edges)
        kinds = [(int(n), np.flatnonzero(counts == n)) for n in np.unique(counts)]
        bins, u, w = [], [], []
        for n, members in kinds:
            x, weight = _unit_rule(n)
            bins.append(np.tile(members, x.size))
            u.append(np.repeat(x, members.size))
            w.append(np.repeat(weight, members.size))
        order = np.concatenate([members for _, members in kinds])
        blocks = tuple((len(_unit_rule(n)[0]), members.size) for n, members in kinds)
        return cls(*map(np.concatenate, (bins, u, w)), blocks, np.argsort(order))

    def sums(self, values: Array) -> Array:
        """Add up the values (n_node,) of each bin: (n,)."""
        sums, start = [], 0
        for nodes, bins in self.blocks:
            stop = start + nodes * bins
            sums.append(values[start:stop].reshape(nodes, bins).sum(axis=0))
            start = stop
        return jnp.concatenate(sums)[self.place]


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
    rule = Rule.build(edges)
    kept = 1.0 - jnp.asarray(rule.u, float) * drop[rule.bin]  # e^{-ay}, (n_node,)
    y = -jnp.log(kept) / a[rule.bin]
    x = jnp.where(tilt[rule.bin] > 0, 1.0 - y, y)
    sfr = jnp.exp(log_sfr(low[rule.bin] + width[rule.bin] * x) - scale)
    return scale, width * drop / a * rule.sums(jnp.asarray(rule.w, float) * sfr / kept)


def _unit_rule(n: int) -> tuple[np.ndarray, np.ndarray]:
    """At least n nodes on [0, 1] and their weights; many are dealt out to panels."""
    panels = -(-n // MOST_NODES)
    x, w = np.polynomial.legendre.leggauss(-(-n // panels))
    nodes = (np.arange(panels)[:, None] + 0.5 * (x + 1)) / panels
    return nodes.ravel(), np.tile(0.5 * w / panels, panels)
