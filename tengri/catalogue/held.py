"""Tables of astropy, held in memory whole: for formats that cannot be read by rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table
from astropy.units import Unit

from tengri.catalogue.table import Columns, Schema, check_names


class HeldTable:
    """The columns of a table of astropy."""

    def __init__(self, table: Table, path: Path) -> None:
        self._table = table
        plain = [name for name in table.colnames if isinstance(table[name], Column)]
        self.names = check_names(path, plain)
        self.n_rows = len(table)

    def unit(self, name: str) -> str:
        """Return the unit of a column."""
        return str(self._table[name].unit or "")

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows of some columns; what is missing is masked."""
        return {name: _array(self._table[name][start:stop]) for name in names}


def _array(column: Column) -> np.ndarray:
    if isinstance(column, MaskedColumn):
        return np.ma.MaskedArray(np.asarray(column.data.data), mask=np.ma.getmaskarray(column))
    return np.asarray(column)


def in_memory(schema: Schema, chunk: Columns) -> Table:
    """Return rows that are to be written as a table of astropy, with units and facts."""
    table = Table(meta={name: str(value) for name, value in schema.facts.items()})
    for name, field in schema.fields.items():
        data, missing = np.ma.getdata(chunk[name]), np.ma.getmaskarray(chunk[name])
        if field.dtype.base.kind in "SU":
            data = np.where(missing, "", data).astype(f"U{max(1, _length(field.dtype))}")
        else:
            data = data.astype(field.dtype.base)
        column = MaskedColumn(data, mask=missing) if field.null is not None else Column(data)
        column.unit = Unit(field.unit, parse_strict="silent") if field.unit else None
        table[name] = column
    return table


def _length(dtype: np.dtype) -> int:
    """Return the characters of a type of text."""
    return dtype.base.itemsize // (4 if dtype.base.kind == "U" else 1)
