"""A grid of stellar populations that are mixtures of few spectra.

Whatever is linear in the spectra (other wavelengths, means over windows, light in bands) leaves
the loadings as they are: so a grid's spectra may be made as those of any grid, and the sums over
them cost what the few spectra cost.

Shapes: n_met metallicities; n_young and n_old bins of age, the one that holds 10 Myr split in two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tengri.numerics.low_rank import LowRank


@dataclass(frozen=True, eq=False)
class Loadings:
    """How much of each of few spectra is in every population.

    Attributes
    ----------
    young : ndarray, shape (n_met, n_young, n_r)
        Of the stars younger than 10 Myr.
    old : ndarray, shape (n_met, n_old, n_r)
    """

    young: np.ndarray
    old: np.ndarray

    def of_young(self, spectra: np.ndarray, shared: bool) -> LowRank:
        """Return spectra (n_met · n_young, n_wave) as mixtures.

        ``shared``: the last bin has the spectra of the first of the old, which are mixtures of
        those.
        """
        rows = np.ones(self.young.shape[:2], bool)
        rows[:, -1] = not shared
        loadings = self.young.reshape(-1, self.young.shape[-1]).astype(np.float64)
        return LowRank.of(loadings, rows.reshape(-1), spectra)

    def of_old(self, spectra: np.ndarray) -> LowRank:
        """Return spectra (n_met · n_old, n_wave) as mixtures."""
        loadings = self.old.reshape(-1, self.old.shape[-1]).astype(np.float64)
        return LowRank.of(loadings, np.ones(len(spectra), bool), spectra)
