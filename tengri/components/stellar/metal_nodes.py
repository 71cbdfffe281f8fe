"""The metallicities of a grid of stars, and its [α/Fe] where that is an axis."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

_NO_AXIS = np.zeros(0)


@dataclass(frozen=True, eq=False)
class MetalNodes:
    """Nodes of a grid in metals.

    Populations of a grid with both axes are in rows: all metallicities at the first [α/Fe], then
    all at the second.

    Attributes
    ----------
    lgmet : ndarray, shape (n_z,)
        log10 of the absolute metal fraction Z, ascending.
    afe : ndarray, shape (n_afe,)
        [α/Fe], ascending; empty of a grid without that axis.
    """

    lgmet: np.ndarray
    afe: np.ndarray = field(default_factory=lambda: _NO_AXIS)

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        """The axes that there are."""
        return (self.lgmet, self.afe) if self.afe.size else (self.lgmet,)

    @property
    def lgmet_of_rows(self) -> np.ndarray:
        """log10 Z of each row, (n_met,) = (n_afe · n_z,)."""
        return np.tile(self.lgmet, max(self.afe.size, 1))
