"""Tables on disk: the interface of a format, and the known formats.

A table has named columns of one length; everything is read and written by ranges of rows, so
that a table may be larger than memory. A new format is one entry of ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tengri.errors import ConfigError, DataError, TengriError, suggestion, unknown

Columns = dict[str, np.ndarray]


class Table(Protocol):
    """An open table."""

    names: tuple[str, ...]
    n_rows: int

    def unit(self, name: str) -> str:
        """Return the unit that the file states for a column, or nothing."""
        ...

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows ``start`` … ``stop`` of some columns, each (n, …).

        What is missing is masked (``numpy.ma``), or NaN; text may be of any type of NumPy.
        """
        ...


@dataclass(frozen=True)
class Field:
    """A column that is to be written.

    Attributes
    ----------
    dtype : dtype
        Of numbers, with their shape per row; of text ``S`` (ASCII) or ``U`` with the length of the
        longest: the rows themselves are objects.
    unit : str
    null : Any
        A value that no row has, for formats that know no missing ones; None: nothing is missing.
    """

    dtype: np.dtype
    unit: str = ""
    null: Any = None


@dataclass(frozen=True)
class Schema:
    """What is written: the columns by name, and facts about the whole."""

    fields: Mapping[str, Field]
    facts: Mapping[str, Any]
    n_rows: int


class Format(Protocol):
    """A module that reads and writes one kind of file."""

    def open_table(self, path: Path, name: str | None) -> AbstractContextManager[Table]:
        """Open the table of a file, or the one of that name."""
        ...

    def check_schema(self, schema: Schema) -> None:
        """Raise ConfigError for a column that files of this kind cannot hold."""
        ...

    def write_table(self, path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
        """Write a table chunk by chunk."""
        ...


FORMATS = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".fits": "fits",
    ".fit": "fits",
    ".fits.gz": "fits",
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".ecsv": "ecsv",
    ".vot": "votable",
    ".votable": "votable",
}
#: The optional package that a format needs.
NEEDS = {
    "fits": "astropy",
    "ecsv": "astropy",
    "votable": "astropy",
    "parquet": "pyarrow",
    "csv": "pyarrow",
}


def ending(path: Path) -> str:
    """Return the ending of a file's name that says its format: ``.fits.gz``, not ``.gz``."""
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:])


def format_of(path: Path) -> Format:
    """Return what reads and writes files of this ending.

    Raises
    ------
    ConfigError
        Another ending, or an optional package that is missing.
    """
    name = FORMATS.get(ending(path).lower())
    if name is None:
        raise ConfigError(f"{path}: a catalogue ends in {', '.join(FORMATS)}.")
    try:
        return import_module(f"tengri.catalogue.{name}")  # type: ignore[return-value]
    except ImportError as error:
        package = NEEDS.get(name, name)
        raise ConfigError(f"{path} needs {package}: pip install {package}") from error


def open_table(path: Path, name: str | None = None) -> AbstractContextManager[Table]:
    """Open a catalogue.

    Parameters
    ----------
    path : Path
        A file whose ending is in ``FORMATS``.
    name : str, optional
        HDF5: a group of columns, or a compound dataset. FITS: an extension, by name or number.
        VOTable: a table, by name, ID or number.

    Raises
    ------
    ConfigError
        An ending that is no format, or a missing optional package.
    DataError
        No such file, not of its kind, no table in it, several and no name, or none of that name.
    """
    if not path.is_file():
        there = path.parent.glob("*") if path.parent.is_dir() else ()
        near = [file.name for file in there if ending(file).lower() in FORMATS]
        raise DataError(f"{path}: no such catalogue.{suggestion(path.name, near) if near else ''}")
    return _checked(path, name)


@contextmanager
def _checked(path: Path, name: str | None) -> Iterator[Table]:
    with ExitStack() as stack:
        before = _stamp(path)
        try:
            table = stack.enter_context(format_of(path).open_table(path, name))
        except (TengriError, MemoryError):
            raise
        except Exception as error:  # whatever a reader raises of what it did not expect
            raise DataError(f"{path}: cannot be read ({_first_line(error)}).") from error
        yield CheckedTable(table, path, before)


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what tells whether a file is the one it was; nothing where it is gone."""
    try:
        about = path.stat()
    except OSError:
        return ()
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


class CheckedTable:
    """A table whose reader may fail on what a file holds: one error that names file and column.

    A file that has changed since it was opened (``stamp``) is read no further.
    """

    def __init__(self, table: Table, path: Path, stamp: tuple[int, ...]) -> None:
        self._table, self._path, self._stamp = table, path, stamp
        self.names, self.n_rows = table.names, table.n_rows

    def unit(self, name: str) -> str:
        """Return the unit that the file states for a column, or nothing."""
        try:
            return self._table.unit(name)
        except ValueError as error:
            raise DataError(
                f"{self._path}: the unit of column {name!r} cannot be read ({_first_line(error)})."
            ) from error

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows of some columns; raises DataError with the first that cannot be read."""
        wanted = list(names)
        self._check_same()
        try:
            found = self._table.read(wanted, start, stop)
            self._check_same()
            return found
        except (TengriError, MemoryError):
            raise
        except Exception as error:
            self._check_same()
            for name in wanted if len(wanted) > 1 else ():
                self.read([name], start, stop)
            shown = ", ".join(map(repr, wanted))
            raise DataError(
                f"{self._path}: column {shown} cannot be read ({_first_line(error)})."
            ) from error

    def _check_same(self) -> None:
        if _stamp(self._path) != self._stamp:
            raise DataError(
                f"{self._path} has changed while it was read: start again when it is complete."
            )


def chosen(path: Path, tables: Mapping[str, Any], name: str | None) -> Any:
    """Return the table of a name, or the only one.

    Raises
    ------
    DataError
        No table, or several and no name.
    UnknownNameError
        None of that name.
    """
    if not tables:
        raise DataError(f"{path}: holds no table.")
    if name is not None:
        if name not in tables:
            raise unknown("table", name, tables)
        return tables[name]
    if len({id(table) for table in tables.values()}) > 1:
        raise DataError(f"{path}: holds several tables: {', '.join(tables)}. Say --table NAME.")
    return next(iter(tables.values()))


def check_names(path: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the columns of a file; raise DataError where two have the same."""
    found = tuple(names)
    twice = [name for i, name in enumerate(found) if name in found[:i]]
    if twice:
        raise DataError(f"{path}: has two columns {twice[0]!r}: rename one.")
    return found


def check_columns(names: Iterable[str], table: Table) -> None:
    """Raise, with near names, for the first column that a table has not."""
    for name in names:
        if name not in table.names:
            raise unknown("column", name, table.names)
