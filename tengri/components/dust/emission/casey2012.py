r"""``casey2012``: a grey body of one temperature and a mid-infrared power law.

.. math::

    L_\nu \propto G(\lambda)
          + G(\lambda_c) (\lambda/\lambda_c)^\alpha e^{-(\lambda/\lambda_c)^2}, \quad
    G(\lambda) = [1 - e^{-(\lambda_0/\lambda)^\beta}] \frac{\lambda^{-3}}{e^{hc/\lambda kT} - 1}

    \lambda_c = \tfrac34 [(b_1 + b_2\alpha)^{-2} + (b_3 + b_4\alpha) T]^{-1}

(Casey 2012, MNRAS 425, 3094, equation 3 and table 1). The paper fits 8–1000 µm and leaves open
where the power law ends; here it fades below 1 µm, where no grain survives, so that its power is
finite for every α. L_IR is the whole integral, to which the part outside 8–1000 µm gives some
per cent.

Against the microwave background G is multiplied by its contrast, and T(z) is that at which such
dust, thick or thin, radiates what it takes from stars and background:

.. math::

    \int \epsilon_\nu [B_\nu(T(z)) - B_\nu(T_0(1+z))] d\nu
    = \int \epsilon_\nu [B_\nu(T) - B_\nu(T_0)] d\nu, \quad
    \epsilon_\nu = 1 - e^{-(\lambda_0/\lambda)^\beta}

The power law is hot dust, to which the background is nothing. Both together have unit power.

Wavelengths in µm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.blackbody import NU_PER_K
from tengri.components.dust.emission import cmb
from tengri.components.dust.emission.model import DustEmission
from tengri.components.dust.emission.modified_blackbody import DUST_BETA_IR, DUST_T
from tengri.constants import C_AA_PER_S, C_CM_S, H_ERG_S, K_ERG_K, UM_CM
from tengri.priors import Uniform
from tengri.registry import Param

Params = Mapping[str, Array]

PARAMS = (
    DUST_T,
    DUST_BETA_IR,
    Param("dust_alpha_mir", 2.0, Uniform(1.0, 3.0), (0.5, 5.0), "",
          "slope of the mid-infrared power law, L_ν ∝ λ^α", symbol=r"$\alpha_{\rm MIR}$"),
    Param("dust_lambda_0_um", 200.0, Uniform(50.0, 400.0), (1.0, 2000.0), "µm",
          "wavelength at which the dust has optical depth 1", symbol=r"$\lambda_0$"),
)  # fmt: skip

B1, B2, B3, B4 = 26.68, 6.246, 1.905e-4, 7.243e-5
HC_K_UM = H_ERG_S * C_CM_S / K_ERG_K / UM_CM  # hc/k [µm K]
SUBLIMATION_UM = 1.0
_X_MAX = 80.0
# for the normalisation: the trapezoids of a smooth curve that vanishes at both ends
_GRID_UM = np.geomspace(0.4, 3e4, 400)
_GRID_NU = C_AA_PER_S / (_GRID_UM * 1e4)
#: Steps towards T(z): from its value in thin dust three reach 1e-7.
_NEWTON_STEPS = 3


def spectrum(wave_aa: np.ndarray, p: Params) -> Array:
    """Return L_ν/L_IR [1/Hz] at ``wave_aa`` [Å], shape (n_wave,)."""
    return shape(np.asarray(wave_aa) * 1e-4, p) / total(p)


def shape(um: np.ndarray, p: Params) -> Array:
    """Return L_ν at ``um`` [µm], relative to the grey body's at the turnover λ_c."""
    grey, power_law = parts(um, p)
    return grey + power_law


def parts(um: np.ndarray, p: Params) -> tuple[Array, Array]:
    """Return the grey body and the power law, of which `shape` is the sum."""
    wave = jnp.asarray(um, float)
    turnover = turnover_um(p["dust_alpha_mir"], p["dust_T"])
    grey = jnp.exp(_log_grey_body(wave, p) - _log_grey_body(turnover, p))
    ratio = wave / turnover
    fading = jnp.asarray(np.exp(-((SUBLIMATION_UM / um) ** 4)), float)
    # beyond ten turnovers the power law is below e^-100
    power_law = jnp.exp(p["dust_alpha_mir"] * jnp.log(ratio) - jnp.minimum(ratio, 10.0) ** 2)
    return grey, fading * jnp.where(ratio < 10.0, power_law, 0.0)


def seen(wave_aa: np.ndarray, p: Params) -> Array:
    """Return L_ν/L_abs [1/Hz] against the microwave background, shape (n_wave,)."""
    g, z = gain(p), p["redshift"]
    warm = {**p, "dust_T": cmb.background(z) * jnp.exp(g)}

    def against(um: np.ndarray) -> Array:
        grey, power_law = parts(um, warm)
        return grey * cmb.contrast(C_AA_PER_S / (um * 1e4), g, z) + power_law

    step = math.log(_GRID_NU[0] / _GRID_NU[1])
    power = step * jnp.sum(against(_GRID_UM) * jnp.asarray(_GRID_NU, float))
    return against(np.asarray(wave_aa) * 1e-4) / power


def gain(p: Params) -> Array:
    """Return ln of T(z) over the temperature of the background, for dust of any opacity.

    Newton's steps in ln(e^{(4+β) g} − 1), in which the logarithm of the power is nearly linear.
    """
    z, power = p["redshift"], 4.0 + p["dust_beta_ir"]
    from_stars, _ = _above(cmb.gain(p["dust_T"], p["dust_beta_ir"], 0.0), 0.0, p)
    x = jnp.log(jnp.expm1(power * cmb.gain(p["dust_T"], p["dust_beta_ir"], z)))
    for _ in range(_NEWTON_STEPS):
        more = jnp.exp(x)
        above, slope = _above(jnp.log1p(more) / power, z, p)
        x = x - jnp.log(above / from_stars) * above / slope * power * (1.0 + 1.0 / more)
    return jnp.log1p(jnp.exp(x)) / power


def _above(g: Array, z: Array | float, p: Params) -> tuple[Array, Array]:
    """Return the power of dust e^g times as warm as the background less its own, and d/dg."""
    x = jnp.asarray(_GRID_NU, float) / (NU_PER_K * cmb.background(z) * jnp.exp(g))
    x = jnp.minimum(x, _X_MAX)
    tau = _optical_depth(jnp.asarray(_GRID_UM, float), p)
    # relative to 100 µm: ν⁴ fits into a float32
    emitted = -jnp.expm1(-tau) * (100.0 / _GRID_UM) ** 4 * jnp.exp(-x) / -jnp.expm1(-x)
    above = emitted * cmb.contrast(_GRID_NU, g, z)
    return jnp.sum(above), jnp.sum(emitted * x / -jnp.expm1(-x))


def turnover_um(alpha: Array, temperature: Array) -> Array:
    """Return the wavelength λ_c [µm] at which the power law gives way to the grey body."""
    return 0.75 / ((B1 + B2 * alpha) ** -2 + (B3 + B4 * alpha) * temperature)


def total(p: Params) -> Array:
    """Return ∫ ``shape`` dν [Hz]."""
    nu = C_AA_PER_S / (_GRID_UM * 1e4)
    step = math.log(nu[0] / nu[1])
    return step * jnp.sum(shape(_GRID_UM, p) * jnp.asarray(nu, float))


def _log_grey_body(um: Array, p: Params) -> Array:
    """Return ln of (1 − e^−τ) x³/(eˣ − 1), τ = (λ0/λ)^β, x = hc/λkT."""
    tau = _optical_depth(um, p)
    x = jnp.clip(HC_K_UM / (um * p["dust_T"]), 1e-6, _X_MAX)
    return jnp.log(-jnp.expm1(-tau)) + 3.0 * jnp.log(x) - x - jnp.log(-jnp.expm1(-x))


def _optical_depth(um: Array, p: Params) -> Array:
    """Return τ = (λ0/λ)^β."""
    return jnp.exp(jnp.minimum(p["dust_beta_ir"] * jnp.log(p["dust_lambda_0_um"] / um), 60.0))


CASEY2012 = DustEmission("casey2012", PARAMS, spectrum, "Casey 2012, MNRAS 425, 3094", seen=seen)
