"""Piecewise-constant histories in seven age bins: ``continuity dirichlet``.

The bins are those of Leja et al. at the present day and are stretched to the age of the Universe
at the galaxy's redshift, so that the oldest always ends at the Big Bang.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.sfh.family import LOG_ZERO, SFHFamily, clipped
from tengri.priors import StudentT, Uniform
from tengri.registry import Param

LN10 = float(np.log(10.0))
EDGES_GYR = np.array([0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 6.0, 13.7])
EDGES_FRAC = EDGES_GYR / EDGES_GYR[-1]
N_BINS = len(EDGES_FRAC) - 1


def continuity_levels(q: Mapping[str, Array]) -> Array:
    """ln SFR of each bin, youngest first, from ratio_i = log10(SFR_i / SFR_{i+1})."""
    ratios = jnp.stack([q[f"ratio_{i}"] for i in range(N_BINS - 1)])
    return _relative(-LN10 * jnp.concatenate([jnp.zeros(1), jnp.cumsum(ratios)]))


def dirichlet_levels(q: Mapping[str, Array]) -> Array:
    """ln SFR of each bin by stick breaking: (1-b_i) Π_{j<i} b_j, b_i = z_i^{1/(N-1-i)}.

    Uniform z in (0, 1) make b_i a Beta(N-1-i, 1) deviate and the SFR fractions a flat Dirichlet.
    """
    ln_b = jnp.stack([jnp.log(q[f"z_{i}"]) / (N_BINS - 1 - i) for i in range(N_BINS - 1)])
    kept = jnp.concatenate([jnp.zeros(1), jnp.cumsum(ln_b)])
    taken = jnp.concatenate([jnp.log(-jnp.expm1(ln_b)), jnp.zeros(1)])
    return _relative(kept + taken)


def _relative(levels: Array) -> Array:
    # of equal ones the first: the derivative of jnp.max is a mean over all of them
    return levels - levels[jnp.argmax(levels)]


def _log_step(levels: Array, t: Array, t_univ: Array) -> Array:
    edges = jnp.asarray(EDGES_FRAC, float) * t_univ
    # which bin holds t: counted, not searched
    held = jnp.sum(t[..., None] >= jnp.expand_dims(edges[1:-1], tuple(range(t.ndim))), axis=-1)
    return jnp.where((t >= 0) & (t <= t_univ), levels[held], LOG_ZERO)


def _step_masses(levels: Array, edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    low, high = clipped(edges, t_univ)
    own = jnp.asarray(EDGES_FRAC, float) * t_univ
    sfr = jnp.exp(levels)
    shares = [
        sfr[i] * jnp.maximum(jnp.minimum(high, own[i + 1]) - jnp.maximum(low, own[i]), 0.0)
        for i in range(N_BINS)
    ]
    return jnp.zeros_like(t_univ), jnp.asarray(sum(shares))


def _step_ages(levels: Array, edges: np.ndarray, t_univ: Array) -> Array:
    """Mean of the middles of the overlaps (n, N_BINS) of the bins, weighted with their masses."""
    low, high = (x[:, None] for x in clipped(edges, t_univ))
    own = jnp.asarray(EDGES_FRAC, float)[None, :] * t_univ
    start = jnp.maximum(low, own[:, :-1])
    width = jnp.maximum(jnp.minimum(high, own[:, 1:]) - start, 0.0)
    formed = jnp.exp(levels)[None, :] * width
    total = jnp.sum(formed, axis=1)
    return jnp.sum(formed * (start + 0.5 * width), axis=1) / jnp.where(total > 0, total, 1.0)


def log_continuity(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """ln SFR of the bin that holds t, relative to the highest bin."""
    return _log_step(continuity_levels(q), t, t_univ)


def continuity_masses(
    q: Mapping[str, Array], edges: np.ndarray, t_univ: Array
) -> tuple[Array, Array]:
    """Overlap of the history's bins with the given ones."""
    return _step_masses(continuity_levels(q), edges, t_univ)


def continuity_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """Mean age of each given bin from its overlaps with the history's."""
    return _step_ages(continuity_levels(q), edges, t_univ)


def log_dirichlet(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """ln SFR of the bin that holds t, relative to the highest bin."""
    return _log_step(dirichlet_levels(q), t, t_univ)


def dirichlet_masses(
    q: Mapping[str, Array], edges: np.ndarray, t_univ: Array
) -> tuple[Array, Array]:
    """Overlap of the history's bins with the given ones."""
    return _step_masses(dirichlet_levels(q), edges, t_univ)


def dirichlet_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """Mean age of each given bin from its overlaps with the history's."""
    return _step_ages(dirichlet_levels(q), edges, t_univ)


def _equal_share(i: int) -> float:
    """The z_i with which every bin has the same SFR."""
    rest = N_BINS - 1 - i
    return (rest / (rest + 1)) ** rest


CONTINUITY = SFHFamily(
    "continuity",
    "sfh_cont_",
    tuple(
        Param(
            f"sfh_cont_ratio_{i}",
            0.0,
            StudentT(0.0, 0.3, 2.0, -5.0, 5.0),
            (-20.0, 20.0),
            "dex",
            f"log10 of the SFR of bin {i} over that of the next older bin",
        )
        for i in range(N_BINS - 1)
    ),
    log_continuity,
    "Leja+2019, ApJ 876, 3",
    default_amplitude="log_total_mass",
    mass=continuity_masses,
    ages=continuity_ages,
)
DIRICHLET = SFHFamily(
    "dirichlet",
    "sfh_dir_",
    tuple(
        Param(
            f"sfh_dir_z_{i}",
            _equal_share(i),
            Uniform(0.01, 0.99),
            (1e-4, 0.9999),
            "",
            "stick-breaking variable; uniform in (0, 1) is a flat Dirichlet prior on the SFRs",
        )
        for i in range(N_BINS - 1)
    ),
    log_dirichlet,
    "Leja+2017, ApJ 837, 170; Betancourt 2012, arXiv:1010.3436",
    default_amplitude="log_total_mass",
    mass=dirichlet_masses,
    ages=dirichlet_ages,
)
