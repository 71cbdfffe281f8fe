"""Piecewise-constant histories in age bins: ``continuity dirichlet``.

Seven bins, those of Leja+2019 (ApJ 876, 3) at every redshift, unless the setting
``sfh_bin_edges_gyr`` chooses others: see `tengri.components.stellar.sfh.bin_edges`. With n bins
there are n - 1 parameters; those of a bin that lies before the Big Bang have no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.sfh.bin_edges import MAX_BINS, BinEdges
from tengri.components.stellar.sfh.family import LOG_ZERO, SFHFamily, clipped
from tengri.constants import LN10
from tengri.priors import StudentT, Uniform
from tengri.registry import Param

N_BINS = BinEdges().n_bins

Levels = Callable[[Mapping[str, Array], int], Array]


def continuity_levels(q: Mapping[str, Array], n: int) -> Array:
    """ln SFR of each of n bins, youngest first, from ratio_i = log10(SFR_i / SFR_{i+1})."""
    ratios = jnp.stack([q[f"ratio_{i}"] for i in range(n - 1)])
    return relative(-LN10 * jnp.concatenate([jnp.zeros(1), jnp.cumsum(ratios)]))


def dirichlet_levels(q: Mapping[str, Array], n: int) -> Array:
    """ln SFR of each of n bins by stick breaking: (1-b_i) Π_{j<i} b_j, b_i = z_i^{1/(n-1-i)}.

    Uniform z in (0, 1) make b_i a Beta(n-1-i, 1) deviate and the SFR fractions a flat Dirichlet.
    """
    ln_b = jnp.stack([jnp.log(q[f"z_{i}"]) / (n - 1 - i) for i in range(n - 1)])
    kept = jnp.concatenate([jnp.zeros(1), jnp.cumsum(ln_b)])
    taken = jnp.concatenate([jnp.log(-jnp.expm1(ln_b)), jnp.zeros(1)])
    return relative(kept + taken)


def relative(levels: Array) -> Array:
    """Return ``levels`` less the highest."""
    return levels - highest(levels)


def highest(levels: Array) -> Array:
    """Return the highest of levels (n,), of equal ones the first.

    The derivative of ``jnp.max`` is a mean over the elements that equal it: over several, or, where
    the compiler computes them once more and rounds otherwise, over none, which is not a number.
    """
    return levels[jnp.argmax(levels)]


def log_step(levels: Array, own: Array, t: Array) -> Array:
    """ln SFR at lookback times ``t``: of the bin between edges ``own`` (n + 1,) that holds it."""
    # which bin holds t: counted, not searched
    held = jnp.sum(t[..., None] >= jnp.expand_dims(own[1:-1], tuple(range(t.ndim))), axis=-1)
    return jnp.where((t >= 0) & (t <= own[-1]), levels[held], LOG_ZERO)


def _step_masses(
    levels: Array, own: Array, edges: np.ndarray, t_univ: Array
) -> tuple[Array, Array]:
    low, high = clipped(edges, t_univ)
    sfr = jnp.exp(levels)
    shares = [
        sfr[i] * jnp.maximum(jnp.minimum(high, own[i + 1]) - jnp.maximum(low, own[i]), 0.0)
        for i in range(len(levels))
    ]
    return jnp.zeros_like(t_univ), jnp.asarray(sum(shares))


def _step_ages(levels: Array, own: Array, edges: np.ndarray, t_univ: Array) -> Array:
    """Mean of the middles of the overlaps (n, n_bins) of the bins, weighted with their masses."""
    low, high = (x[:, None] for x in clipped(edges, t_univ))
    own = own[None, :]
    start = jnp.maximum(low, own[:, :-1])
    width = jnp.maximum(jnp.minimum(high, own[:, 1:]) - start, 0.0)
    formed = jnp.exp(levels)[None, :] * width
    total = jnp.sum(formed, axis=1)
    return jnp.sum(formed * (start + 0.5 * width), axis=1) / jnp.where(total > 0, total, 1.0)


class Steps:
    """The functions of a family of steps with given bins."""

    def __init__(self, levels: Levels, bins: BinEdges) -> None:
        self._levels, self._bins = levels, bins

    def log_sfr(self, t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
        """ln SFR of the bin that holds t, relative to the highest bin."""
        return log_step(self._levels(q, self._bins.n_bins), self._bins.at(t_univ), t)

    def masses(
        self, q: Mapping[str, Array], edges: np.ndarray, t_univ: Array
    ) -> tuple[Array, Array]:
        """Overlap of the history's bins with the given ones."""
        levels = self._levels(q, self._bins.n_bins)
        return _step_masses(levels, self._bins.at(t_univ), edges, t_univ)

    def ages(self, q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
        """Mean age of each given bin from its overlaps with the history's."""
        levels = self._levels(q, self._bins.n_bins)
        return _step_ages(levels, self._bins.at(t_univ), edges, t_univ)


def _equal_share(i: int, n: int) -> float:
    """The z_i with which every one of n bins has the same SFR."""
    rest = n - 1 - i
    return (rest / (rest + 1)) ** rest


def _ratios(n: int) -> tuple[Param, ...]:
    return tuple(
        Param(
            f"sfh_cont_ratio_{i}",
            0.0,
            StudentT(0.0, 0.3, 2.0, -5.0, 5.0),
            (-20.0, 20.0),
            "dex",
            f"log10 of the SFR of bin {i} over that of the next older bin",
            symbol=rf"$\log_{{10}} {{\rm SFR}}_{{{i}}}/{{\rm SFR}}_{{{i + 1}}}$",
        )
        for i in range(n - 1)
    )


def _sticks(n: int) -> tuple[Param, ...]:
    return tuple(
        Param(
            f"sfh_dir_z_{i}",
            _equal_share(i, n),
            Uniform(0.01, 0.99),
            (1e-4, 0.9999),
            "",
            "stick-breaking variable; uniform in (0, 1) is a flat Dirichlet prior on the SFRs",
            symbol=f"$z_{{{i}}}$",
        )
        for i in range(n - 1)
    )


@cache
def continuity(bins: BinEdges) -> SFHFamily:
    """Return the family of SFR ratios between neighbouring bins."""
    steps = Steps(continuity_levels, bins)
    return SFHFamily(
        "continuity",
        "sfh_cont_",
        _ratios(bins.n_bins),
        steps.log_sfr,
        "Leja+2019, ApJ 876, 3",
        default_amplitude="log_total_mass",
        mass=steps.masses,
        ages=steps.ages,
        rebinned=continuity,
        more_params=_ratios(MAX_BINS)[bins.n_bins - 1 :],
    )


@cache
def dirichlet(bins: BinEdges) -> SFHFamily:
    """Return the family of SFR fractions with a flat prior."""
    steps = Steps(dirichlet_levels, bins)
    return SFHFamily(
        "dirichlet",
        "sfh_dir_",
        _sticks(bins.n_bins),
        steps.log_sfr,
        "Leja+2017, ApJ 837, 170; Betancourt 2012, arXiv:1010.3436; Leja+2019, ApJ 876, 3",
        default_amplitude="log_total_mass",
        mass=steps.masses,
        ages=steps.ages,
        rebinned=dirichlet,
        more_params=_sticks(MAX_BINS)[bins.n_bins - 1 :],
    )


CONTINUITY, DIRICHLET = continuity(BinEdges()), dirichlet(BinEdges())
