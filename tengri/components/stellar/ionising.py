"""What the gas around young stars needs to know of an SSP grid: how many ionising photons there
are, of stars of which age, and what is left of the starlight behind the gas.

Embedded grids store it as counted on the full spectra of their source; for other grids it is
measured on their own wavelengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tengri.errors import DataError
from tengri.grids import compact, ionising

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class IonisingLight:
    """The ionising light of the populations of an SSP grid.

    Attributes
    ----------
    photons : ndarray, shape (n_met, n_age)
        Ionising photons per second and Msun formed, in units of 1e47.
    lg_age_gyr : ndarray, shape (n_met, n_age)
        log10 of the age [Gyr] of the stars that emit them, the mean over a bin's photons.
    wave : ndarray, shape (n_blue,)
        Rest wavelengths [Å] around and below the Lyman limit; none for a grid without
        ``behind_gas``.
    behind_gas : ndarray, shape (n_met, n_young, n_blue)
        L_ν [Lsun/Hz] that gas leaves of the populations up to 10 Myr.
    """

    photons: Array
    lg_age_gyr: Array
    wave: Array
    behind_gas: Array

    @classmethod
    def stored(cls, contents: Mapping[str, Array]) -> IonisingLight | None:
        """Return what the datasets of a grid say; None where it has none.

        Raises
        ------
        DataError
            Some of the datasets only, or more metallicities, ages or wavelengths than the grid's.
        """
        absent = ionising.UNITS.keys() - contents.keys()
        if len(absent) == len(ionising.UNITS):
            return None
        if absent:
            raise DataError(f"The grid lacks {', '.join(sorted(absent))}: give all or none of "
                            f"{', '.join(ionising.UNITS)}.")  # fmt: skip
        photons, lg_age, behind = (contents[name] for name in ionising.UNITS)
        if any(n > most for n, most in zip(behind.shape, contents["ssp_flux"].shape)):
            raise DataError(f"ssp_flux_behind_gas has shape {behind.shape}, more than ssp_flux, "
                            f"{contents['ssp_flux'].shape}.")  # fmt: skip
        blue = contents["ssp_wave"][: behind.shape[-1]]
        return cls(photons.astype(np.float64), lg_age.astype(np.float64), blue, behind)

    @classmethod
    def measured(cls, wave: Array, flux: Array, lg_age_gyr: Array) -> IonisingLight:
        """Return it for a grid ``flux`` (n_met, n_age, n_wave) without those datasets."""
        photons = ionising.photon_rate(wave, flux) / ionising.UNIT_PHOTONS
        none = np.zeros((*photons.shape, 0))
        return cls(photons, np.broadcast_to(lg_age_gyr, photons.shape), none[0, 0], none)

    def passed(self, wave: Array, flux: Array) -> Array:
        """Return what gas leaves of ``flux`` (n_met, n_young, n_wave), young stars on ``wave``.

        Raises
        ------
        DataError
            If the populations are not those of the grid that this was stored with.
        """
        if not self.wave.size:
            return np.where(wave <= compact.LYMAN_LIMIT, 0.0, flux)
        if self.behind_gas.shape[:2] != flux.shape[:2]:
            raise DataError(
                f"ssp_flux_behind_gas is of {self.behind_gas.shape[:2]} metallicities and young "
                f"ages, the grid has {flux.shape[:2]}. If you cut the grid, set ionising=None: "
                "it is then measured on the grid's own wavelengths."
            )
        blue = wave <= self.wave[-1]
        left = np.array(flux, dtype=np.float64)
        left[..., blue] = compact.interpolated(self.wave, self.behind_gas, wave[blue])
        return left
