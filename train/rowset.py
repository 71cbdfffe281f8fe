"""Training rows as arrays.

Shapes: ``inputs`` (n, n_in) raw parameter values, ``flux`` (n, n_out) what the target asks of the
exact model, see `emulator.targets`: band fluxes per unit amplitude, or those of every age.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Rows(NamedTuple):
    """Some rows: first global index, inputs and exact fluxes."""

    start: int
    inputs: np.ndarray
    flux: np.ndarray

    @property
    def bad(self) -> np.ndarray:
        """Positions of the rows that have an input or a flux that is not finite."""
        finite = np.isfinite(self.inputs).all(axis=1) & np.isfinite(self.flux).all(axis=1)
        # a galaxy without light in any band has no colours to learn
        return np.flatnonzero(~(finite & (self.flux.max(axis=1) > 0.0)))
