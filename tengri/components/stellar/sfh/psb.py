r"""A post-starburst history: steps whose recent edges are free (Suess+2022): ``psb``.

Nine bins, youngest first, as in the code of that paper (prospector, ``continuity_psb_sfh``):

* the youngest from 0 to t_last;
* five *flexible* ones from t_last to t_flex, which form equal masses, so that neighbours with
  SFR_i / SFR_{i+1} = r_i have widths Δ_{i+1} / Δ_i = r_i:
  Δ_1 = (t_flex − t_last) / (1 + Σ_n Π_{j≤n} r_j);
* three of equal width from t_flex to the Big Bang.

The SFR of the youngest is ``ratio_young`` dex above the first flexible bin's, that of an old one
``ratio_old`` dex below the next younger bin's. Where the Universe is younger than t_flex there are
no old bins, where it is younger than t_last one bin alone; ``…_frac`` times scale with its age.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.array_module import Floats
from tengri.components.stellar.sfh.binned import highest, log_step, relative
from tengri.components.stellar.sfh.family import SFHFamily, as_fractions, clipped
from tengri.constants import LN10
from tengri.numerics.extremes import larger, smaller
from tengri.priors import StudentT, Uniform
from tengri.registry import Param

N_FLEX, N_OLD = 5, 3
#: From the youngest to the oldest pair of neighbours.
RATIOS = (
    "ratio_young",
    *(f"ratio_{i}" for i in range(N_FLEX - 1)),
    *(f"ratio_old_{i}" for i in range(N_OLD)),
)
NARROWEST_GYR = 1e-12  # stands for no width, where something is divided by it


class Bins(NamedTuple):
    """The nine bins of one galaxy: ``own`` (10,) are their edges [Gyr].

    ``widths`` (9,) [Gyr] are good where the difference of two edges is not; ``ln_mass`` (9,) is
    relative to a flexible bin's mass, ``levels`` (9,) ln of the SFRs on that scale per Gyr;
    ``exists`` (9,) says which the Universe is old enough for.
    """

    widths: Array
    own: Array
    ln_mass: Array
    levels: Array
    exists: Array


def _bins(q: Mapping[str, Array], t_univ: Array) -> Bins:
    t_flex = smaller(q["tflex_gyr"], t_univ)
    t_last = smaller(q["tlast_gyr"], t_flex)
    ratios = LN10 * jnp.stack([q[name] for name in RATIOS])
    within = jnp.append(0.0, jnp.cumsum(ratios[1:N_FLEX]))
    ln_share = jax.nn.log_softmax(within)
    flexible = (t_flex - t_last) * jnp.exp(ln_share)
    old = jnp.broadcast_to((t_univ - t_flex) / N_OLD, (N_OLD,))
    recent = t_last + jnp.append(0.0, jnp.cumsum(flexible)[:-1])
    early = t_flex + jnp.append(0.0, jnp.cumsum(old)[:-1])
    own = jnp.concatenate([jnp.zeros(1), recent, early, t_univ[None]])
    ln_flexible = _ln(t_flex - t_last) + ln_share
    fall = jnp.cumsum(ratios[N_FLEX:])
    ln_young = ratios[0] + _ln(t_last) - ln_flexible[0]
    ln_mass = jnp.concatenate(
        [ln_young[None], jnp.zeros(N_FLEX), _ln(old) - ln_flexible[-1] - fall]
    )
    levels = ratios[0] - ln_flexible[0] - jnp.append(0.0, jnp.cumsum(ratios))
    there = [t_last > 0.0, *[t_flex > t_last] * N_FLEX, *[t_univ > t_flex] * N_OLD]
    return Bins(
        jnp.concatenate([t_last[None], flexible, old]), own, ln_mass, levels, jnp.stack(there)
    )


def _ln(width: Array) -> Array:
    return jnp.log(jnp.maximum(width, NARROWEST_GYR))


def _formed(bins: Bins, edges: Floats, t_univ: Array) -> tuple[Array, Array, Array]:
    """Return of each given bin and own one (n, 9): mass, start and width of the overlap.

    A bin too narrow for the difference of its edges still has all of its mass.
    """
    low, high = (x[:, None] for x in clipped(edges, t_univ))
    narrow = jnp.maximum(bins.widths, NARROWEST_GYR)[None, :]
    start = bins.own[None, :-1]
    first, last = (larger(0.0, smaller((x - start) / narrow, 1.0)) for x in (low, high))
    mass = jnp.where(bins.exists, jnp.exp(relative(bins.ln_mass)), 0.0)
    return mass[None, :] * (last - first), start + first * narrow, (last - first) * narrow


def log_psb(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """ln SFR of the bin that holds t, relative to the highest bin."""
    bins = _bins(q, t_univ)
    return log_step(relative(bins.levels), bins.own, t)


def psb_masses(q: Mapping[str, Array], edges: Floats, t_univ: Array) -> tuple[Array, Array]:
    """Overlap of the history's bins with the given ones."""
    bins = _bins(q, t_univ)
    formed, _, _ = _formed(bins, edges, t_univ)
    scale = highest(bins.ln_mass) - highest(bins.levels)
    return scale, jnp.sum(formed, axis=1)


def psb_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """Mean age of each given bin from its overlaps with the history's."""
    formed, start, width = _formed(_bins(q, t_univ), edges, t_univ)
    total = jnp.sum(formed, axis=1)
    return jnp.sum(formed * (start + 0.5 * width), axis=1) / jnp.where(total > 0, total, 1.0)


def _ratio(name: str, what: str) -> Param:
    return Param(f"sfh_psb_{name}", 0.0, StudentT(0.0, 0.3, 2.0, -5.0, 5.0), (-20.0, 20.0), "dex",
                 f"log10 of the SFR of {what} over that of the next older bin",
                 symbol=rf"$\Delta\log_{{10}}{{\rm SFR}}$, {what}")  # fmt: skip


_PARAMS = (
    Param("sfh_psb_tlast_gyr", 0.2, Uniform(0.01, 1.5), (1e-3, 30.0), "Gyr",
          "lookback time at which the youngest bin begins", symbol=r"$t_{\rm last}$"),
    Param("sfh_psb_tflex_gyr", 2.0, Uniform(1.5, 4.0), (1e-3, 30.0), "Gyr",
          "lookback time at which the flexible bins begin; the published model fixes it",
          symbol=r"$t_{\rm flex}$"),
    _ratio("ratio_young", "the youngest bin"),
    *(_ratio(f"ratio_{i}", f"flexible bin {i}") for i in range(N_FLEX - 1)),
    _ratio("ratio_old_0", "the last flexible bin"),
    *(_ratio(f"ratio_old_{i}", f"old bin {i - 1}") for i in range(1, N_OLD)),
)  # fmt: skip
PSB = SFHFamily(
    "psb",
    "sfh_psb_",
    _PARAMS,
    log_psb,
    "Suess+2022, ApJ 926, 89; Suess+2022, ApJ 935, 146",
    default_amplitude="log_total_mass",
    mass=psb_masses,
    ages=psb_ages,
    fractional_times=as_fractions(_PARAMS, tlast=(0.03, 0.002, 0.15), tflex=(0.2, 0.15, 0.6)),
)
