"""Intergalactic absorption of Madau (1995, ApJ 441, 18): hydrogen only, without metal lines."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.components.igm.model import IGMModel, blueward, once_per_galaxy, scaled_power

LYMAN_LIMIT_AA = 912.0

#: Lyman α to δ: wavelength [Å] and coefficient (eqs. 12 and 15); τ = A (λ_obs/λ_j)^3.46.
LINES = ((1215.67, 3.6e-3), (1025.72, 1.7e-3), (972.54, 1.2e-3), (949.74, 9.3e-4))
LINE_EXPONENT = 3.46


def optical_depth(wave_rest: np.ndarray, z: ArrayLike) -> Array:
    """Return the total optical depth, shape (n_wave,); see ``IGMModel``."""
    x = 1.0 + jnp.asarray(z)
    below, ratio = blueward(wave_rest, LYMAN_LIMIT_AA)
    return lines(wave_rest, x) + jnp.where(below, continuum(ratio, x), 0.0)


def lines(wave_rest: np.ndarray, x: Array) -> Array:
    """Return the line blanketing by Lyman α to δ (eq. 15)."""
    tau = jnp.zeros(wave_rest.shape)
    for line, coefficient in LINES:
        below, ratio = blueward(wave_rest, line)
        # No absorber is nearer than today: the line must arrive redshifted.
        absorbs = below & (jnp.asarray(ratio) * x > 1.0)
        tau = tau + jnp.where(absorbs, coefficient * scaled_power(ratio, x, LINE_EXPONENT), 0.0)
    return tau


def continuum(ratio: np.ndarray, x: Array) -> Array:
    """Return the photoelectric absorption (footnote 3); ``ratio`` = λ_rest/λ_L ≤ 1.

    With c = λ_obs/λ_L = 1+z of the nearest absorber in the continuum, at least 1, the fit is
    0.25 c³(x^0.46 - c^0.46) + 9.4 c^1.5(x^0.18 - c^0.18) - 0.7 c³(c^-1.32 - x^-1.32)
    - 0.023 (x^1.68 - c^1.68); below it is sorted by powers of c.
    """
    c15, c168, c3, c346 = (
        jnp.maximum(scaled_power(ratio, x, p), 1.0) for p in (1.5, 1.68, 3.0, 3.46)
    )
    x018, x168 = once_per_galaxy(x**0.18), once_per_galaxy(x**1.68)
    of_c3 = once_per_galaxy(0.25 * x**0.46 + 0.7 * x**-1.32)
    return of_c3 * c3 - 0.25 * c346 + 9.4 * x018 * c15 - (9.4 + 0.7 - 0.023) * c168 - 0.023 * x168


MADAU = IGMModel("madau", optical_depth, "Madau 1995, ApJ 441, 18")
