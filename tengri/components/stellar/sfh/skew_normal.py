"""Gaussian, skewed and truncated-skewed histories in lookback time: ``norm snorm tsnorm``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erfc

from tengri.components.stellar.sfh.family import Kernel, Mass, SFHFamily, as_fractions
from tengri.components.stellar.sfh.numerics import asinh
from tengri.components.stellar.sfh.quadrature import rule
from tengri.priors import Uniform
from tengri.registry import Param

# ½ erfc(9) is 2e-37: what lies beyond adds nothing, and float32 ends at 1e-38
FAR = 9.0


def log_norm(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """exp(-X²/2), X = (t - t_peak) / width."""
    return -0.5 * ((t - q["peak_lbt_gyr"]) / q["width_gyr"]) ** 2


def log_snorm(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """exp(-Y²/2), Y = X exp(skew · asinh X)."""
    x = (t - q["peak_lbt_gyr"]) / q["width_gyr"]
    return -0.5 * (x * jnp.exp(q["skew"] * asinh(x))) ** 2


def log_tsnorm(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """snorm x ½ erfc[(t - t_peak) / (√2 · width · trunc)].

    The factor is ½ at the peak: ``log_peak_sfr`` is the height of the skewed Gaussian itself,
    SFR(t_peak) is half of it. For ``skew > 0`` the tail lies on the young side of the peak.
    """
    return log_snorm(t, q, t_univ) + jnp.log(_truncation(t, q))


def _truncation(t: Array, q: Mapping[str, Array]) -> Array:
    z = (t - q["peak_lbt_gyr"]) / (np.sqrt(2.0) * q["width_gyr"] * q["trunc"])
    return 0.5 * erfc(jnp.minimum(z, FAR))


def _whole(t: Array, q: Mapping[str, Array]) -> Array:
    return jnp.ones_like(t)


def _masses(log_core: Kernel, factor: Callable[[Array, Mapping[str, Array]], Array]) -> Mass:
    """Return the mass of exp(log_core) · factor, which is at most 1."""

    def mass(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
        peak = jnp.clip(q["peak_lbt_gyr"], 0.0, t_univ)
        scale = jax.lax.stop_gradient(log_core(peak, q, t_univ))

        def sfr(t: Array) -> Array:
            return jnp.exp(log_core(t, q, t_univ) - scale) * factor(t, q)

        return scale, rule(edges).masses(sfr, t_univ)

    return mass


def _params(prefix: str, *names: str) -> tuple[Param, ...]:
    known = {
        "peak_lbt_gyr": (5.0, Uniform(0.5, 12.0), (0.0, 30.0), "Gyr", "lookback time of the peak"),
        "width_gyr": (1.0, Uniform(0.2, 5.0), (0.01, 100.0), "Gyr", "standard deviation"),
        "skew": (0.0, Uniform(-1.0, 1.0), (-1.5, 1.5), "", "> 0: the tail is on the young side"),
        "trunc": (2.0, Uniform(1.0, 10.0), (0.2, 100.0), "", "decay of the old side, in widths"),
    }
    symbols = {"peak_lbt_gyr": r"$t_{\rm peak}$", "width_gyr": r"$\sigma$", "skew": "skewness",
               "trunc": "truncation"}  # fmt: skip
    return tuple(Param(prefix + name, *known[name], symbol=symbols[name]) for name in names)


def _family(name: str, log_sfr: Kernel, mass: Mass, reference: str, *names: str) -> SFHFamily:
    prefix = f"sfh_{name}_"
    params = _params(prefix, "peak_lbt_gyr", "width_gyr", *names)
    times = as_fractions(params, peak_lbt=(0.4, 0.05, 0.95), width=(0.1, 0.05, 0.5))
    return SFHFamily(name, prefix, params, log_sfr, reference, mass=mass, fractional_times=times)


NORM = _family(
    "norm",
    log_norm,
    _masses(log_norm, _whole),
    "Gaussian in lookback time; Robotham+2020, MNRAS 495, 905 (massfunc_norm)",
)
SNORM = _family(
    "snorm",
    log_snorm,
    _masses(log_snorm, _whole),
    "Robotham+2020, MNRAS 495, 905 (massfunc_snorm)",
    "skew",
)
TSNORM = _family(
    "tsnorm",
    log_tsnorm,
    _masses(log_snorm, _truncation),
    "Robotham+2020, MNRAS 495, 905; Bellstedt+2020, MNRAS 498, 5581",
    "skew",
    "trunc",
)
