"""How much band magnitudes of spectra on fewer wavelengths differ from those of the full ones.

Both are attenuated at their own wavelengths and integrated exactly: piecewise-linear spectrum ×
piecewise-linear curve × dλ/λ. A band counts where it holds more than `FAINTEST` of the brightest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Curves = Mapping[str, tuple[Array, Array]]
Transmission = Callable[[Array, float], Array]

FAINTEST = 1e-3


@dataclass(frozen=True, eq=False)
class PopulationSpectra:
    """Spectra (n, n_wave) of the same populations on one wavelength grid."""

    wave: Array
    flux: Array


def band_weights(wave: Array, curve_wave: Array, curve: Array) -> tuple[slice, Array]:
    """Return the nodes and their weights ∫ φ_i(λ) R(λ) dλ/λ / ∫ R dλ/λ, φ_i hat functions.

    Gauss–Legendre with three points between all kinks of both, of which 1/λ is the only part
    that is no polynomial.
    """
    low, high = curve_wave[0], curve_wave[-1]
    first = max(int(np.searchsorted(wave, low, side="right")) - 1, 0)
    last = min(int(np.searchsorted(wave, high)) + 1, len(wave))
    near = wave[first:last]
    kinks = np.union1d(near, curve_wave)
    kinks = kinks[(kinks >= max(low, near[0])) & (kinks <= min(high, near[-1]))]
    points, weights = np.polynomial.legendre.leggauss(3)
    middle, half = 0.5 * (kinks[1:] + kinks[:-1]), 0.5 * np.diff(kinks)
    at = (middle[:, None] + half[:, None] * points).ravel()
    measure = (half[:, None] * weights).ravel() * np.interp(at, curve_wave, curve) / at
    cell = np.clip(np.searchsorted(near, at, side="right") - 1, 0, len(near) - 2)
    part = (at - near[cell]) / (near[cell + 1] - near[cell])
    total = np.bincount(cell, measure * (1 - part), len(near))
    total += np.bincount(cell + 1, measure * part, len(near))
    return slice(first, last), total / measure.sum()


def band_fluxes(spectra: PopulationSpectra, curves: Curves, z: float, igm: Transmission) -> Array:
    """Return band-averaged L_ν (n, n_band) seen from redshift ``z``; NaN out of reach."""
    seen = spectra.flux * igm(spectra.wave, z)
    fluxes = np.full((len(seen), len(curves)), np.nan)
    for i, (wave, curve) in enumerate(curves.values()):
        rest = wave / (1.0 + z)
        if rest[0] >= spectra.wave[0] and rest[-1] <= spectra.wave[-1]:
            nodes, weights = band_weights(spectra.wave, rest, curve)
            fluxes[:, i] = seen[:, nodes] @ weights
    return fluxes


def compared(
    exact: PopulationSpectra,
    grid: PopulationSpectra,
    curves: Curves,
    igm: Transmission,
    redshifts: Array,
) -> Array:
    """Return |Δmag| (n_z, n_pop, n_band), NaN where a band is out of reach or too faint."""
    differences = []
    for z in redshifts:
        a, b = (band_fluxes(spectra, curves, float(z), igm) for spectra in (exact, grid))
        reached = np.isfinite(a).any(axis=1, keepdims=True)
        brightest = np.max(np.where(np.isfinite(a), a, 0.0), axis=1, keepdims=True)
        bright = reached & (a > FAINTEST * brightest)
        ratio = np.where(bright, b, 1.0) / np.where(bright, a, 1.0)
        differences.append(np.where(bright, np.abs(2.5 * np.log10(ratio)), np.nan))
    return np.stack(differences)
