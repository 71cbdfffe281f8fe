"""Flux units at the boundary: everything is f_ν per band, AB where it is a magnitude."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.constants import AB_ZERO_POINT
from tengri.errors import unknown

CGS = "erg/s/cm2/Hz"

# log10 of one unit in erg/s/cm²/Hz
LOG10_UNIT = {
    CGS: 0.0,
    "maggies": -0.4 * AB_ZERO_POINT,
    "Jy": -23.0,
    "mJy": -26.0,
    "uJy": -29.0,
    "nJy": -32.0,
}
UNITS = (*LOG10_UNIT, "mag_ab")


def check_units(units: str) -> str:
    """Return ``units`` if it is known, else raise with near matches."""
    if units not in UNITS:
        raise unknown("flux unit", units, UNITS)
    return units


def unit_of_spectra(units: str) -> str:
    """Return the unit of spectra for that of bands: maggies where it is a magnitude."""
    return "maggies" if units == "mag_ab" else units


def to_units(log10_scale: Array, shape: Array, units: str) -> Array:
    """Return the flux ``shape * 10**log10_scale`` [erg/s/cm²/Hz] in ``units``.

    The scale stays a logarithm until the last step: 1/(4πd²) alone underflows in float32.
    """
    if units == "mag_ab":
        return -2.5 * (jnp.log10(shape) + log10_scale) - AB_ZERO_POINT
    return shape * 10.0 ** (log10_scale - LOG10_UNIT[units])


def magnitudes(flux: np.ndarray, units: str) -> np.ndarray:
    """Return AB magnitudes of fluxes in ``units``; those that are not positive give NaN."""
    if units == "mag_ab":
        return flux
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = -2.5 * (np.log10(flux) + LOG10_UNIT[units]) - AB_ZERO_POINT
    return np.where(flux > 0.0, magnitude, np.nan)
