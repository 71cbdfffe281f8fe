"""Catalogues in FITS binary tables, compressed by gzip or not (needs astropy)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits

from tengri.catalogue import fits_structure
from tengri.catalogue.table import Columns, Field, Schema, check_names, chosen
from tengri.errors import ConfigError, DataError
from tengri.io import atomic
from tengri.io.atomic import is_full

#: What the FITS standard calls units that have another name here.
UNIT_NAMES = {"mag_ab": "mag", "erg/s/cm2/Hz": "erg s-1 cm-2 Hz-1"}
BLOCK = 2880
#: How much larger than its file a compressed table may be, beside a small one.
MAX_UNPACKED, SMALL = 200, 1 << 28
TRUE, NULL = ord("T"), 0  # of a logical column, as stored


class FitsTable:
    """The columns of a binary table.

    Rows are read, not mapped into memory: a file that is cut off while it is mapped ends the
    process by a signal. Columns of variable length, whose values lie behind all rows, are mapped.
    """

    def __init__(self, hdu: Any, file: BinaryIO, path: Path) -> None:
        self._hdu, self._file = hdu, file
        self.names = check_names(path, hdu.columns.names)
        self.n_rows = int(hdu.header["NAXIS2"])

    def unit(self, name: str) -> str:
        """Return TUNIT."""
        return str(self._hdu.columns[name].unit or "")

    def read(self, names: Iterable[str], start: int, stop: int) -> Columns:
        """Return rows of some columns in the machine's byte order; TNULL is masked."""
        has_heap = int(self._hdu.header.get("PCOUNT", 0)) > 0
        rows = self._hdu.data[start:stop] if has_heap else self._rows(start, min(stop, self.n_rows))
        return {name: column(rows, name) for name in names}

    def _rows(self, start: int, stop: int) -> Any:
        """Return rows as a table of their own."""
        header = self._hdu.header.copy()
        width, header["NAXIS2"] = int(header["NAXIS1"]), max(0, stop - start)
        self._file.seek(self._hdu.fileinfo()["datLoc"] + start * width)
        stored = self._file.read(header["NAXIS2"] * width)
        if len(stored) < header["NAXIS2"] * width:
            raise ValueError("the file ends before its last row")
        padding = b"\0" * (-len(stored) % BLOCK)
        text = header.tostring().encode("ascii")
        return fits.BinTableHDU.fromstring(text + stored + padding, uint=True).data


def column(rows: Any, name: str) -> np.ndarray:
    """Return a column of ``FITS_rec`` in the machine's byte order; TNULL is masked.

    TNULL is a value as stored, before TZERO and TSCAL. For unsigned integers astropy writes it as
    it reads afterwards: both are taken for missing.
    """
    stored = rows.view(np.ndarray)[name]
    if str(rows.columns[name].format).endswith("L"):
        return _masked(stored == TRUE, stored == NULL)
    values = np.asarray(rows[name])
    values = values.astype(values.dtype.newbyteorder("="))
    null = rows.columns[name].null
    if null is None or null == "" or stored.dtype.kind not in "iu":
        return values
    return _masked(values, (stored == int(null)) | (values == int(null)))


def _masked(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    return np.ma.MaskedArray(values, mask=missing) if missing.any() else values


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[FitsTable]:
    """Open the only binary table of a file, or the extension of a name or number.

    A compressed file is unpacked into a temporary one, so that it, too, is read by rows.
    """
    with _plain_file(path) as plain:
        try:
            raw = open(plain, "rb")  # noqa: SIM115
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({atomic.os_reason(error)}).") from error
        with raw:
            try:
                fits_structure.check(path, raw)
                file = fits.open(plain, memmap=True)
            except DataError:
                raise
            except Exception as error:  # whatever its reader of headers raises
                raise DataError(f"{path}: cannot be read as FITS ({error}).") from error
            with file:
                yield FitsTable(chosen(path, _tables(file, name), name), raw, path)


@contextmanager
def _plain_file(path: Path) -> Iterator[Path]:
    if path.suffix.lower() != ".gz":
        yield path
        return
    with atomic.scratch(".fits") as plain:
        try:
            with gzip.open(path) as packed, open(plain, "wb") as unpacked:
                _unpack(path, packed, unpacked)
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, DataError) or (isinstance(error, OSError) and is_full(error)):
                raise
            raise DataError(f"{path}: cannot be unpacked ({error}).") from error
        yield plain


def _unpack(path: Path, packed: Any, unpacked: Any) -> None:
    """Copy what a file unpacks to, unless that is far more than tables are."""
    most = MAX_UNPACKED * path.stat().st_size + SMALL
    while chunk := packed.read(1 << 20):
        most -= len(chunk)
        if most < 0:
            raise DataError(f"{path}: unpacks to more than {MAX_UNPACKED} times its size.")
        unpacked.write(chunk)


def _tables(file: Any, name: str | None) -> dict[str, Any]:
    """Return the binary tables by name, else number; by number, too, where one is asked for."""
    tables = {i: hdu for i, hdu in enumerate(file) if isinstance(hdu, fits.BinTableHDU)}
    names = [hdu.name for hdu in tables.values()]
    found = {hdu.name if hdu.name and names.count(hdu.name) == 1 else str(i): hdu
             for i, hdu in tables.items()}  # fmt: skip
    return found if name is None else {**{str(i): hdu for i, hdu in tables.items()}, **found}


# --- writing ----------------------------------------------------------------------------------


def check_schema(schema: Schema) -> None:
    """Raise ConfigError for text beyond ASCII, and for names that differ in their case only."""
    names = [name.lower() for name in schema.fields]
    for name, field in schema.fields.items():
        if field.dtype.base.kind == "U":
            raise ConfigError(f"Column {name!r}: FITS holds ASCII text only; write another format.")
        if names.count(name.lower()) > 1:
            raise ConfigError(f"Column {name!r}: FITS names do not differ by case.")


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write the header, then the rows as they come, then the padding."""
    dtype = np.dtype([(name, *_stored_type(field)) for name, field in schema.fields.items()])
    with _open(path) as file:
        file.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        file.write(_header(schema, dtype).tostring().encode("ascii"))
        for chunk in chunks:
            rows = np.zeros(len(next(iter(chunk.values()))), dtype)
            for name, field in schema.fields.items():
                rows[name] = _stored(chunk[name], field)
            file.write(rows.tobytes())
        file.write(b"\0" * (-schema.n_rows * dtype.itemsize % BLOCK))


def _open(path: Path) -> BinaryIO:
    return gzip.open(path, "wb") if path.suffix.lower() == ".gz" else open(path, "wb")  # type: ignore[return-value]


def _stored_type(field: Field) -> tuple[Any, tuple[int, ...]]:
    """Return the type of a field as a table of FITS holds it, and its shape.

    FITS has unsigned bytes and signed wider integers: unsigned ones are stored with an offset,
    signed bytes as 16 bits.
    """
    base = field.dtype.base
    if base.kind == "b":
        return np.dtype("u1"), field.dtype.shape
    if base.kind == "S":
        return np.dtype(f"S{max(1, base.itemsize)}"), field.dtype.shape
    smallest = {"i": "i2", "u": "u1", "f": "f4"}[base.kind]
    wide = np.promote_types(base, smallest) if base.itemsize < 2 or base.kind == "f" else base
    wide = np.dtype("f8") if wide.kind == "f" and wide.itemsize > 8 else wide
    signed = f"i{wide.itemsize}" if wide.kind == "u" and wide.itemsize > 1 else wide
    return np.dtype(signed).newbyteorder(">"), field.dtype.shape


def _is_offset(field: Field) -> bool:
    """Whether unsigned integers are stored with an offset."""
    return field.dtype.base.kind == "u" and field.dtype.base.itemsize > 1


def _stored(values: np.ndarray, field: Field) -> np.ndarray:
    """Return a column as it is stored; what is missing is TNULL, NaN, NUL or empty text."""
    missing, data = np.ma.getmaskarray(values), np.ma.getdata(values)
    kind = field.dtype.base.kind
    if kind == "b":
        return np.where(missing, NULL, np.where(data, TRUE, ord("F"))).astype(np.uint8)
    if kind == "S":
        return np.where(missing, b"", np.char.encode(data.astype(str), "ascii"))
    if kind == "f":
        return np.where(missing, np.nan, data)
    data = np.where(missing, field.null, data) if missing.any() else data
    if _is_offset(field):
        bits = 8 * field.dtype.base.itemsize
        unsigned = data.astype(field.dtype.base) ^ field.dtype.base.type(1 << (bits - 1))
        return unsigned.view(f"i{field.dtype.base.itemsize}")
    return data


def _header(schema: Schema, dtype: np.dtype) -> fits.Header:
    """Return the header of a table of ``n_rows``, made from one of no rows."""
    table = fits.BinTableHDU(np.zeros(0, dtype), name="PHOTOMETRY")
    header = table.header
    header["NAXIS2"] = schema.n_rows
    for i, field in enumerate(schema.fields.values(), start=1):
        if field.dtype.base.kind == "b":
            header[f"TFORM{i}"] = header[f"TFORM{i}"].replace("B", "L")
        for key, value in reversed(_keywords(field).items()):
            header.set(f"{key}{i}", value, after=f"TFORM{i}")
    for name, value in schema.facts.items():
        header.add_history(f"{name}: {value}")  # wraps; a keyword would cut a long value
    return header


def _keywords(field: Field) -> dict[str, Any]:
    """Return what the header says of a column beside its name and type."""
    base, found = field.dtype.base, dict[str, Any]()
    if field.unit:
        found["TUNIT"] = UNIT_NAMES.get(field.unit, field.unit)
    offset = 1 << (8 * base.itemsize - 1) if _is_offset(field) else 0
    if base.kind in "iu" and field.null is not None:
        found["TNULL"] = int(field.null) - offset
    if offset:
        found["TZERO"] = offset
    return found
