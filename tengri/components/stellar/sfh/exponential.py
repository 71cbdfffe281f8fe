"""Closed-form exponentials and the constant: ``const tau delayed exp``."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.array_module import Floats, array_module
from tengri.components.stellar.sfh.family import (
    LOG_ZERO,
    Ages,
    Kernel,
    Mass,
    SFHFamily,
    as_fractions,
)
from tengri.components.stellar.sfh.numerics import expm1_ratio, gamma2_lower, unit_exp_moments
from tengri.numerics.extremes import larger, smaller
from tengri.priors import Uniform
from tengri.registry import Param

ZERO = 0.0
ONSET = Uniform(0.5, 13.0)
DECAY = Uniform(0.1, 10.0)


def _between(edges: Floats, end: Array | float, oldest: Array) -> tuple[Array, Array]:
    """Bins cut to ``end <= t <= oldest``: lower limits and widths, both within the interval.

    The last bin has no limit of its own. Where a limit falls on an edge, the derivative is that
    of moving it to older times.
    """
    young, old = edges[:-1], array_module(edges).append(edges[1:-1], np.inf)
    low, high = (smaller(larger(end, jnp.asarray(t)), oldest) for t in (young, old))
    return low, larger(high - low, 0.0)


def log_const(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """1 for ``end <= t <= start``."""
    return jnp.where((t >= q["end_gyr"]) & (t <= q["start_gyr"]), 0.0, LOG_ZERO)


def const_masses(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    """Mass of a constant history."""
    _, width = _lasting(q, edges, t_univ)
    return jnp.zeros_like(t_univ), width


def _lasting(q: Mapping[str, Array], edges: Floats, t_univ: Array) -> tuple[Array, Array]:
    """Lower limits and widths of the bins, cut to the time of constant star formation."""
    oldest = larger(smaller(q["start_gyr"], t_univ), q["end_gyr"])
    return _between(edges, q["end_gyr"], oldest)


def const_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """Middle of each bin, cut to the time of star formation."""
    low, width = _lasting(q, edges, t_univ)
    return low + 0.5 * width


def log_tau(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """exp(-Δ/τ), Δ = age - t >= 0."""
    since = q["age_gyr"] - t
    return jnp.where(since >= 0, -jnp.maximum(since, 0.0) / q["tau_gyr"], LOG_ZERO)


def tau_masses(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    """∫ e^{-Δ/τ} dt over each bin."""
    tau, oldest = q["tau_gyr"], smaller(q["age_gyr"], t_univ)
    low, width = _between(edges, ZERO, oldest)
    m = width * jnp.exp(-(oldest - low - width) / tau) * expm1_ratio(-width / tau)
    return -(q["age_gyr"] - oldest) / tau, m


def tau_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """High end of each bin less the mean of y under e^{-y/τ}, 0 <= y <= width."""
    low, width = _between(edges, ZERO, smaller(q["age_gyr"], t_univ))
    return low + width * (1 - _mean_of_exponential(width / q["tau_gyr"]))


def _mean_of_exponential(d: Array) -> Array:
    """Mean of s under e^{-sd} on 0 <= s <= 1."""
    zeroth, first, _ = unit_exp_moments(d)
    return first / zeroth


def log_delayed(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """(Δ/τ) exp(1 - Δ/τ), Δ = age - t >= 0; 1 at Δ = τ."""
    x = (q["age_gyr"] - t) / q["tau_gyr"]
    safe = jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, jnp.log(safe) + 1 - safe, LOG_ZERO)


def delayed_masses(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    """∫ x e^{1-x} dt, x = Δ/τ: with x = x1 + y, e^{1-x1} [x1 (1 - e^-d) + γ(2, d)]."""
    tau, oldest = q["tau_gyr"], smaller(q["age_gyr"], t_univ)
    low, width = _between(edges, ZERO, oldest)
    first = (q["age_gyr"] - oldest) / tau
    x, d = (oldest - low - width) / tau + first, width / tau
    m = x * d * expm1_ratio(-d) + gamma2_lower(d)
    return 1 - first + jnp.log(tau), jnp.exp(first - x) * m


def delayed_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """High end of each bin less the mean of y under (x1 + y/τ) e^{-y/τ}, 0 <= y <= width."""
    tau, oldest = q["tau_gyr"], smaller(q["age_gyr"], t_univ)
    low, width = _between(edges, ZERO, oldest)
    x, d = (q["age_gyr"] - low - width) / tau, width / tau
    zeroth, first, second = unit_exp_moments(d)
    formed = x * zeroth + d * first
    mean = (x * first + d * second) / jnp.where(width > 0, formed, 1.0)
    return low + width * (1 - mean)


def log_exp(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """exp(-(t - start)/τ) for lookback times t >= start: rising towards the present."""
    before = t - q["start_gyr"]
    return jnp.where(before >= 0, -jnp.maximum(before, 0.0) / q["tau_gyr"], LOG_ZERO)


def exp_masses(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    """∫ e^{-(t - start)/τ} dt over each bin."""
    low, width = _between(edges, q["start_gyr"], jnp.maximum(t_univ, q["start_gyr"]))
    tau = q["tau_gyr"]
    m = width * jnp.exp(-(low - q["start_gyr"]) / tau) * expm1_ratio(-width / tau)
    return jnp.zeros_like(t_univ), m


def exp_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """Low end of each bin and the mean of y under e^{-y/τ}, 0 <= y <= width."""
    low, width = _between(edges, q["start_gyr"], jnp.maximum(t_univ, q["start_gyr"]))
    return low + width * _mean_of_exponential(width / q["tau_gyr"])


CONST_PARAMS = (
    Param(
        "sfh_const_start_gyr",
        14.0,
        Uniform(0.5, 13.8),
        (0.001, 30.0),
        "Gyr",
        "lookback time at which star formation starts; before the Big Bang means at the Big Bang",
        symbol=r"$t_{\rm start}$",
    ),
    Param(
        "sfh_const_end_gyr",
        0.0,
        Uniform(0.0, 0.4),
        (0.0, 30.0),
        "Gyr",
        "lookback time at which star formation ends",
        symbol=r"$t_{\rm end}$",
    ),
)
CONST = SFHFamily(
    "const",
    "sfh_const_",
    CONST_PARAMS,
    log_const,
    "constant SFR",
    default_amplitude="log_total_mass",
    mass=const_masses,
    fractional_times=as_fractions(CONST_PARAMS, start=(1.0, 0.5, 1.0), end=(0.0, 0.0, 0.4)),
    ages=const_ages,
)


def _onset_family(name: str, log_sfr: Kernel, mass: Mass, ages: Ages, reference: str) -> SFHFamily:
    prefix = f"sfh_{name}_"
    params = (
        Param(
            f"{prefix}tau_gyr",
            2.0,
            DECAY,
            (0.01, 1000.0),
            "Gyr",
            "e-folding time",
            symbol=r"$\tau$",
        ),
        Param(
            f"{prefix}age_gyr",
            5.0,
            ONSET,
            (0.001, 30.0),
            "Gyr",
            "lookback time of the onset",
            symbol=r"$t_{\rm onset}$",
        ),
    )
    times = as_fractions(params, tau=(0.2, 0.02, 1.0), age=(0.5, 0.05, 1.0))
    return SFHFamily(
        name, prefix, params, log_sfr, reference, mass=mass, fractional_times=times, ages=ages
    )


TAU = _onset_family(
    "tau", log_tau, tau_masses, tau_ages, "exponentially declining; Bruzual 1983, ApJ 273, 105"
)
DELAYED = _onset_family(
    "delayed", log_delayed, delayed_masses, delayed_ages, "delayed-τ, e.g. Lee+2010, ApJ 725, 1644"
)
EXP_PARAMS = (
    Param(
        "sfh_exp_tau_gyr",
        2.0,
        DECAY,
        (0.01, 1000.0),
        "Gyr",
        "e-folding time of the rise",
        symbol=r"$\tau$",
    ),
    Param(
        "sfh_exp_start_gyr",
        0.0,
        Uniform(0.0, 0.4),
        (0.0, 30.0),
        "Gyr",
        "lookback time of the peak, after which there is none",
        symbol=r"$t_{\rm peak}$",
    ),
)
EXP = SFHFamily(
    "exp",
    "sfh_exp_",
    EXP_PARAMS,
    log_exp,
    "exponentially rising, Maraston+2010, MNRAS 407, 830",
    mass=exp_masses,
    fractional_times=as_fractions(EXP_PARAMS, tau=(0.2, 0.02, 1.0), start=(0.0, 0.0, 0.4)),
    ages=exp_ages,
)
