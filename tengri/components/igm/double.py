"""Transmission of the intergalactic medium in double precision, whatever JAX computes in."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from tengri.components.igm.inoue14 import INOUE


def inoue(wave: np.ndarray, z: float) -> np.ndarray:
    """Return the transmission of Inoue et al. (2014) at rest wavelengths [Å], (n_wave,)."""
    with jax.enable_x64(True):
        return np.asarray(INOUE.transmission(wave, jnp.asarray(z)))
