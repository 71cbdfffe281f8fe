"""Black bodies normalised to unit luminosity."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array

from tengri.constants import H_ERG_S, K_ERG_K

NU_PER_K = K_ERG_K / H_ERG_S  # Hz per Kelvin
_FIFTEEN_OVER_PI4 = 15.0 / math.pi**4


def unit_blackbody(nu: Array, temperature: Array) -> Array:
    r"""Return B_ν(T) / ∫B_ν dν [1/Hz]: (15/π⁴)(h/kT) x³/(eˣ − 1) with x = hν/kT."""
    nu_t = temperature * NU_PER_K
    x = nu / nu_t
    # e^{-x} form: never overflows; beyond x = 80 the Wien tail is zero in float32 anyway
    x = jnp.clip(x, 1e-6, 80.0)
    return _FIFTEEN_OVER_PI4 / nu_t * x**3 * jnp.exp(-x) / -jnp.expm1(-x)
