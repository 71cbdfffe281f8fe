"""Catalogues in HDF5: one-dimensional datasets side by side, or one compound dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from tengri import digest, plain
from tengri.catalogue.table import Columns, Schema
from tengri.errors import DataError, unknown
from tengri.sink import new_hdf5

UNIT_NAMES = ("unit", "units")
#: A column may be larger than memory: it is read by rows.
MAX_BYTES = 1 << 50


class Hdf5Table:
    """The columns of an open file: datasets of a group, or the fields of a compound dataset."""

    def __init__(self, source: Any, path: Path) -> None:
        self._source, self._path = source, path
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
            rows = self._stored(self._source)[start:stop]
            return {name: rows[name] for name in names}
        return {name: self._stored(self._source[name])[start:stop] for name in names}

    def _stored(self, item: h5py.Dataset) -> h5py.Dataset:
        """Return a dataset after checking that the file itself holds it."""
        if problem := plain.storage_problem(item, most=MAX_BYTES):
            raise DataError(f"{self._path}: {item.name.lstrip('/')} {problem}.")
        return item


def _lengths(source: Any) -> dict[str, int]:
    if isinstance(source, h5py.Dataset):
        names = source.dtype.names if source.ndim == 1 else None
        return dict.fromkeys(names or (), source.size)
    return {name: len(item) for name, item in _own(source).items()
            if isinstance(item, h5py.Dataset) and item.shape}  # fmt: skip


def _own(group: h5py.Group) -> dict[str, Any]:
    """Return what a group itself holds: links lead to other places and files."""
    return {name: group[name] for name in group
            if isinstance(group.get(name, getlink=True), h5py.HardLink)}  # fmt: skip


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
        return _inside(file, name)
    compound = [
        item for item in _own(file).values() if isinstance(item, h5py.Dataset) and item.dtype.names
    ]
    return compound[0] if len(compound) == 1 else file


def _inside(file: h5py.File, name: str) -> Any:
    """Return the group or dataset of a path, none of whose parts is a link."""
    place: Any = file
    for part in name.strip("/").split("/"):
        here = _own(place) if isinstance(place, h5py.Group) else {}
        if part not in here:
            raise unknown("table", name, _own(file))
        place = here[part]
    return place


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write one dataset per column, chunk by chunk, and seal the file."""
    with new_hdf5(path) as file:
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
