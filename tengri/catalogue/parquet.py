"""Catalogues in Parquet (needs pyarrow)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tengri.arrow_arrays import as_masked
from tengri.catalogue import arrow
from tengri.catalogue.table import Columns, Schema, check_names
from tengri.errors import DataError

#: Bytes of a footer; rows of a group, of which columns are read whole, and bytes of all of them.
MAX_FOOTER, MAX_GROUP_ROWS, MAX_GROUP_BYTES = 1 << 25, 1 << 26, 1 << 34


class ParquetTable:
    """The columns of a file; the last group of rows that was read is kept."""

    def __init__(self, file: pq.ParquetFile, path: Path) -> None:
        self._file = file
        self.names = check_names(path, file.schema_arrow.names)
        self.n_rows = file.metadata.num_rows
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        self._kept: tuple[tuple[int, tuple[str, ...]], pa.Table] | None = None

    def unit(self, name: str) -> str:
        """Return the field's metadata ``unit`` or ``units``."""
        return arrow.unit_of(self._file.schema_arrow.field(name))

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows of some columns; nulls are masked."""
        wanted = tuple(names)
        layout = pa.schema([self._file.schema_arrow.field(name) for name in wanted])
        parts = [layout.empty_table().replace_schema_metadata(None)]
        for group in range(len(self._starts) - 1):
            first, last = self._starts[group : group + 2]
            if (lo := max(start, first)) < (hi := min(stop, last)):
                parts.append(self._group(group, wanted).slice(lo - first, hi - lo))
        rows = pa.concat_tables(parts[1:] or parts)
        return {name: as_masked(rows[name]) for name in wanted}

    def _group(self, group: int, names: tuple[str, ...]) -> pa.Table:
        if self._kept is None or self._kept[0] != (group, names):
            table = self._file.read_row_group(group, columns=list(names))
            self._kept = ((group, names), table)
        return self._kept[1]


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[ParquetTable]:
    """Open a file; it holds one table, which has no name."""
    if name is not None:
        raise DataError(f"{path}: a Parquet file holds one table, none named {name!r}.")
    try:
        _check_footer(path)
        file = pq.ParquetFile(path, thrift_string_size_limit=MAX_FOOTER)
        _check_groups(path, file.metadata)
    except DataError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read as Parquet ({reason}).") from error
    with file:
        yield ParquetTable(file, path)


def _check_footer(path: Path) -> None:
    """Raise DataError for a footer that no table has: it is unpacked whole."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(8)[:4], "little")
    if min(length, size) > MAX_FOOTER:
        raise DataError(f"{path}: its footer has {length} bytes, more than any table needs.")


def _check_groups(path: Path, metadata: pq.FileMetaData) -> None:
    """Raise DataError for groups of rows that memory does not hold, or that do not add up."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    rows = [group.num_rows for group in groups]
    if any(n < 0 for n in rows) or sum(rows) != metadata.num_rows:
        raise DataError(f"{path}: declares {metadata.num_rows} rows and groups of {sum(rows)}.")
    if max(rows, default=0) > MAX_GROUP_ROWS:
        raise DataError(
            f"{path}: a group of {max(rows)} rows is read whole, and {MAX_GROUP_ROWS} is the most: "
            "write it in smaller groups (row_group_size)."
        )
    largest = max((group.total_byte_size for group in groups), default=0)
    if largest > MAX_GROUP_BYTES:  # columns by themselves are not asked: that may end the process
        raise DataError(
            f"{path}: a group of rows unpacks to {largest} bytes, {MAX_GROUP_BYTES} is the most: "
            "write it in smaller groups (row_group_size)."
        )


def check_schema(schema: Schema) -> None:
    """Do nothing: Parquet holds every column."""


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write one group of rows per chunk.

    Dictionaries and compression of real numbers cost as much as their emulation, and save nothing.
    """
    layout = arrow.layout(schema)
    fields = schema.fields.items()
    texts = [name for name, field in fields if field.dtype.base.kind in "SU"]
    packed = {name: "none" if field.dtype.base.kind == "f" else "snappy" for name, field in fields}
    with pq.ParquetWriter(path, layout, use_dictionary=texts, compression=packed) as writer:
        for rows in arrow.record_batches(layout, chunks):
            writer.write_table(rows)
