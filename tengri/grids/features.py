"""Numbers measured on the spectra of one population, whatever their sampling.

``wave`` (n_wave,) in Å, ``flux`` (..., n_wave) L_ν; bands and lines are integrated over the
piecewise-linear spectrum: a coarse grid gives the same as a fine one up to what it resolves.
"""

from __future__ import annotations

import numpy as np

from tengri.grids.compact import interpolated

Array = np.ndarray

#: Most sampling [Å] at which a line of 15 Å half-width is still told from its surroundings.
COARSEST_AA = 30.0
#: The break at 4000 Å, Bruzual (1983, ApJ 273, 105): mean L_ν redward over blueward.
D4000 = (3750.0, 3950.0), (4050.0, 4250.0)
#: Blueward and redward of the Balmer limit, clear of its strongest lines.
BALMER_JUMP = (3400.0, 3600.0), (4150.0, 4250.0)
LYMAN_LIMIT_AA = 911.5


def covers(wave: Array, low: float, high: float) -> bool:
    """Whether a range lies within the wavelengths."""
    return bool(wave[0] <= low and wave[-1] >= high)


def sampling(wave: Array, low: float, high: float) -> float:
    """Return the largest distance of neighbouring wavelengths in a range [Å]."""
    near = wave[max(int(np.searchsorted(wave, low)) - 1, 0) : np.searchsorted(wave, high) + 1]
    return float(np.diff(near).max()) if len(near) > 1 else float("inf")


def band_mean(wave: Array, flux: Array, low: float, high: float) -> Array:
    """Return the mean of ``flux`` over a range of wavelengths, (...,)."""
    at = _nodes(wave, low, high)
    return np.trapezoid(interpolated(wave, flux, at), at) / (high - low)


def ratio(
    wave: Array, flux: Array, bands: tuple[tuple[float, float], tuple[float, float]]
) -> Array:
    """Return the mean in the second of two bands over that in the first."""
    below, above = (band_mean(wave, flux, *band) for band in bands)
    return above / np.where(below > 0, below, np.inf)


def line_excess(wave: Array, flux: Array, centre: float, half: float) -> tuple[Array, Array]:
    """Return ∫(L_ν − continuum) dλ of a line and the continuum at its centre, (...,) each.

    The continuum is linear between the means of two windows, 2.5 to 6 half-widths to each side.
    """
    sides = [(centre - 6 * half, centre - 2.5 * half), (centre + 2.5 * half, centre + 6 * half)]
    blue, red = (band_mean(wave, flux, *side) for side in sides)
    middle = 0.5 * (blue + red)
    at = _nodes(wave, centre - half, centre + half)
    base = middle[..., None] + (red - blue)[..., None] * (at - centre) / (8.5 * half)
    return np.trapezoid(interpolated(wave, flux, at) - base, at), middle


def equivalent_width(wave: Array, flux: Array, centre: float, half: float = 15.0) -> Array:
    """Return the equivalent width of emission [Å], negative for absorption, (...,)."""
    excess, middle = line_excess(wave, flux, centre, half)
    return excess / np.where(middle > 0, middle, np.inf)


def absorption_offset(wave: Array, flux: Array, centre: float, half: float) -> float:
    """Return how far the centroid of an absorption line lies from its place [Å]; NaN if none."""
    at = np.linspace(centre - half, centre + half, 2001)
    light = interpolated(wave, flux, at)
    depth = np.maximum(np.interp(at, at[[0, -1]], light[[0, -1]]) - light, 0.0)
    total = depth.sum()
    return float((depth * (at - centre)).sum() / total) if total > 0 else float("nan")


def slope(wave: Array, flux: Array, low: float, high: float, fewest: int = 8) -> float:
    """Return d ln L_ν / d ln λ of spectra (n, n_wave), the median; NaN where hardly sampled."""
    inside = (wave >= low) & (wave <= high)
    lit = (flux[:, inside] > 0).all(axis=1)
    if inside.sum() < fewest or not lit.any():
        return float("nan")
    x = np.log(wave[inside])
    y = np.log(flux[lit][:, inside].astype(np.float64))
    x = x - x.mean()
    return float(np.median((y * x).sum(axis=1) / (x**2).sum()))


def _nodes(wave: Array, low: float, high: float) -> Array:
    inside = wave[(wave > low) & (wave < high)]
    return np.concatenate([[low], inside, [high]])
