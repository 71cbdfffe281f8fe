"""The spectra of an SSP grid on the wavelengths that a galaxy needs.

Dust and nuclei add nodes in the infrared, gas those of its lines, neutral hydrogen those of its
wings; a set of bands sees a window.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from tengri.components.composition import Composition
from tengri.components.stellar.loadings import Loadings
from tengri.components.stellar.lyman_alpha import FESC_LYA, LyaLine, drawn, separated
from tengri.components.stellar.nebular import Gas, has_gas
from tengri.components.stellar.ssp_data import SSPData
from tengri.cosmology import Cosmology
from tengri.errors import ConfigError
from tengri.forward.galaxy import AgeBins, Galaxy, Spectra
from tengri.forward.grid import on_nodes, with_infrared_nodes
from tengri.forward.grid_lines import GridLines
from tengri.grids import compact
from tengri.grids.files import STELLAR_SSP

EVERYWHERE = slice(None)
#: Grids in use by the stars that they are made of, composition and cosmology.
_IN_USE: WeakKeyDictionary[SSPData, WeakValueDictionary[Hashable, GridSpectra]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True, eq=False)
class GridSpectra:
    """Equations and spectra of a composition on an SSP grid.

    Attributes
    ----------
    galaxy : Galaxy
        The equations on all wavelengths.
    flux : ndarray, shape (n_met, n_age, n_wave)
        L_ν of the stars [Lsun/Hz per Msun], of the grid's dtype.
    gas : ndarray, shape (n_lit, n_wave), or None
        L_ν of the gas.
    lya : LyaLine or None
        Lyα [Lsun/Hz] of the gas, or of the young populations of a grid that has gas in it, where
        it is a term of its own.
    listed : GridLines or None
        Lines that the grid lists beside its spectra.
    """

    galaxy: Galaxy
    flux: np.ndarray
    gas: np.ndarray | None
    lya: LyaLine | None = None
    listed: GridLines | None = None
    loadings: Loadings | None = None

    @classmethod
    def of(cls, composition: Composition, ssp: SSPData, cosmology: Cosmology) -> GridSpectra:
        """Return what `build` gives, once for all models in use that are alike."""
        if not ssp.is_constant:
            return cls.build(composition, ssp, cosmology)
        made, key = _IN_USE.setdefault(ssp, WeakValueDictionary()), (composition, cosmology)
        found = made.get(key)
        return (
            made.setdefault(key, cls.build(composition, ssp, cosmology)) if found is None else found
        )

    @classmethod
    def build(cls, composition: Composition, ssp: SSPData, cosmology: Cosmology) -> GridSpectra:
        """Put the grid on all wavelengths that the components need."""
        wave, flux = np.asarray(ssp.ssp_wave, dtype=np.float64), np.asarray(ssp.ssp_flux)
        bins, own_lya = AgeBins.split(ssp.age_edges_gyr), composition.lya_escape is not None
        flux, lya = _separated(composition, ssp, bins) if own_lya else (flux, None)
        if composition.neutral_gas:
            wings = np.concatenate([gas.nodes() for gas in composition.neutral_gas])
            wings = np.union1d(wave, wings[(wings > wave[0]) & (wings < wave[-1])])
            wave, flux = wings, on_nodes(wave, flux, wings)
        if composition.dust_emission is not None or composition.agn is not None:
            dust = composition.dust_emission
            nodes = () if dust is None or dust.nodes is None else dust.nodes()
            agn = composition.agn
            more = () if agn is None or agn.nodes is None else agn.nodes()
            wave, flux = with_infrared_nodes(wave, flux, nodes, more)
        if lya is not None:
            lya = LyaLine(lya.peak, np.interp(wave, ssp.ssp_wave, lya.profile))
        gas, lit = None, None
        if composition.nebular is not None:
            young = bins.node[: bins.n_young]
            gas = Gas(composition.nebular.table(), ssp, young)
            nodes = gas.table.with_nodes(wave)
            wave, flux = nodes, on_nodes(wave, flux, nodes)
            lit = gas.spectra(wave, flux[:, young], lyman_alpha=not own_lya)
            lya = gas.lyman_alpha(wave) if own_lya else None
        _check_lya(composition, ssp, lya)
        # A power of ten near the brightest spectrum keeps float32 away from both its ends.
        unit = float(np.floor(np.log10(flux.max())))
        galaxy = Galaxy(composition, cosmology, ssp.age_edges_gyr, ssp.metals, wave, unit, gas)
        stars_and_gas = composition.nebular is None and composition.has_stars
        listed = GridLines.of(ssp, bins) if stars_and_gas else None
        return cls(galaxy, flux, lit, lya, listed, ssp.loadings)

    def cut(self, window: slice = EVERYWHERE) -> tuple[Galaxy, Spectra]:
        """Return the equations and the spectra, in float64, of a part of the wavelengths."""
        galaxy = self.galaxy if window == EVERYWHERE else self.galaxy.on(self.galaxy.wave[window])
        scale = 10.0**-self.galaxy.log10_flux_unit
        lya = None if self.lya is None else self.lya.scaled(scale).cut(window)
        gas = None if self.gas is None else self.gas[:, window]
        return galaxy, self._scaled(self.flux[:, :, window], gas)._replace(lya=lya)

    def without_lines(self, windows: np.ndarray) -> tuple[Galaxy, Spectra]:
        """Return the equations at the centres of windows, and mean spectra without lines there.

        ``windows`` (n, n_sample) are wavelengths [Å]; means are those of L_λ.
        """
        wave, centre, bins = windows.ravel(), windows.mean(axis=1), self.galaxy.bins

        def mean(lnu: np.ndarray) -> np.ndarray:
            per_aa = lnu.reshape(*lnu.shape[:-1], *windows.shape) * (centre[:, None] / windows) ** 2
            return per_aa.mean(axis=-1)

        flux = compact.interpolated(self.galaxy.wave, self.flux, wave).astype(np.float64)
        gas, young = self.galaxy.gas, flux[:, bins.node[: bins.n_young]]
        lit = None if gas is None else mean(gas.continuum(wave, young))
        return self.galaxy.on(centre), self._scaled(mean(flux), lit)

    def _scaled(self, flux: np.ndarray, gas: np.ndarray | None) -> Spectra:
        """Return light (n_met, n_age, n) and that of gas as the matrices of the sums."""
        scale, n = 10.0**-self.galaxy.log10_flux_unit, self.galaxy.bins.n_young
        by_bin = flux[:, self.galaxy.bins.node].astype(np.float64)
        by_bin *= scale
        young, old = (part.reshape(-1, flux.shape[-1]) for part in (by_bin[:, :n], by_bin[:, n:]))
        lit = None if gas is None else gas * scale
        if self.loadings is None:
            return Spectra(young, old, lit)
        node, mixed = self.galaxy.bins.node, self.loadings
        shared = bool(node[n - 1] == node[n])
        return Spectra(mixed.of_young(young, shared), mixed.of_old(old), lit)


def _separated(
    composition: Composition, ssp: SSPData, bins: AgeBins
) -> tuple[np.ndarray, LyaLine | None]:
    """Return the grid without the Lyα that is part of it, and the line, if there is one."""
    wave, flux = np.asarray(ssp.ssp_wave, dtype=np.float64), np.asarray(ssp.ssp_flux)
    if composition.nebular is not None or not has_gas(ssp):
        return flux, None
    # foreign grids have it drawn in some other way
    profile = drawn(wave) if "line_sigma_kms" in ssp.attrs else None
    return separated(wave, flux, _lit(bins), profile)


def _lit(bins: AgeBins) -> np.ndarray:
    """Return the ages of the bins that hold stars younger than 10 Myr, whole bins."""
    last = bins.node[bins.n_young - 1]
    return bins.node[bins.node <= last]


def _check_lya(composition: Composition, ssp: SSPData, lya: LyaLine | None) -> None:
    escape = composition.lya_escape
    if escape is not None and escape.params and lya is None:
        raise ConfigError(
            f"{FESC_LYA.name} has no effect: there is no Lyα in the grid {ssp.name}, and no gas "
            f"around its stars. Set nebular='cloudy' and take load_ssp_data({STELLAR_SSP!r}), or "
            "leave it out."
        )
