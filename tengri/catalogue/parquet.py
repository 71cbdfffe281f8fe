"""Catalogues in Parquet (needs pyarrow)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tengri.catalogue.table import Columns, Schema
from tengri.errors import DataError

UNIT_NAMES = (b"unit", b"units")


class ParquetTable:
    """The columns of a file; the last group of rows that was read is kept."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self.names = tuple(file.schema_arrow.names)
        self.n_rows = file.metadata.num_rows
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        self._kept: tuple[tuple[int, tuple[str, ...]], Columns] | None = None

    def unit(self, name: str) -> str:
        """Return the field's metadata ``unit`` or ``units``."""
        metadata = self._file.schema_arrow.field(name).metadata or {}
        return next((metadata[key].decode() for key in UNIT_NAMES if key in metadata), "")

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows of some columns; nulls are NaN."""
        wanted = tuple(names)
        parts = []
        for group in range(len(self._starts) - 1):
            first, last = self._starts[group : group + 2]
            if (lo := max(start, first)) < (hi := min(stop, last)):
                columns = self._group(group, wanted)
                parts.append({name: columns[name][lo - first : hi - first] for name in wanted})
        return {name: np.concatenate([part[name] for part in parts]) for name in wanted}

    def _group(self, group: int, names: tuple[str, ...]) -> Columns:
        if self._kept is None or self._kept[0] != (group, names):
            table = self._file.read_row_group(group, columns=list(names))
            columns = {name: table[name].to_numpy() for name in names}
            self._kept = ((group, names), columns)
        return self._kept[1]


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[ParquetTable]:
    """Open a file; it holds one table, which has no name."""
    if name is not None:
        raise DataError(f"{path}: a Parquet file holds one table, none named {name!r}.")
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error}).") from error
    with file:
        yield ParquetTable(file)


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write one group of rows per chunk."""
    fields = [
        pa.field(name, pa.from_numpy_dtype(dtype), metadata={"unit": schema.units.get(name, "")})
        for name, dtype in schema.dtypes.items()
    ]
    facts = {str(key): str(value) for key, value in schema.facts.items()}
    layout = pa.schema(fields, metadata=facts)
    with pq.ParquetWriter(path, layout) as writer:
        for chunk in chunks:
            arrays = [pa.array(chunk[name]) for name in layout.names]
            writer.write_table(pa.Table.from_arrays(arrays, schema=layout))
