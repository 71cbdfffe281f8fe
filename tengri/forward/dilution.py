"""From luminosity at the source to flux at the observer."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array

from tengri.constants import LSUN_ERG_S, MPC_CM
from tengri.cosmology import Cosmology

_LOG10_CONSTANT = math.log10(LSUN_ERG_S / (4.0 * math.pi)) - 2.0 * math.log10(MPC_CM)


def log10_dilution(cosmology: Cosmology, z: Array) -> Array:
    """Return log10 of Lsun (1+z) / 4πd² in erg/s/cm²: L_ν [Lsun/Hz] → f_ν [erg/s/cm²/Hz].

    A logarithm, because 1/(4πd²) underflows in float32.
    """
    d = cosmology.luminosity_distance_mpc(z)
    return _LOG10_CONSTANT + jnp.log10(1.0 + z) - 2.0 * jnp.log10(d)
