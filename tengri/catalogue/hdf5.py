"""Catalogues in HDF5: one-dimensional datasets side by side, or one compound dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from tengri import digest
from tengri.catalogue.table import Columns, Schema
from tengri.errors import DataError, unknown

UNIT_NAMES = ("unit", "units")


class Hdf5Table:
    """The columns of an open file: datasets of a group, or the fields of a compound dataset."""

    def __init__(self, source: Any, path: Path) -> None:
        self._source = source
        self._compound = isinstance(source, h5py.Dataset)
        lengths = _lengths(source)
        if not lengths or len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} has {n}" for name, n in lengths.items()) or "none found"
            raise DataError(f"{path}: columns of one length are needed; {shown}.")
        self.names = tuple(lengths)
        self.n_rows = next(iter(lengths.values()))

    def unit(self, name: str) -> str:
        """Return the attribute ``unit`` or ``units`` of a column."""
        attrs = {} if self._compound else self._source[name].attrs
        found = next((attrs[key] for key in UNIT_NAMES if key in attrs), "")
        return found.decode() if isinstance(found, bytes) else str(found)

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows of some columns."""
        if self._compound:
            rows = self._source[start:stop]
            return {name: rows[name] for name in names}
        return {name: self._source[name][start:stop] for name in names}


def _lengths(source: Any) -> dict[str, int]:
    if isinstance(source, h5py.Dataset):
        return dict.fromkeys(source.dtype.names or (), len(source))
    return {name: len(item) for name, item in source.items()
            if isinstance(item, h5py.Dataset) and item.ndim > 0}  # fmt: skip


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[Hdf5Table]:
    """Open the table of a file: its root, its one compound dataset, or the group of a name."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: cannot be read as HDF5 ({error}).") from error
    with file:
        yield Hdf5Table(_source(file, name), path)


def _source(file: h5py.File, name: str | None) -> Any:
    if name is not None:
        if name not in file:
            raise unknown("table", name, file)
        return file[name]
    compound = [
        item for item in file.values() if isinstance(item, h5py.Dataset) and item.dtype.names
    ]
    return compound[0] if len(compound) == 1 else file


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write one dataset per column, chunk by chunk, and seal the file."""
    with h5py.File(path, "w", userblock_size=digest.USERBLOCK) as file:
        file.attrs.update(schema.facts)
        create_columns(file, schema)
        start = 0
        for chunk in chunks:
            start = put(file, chunk, start)
    digest.seal(path)


def create_columns(file: h5py.File, schema: Schema) -> None:
    """Create the datasets, with checksums and units."""
    for name, dtype in schema.dtypes.items():
        shape = (schema.n_rows, *dtype.shape)
        column = file.create_dataset(name, shape, dtype.base, fletcher32=True, chunks=True)
        if schema.units.get(name):
            column.attrs["unit"] = schema.units[name]


def put(file: h5py.File, chunk: Columns, start: int) -> int:
    """Write rows from ``start`` on; return where the next ones go."""
    stop = start + len(next(iter(chunk.values())))
    for name, values in chunk.items():
        file[name][start:stop] = values
    return stop
