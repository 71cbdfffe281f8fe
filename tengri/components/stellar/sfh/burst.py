"""A recent burst that holds a fraction of the mass (Zacharegkas+2025): ``burst``, a mixture."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.array_module import Floats
from tengri.components.stellar.sfh.family import LOG_ZERO, SFHFamily, clipped
from tengri.constants import LN10
from tengri.numerics.extremes import smaller
from tengri.priors import Uniform
from tengri.registry import Param

NARROWEST_DEX = 0.3  # half-width of the kernel where log_tmax is not above log_tpeak
SOFT_DEX = 0.1
YOUNGEST_MYR = 1e-9
AGE_NODES = 16


def mass_fraction(q: Mapping[str, Array]) -> Array:
    """Fraction of the formed mass that the burst holds."""
    return jnp.exp(LN10 * q["log_fburst"])


def _shape(q: Mapping[str, Array], t_univ: Array) -> tuple[Array, Array]:
    """Peak and half-width of the kernel in log10(t/Myr): it ends at ``log_tmax``.

    The half-width goes over smoothly into its least value; no burst peaks before the Big Bang.
    """
    span = (q["log_tmax_myr"] - q["log_tpeak_myr"]) / SOFT_DEX
    half = SOFT_DEX * jnp.logaddexp(span, NARROWEST_DEX / SOFT_DEX)
    return smaller(q["log_tpeak_myr"], jnp.log10(1e3 * t_univ)), half


def _log_age(t_gyr: Array) -> Array:
    return jnp.log10(jnp.maximum(1e3 * t_gyr, YOUNGEST_MYR))


def _cumulative(t_gyr: Array, peak: Array, half: Array) -> Array:
    """Integral of the triweight (35/32)(1-u²)³ from -1 to u = (log t - peak)/half."""
    u = jnp.clip((_log_age(t_gyr) - peak) / half, -1.0, 1.0)
    return 0.5 + (35 / 32) * (u - u**3 + 0.6 * u**5 - u**7 / 7)


def burst_masses(q: Mapping[str, Array], edges: Floats, t_univ: Array) -> tuple[Array, Array]:
    """Fraction of the burst's mass in each bin; they sum to 1."""
    shape = _shape(q, t_univ)
    low, high = clipped(edges, t_univ)
    m = _cumulative(high, *shape) - _cumulative(low, *shape)
    return jnp.zeros_like(t_univ), m / _cumulative(t_univ, *shape)


def burst_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """Mean age of each bin: 10^(log t) under the kernel, by quadrature in log t."""
    peak, half = _shape(q, t_univ)
    low, high = (
        jnp.clip((_log_age(t) - peak) / half, -1.0, 1.0)[:, None] for t in clipped(edges, t_univ)
    )
    x, weights = np.polynomial.legendre.leggauss(AGE_NODES)
    u = low + (high - low) * jnp.asarray(0.5 * (x + 1), float)[None, :]
    formed = jnp.asarray(weights, float)[None, :] * (1 - u**2) ** 3
    total = jnp.sum(formed, axis=1)
    age = 1e-3 * jnp.exp(LN10 * (peak + half * u))
    return jnp.sum(formed * age, axis=1) / jnp.where(total > 0, total, 1.0)


def log_burst(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """ln of the burst's mass per Gyr, for unit mass: kernel in log t over t ln 10."""
    peak, half = _shape(q, t_univ)
    u = (_log_age(t) - peak) / half
    inside = jnp.abs(u) < 1
    kernel = (35 / 32) * (1 - jnp.where(inside, u, 0.0) ** 2) ** 3
    per_gyr = kernel / (half * LN10 * jnp.maximum(t, 1e-3 * YOUNGEST_MYR))
    normalised = jnp.log(per_gyr) - jnp.log(_cumulative(t_univ, peak, half))
    return jnp.where(inside, normalised, LOG_ZERO)


BURST = SFHFamily(
    "burst",
    "sfh_burst_",
    (
        Param(
            "sfh_burst_log_fburst",
            -2.0,
            Uniform(-3.0, -0.1),
            (-10.0, 0.0),
            "log10",
            "log10 of the fraction of the formed mass in the burst",
            symbol=r"$\log_{10} f_{\rm burst}$",
        ),
        Param(
            "sfh_burst_log_tpeak_myr",
            1.0,
            Uniform(0.0, 3.0),
            (-1.0, 4.0),
            "log10 Myr",
            "age at which the burst's mass per dex peaks",
            symbol=r"$\log_{10} t_{\rm peak}$",
        ),
        Param(
            "sfh_burst_log_tmax_myr",
            2.0,
            Uniform(1.0, 4.0),
            (-1.0, 5.0),
            "log10 Myr",
            "oldest age in the burst; at least 0.3 dex above the peak",
            symbol=r"$\log_{10} t_{\rm max}$",
        ),
    ),
    log_burst,
    "Zacharegkas+2025, arXiv:2506.19919",
    kind="mixture",
    mass=burst_masses,
    ages=burst_ages,
)
