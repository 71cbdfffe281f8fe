r"""``standard``: a multicolour accretion disc and a torus of two temperatures.

The disc is that of Shakura & Sunyaev (1973, A&A 24, 337): annuli that shine as black bodies of

.. math:: T(r) = T_{in} (r/r_{in})^{-3/4} [1 - (r_{in}/r)^{1/2}]^{1/4}, \quad
          T_{in}^4 = \frac{3 G M \dot M}{8 \pi \sigma r_{in}^3}

from the innermost stable orbit (Bardeen, Press & Teukolsky 1972, ApJ 178, 347) to where the disc
fragments under its own gravity (Laor & Netzer 1989, MNRAS 238, 897). The torus is a sum of two
grey bodies of hot and warm dust. Both parts are normalised, so that disc and torus share
L_bol as ``agn_torus_frac`` says, whatever the shape parameters.

Spectra are L_ν/L_bol [1/Hz]; radii in gravitational radii GM/c².
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.agn.model import AGNModel
from tengri.components.blackbody import NU_PER_K, unit_blackbody
from tengri.constants import (
    C_AA_PER_S,
    C_CM_S,
    G_CGS,
    M_PROTON_G,
    MSUN_G,
    SIGMA_SB,
    SIGMA_T_CM2,
)
from tengri.priors import Uniform
from tengri.products import matmul
from tengri.registry import Param

Params = Mapping[str, Array]

N_ANNULI = 32
ALPHA_VISCOSITY = 0.1
TORUS_WAVE_UM = 9.7
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(N_ANNULI)

PARAMS = (
    Param("agn_log_lbol", 10.0, Uniform(8.0, 14.0), (-20.0, 20.0), "log10 Lsun",
          "bolometric luminosity of the active nucleus"),
    Param("agn_log_mbh", 8.0, Uniform(6.0, 10.0), (4.0, 11.0), "log10 Msun",
          "black-hole mass: sets the temperature of the disc"),
    Param("agn_log_ledd", -1.0, Uniform(-3.0, 0.5), (-5.0, 2.0), "log10",
          "Eddington ratio: sets the temperature of the disc"),
    Param("agn_a_spin", 0.0, Uniform(0.0, 0.95), (-0.998, 0.998), "",
          "black-hole spin: sets the innermost stable orbit"),
    Param("agn_torus_frac", 0.5, Uniform(0.1, 0.9), (0.0, 1.0), "",
          "share of L_bol that the torus re-emits"),
    Param("agn_T_hot", 1200.0, Uniform(800.0, 1800.0), (100.0, 3000.0), "K", "hot torus dust"),
    Param("agn_T_warm", 300.0, Uniform(100.0, 500.0), (20.0, 1500.0), "K", "warm torus dust"),
    Param("agn_frac_hot", 0.3, Uniform(0.0, 1.0), (0.0, 1.0), "",
          "share of the torus luminosity in hot dust"),
    Param("agn_tau_torus", 5.0, Uniform(0.5, 10.0), (0.01, 100.0), "",
          "optical depth of the torus at 9.7 µm"),
)  # fmt: skip


def spectrum(wave_aa: np.ndarray, p: Params) -> Array:
    """Return L_ν/L_bol [1/Hz] of disc and torus at ``wave_aa`` [Å], shape (n_wave,)."""
    nu = jnp.asarray(C_AA_PER_S / np.asarray(wave_aa), float)
    torus = p["agn_torus_frac"]
    return (1.0 - torus) * disc(nu, p) + torus * two_temperature_torus(nu, p)


def disc(nu: Array, p: Params) -> Array:
    """Return the disc's L_ν/L [1/Hz] at ``nu`` [Hz]: annuli weighted by what they radiate."""
    r_in = isco(p["agn_a_spin"])
    x_out = jnp.log(self_gravity_radius(p, r_in) / r_in)
    # ln(r/r_in) = x_out s³ crowds the annuli at the hot inner edge
    s = 0.5 * (1.0 + jnp.asarray(_NODES, float))
    x = x_out * s**3
    profile = -jnp.expm1(-0.5 * x)  # 1 − √(r_in/r)
    temperature = inner_temperature(p, r_in) * jnp.exp(-0.75 * x) * profile**0.25
    luminosity = jnp.asarray(_WEIGHTS, float) * s**2 * profile * jnp.exp(-x)  # ∝ T⁴ r² dx
    luminosity = luminosity / luminosity.sum()
    return matmul(unit_blackbody(nu[:, None], temperature[None, :]), luminosity)


def isco(spin: Array) -> Array:
    """Return the innermost stable circular orbit in gravitational radii (Bardeen+1972)."""
    a2 = spin**2
    z1 = 1.0 + jnp.cbrt(1.0 - a2) * (jnp.cbrt(1.0 + spin) + jnp.cbrt(1.0 - spin))
    z2 = jnp.sqrt(3.0 * a2 + z1**2)
    # (3 − z1)/a² is smooth through spin 0, where 3 − z1 itself would leave √0 to differentiate
    small = a2 < 0.05**2
    ratio = jnp.where(small, 8.0 / 9.0 + 56.0 / 243.0 * a2, (3.0 - z1) / jnp.where(small, 1.0, a2))
    return 3.0 + z2 - spin * jnp.sqrt(ratio * (3.0 + z1 + 2.0 * z2))


def inner_temperature(p: Params, r_in: Array) -> Array:
    """Return T_in [K] for Ṁ = L/(ηc²), in logarithms (cgs numbers overflow float32)."""
    efficiency = 1.0 - jnp.sqrt(1.0 - 2.0 / (3.0 * r_in))
    # L = λ 4πGMm_p c/σ_T gives T⁴ = 3 λ m_p c⁵ / (2 η σ_T σ G M r_in³)
    constant = math.log10(1.5 * M_PROTON_G * C_CM_S**5 / (SIGMA_T_CM2 * SIGMA_SB * G_CGS * MSUN_G))
    log10_t4 = constant + p["agn_log_ledd"] - p["agn_log_mbh"]
    return 10.0 ** (0.25 * (log10_t4 - jnp.log10(efficiency) - 3.0 * jnp.log10(r_in)))


def self_gravity_radius(p: Params, r_in: Array) -> Array:
    """Return the outer edge in gravitational radii (Laor & Netzer 1989), at least 10 r_in."""
    log10_r = (
        math.log10(2150.0)
        + 2.0 / 9.0 * math.log10(ALPHA_VISCOSITY / 0.1)
        + 4.0 / 9.0 * p["agn_log_ledd"]
        - 2.0 / 9.0 * (p["agn_log_mbh"] - 8.0)
    )
    return jnp.maximum(10.0**log10_r, 10.0 * r_in)


def two_temperature_torus(nu: Array, p: Params) -> Array:
    """Return the torus's L_ν/L [1/Hz]: hot and warm grey bodies, each normalised."""
    hot = _grey_body(nu, p["agn_T_hot"], p["agn_tau_torus"])
    warm = _grey_body(nu, p["agn_T_warm"], p["agn_tau_torus"])
    return p["agn_frac_hot"] * hot + (1.0 - p["agn_frac_hot"]) * warm


def _grey_body(nu: Array, temperature: Array, tau: Array) -> Array:
    """Return B_ν(T) (1 − e^{−τ (9.7 µm/λ)^1.5}), divided by its integral over ν."""
    x = jnp.asarray(np.linspace(math.log(1e-3), math.log(60.0), 128), float)  # ln(hν/kT)
    grid = jnp.exp(x) * temperature * NU_PER_K
    norm = jnp.trapezoid(unit_blackbody(grid, temperature) * _emissivity(grid, tau) * grid, x)
    return unit_blackbody(nu, temperature) * _emissivity(nu, tau) / norm


def _emissivity(nu: Array, tau: Array) -> Array:
    nu0 = C_AA_PER_S / (TORUS_WAVE_UM * 1e4)
    return -jnp.expm1(-tau * (nu / nu0) ** 1.5)


STANDARD = AGNModel(
    "standard",
    PARAMS,
    spectrum,
    "Shakura & Sunyaev 1973, A&A 24, 337; Bardeen et al. 1972, ApJ 178, 347; "
    "Laor & Netzer 1989, MNRAS 238, 897",
)
