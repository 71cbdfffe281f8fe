"""Log-normal in cosmic time (Gladders+2013): ``lnorm``."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.sfh.family import (
    EARLIEST,
    LOG_ZERO,
    SFHFamily,
    as_fractions,
    cosmic_bins,
)
from tengri.components.stellar.sfh.numerics import log_normal_mass
from tengri.constants import LN10
from tengri.priors import Uniform
from tengri.registry import Param


def log_lnorm(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """-½ [log10(T/T_peak) / width]².

    The same curve as exp[-(ln T - T0)²/2τ²]/T of Gladders et al.: T_peak = exp(T0 - τ²).
    """
    cosmic = jnp.maximum(t_univ - t, EARLIEST * t_univ)
    return -0.5 * (jnp.log10(cosmic / q["peak_gyr"]) / q["width_dex"]) ** 2


def lnorm_masses(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    """T_peak σ √(2π) e^{σ²/2} [Φ(z + Δz) - Φ(z)], z = ln(T/T_peak)/σ - σ."""
    sigma, peak = LN10 * q["width_dex"], q["peak_gyr"]
    ln_start, ln_growth, empty = cosmic_bins(edges, t_univ)
    z1 = (ln_start - jnp.log(peak)) / sigma - sigma
    dz = jnp.where(empty, 1.0, ln_growth / sigma)
    ln_m = jnp.where(empty, LOG_ZERO, log_normal_mass(z1, dz))
    scale = jax.lax.stop_gradient(jnp.max(ln_m))
    ln_unit = jnp.log(peak * sigma * np.sqrt(2 * np.pi)) + 0.5 * sigma**2
    return scale + ln_unit, jnp.exp(ln_m - scale)


PARAMS = (
    Param(
        "sfh_lnorm_peak_gyr",
        4.0,
        Uniform(0.5, 13.0),
        (0.01, 100.0),
        "Gyr",
        "cosmic time of the peak",
        symbol=r"$t_{\rm peak}$",
    ),
    Param(
        "sfh_lnorm_width_dex",
        0.3,
        Uniform(0.1, 2.0),
        (0.02, 5.0),
        "dex",
        "standard deviation",
        symbol=r"$\sigma$",
    ),
)
LNORM = SFHFamily(
    "lnorm",
    "sfh_lnorm_",
    PARAMS,
    log_lnorm,
    "Gladders+2013, ApJ 770, 64; Diemer+2017, ApJ 839, 26",
    mass=lnorm_masses,
    fractional_times=as_fractions(PARAMS, peak=(0.3, 0.05, 1.0)),
)
