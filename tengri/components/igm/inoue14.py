r"""Intergalactic absorption of Inoue et al. (2014, MNRAS 442, 1805).

Two kinds of absorber, the Lyman-α forest (LAF) and damped systems (DLA), each absorb in the
Lyman lines (eqs. 21, 22) and in the Lyman continuum (eqs. 25 to 29). With x = 1+z,
r = λ_obs/λ_line and R = λ_obs/λ_L, the continuum is written as the integral that it comes from,

.. math:: \tau = \int_{\max(R, 1)}^{x} f(u)\, \sigma(R/u)\, du

where f is the number of absorbers, a broken power law in u, and σ their mean opacity; carrying
the integral out gives the paper's equations. Its lower limit is the absorber whose Lyman limit
lies at λ_obs, or today.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.components.igm.lyman_series import LYMAN_SERIES
from tengri.components.igm.model import IGMModel, blueward, once_per_galaxy, scaled_power

LYMAN_LIMIT_AA = 911.8

#: Exponents of r in the columns A1, A2, A3 and D1, D2 of the table.
LAF_EXPONENTS = (1.2, 3.7, 5.5)
DLA_EXPONENTS = (2.0, 3.0)

#: Lines that share one switch between these power laws: within 2 % of wavelength this changes
#: the transmission by less than 1e-4 (see the tests), for a sixth of the operations.
LINE_GROUPS = ((2,), (3,), (4,), (5,), (6, 7), tuple(range(8, 41)))

#: Continuum of the forest: f(u) u^-2.1 integrates to -A u^-0.9 + const, B u^1.6 + const,
#: C u^3.4 + const between the breaks. A is published; B, C and the constants, which keep the
#: integral continuous, come out at the paper's 2.545e-2, 5.221e-4, -0.2496 and -3.140e-2.
U1, U2 = 2.2, 5.7
A_LAF = 0.3248
B_LAF = A_LAF * 0.9 / 1.6 * U1**-2.5
C_LAF = B_LAF * 1.6 / 3.4 * U2**-1.8
B_CONST = -A_LAF * U1**-0.9 - B_LAF * U1**1.6
C_CONST = B_CONST + B_LAF * U2**1.6 - C_LAF * U2**3.4

#: Continuum of the damped systems: P u² - Q u^2.3 R^-0.3 up to u = 3 (published amplitudes),
#: then P3 u³ + const and Q3 u^3.3 + const; the paper's 0.04696, 0.6340, 0.01779, 0.2905.
U3 = 3.0
P_DLA, Q_DLA = 0.2113, 0.07661
P3_DLA, P_CONST = P_DLA * 2.0 / 3.0 / U3, P_DLA * U3**2 / 3.0
Q3_DLA, Q_CONST = Q_DLA * 2.3 / 3.3 / U3, Q_DLA * U3**2.3 / 3.3


def optical_depth(wave_rest: np.ndarray, z: ArrayLike) -> Array:
    """Return the total optical depth, shape (n_wave,); see ``IGMModel``."""
    x = 1.0 + jnp.asarray(z)
    below, ratio = blueward(wave_rest, LYMAN_LIMIT_AA)
    continuum = laf_continuum(ratio, x) + dla_continuum(ratio, x)
    return lines(wave_rest, x) + jnp.where(below, continuum, 0.0)


def lines(wave_rest: np.ndarray, x: Array) -> Array:
    """Return the optical depth of the Lyman series (eqs. 21 and 22)."""
    groups = (LYMAN_SERIES[np.isin(LYMAN_SERIES[:, 0], levels)] for levels in LINE_GROUPS)
    return sum((line_group(wave_rest, rows, x) for rows in groups), jnp.zeros(wave_rest.shape))


def line_group(wave_rest: np.ndarray, rows: np.ndarray, x: Array) -> Array:
    """Return the optical depth of neighbouring lines, ``rows`` of the table.

    Each power law is steeper than the last, so that the one in force is the greatest of them.
    """
    wavelength, coefficients = rows[:, 1], rows[:, 2:].T
    ratio = wave_rest[:, None] / wavelength

    def summed(column: np.ndarray, exponent: float) -> Array:
        absorbed = np.where(ratio < 1.0, column * ratio**exponent, 0.0).sum(axis=1)
        return jnp.asarray(absorbed) * once_per_galaxy(x**exponent)

    laf = [summed(c, e) for c, e in zip(coefficients[:3], LAF_EXPONENTS)]
    dla = [summed(c, e) for c, e in zip(coefficients[3:], DLA_EXPONENTS)]
    tau = jnp.maximum(jnp.maximum(laf[0], laf[1]), laf[2]) + jnp.maximum(dla[0], dla[1])
    # No absorber is nearer than today: the lines must arrive redshifted.
    return jnp.where(jnp.asarray(wave_rest / wavelength.max()) * x > 1.0, tau, 0.0)


def laf_continuum(ratio: np.ndarray, x: Array) -> Array:
    """Return the continuum of the forest (eqs. 25 to 27); ``ratio`` = λ_rest/λ_L ≤ 1."""
    R, R12, R21, R37, R55 = (scaled_power(ratio, x, p) for p in (1.0, 1.2, 2.1, 3.7, 5.5))
    nearest = jnp.where(R < U1, -A_LAF * R12, B_LAF * R37 + B_CONST * R21)
    nearest = jnp.where(R < U2, nearest, C_LAF * R55 + C_CONST * R21)
    nearest = jnp.where(R < 1.0, -A_LAF * R21, nearest)
    return R21 * _laf_primitive(x) - nearest


def _laf_primitive(x: Array) -> Array:
    below = jnp.where(x < U1, -A_LAF * x**-0.9, B_LAF * x**1.6 + B_CONST)
    return once_per_galaxy(jnp.where(x < U2, below, C_LAF * x**3.4 + C_CONST))


def dla_continuum(ratio: np.ndarray, x: Array) -> Array:
    """Return the continuum of the damped systems (eqs. 28, 29); ``ratio`` = λ_rest/λ_L ≤ 1."""
    R, R2, R3, R03 = (scaled_power(ratio, x, p) for p in (1.0, 2.0, 3.0, -0.3))
    far = (P3_DLA - Q3_DLA) * R3 + P_CONST - Q_CONST * R03
    nearest = jnp.where(R < U3, (P_DLA - Q_DLA) * R2, far)
    nearest = jnp.where(R < 1.0, P_DLA - Q_DLA * R03, nearest)
    p = once_per_galaxy(jnp.where(x < U3, P_DLA * x**2, P3_DLA * x**3 + P_CONST))
    q = once_per_galaxy(jnp.where(x < U3, Q_DLA * x**2.3, Q3_DLA * x**3.3 + Q_CONST))
    return p - q * R03 - nearest


INOUE = IGMModel("inoue", optical_depth, "Inoue et al. 2014, MNRAS 442, 1805")
