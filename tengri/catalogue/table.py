"""Tables on disk: what a format must say to be read and written, and which there are.

A table has named columns of one length; everything is read and written by ranges of rows, so
that a table may be larger than memory. A new format is one entry of ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tengri.errors import ConfigError, DataError, suggestion, unknown

Columns = dict[str, np.ndarray]


class Table(Protocol):
    """An open table."""

    names: tuple[str, ...]
    n_rows: int

    def unit(self, name: str) -> str:
        """Return the unit that the file states for a column, or nothing."""
        ...

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows ``start`` … ``stop`` of some columns, each (n, …); a gap is NaN."""
        ...


@dataclass(frozen=True)
class Schema:
    """What is written: the columns' types by name, their units, and facts about the whole."""

    dtypes: Mapping[str, np.dtype]
    units: Mapping[str, str]
    facts: Mapping[str, Any]
    n_rows: int


class Format(Protocol):
    """A module that reads and writes one kind of file."""

    def open_table(self, path: Path, name: str | None) -> AbstractContextManager[Table]:
        """Open the table of a file, or the one of that name."""
        ...

    def write_table(self, path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
        """Write a table chunk by chunk."""
        ...


FORMATS = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".fits": "fits",
    ".fit": "fits",
    ".parquet": "parquet",
}
EXTRAS = {"fits": "astropy", "parquet": "pyarrow"}


def format_of(path: Path) -> Format:
    """Return what reads and writes files of this ending.

    Raises
    ------
    ConfigError
        Another ending, or an optional package that is missing.
    """
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        raise ConfigError(f"{path}: a catalogue ends in {', '.join(FORMATS)}.")
    try:
        return import_module(f"tengri.catalogue.{name}")  # type: ignore[return-value]
    except ImportError as error:
        raise ConfigError(
            f'{path} needs {EXTRAS.get(name, name)}: pip install "tengri[{name}]"'
        ) from error


def open_table(path: Path, name: str | None = None) -> AbstractContextManager[Table]:
    """Open a catalogue.

    Parameters
    ----------
    path : Path
        A file whose ending is in ``FORMATS``.
    name : str, optional
        HDF5: a group of columns, or a compound dataset. FITS: an extension.

    Raises
    ------
    ConfigError
        An ending that is no format, or a missing optional package.
    DataError
        No such file, not of its kind, no table in it, or no table of that name.
    """
    if not path.is_file():
        near = [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such catalogue.{suggestion(path.name, near) if near else ''}")
    return format_of(path).open_table(path, name)


def check_columns(names: Iterable[str], table: Table) -> None:
    """Raise, with near names, for the first column that a table has not."""
    for name in names:
        if name not in table.names:
            raise unknown("column", name, table.names)
