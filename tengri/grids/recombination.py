"""Nodes of nebular tables whose gas does not absorb its ionising photons, and what replaces them.

Gas that absorbs every ionising photon emits as many recombination photons as case B says: 0.117
Hβ photons each and 2.86 times as much light in Hα, within some per cent at any temperature,
metallicity and ionisation parameter. Where a table says otherwise the calculation ended inside the
ionised gas (metal-rich gas cools so far that it stops early), or the scale of the table is off.

Such nodes take hydrogen lines and continuum per photon of their nearest sound neighbour: in log U,
else at the next younger age, else at the next lower metallicity. From a neighbour in log U on, the
ratios of other lines to Hβ follow the trend that the next lower metallicity has at the same age.

Axes of a table: (logU, metallicity, age, wavelength or line); metallicities and ages ascend.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tengri.constants import LSUN_ERG_S
from tengri.grids.ionising import UNIT_PHOTONS

Array = np.ndarray

H_ALPHA_AA, H_BETA_AA = 6564.61, 4862.69
#: Of hydrogen: wavelengths in vacuum are RYDBERG_AA / (1/m² - 1/n²).
RYDBERG_AA = 911.7634
#: Light in Hβ per ionising photon [erg] and Hα/Hβ in case B at 10⁴ K and 100 electrons/cm³: hν
#: α_eff/α_B and tables 2.1, 4.2 of Osterbrock & Ferland (2006), from Storey & Hummer (1995).
H_BETA_ERG, BALMER_DECREMENT = 4.78e-13, 2.86
#: The largest deviation from case B of a sound node.
TOLERANCE = 0.1


class Corrected(NamedTuple):
    """A table whose recombination lines are right, and which nodes are not the source's (0, 1)."""

    lines: Array
    continuum: Array
    replaced: Array


def hydrogen(line_wave: Array) -> Array:
    """Return which lines are those of hydrogen, (n_line,)."""
    m, n = (x.ravel() for x in np.meshgrid(np.arange(1, 9), np.arange(2, 41)))
    series = RYDBERG_AA / (1.0 / m[n > m] ** 2 - 1.0 / n[n > m] ** 2)
    return np.abs(line_wave[:, None] / series - 1.0).min(axis=1) < 3e-5


def case_b(lines: Array, line_wave: Array) -> tuple[Array, Array]:
    """Return Hα and Hβ per ionising photon in units of case B, each (n_logu, n_met, n_age).

    ``lines`` (…, n_line) are in Lsun per 1e47 ionising photons per second.
    """
    per_photon = LSUN_ERG_S / UNIT_PHOTONS / H_BETA_ERG
    alpha, beta = (lines[..., _nearest(line_wave, at)] * per_photon
                   for at in (H_ALPHA_AA, H_BETA_AA))  # fmt: skip
    return alpha / BALMER_DECREMENT, beta


def sound(lines: Array, line_wave: Array) -> Array:
    """Return where both lines are those of case B to ``TOLERANCE``, (n_logu, n_met, n_age)."""
    return np.all(np.abs(np.stack(case_b(lines, line_wave)) - 1.0) <= TOLERANCE, axis=0)


def corrected(lines: Array, continuum: Array, line_wave: Array) -> Corrected:
    """Return a table in which neighbours replace unsound nodes; see the top of the file.

    Parameters
    ----------
    lines : ndarray, shape (n_logu, n_met, n_age, n_line)
        Luminosities [Lsun] per 1e47 ionising photons per second.
    continuum : ndarray, shape (n_logu, n_met, n_age, n_wave)
        L_ν [Lsun/Hz].
    line_wave : ndarray, shape (n_line,)
        Wavelengths in vacuum [Å].
    """
    good, of_hydrogen = sound(lines, line_wave), hydrogen(line_wave)
    h_beta = _nearest(line_wave, H_BETA_AA)
    new_lines, new_continuum = lines.copy(), continuum.copy()
    for z, t, u in np.ndindex(good.shape[1], good.shape[2], good.shape[0]):
        if good[u, z, t]:
            continue
        source = _neighbour(good, u, z, t)
        new_lines[u, z, t], new_continuum[u, z, t] = new_lines[source], new_continuum[source]
        if source[1:] == (z, t) and z > 0:
            trend = _trend(new_lines[:, z - 1, t], h_beta, source[0], u)
            new_lines[u, z, t] *= np.where(of_hydrogen, 1.0, trend)
    return Corrected(new_lines, new_continuum, (~good).astype(np.uint8))


def _nearest(line_wave: Array, wave: float) -> int:
    return int(np.argmin(np.abs(line_wave - wave)))


def _neighbour(good: Array, u: int, z: int, t: int) -> tuple[int, int, int]:
    """Return the node whose light per photon an unsound one takes; it has been corrected before."""
    in_logu = np.flatnonzero(good[:, z, t])
    if in_logu.size:
        return int(in_logu[np.argmin(np.abs(in_logu - u))]), z, t
    if t > 0 and good[:, z].any():
        return u, z, t - 1
    return u, max(z - 1, 0), t


def _trend(lines: Array, h_beta: int, start: int, end: int) -> Array:
    """Return by how much ratios to Hβ change from one logU to another, (n_line,)."""
    ratio = np.maximum(lines / lines[:, h_beta, None], 1e-12)
    return ratio[end] / ratio[start]
