"""The ionising light of stars, which the gas around them reprocesses.

Counted and cut on the full spectra of the source, because a compact grid keeps integrals against
smooth curves and the Lyman limit is none.
"""

from __future__ import annotations

import numpy as np

from tengri.constants import H_ERG_S, LSUN_ERG_S
from tengri.grids import bc03, compact
from tengri.grids.bc03 import StellarGrid

Array = np.ndarray

#: Photons per second that nebular light and photon rates are stored for: float32 holds both.
UNIT_PHOTONS = 1e47
# The photons of the tables were counted up to the last wavelength of their stars below the limit.
COUNTED_AA = 911.5
# From here on a projection does not know any more that the light below the limit is missing.
UNCHANGED_AA = 1000.0

UNITS = {
    "ssp_ionising_photons": "1e47 photons per second per Msun formed",
    "ssp_ionising_lg_age_gyr": "log10(age/Gyr), mean over the ionising photons of a bin",
    "ssp_flux_behind_gas": "Lsun/Hz per Msun formed, up to 10 Myr, none below the Lyman limit",
}


def photon_rate(wave: Array, lnu: Array) -> Array:
    """Return the ionising photons per second of ``lnu`` (..., n_wave) [Lsun/Hz].

    ∫ L_ν dλ/λ / h by trapezoids, the rule by which the photons of the tables were counted.
    """
    last = int(np.searchsorted(wave, COUNTED_AA))
    t = (COUNTED_AA - wave[last - 1]) / (wave[last] - wave[last - 1])
    end = (1.0 - t) * lnu[..., last - 1] + t * lnu[..., last]
    blue = np.append(wave[:last], COUNTED_AA)
    light = np.concatenate([lnu[..., :last], end[..., None]], axis=-1).astype(np.float64)
    return np.trapezoid(light / blue, blue) * (LSUN_ERG_S / H_ERG_S)


def datasets(stars: StellarGrid, binned: StellarGrid, wave: Array) -> dict[str, Array]:
    """Return what a grid of stars alone stores for the gas around them.

    Parameters
    ----------
    stars : StellarGrid
        All ages and wavelengths of the source.
    binned : StellarGrid
        The ages of the grid, at all wavelengths of the source.
    wave : ndarray, shape (n_wave,)
        The wavelengths of the grid.

    Returns
    -------
    dict
        ``ssp_ionising_photons`` and ``ssp_ionising_lg_age_gyr`` (n_met, n_age), and
        ``ssp_flux_behind_gas`` (n_met, n_young, n_blue) on the first wavelengths of the grid.
    """
    share = bc03.average_over(stars.edges_gyr, binned.edges_gyr).T
    each = photon_rate(stars.wave, stars.flux)
    photons = each @ share
    lg_age = (each * bc03.log10(stars.age_gyr)) @ share / photons
    young = binned.flux[:, binned.edges_gyr[1:] <= bc03.BIRTH_CLOUD_GYR * (1 + 1e-9)]
    behind = np.where(stars.wave <= compact.LYMAN_LIMIT, 0.0, young)
    projected = np.stack([compact.project(stars.wave, rows, wave) for rows in behind])
    return {
        "ssp_ionising_photons": compact.rounded(photons / UNIT_PHOTONS, bits=20),
        "ssp_ionising_lg_age_gyr": lg_age.astype(np.float32),
        "ssp_flux_behind_gas": compact.rounded(projected[..., wave < UNCHANGED_AA]),
    }
