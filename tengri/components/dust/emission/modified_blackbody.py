r"""``modified_blackbody``: optically thin dust of one temperature.

.. math:: L_\nu \propto \nu^\beta B_\nu(T) \propto x^{3+\beta} / (e^x - 1), \quad x = h\nu/kT

divided by its integral, Γ(4+β) ζ(4+β) kT/h. Against the microwave background
L_ν ∝ ν^β [B_ν(T(z)) − B_ν(T_0(1+z))], exactly: see `cmb`.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import gammaln

from tengri.components.blackbody import NU_PER_K
from tengri.components.dust.emission import cmb
from tengri.components.dust.emission.model import DustEmission
from tengri.constants import C_AA_PER_S
from tengri.priors import Uniform
from tengri.registry import Param

DUST_T = Param(
    "dust_T", 35.0, Uniform(15.0, 80.0), (5.0, 300.0), "K", "temperature of the dust",
    symbol=r"$T_{\rm dust}$"
)  # fmt: skip
DUST_BETA_IR = Param(
    "dust_beta_ir", 1.6, Uniform(1.0, 2.5), (0.0, 4.0), "", "emissivity index: opacity ∝ ν^β",
    symbol=r"$\beta_{\rm IR}$"
)  # fmt: skip

_X_MAX = 80.0  # e^-80 of the peak: further down the Wien side float32 has nothing left
_ZETA_TERMS = np.arange(1.0, 11.0)


def spectrum(wave_aa: np.ndarray, p: Mapping[str, Array]) -> Array:
    """Return L_ν/L_IR [1/Hz] at ``wave_aa`` [Å], shape (n_wave,)."""
    nu = jnp.asarray(C_AA_PER_S / np.asarray(wave_aa), float)
    return unit_modified_blackbody(nu, p["dust_T"], p["dust_beta_ir"])


def seen(wave_aa: np.ndarray, p: Mapping[str, Array]) -> Array:
    """Return L_ν/L_abs [1/Hz] against the microwave background, shape (n_wave,)."""
    nu = jnp.asarray(C_AA_PER_S / np.asarray(wave_aa), float)
    beta, z = p["dust_beta_ir"], p["redshift"]
    g = cmb.gain(p["dust_T"], beta, z)
    emitted = unit_modified_blackbody(nu, cmb.background(z) * jnp.exp(g), beta)
    # of the emitted power the part that is not the background's
    return emitted * cmb.contrast(nu, g, z) / -jnp.expm1(-(4.0 + beta) * g)


def unit_modified_blackbody(nu: Array, temperature: Array, beta: Array) -> Array:
    """Return ν^β B_ν(T) / ∫ν^β B_ν(T) dν [1/Hz] at ``nu`` [Hz]."""
    s = 4.0 + beta
    x = jnp.clip(nu / (temperature * NU_PER_K), 1e-6, _X_MAX)
    log_shape = (s - 1.0) * jnp.log(x) - x - gammaln(s)
    return jnp.exp(log_shape) / (-jnp.expm1(-x) * zeta(s) * temperature * NU_PER_K)


def zeta(s: Array) -> Array:
    """Return Riemann's ζ(s) for s ≥ 4: ten terms, the rest as an integral (error < 1e-7)."""
    terms = jnp.asarray(_ZETA_TERMS, float)
    end = _ZETA_TERMS[-1] + 0.5
    return jnp.sum(jnp.exp(-s * jnp.log(terms))) + end ** (1.0 - s) / (s - 1.0)


MODIFIED_BLACKBODY = DustEmission(
    "modified_blackbody",
    (DUST_T, DUST_BETA_IR),
    spectrum,
    "Hildebrand 1983, QJRAS 24, 267",
    seen=seen,
)
