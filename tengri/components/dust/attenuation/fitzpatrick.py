r"""Extinction of the Milky Way by Fitzpatrick (1999, PASP 111, 63), for any R_V.

With x = 1/λ in 1/µm, A(λ)/E(B−V) is a natural cubic spline through the anchors of his table 4 up to
x = 1/0.27 and, beyond, the parametrisation of Fitzpatrick & Massa (1990, ApJS 72, 163),

.. math:: k(x) = R_V + c_1 + c_2 x + c_3 D(x) + c_4 F(x),

whose values at 2700 and 2600 Å are the last two anchors. Published from 0.1 to 3.5 µm; redward the
spline goes on to zero at x = 0, blueward the formula goes on to the Lyman limit, where the curve
becomes constant.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.components.array_module import Floats, array_module
from tengri.components.dust.attenuation.extinction import CARDELLI
from tengri.components.dust.attenuation.law import (
    PIVOT_UM,
    DustLaw,
    Values,
    microns,
    not_below_lyman_limit,
)

#: Wavelengths of the anchors [Å]; the first is infinite.
ANCHORS_AA = np.array([np.inf, 26500.0, 12200.0, 6000.0, 5470.0, 4670.0, 4110.0, 2700.0, 2600.0])
ANCHORS = 1e4 / ANCHORS_AA
ULTRAVIOLET = ANCHORS[-2]
#: Infrared anchors A(λ)/E(B−V) at R_V = 3.1, in proportion to which they change.
INFRARED, R_V_MEAN = (0.265, 0.829), 3.1
#: Optical anchors A(λ)/E(B−V): coefficients of 1, R_V and R_V² at 6000, 5470, 4670 and 4110 Å.
OPTICAL = (
    (-0.426, 1.0044, 0.0),
    (-0.050, 1.0016, 0.0),
    (0.701, 1.0016, 0.0),
    (1.208, 1.0032, -0.00033),
)
#: The bump: its centre, width and strength; the rise in the far ultraviolet and where it begins.
X0, GAMMA, C3, C4, X_FAR = 4.596, 0.99, 3.23, 0.41, 5.9


def _curvatures(x: np.ndarray) -> np.ndarray:
    """Return the matrix from values at the nodes to second derivatives of a natural spline."""
    h, n = np.diff(x), len(x)
    left, right = np.eye(n), np.zeros((n, n))
    for i in range(1, n - 1):
        left[i, i - 1 : i + 2] = h[i - 1] / 6.0, (h[i - 1] + h[i]) / 3.0, h[i] / 6.0
        right[i, i - 1 : i + 2] = 1.0 / h[i - 1], -1.0 / h[i - 1] - 1.0 / h[i], 1.0 / h[i]
    return np.linalg.solve(left, right)


CURVATURES = _curvatures(ANCHORS)


def reddening_curve(um: Floats, r_v: ArrayLike) -> Any:
    """Return A(λ)/E(B−V), shape (n_wave,), at ``um`` [µm]: NumPy where both arguments are."""
    x, xp = 1.0 / not_below_lyman_limit(um), array_module(um)
    blue = x >= ULTRAVIOLET
    optical, ultraviolet = xp.where(blue, ULTRAVIOLET, x), xp.where(blue, x, ULTRAVIOLET)
    xp = jnp if isinstance(r_v, Array) else xp
    return xp.where(blue, r_v + _fm90(ultraviolet, r_v), _spline(optical, _anchors(r_v)))


def _fm90(x: Floats, r_v: Any) -> Any:
    """Return E(λ−V)/E(B−V) of Fitzpatrick & Massa (1990), with c1 and c2 of R_V."""
    c2 = -0.824 + 4.717 / r_v
    c1 = 2.030 - 3.007 * c2
    drude = x**2 / ((x**2 - X0**2) ** 2 + x**2 * GAMMA**2)
    y = array_module(x).where(x < X_FAR, 0.0, x - X_FAR)
    far = 0.5392 * y**2 + 0.05644 * y**3
    return c1 + c2 * x + (C3 * drude + C4 * far)


def _anchors(r_v: Any) -> list[Any]:
    infrared = [a * r_v / R_V_MEAN for a in INFRARED]
    optical = [c0 + c1 * r_v + c2 * r_v**2 for c0, c1, c2 in OPTICAL]
    return [0.0 * r_v, *infrared, *optical, *(r_v + _fm90(x, r_v) for x in ANCHORS[-2:])]


def _spline(x: Floats, y: list[Any]) -> Any:
    """Return the natural spline through ``y`` at the anchors, piece by piece added up."""
    xp = array_module(x)
    bend = [sum(c * v for c, v in zip(row, y)) for row in CURVATURES]
    total = y[0]
    for i, h in enumerate(np.diff(ANCHORS)):
        t = xp.where(x <= ANCHORS[i], 0.0, xp.where(x > ANCHORS[i + 1], 1.0, (x - ANCHORS[i]) / h))
        s = 1.0 - t
        rise = t * (y[i + 1] - y[i])
        total = total + rise + h**2 / 6.0 * ((s**3 - s) * bend[i] + (t**3 - t) * bend[i + 1])
    return total


def fitzpatrick99(wave_aa: Floats, p: Values) -> Any:
    """Return A(λ)/A(5500 Å) for R_V = ``dust_Rv``."""
    r_v = jnp.asarray(p["dust_Rv"], float)
    return reddening_curve(microns(wave_aa), r_v) / reddening_curve(PIVOT_UM, r_v)


FITZPATRICK99 = DustLaw(
    "fitzpatrick99", CARDELLI.params, fitzpatrick99, "Fitzpatrick 1999, PASP 111, 63"
)
