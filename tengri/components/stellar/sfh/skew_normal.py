"""Gaussian, skewed and truncated-skewed histories in lookback time: ``norm snorm tsnorm``."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erfc

from tengri.components.stellar.sfh.family import Kernel, Mass, SFHFamily, time_twins
from tengri.components.stellar.sfh.quadrature import bin_masses
from tengri.priors import Uniform
from tengri.registry import Param

# ½ erfc(9) is 2e-37: what lies beyond adds nothing, and float32 ends at 1e-38
FAR = 9.0


def _skewed(t: Array, q: Mapping[str, Array]) -> tuple[Array, Array]:
    """Y = X exp(skew · asinh X), X = (t - t_peak) / width, and dY/dX."""
    x = (t - q["peak_lbt_gyr"]) / q["width_gyr"]
    stretch = jnp.exp(q["skew"] * jnp.arcsinh(x))
    return x * stretch, stretch * (1 + q["skew"] * x / jnp.sqrt(1 + x**2))


def log_norm(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """exp(-X²/2), X = (t - t_peak) / width."""
    return -0.5 * ((t - q["peak_lbt_gyr"]) / q["width_gyr"]) ** 2


def log_snorm(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """exp(-Y²/2)."""
    return -0.5 * _skewed(t, q)[0] ** 2


def log_tsnorm(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """snorm x ½ erfc[(t - t_peak) / (√2 · width · trunc)].

    The factor is ½ at the peak: ``log_peak_sfr`` is the height of the skewed Gaussian itself,
    SFR(t_peak) is half of it. For ``skew > 0`` the tail lies on the young side of the peak.
    """
    reach = np.sqrt(2.0) * q["width_gyr"] * q["trunc"]
    z = jnp.minimum((t - q["peak_lbt_gyr"]) / reach, FAR)
    return log_snorm(t, q, t_univ) + jnp.log(0.5 * erfc(z))


def _slope(t: Array, q: Mapping[str, Array]) -> Array:
    """d ln SFR/dt of the skewed Gaussian; the truncation is gentler than that."""
    y, dy_dx = _skewed(t, q)
    return -y * dy_dx / q["width_gyr"]


def _masses(log_sfr: Kernel) -> Mass:
    def mass(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
        flat = {"skew": jnp.zeros_like(t_univ), **q}
        return bin_masses(
            lambda t: log_sfr(t, q, t_univ),
            lambda t: _slope(t, flat),
            q["peak_lbt_gyr"],
            edges,
            t_univ,
        )

    return mass


def _params(prefix: str, *names: str) -> tuple[Param, ...]:
    known = {
        "peak_lbt_gyr": (5.0, Uniform(0.5, 12.0), (0.0, 30.0), "Gyr", "lookback time of the peak"),
        "width_gyr": (1.0, Uniform(0.2, 5.0), (0.01, 100.0), "Gyr", "standard deviation"),
        "skew": (0.0, Uniform(-1.0, 1.0), (-1.5, 1.5), "", "> 0: the tail is on the young side"),
        "trunc": (2.0, Uniform(1.0, 10.0), (0.2, 100.0), "", "decay of the old side, in widths"),
    }
    return tuple(Param(prefix + name, *known[name]) for name in names)


def _family(name: str, log_sfr: Kernel, reference: str, *names: str) -> SFHFamily:
    prefix = f"sfh_{name}_"
    params = _params(prefix, "peak_lbt_gyr", "width_gyr", *names)
    twins = time_twins(params, peak_lbt=(0.4, 0.05, 0.95), width=(0.1, 0.05, 0.5))
    return SFHFamily(name, prefix, params, log_sfr, reference, mass=_masses(log_sfr), twins=twins)


NORM = _family("norm", log_norm, "Gaussian in lookback time")
SNORM = _family("snorm", log_snorm, "Robotham+2020, MNRAS 495, 905 (massfunc_snorm)", "skew")
TSNORM = _family(
    "tsnorm",
    log_tsnorm,
    "Robotham+2020, MNRAS 495, 905; Bellstedt+2020, MNRAS 498, 5581",
    "skew",
    "trunc",
)
