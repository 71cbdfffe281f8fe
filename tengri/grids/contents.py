"""What a reader takes from a file of stellar populations, in the units of the schema.

The spectra stay in the file until they are asked for, one metallicity at a time: a grid of any
size can be looked at, or written anew, in the memory of one of its planes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tengri.errors import DataError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Planes:
    """Spectra of a grid, one metallicity at a time.

    Attributes
    ----------
    shape : tuple of int
        (n_met, n_age, n_wave).
    read : callable
        ``i -> L_ν (n_age, n_wave)`` [Lsun/Hz per Msun formed] of metallicity ``i``.
    """

    shape: tuple[int, int, int]
    read: Callable[[int], Array]

    @classmethod
    def of(cls, flux: Array) -> Planes:
        """Return the planes of an array in memory."""
        return cls(flux.shape, lambda i: flux[i])

    def then(self, change: Callable[[int, Array], Array]) -> Planes:
        """Return the planes after a change of each, ``(i, plane) -> plane``."""
        return replace(self, read=lambda i: change(i, self.read(i)))

    def all(self) -> Array:
        """Return every spectrum, (n_met, n_age, n_wave)."""
        first = self.read(0)
        whole = np.empty(self.shape, first.dtype)
        whole[0] = first
        for i in range(1, self.shape[0]):
            whole[i] = self.read(i)
        return whole


@dataclass(frozen=True, eq=False)
class LineTable:
    """Emission lines of a grid that are listed beside its spectra.

    Attributes
    ----------
    names : tuple of str
    wave : ndarray, shape (n_line,)
        Rest wavelengths [Å], as the file gives them.
    luminosity : ndarray, shape (n_met, n_age, n_line)
        Lsun per Msun formed.
    """

    names: tuple[str, ...]
    wave: Array
    luminosity: Array


@dataclass(frozen=True, eq=False)
class Contents:
    """A file of stellar populations as its reader understood it.

    Attributes
    ----------
    layout : str
        Name of the reader.
    files : tuple of Path
        What was read, the file that was asked for first.
    datasets : dict
        Axes and what else there is of the schema but the spectra.
    flux : Planes
        The spectra.
    attrs : dict
        Facts that the file states: ``imf``, ``zsun``, ``isochrones``, ``library``, ``citation`` …
    gas : bool or None
        Whether nebular light is part of the spectra, if the file or its name says so.
    vacuum : bool or None
        Whether wavelengths are in vacuum, likewise.
    lines : LineTable or None
    notes : tuple of str
        What was done on the way or is missing, in sentences.
    """

    layout: str
    files: tuple[Path, ...]
    datasets: dict[str, Array]
    flux: Planes
    attrs: dict[str, Any] = field(default_factory=dict)
    gas: bool | None = None
    vacuum: bool | None = None
    lines: LineTable | None = None
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file that was asked for."""
        return self.files[0]


def needed(stated: Mapping[str, Any], name: str, path: Path, why: str, example: str) -> Any:
    """Return a keyword's value.

    Raises
    ------
    DataError
        It was not given: says why the file alone is not enough, and what to write.
    """
    if name not in stated:
        raise DataError(f"{path}: {why}. Say it: load_ssp_data(…, {name}={example}).")
    return stated[name]


def fixed_index(values: Array, value: float, name: str, path: Path) -> tuple[int, float]:
    """Return (i, t): ``value`` lies at share t between nodes i and i + 1 of a sorted axis.

    Raises
    ------
    DataError
        Outside of the axis.
    """
    axis = np.asarray(values, dtype=np.float64)
    slack = 1e-6 * (axis[-1] - axis[0])  # a float32 of the same number
    if not axis[0] - slack <= value <= axis[-1] + slack:
        raise DataError(f"{path}: {name} = {value:g} is outside of {axis[0]:g}…{axis[-1]:g}.")
    value = min(max(value, axis[0]), axis[-1])
    if len(axis) == 1:
        return 0, 0.0
    i = int(np.clip(np.searchsorted(axis, value, side="right") - 1, 0, len(axis) - 2))
    return i, float((value - axis[i]) / (axis[i + 1] - axis[i]))
