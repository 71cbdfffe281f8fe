"""What an attenuation law is, and how a measured curve is continued beyond its data.

``um`` is a wavelength in µm, ``wave_aa`` one in Å; both are concrete float64 NumPy arrays of
shape (n_wave,): the grid is static, so everything that depends on it alone is computed once,
in NumPy. Only what depends on a free parameter is a JAX operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.registry import Param

#: Parameter values of one galaxy, full public name to scalar.
Values = Mapping[str, ArrayLike]

#: ``curve(wave_aa, p)``: attenuation relative to 5500 Å; NumPy if the law has no parameters.
Curve = Callable[[np.ndarray, Values], Array | np.ndarray]

#: A published curve without free parameters, in any normalisation.
Shape = Callable[[np.ndarray], np.ndarray]

#: Where optical depths are defined [µm].
PIVOT_UM = np.array([0.55])

#: Blueward of the Lyman limit [µm] curves are held constant.
LYMAN_LIMIT_UM = 0.0912


@dataclass(frozen=True)
class DustLaw:
    """One attenuation law.

    Attributes
    ----------
    name : str
        Name in the registry ``LAWS``.
    params : tuple of Param
        The parameters that ``curve`` reads; empty if the curve depends on wavelength only.
    curve : callable
        ``curve(wave_aa, p) -> k``, shape (n_wave,), with ``k(5500 Å) = 1``. ``wave_aa`` is a
        concrete array of rest wavelengths [Å], ``p`` maps parameter names to scalars.
    reference : str
        Where the curve was published.
    """

    name: str
    params: tuple[Param, ...]
    curve: Curve
    reference: str


def microns(wave_aa: ArrayLike) -> np.ndarray:
    """Return wavelengths in µm from wavelengths in Å, as float64 NumPy."""
    return np.asarray(wave_aa, dtype=np.float64) * 1e-4


def not_below_lyman_limit(um: np.ndarray) -> np.ndarray:
    """Return ``um``, at least the Lyman limit."""
    return np.maximum(um, LYMAN_LIMIT_UM)


def fixed(shape: Shape) -> Curve:
    """Return the curve of a law without parameters: ``shape`` over its value at 5500 Å."""

    def curve(wave_aa: np.ndarray, p: Values) -> np.ndarray:
        return shape(microns(wave_aa)) / shape(PIVOT_UM)

    return curve


def extended(shape: Shape, blue: float, red: float) -> Shape:
    """Continue a curve that was measured between ``blue`` and ``red`` [µm] to every wavelength.

    Outside its range the curve follows the power law that is tangent to it at the edge: it
    stays positive and smooth, and falls to zero in the infrared. Below the Lyman limit, where
    no curve was measured and gas decides what escapes, it is constant.
    """
    step = 1e-4

    def slope(edge: float, inward: float) -> float:
        pair = np.log(shape(np.array([edge, edge * (1.0 + inward)])))
        return float(pair[1] - pair[0]) / np.log1p(inward)

    blue_slope, red_slope = slope(blue, step), slope(red, -step)

    def everywhere(um: np.ndarray) -> np.ndarray:
        um = not_below_lyman_limit(um)
        below, above = np.minimum(um / blue, 1.0), np.maximum(um / red, 1.0)
        return shape(np.clip(um, blue, red)) * below**blue_slope * above**red_slope

    return everywhere
