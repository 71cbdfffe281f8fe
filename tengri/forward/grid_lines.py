"""Emission lines that a grid of stars and gas lists beside its spectra (``ssp_emline_*``).

Each stellar population emits its lines per Msun formed; those of the young lie behind birth cloud
and diffuse dust, those of the old behind the diffuse dust, as their spectra do. Lines bear the
names of `tengri.components.line_list` where a known line is within 15 km/s of the file's
wavelength, in vacuum or in air, else the file's own.
"""

from __future__ import annotations

from collections import Counter

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.line_list import LineList, nearest_line
from tengri.components.stellar.nebular import has_gas
from tengri.components.stellar.ssp_data import SSPData
from tengri.forward.galaxy import AgeBins
from tengri.grids.bc03 import vacuum
from tengri.grids.contents import LineTable
from tengri.numerics.linalg import matmul

#: The windows beside a line, Δλ/λ from its centre, and the least distance from any other line.
SIDE, CLEAR_OF = (0.004, 0.015), 0.003


class GridLines:
    """The lines of a grid on the age bins of a galaxy.

    Parameters
    ----------
    table : LineTable
    bins : AgeBins

    Attributes
    ----------
    line_list : LineList
    young, old : ndarray, shape (n_met * n_bin, n_line)
        Luminosities [Lsun per Msun formed] of the populations in birth clouds, and of the others.
    """

    def __init__(self, table: LineTable, bins: AgeBins) -> None:
        self.line_list = _named(table)
        by_bin = np.asarray(table.luminosity, np.float64)[:, bins.node]
        n, shape = bins.n_young, (-1, len(table.names))
        self.young, self.old = by_bin[:, :n].reshape(shape), by_bin[:, n:].reshape(shape)

    @classmethod
    def of(cls, ssp: SSPData, bins: AgeBins) -> GridLines | None:
        """Return the lines of a grid with gas in its spectra; None where it lists none."""
        return cls(ssp.lines, bins) if ssp.lines is not None and has_gas(ssp) else None

    def in_default_float(self) -> tuple[Array, Array]:
        """Return ``young`` and ``old`` as JAX arrays of the process's default float."""
        return jnp.asarray(self.young, float), jnp.asarray(self.old, float)


def emitted(tables: tuple[Array, Array], weights: Array, n_young: int) -> tuple[Array, Array]:
    """Return luminosities per unit mass of young and old populations [Lsun/Msun], (n_line,) each.

    ``weights`` (n_met, n_bin) is the distribution of the mass; ``tables`` are those of `GridLines`.
    """
    parts = weights[:, :n_young], weights[:, n_young:]
    young, old = (matmul(w.reshape(-1), table) for w, table in zip(parts, tables))
    return young, old


def clear_windows(wave: np.ndarray, n: int) -> np.ndarray:
    """Return wavelengths [Å] beside lines and away from all others, (2 * n_line, n).

    The spectra of the grid have all its lines in them: a window takes the ``n`` samples that are
    evenly spread over what lies free; where nothing does, those farthest from other lines.
    """
    offsets = np.linspace(*SIDE, 8 * n)
    found = []
    for side in (-1.0, 1.0):
        for line in wave:
            at = line * (1.0 + side * offsets)
            apart = np.abs(at[:, None] / np.delete(wave, np.argmin(np.abs(wave - line))) - 1.0)
            nearest = apart.min(axis=1, initial=np.inf)
            free = np.flatnonzero(nearest >= CLEAR_OF)
            if len(free) < n:
                free = np.sort(np.argsort(-nearest, kind="stable")[:n])
            found.append(at[free[np.linspace(0, len(free) - 1, n).round().astype(int)]])
    return np.array(found)


def _named(table: LineTable) -> LineList:
    """Return names and wavelengths in vacuum; two lines of one name keep the file's."""
    wave = np.asarray(table.wave, np.float64)
    ends = zip(wave, vacuum(wave))
    known = [nearest_line(float(own)) or nearest_line(float(moved)) for own, moved in ends]
    taken = Counter(found[0] for found in known if found)
    chosen = [
        found if found and taken[found[0]] == 1 else (name, float(own))
        for name, own, found in zip(table.names, wave, known)
    ]
    return LineList(tuple(name for name, _ in chosen), tuple(at for _, at in chosen))
