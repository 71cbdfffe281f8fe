"""Mass in age bins: the SFR at fixed places in time, summed by one matrix.

Bins are grouped into panels. Within a panel the SFR is the polynomial through its values at the
Gauss–Legendre nodes, and the mass of a bin is the integral of that polynomial over the bin:

    m_i = Σ_k M_ki · SFR(t_k) · (width of the panel).

A panel of one bin is the ordinary Gauss–Legendre rule. The many narrow bins of young stars share
panels, for no history has structure as fine as they are; a bin that the Big Bang may cut is
alone, so that its panel can end there.

The spacing of the nodes resolves features of 0.2 Gyr anywhere, and 0.03 Gyr within the age of the
Universe at z = 8.

Bins whose edges depend on a parameter, of which there are never many, have all those nodes each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.polynomial import legendre

from tengri.components.array_module import Floats, array_module
from tengri.numerics.linalg import matmul

# ends of the shared panels [Gyr], all before the Big Bang at any redshift up to 20; their nodes
SHARED_GYR = 0.0, 0.01, 0.03, 0.06, 0.1
SHARED_NODES = 6
# (widest bin [Gyr], nodes) of the others; wider ones have so many per Gyr, but few per part
NODES = ((0.02, 2), (0.05, 3), (0.15, 4), (0.3, 5))
NODES_PER_GYR = 12.0
MOST_NODES = 16
OLDEST_GYR = 13.8
AGE_NODES = 32  # in every bin, where the mean age of its stars is wanted


def clipped(edges: Floats, t_univ: Array) -> tuple[Array, Array]:
    """Return the lower and upper limits of the bins, none before the Big Bang.

    The last bin reaches back to the Big Bang, so that the bins hold all that was formed.
    """
    xp = array_module(edges)
    low = jnp.minimum(jnp.asarray(edges[:-1], float), t_univ)
    high = jnp.minimum(jnp.asarray(xp.append(edges[1:-1], np.inf), float), t_univ)
    return low, high


def ages(log_sfr: Callable[[Array], Array], edges: np.ndarray, t_univ: Array) -> Array:
    """Return the mean lookback time [Gyr] of what forms in each bin, (n_bin,)."""
    t, weights = _within(*clipped(edges, t_univ), AGE_NODES)
    ln_rate = log_sfr(t)
    highest = jax.lax.stop_gradient(jnp.max(ln_rate, axis=1, keepdims=True))
    formed = weights * jnp.exp(ln_rate - highest)
    return jnp.sum(formed * t, axis=1) / jnp.sum(formed, axis=1)


def _within(low: Array, high: Array, n: int) -> tuple[Array, Array]:
    """Return at least n times in each bin, (n_bin, n_node), and weights (1, n_node): 1 in all."""
    x, weights = _alone(n)
    t = low[:, None] + (high - low)[:, None] * jnp.asarray(x, float)[None, :]
    return t, jnp.asarray(weights, float)[None, :]


@dataclass(frozen=True, eq=False)
class Rule:
    """The nodes of all panels end to end, so that a history is evaluated once, on one vector.

    Attributes
    ----------
    low, high : ndarray, (n_node,)
        Ends of the panel of each node [Gyr], before the Big Bang cuts them.
    x : ndarray, (n_node,)
        Place in the panel, in [0, 1].
    matrix : ndarray, (n_node, n_bin)
        What each node adds to each bin, for panels of unit width.
    """

    low: np.ndarray
    high: np.ndarray
    x: np.ndarray
    matrix: np.ndarray

    def masses(self, sfr: Callable[[Array], Array], t_univ: Array) -> Array:
        """Return the integral (n_bin,) of ``sfr`` [1/Gyr at times in Gyr] over each bin."""
        low = jnp.minimum(jnp.asarray(self.low, float), t_univ)
        width = jnp.minimum(jnp.asarray(self.high, float), t_univ) - low
        values = width * sfr(low + width * jnp.asarray(self.x, float))
        masses = matmul(values, jnp.asarray(self.matrix, float))
        return jnp.maximum(masses, 0.0)  # a polynomial may undershoot beside a steep rise


@dataclass(frozen=True, eq=False)
class TracedRule:
    """The same for a few bins whose edges [Gyr] depend on a parameter, (n_bin + 1,)."""

    edges: Array

    def masses(self, sfr: Callable[[Array], Array], t_univ: Array) -> Array:
        """Return the integral (n_bin,) of ``sfr`` [1/Gyr at times in Gyr] over each bin."""
        low, high = clipped(self.edges, t_univ)
        t, weights = _within(low, high, int(np.ceil(NODES_PER_GYR * OLDEST_GYR)))
        return (high - low) * jnp.sum(sfr(t) * weights, axis=1)


def rule(edges: Floats) -> Rule | TracedRule:
    """Return the rule for bins between ``edges`` [Gyr]; the last one reaches to the Big Bang."""
    if isinstance(edges, Array):
        return TracedRule(edges)
    return _rule(tuple(np.asarray(edges, float).tolist()))


@cache
def _rule(edges: tuple[float, ...]) -> Rule:
    limits = np.array([*edges[:-1], np.inf])
    panels = [_panel(limits, first, stop) for first, stop in _groups(limits)]
    return Rule(*(np.concatenate(parts) for parts in zip(*panels)))


def _groups(limits: np.ndarray) -> list[tuple[int, int]]:
    """Return the ranges of bins that share panels: several young ones, one old one."""
    ends = np.unique(np.searchsorted(limits, SHARED_GYR, side="right") - 1)
    alone = np.arange(ends[-1] + 1, len(limits))
    return list(itertools.pairwise([*ends, *alone]))


def _panel(limits: np.ndarray, first: int, stop: int) -> tuple[np.ndarray, ...]:
    """Return (low, high, x, rows of the matrix) of the panel of the bins first … stop."""
    low, high = limits[first], limits[stop]
    if stop - first > 1:
        x, rows = _shared((limits[first : stop + 1] - low) / (high - low), SHARED_NODES)
    else:
        x, weights = _alone(_nodes(min(high, OLDEST_GYR) - low))
        rows = weights[:, None]
    matrix = np.zeros((x.size, len(limits) - 1))
    matrix[:, first:stop] = rows
    return np.full(x.size, low), np.full(x.size, high), x, matrix


def _nodes(width: float) -> int:
    fits = (n for widest, n in NODES if width <= widest * (1 + 1e-9))
    return next(fits, int(np.ceil(NODES_PER_GYR * min(width, OLDEST_GYR))))


def _alone(n: int) -> tuple[np.ndarray, np.ndarray]:
    """At least n nodes on [0, 1] and their weights; many are dealt out to equal parts."""
    parts = -(-n // MOST_NODES)
    x, w = legendre.leggauss(-(-n // parts))
    nodes = (np.arange(parts)[:, None] + 0.5 * (x + 1)) / parts
    return nodes.ravel(), np.tile(0.5 * w / parts, parts)


def _shared(inner: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n nodes on [0, 1] and the integrals (n, n_bin) between the places ``inner``."""
    x, w = legendre.leggauss(n)
    degree = np.arange(n)
    # the Lagrange polynomial of node k is Σ_j (2j + 1)/2 w_k P_j(x_k) P_j(x)
    coefficients = (degree + 0.5) * w[:, None] * legendre.legvander(x, n - 1)
    antiderivative = legendre.legint(coefficients, axis=1)
    values = legendre.legval(2 * inner - 1, antiderivative.T)
    return 0.5 * (x + 1), 0.5 * np.diff(values, axis=1)
