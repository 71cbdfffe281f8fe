"""Catalogues in HDF5: one-dimensional datasets side by side, or one compound dataset.

HDF5 knows no missing values: as in the CF conventions, the attribute ``_FillValue`` (or
``missing_value``) of a column says which number, or text, stands for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tengri.catalogue.table import Columns, Field, Schema, chosen
from tengri.errors import DataError, unknown
from tengri.io import hdf5_reader, seal
from tengri.io.hdf5_writer import new_hdf5
from tengri.quantities import masked_by, nulls_of

UNIT_NAMES = ("unit", "units")
#: Rows and bytes of a chunk, which has a checksum of its own.
CHUNK_ROWS, CHUNK_BYTES = 1 << 16, 1 << 19
#: A column may be larger than memory: it is read by rows.
MAX_BYTES = 1 << 50


class Hdf5Table:
    """The columns of an open file: datasets of a group, or the fields of a compound dataset."""

    def __init__(self, source: Any, path: Path) -> None:
        self._source, self._path = source, path
        self._compound = isinstance(source, h5py.Dataset)
        self._columns: dict[str, tuple[h5py.Dataset, list[Any]]] = {}
        lengths = _lengths(source)
        if not lengths or len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} has {n}" for name, n in lengths.items()) or "none found"
            raise DataError(f"{path}: columns of one length are needed; {shown}.")
        self.names = tuple(lengths)
        self.n_rows = next(iter(lengths.values()))

    def unit(self, name: str) -> str:
        """Return the attribute ``unit`` or ``units`` of a column; compound: ``NAME_unit``."""
        attrs = self._attrs(name)
        found = next((attrs[key] for key in UNIT_NAMES if key in attrs), "")
        return found.decode() if isinstance(found, bytes) else str(found)

    def _attrs(self, name: str) -> Mapping[str, Any]:
        """Return what the file says of a column."""
        if not self._compound:
            return self._source[name].attrs
        every, own = self._source.attrs, f"{name}_"
        return {key.removeprefix(own): every[key] for key in every if key.startswith(own)}

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows of some columns; what ``_FillValue`` stands for is masked."""
        columns = {name: self._column(name) for name in names}
        if self._compound:
            rows = self._source[start:stop]
            found = {name: rows[name] for name in columns}
        else:
            found = {name: _rows(item, start, stop) for name, (item, _) in columns.items()}
        return {name: masked_by(values, columns[name][1]) for name, values in found.items()}

    def _column(self, name: str) -> tuple[h5py.Dataset, list[Any]]:
        """Return a checked dataset and the values that stand for missing ones; looked up once."""
        if name not in self._columns:
            item = self._source if self._compound else self._source[name]
            self._columns[name] = self._stored(item), nulls_of(self._attrs(name))
        return self._columns[name]

    def _stored(self, item: h5py.Dataset) -> h5py.Dataset:
        """Return a dataset after checking that the file itself holds it."""
        if problem := hdf5_reader.storage_problem(item, most=MAX_BYTES):
            raise DataError(f"{self._path}: {item.name.lstrip('/')} {problem}.")
        return item


def _rows(item: h5py.Dataset, start: int, stop: int) -> np.ndarray:
    """Return rows of a column; text of any length as ``str``."""
    if h5py.check_string_dtype(item.dtype) is None:
        return item[start:stop]
    try:
        return item.asstr("utf-8")[start:stop].astype(object)
    except UnicodeDecodeError as error:
        raise DataError(f"{item.file.filename}: {item.name} is no text of UTF-8.") from error


def _lengths(source: Any) -> dict[str, int]:
    if isinstance(source, h5py.Dataset):
        names = source.dtype.names if source.ndim == 1 else None
        return dict.fromkeys(names or (), source.size)
    return {name: len(item) for name, item in hdf5_reader.members(source).items()
            if isinstance(item, h5py.Dataset) and item.shape}  # fmt: skip


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[Hdf5Table]:
    """Open the table of a file: its root, its one compound dataset, or the group of a name."""
    with hdf5_reader.open_hdf5(path) as file:
        yield Hdf5Table(_source(file, path, name), path)


def _source(file: h5py.File, path: Path, name: str | None) -> Any:
    """Return where the columns are: side by side, or the one place that can hold some."""
    if name is not None:
        return _inside(file, name)
    own = hdf5_reader.members(file)
    compound = {name: item for name, item in own.items()
                if isinstance(item, h5py.Dataset) and item.dtype.names}  # fmt: skip
    if compound:
        return chosen(path, compound, None)
    groups = {name: item for name, item in own.items() if isinstance(item, h5py.Group)}
    return chosen(path, groups, None) if groups and len(groups) == len(own) else file


def _inside(file: h5py.File, name: str) -> Any:
    """Return the group or dataset of a path, none of whose parts is a link."""
    place: Any = file
    for part in name.strip("/").split("/"):
        here = hdf5_reader.members(place) if isinstance(place, h5py.Group) else {}
        if part not in here:
            raise unknown("table", name, hdf5_reader.members(file))
        place = here[part]
    return place


def check_schema(schema: Schema) -> None:
    """Do nothing: HDF5 holds every column."""


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write one dataset per column, chunk by chunk, and seal the file."""
    with new_hdf5(path) as file:
        file.attrs.update(schema.facts)
        create_columns(file, schema)
        start = 0
        for chunk in chunks:
            start = put(file, schema, chunk, start)
    seal.seal(path)


def create_columns(file: h5py.File, schema: Schema) -> None:
    """Create the datasets, with checksums, units and the value that stands for a missing one."""
    for name, field in schema.fields.items():
        shape = (schema.n_rows, *field.dtype.shape)
        column = file.create_dataset(name, shape, _type(field), **_filters(schema, field))
        if field.unit:
            column.attrs["unit"] = field.unit
        if field.null is not None:
            text = isinstance(field.null, str)
            column.attrs["_FillValue"] = field.null if text else np.array(field.null, column.dtype)


def _filters(schema: Schema, field: Field) -> dict[str, Any]:
    """Return the checksums of numbers; text of any length, and no rows at all, have none."""
    summed = schema.n_rows > 0 and field.dtype.base.kind not in "SU"
    if not summed:
        return {}
    fit = max(1, CHUNK_BYTES // max(1, field.dtype.itemsize))
    rows = min(schema.n_rows, CHUNK_ROWS, fit)
    return {"fletcher32": True, "chunks": (rows, *field.dtype.shape)}


def _type(field: Field) -> Any:
    """Return the type of a column: text of any length; truth with a value that is neither."""
    base = field.dtype.base
    if base.kind in "SU":
        return h5py.string_dtype()
    return np.dtype(np.int8) if base.kind == "b" and field.null is not None else base


def put(file: h5py.File, schema: Schema, chunk: Columns, start: int) -> int:
    """Write rows from ``start`` on; return where the next ones go."""
    stop = start + len(next(iter(chunk.values())))
    for name, field in schema.fields.items() if stop > start else ():
        column, values, missing = file[name], chunk[name], np.ma.getmask(chunk[name])
        if np.any(missing):
            null = np.array(field.null, column.dtype)
            values = np.where(missing, null, np.ma.getdata(values))
        column[start:stop] = np.ma.getdata(values)
    return stop
