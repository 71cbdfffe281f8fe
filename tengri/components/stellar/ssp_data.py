"""A grid of simple stellar populations: the light of one solar mass of stars of one age.

==================  =========================  =============================================
``ssp_lgmet``       (n_met,)                   log10 of the absolute metal fraction Z
``ssp_lg_age_gyr``  (n_age,)                   log10 of the age in Gyr
``ssp_wave``        (n_wave,)                  rest wavelength in vacuum, Å
``ssp_flux``        (n_met, n_age, n_wave)     L_ν in Lsun/Hz per Msun formed
``mass_remaining``  (n_met, n_age) or None     mass in stars and remnants per mass formed
``age_edges_gyr``   (n_age + 1,)               edges of the lookback bin that each age stands for
``ionising``        see `IonisingLight`        what gas around the stars answers to, or None
``lines``           see `LineTable`            emission lines listed beside the spectra, or None
==================  =========================  =============================================

The schema and the names of the datasets are those of DSPS (Hearin et al. 2023, MNRAS 521, 1741);
``ssp_mass_remaining``, ``ssp_age_edges_gyr`` and those of `tengri.grids.ionising` are optional
additions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tengri.components.stellar.ionising import IonisingLight
from tengri.components.stellar.loadings import Loadings
from tengri.components.stellar.metal_nodes import MetalNodes
from tengri.grids.contents import LineTable
from tengri.grids.facts import facts
from tengri.grids.measurement import Measured

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SSPData:
    """A grid of simple stellar populations, in host memory (see the top of the file).

    Attributes
    ----------
    name, path : str
        File name without its ending, and where it was read from.
    sha256 : str
        SHA-256 of the file, hexadecimal; of several files, of their digests; with what was said of
        them by keyword, where that changes the grid.
    attrs : dict
        Provenance as stored: ``imf``, ``source``, ``citation``, ``nebular``, ``logu``, ``zsun`` …
    ssp_afe : ndarray, shape (n_afe,)
        [α/Fe] of a grid that has this axis, else empty. The first axis of all that is (n_met, …)
        then runs over the metallicities at the first [α/Fe], then at the second …
    lines : LineTable or None
        Emission lines that the file lists beside its spectra.
    gas : bool or None
        Whether nebular light is part of the fluxes, by the spectra or as the user said; None of
        a grid that was not loaded from a file.
    measured : Measured or None
        What was measured on the spectra.
    notes : tuple of str
        What was done on loading, is missing, or cannot be told.
    loadings : Loadings or None
        How the populations mix of few spectra, where the grid is compressed.
    """

    ssp_lgmet: Array
    ssp_lg_age_gyr: Array
    ssp_wave: Array
    ssp_flux: Array
    ssp_mass_remaining: Array | None
    age_edges_gyr: Array
    ionising: IonisingLight | None = None
    name: str = ""
    path: str = ""
    sha256: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)
    lines: LineTable | None = None
    gas: bool | None = None
    measured: Measured | None = None
    notes: tuple[str, ...] = ()
    loadings: Loadings | None = None
    ssp_afe: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def metals(self) -> MetalNodes:
        """The nodes of the grid in metals."""
        return MetalNodes(self.ssp_lgmet, self.ssp_afe)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (n_met, n_age, n_wave)."""
        return self.ssp_flux.shape

    @property
    def nebular(self) -> bool:
        """Whether nebular emission is part of the fluxes."""
        return bool(self.attrs.get("nebular", False)) if self.gas is None else self.gas

    @property
    def _arrays(self) -> tuple[Array, ...]:
        return tuple(value for value in vars(self).values() if isinstance(value, np.ndarray))

    @property
    def is_constant(self) -> bool:
        """Whether no array can be written to: models then share what is made of the grid."""
        return not any(array.flags.writeable for array in self._arrays)

    def constant(self) -> SSPData:
        """Return the grid itself, with arrays that cannot be written to any more."""
        for array in self._arrays:
            array.setflags(write=False)
        return self

    @property
    def facts(self) -> dict[str, Any]:
        """Return what is known of zsun, imf, isochrones, library, source, citation and logu."""
        return facts(self.attrs, self.name)

    def __repr__(self) -> str:
        n_age, n_wave = self.shape[1:]
        metals = f"{len(self.ssp_lgmet)} metallicities"
        if self.ssp_afe.size:
            metals = f"{len(self.ssp_afe)} [α/Fe] × {metals}"
        return f"SSPData({self.name!r}: {metals} × {n_age} ages × {n_wave} wavelengths)"
