"""Catalogues in FITS binary tables (needs astropy)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from tengri.catalogue.table import Columns, Schema
from tengri.errors import DataError, unknown

#: What the FITS standard calls units that have another name here.
UNIT_NAMES = {"mag_ab": "mag", "erg/s/cm2/Hz": "erg s-1 cm-2 Hz-1"}
BLOCK = 2880


class FitsTable:
    """The columns of a binary table, memory-mapped."""

    def __init__(self, hdu: Any) -> None:
        self._hdu = hdu
        self.names = tuple(hdu.columns.names)
        self.n_rows = int(hdu.header["NAXIS2"])

    def unit(self, name: str) -> str:
        """Return TUNIT."""
        return str(self._hdu.columns[name].unit or "")

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows of some columns in the machine's byte order."""
        rows = self._hdu.data[start:stop]
        return {name: _native(np.asarray(rows[name])) for name in names}


def _native(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder("="))


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[FitsTable]:
    """Open the first binary table of a file, or the extension of a name."""
    try:
        file = fits.open(path, memmap=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read as FITS ({error}).") from error
    with file:
        tables = {hdu.name or str(i): hdu for i, hdu in enumerate(file)
                  if isinstance(hdu, fits.BinTableHDU)}  # fmt: skip
        if name is not None and name not in tables:
            raise unknown("table", name, tables)
        if not tables:
            raise DataError(f"{path}: holds no binary table.")
        yield FitsTable(tables[name] if name is not None else next(iter(tables.values())))


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write the header, then the rows as they come, then the padding."""
    dtype = np.dtype([(name, kind.newbyteorder(">")) for name, kind in schema.dtypes.items()])
    with open(path, "wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        file.write(_header(schema, dtype).tostring().encode("ascii"))
        for chunk in chunks:
            rows = np.empty(len(next(iter(chunk.values()))), dtype)
            for name, values in chunk.items():
                rows[name] = values
            file.write(rows.tobytes())
        file.write(b"\0" * (-schema.n_rows * dtype.itemsize % BLOCK))


def _header(schema: Schema, dtype: np.dtype) -> fits.Header:
    """Return the header of a table of ``n_rows``, made from one of no rows."""
    table = fits.BinTableHDU(np.zeros(0, dtype), name="PHOTOMETRY")
    header = table.header
    header["NAXIS2"] = schema.n_rows
    for i, name in enumerate(schema.dtypes, start=1):
        if unit := schema.units.get(name):
            header.set(f"TUNIT{i}", UNIT_NAMES.get(unit, unit), after=f"TFORM{i}")
    for name, value in schema.facts.items():
        header.add_history(f"{name}: {value}")  # wraps; a keyword would cut a long value
    return header
