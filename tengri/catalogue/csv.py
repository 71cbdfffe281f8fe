"""Catalogues in CSV: names in the first line, no units (needs pyarrow).

What a column holds is read off all of its rows: integers, else numbers, else text. Text that looks
like a number and would not come back as it was (``007``, 20 digits and more) stays text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from tengri.catalogue import arrow, parquet
from tengri.catalogue.table import Columns, Schema, check_names
from tengri.errors import ConfigError, DataError
from tengri.io import atomic
from tengri.io.atomic import is_full

#: What stands for no number; an empty field stands for no text as well.
NULLS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "none", "--")
_INTEGER = r"^[+-]?(0|[1-9][0-9]*)$"
_NUMBER = (
    r"^[+-]?([0-9]{1,17}|[0-9]+\.[0-9]*|\.[0-9]+|"
    r"([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+|inf|Inf)$"
)
_LEADING_ZERO = r"^[+-]?0[0-9]+$"


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[parquet.ParquetTable]:
    """Open a file: its types are found, then it is unpacked into a temporary Parquet file."""
    if name is not None:
        raise DataError(f"{path}: a CSV file holds one table, none named {name!r}.")
    with atomic.scratch(".parquet") as unpacked:
        try:
            _unpack(path, unpacked)
        except (OSError, EOFError, pa.ArrowException) as error:
            if isinstance(error, DataError) or (isinstance(error, OSError) and is_full(error)):
                raise
            reason = str(error).splitlines()[0]
            raise DataError(f"{path}: cannot be read as CSV ({reason}).") from error
        with pq.ParquetFile(unpacked) as file:
            yield parquet.ParquetTable(file, path)


def _unpack(path: Path, unpacked: Path) -> None:
    names = _names(path)
    kinds = dict.fromkeys(names, 0)
    order = [pa.int64(), pa.float64(), pa.string()]
    for batch in _batches(path, names):
        for name in names:
            kinds[name] = max(kinds[name], _kind(batch.column(name)))
    layout = pa.schema([(name, order[kinds[name]]) for name in names])
    with pq.ParquetWriter(unpacked, layout) as writer:
        for batch in _batches(path, names):
            columns = [_typed(batch.column(field.name), field.type) for field in layout]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=layout))


def _names(path: Path) -> tuple[str, ...]:
    """Return the names in the first line, without blanks around them."""
    try:
        with _reader(path, pcsv.ReadOptions()) as reader:
            found = reader.schema.names
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise DataError(f"{path}: is empty; its first line names the columns.") from None
        raise
    if found and found[0].startswith("# %ECSV"):
        raise DataError(f"{path}: is ECSV, with units: let its name end in .ecsv.")
    return check_names(path, [name.strip().removeprefix("\ufeff") for name in found])


def _batches(path: Path, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """Yield the rows as text; an empty field that is not quoted is null."""
    with _reader(path, pcsv.ReadOptions(column_names=list(names), skip_rows=1)) as reader:
        yield from reader


def _reader(path: Path, options: pcsv.ReadOptions) -> pcsv.CSVStreamingReader:
    names = options.column_names
    convert = pcsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True,
        quoted_strings_can_be_null=False, check_utf8=True,
    )  # fmt: skip
    # where there is one column, an empty line is a row of it, and no row may be lost
    parse = pcsv.ParseOptions(ignore_empty_lines=len(names) != 1)
    source = pa.input_stream(str(path))
    return pcsv.open_csv(source, options, parse, convert)


def _numeric(text: pa.Array) -> pa.Array:
    """Return text without blanks around it, null where it stands for no number."""
    trimmed = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.is_in(trimmed, pa.array(NULLS)), pa.scalar(None, pa.string()), trimmed)


def _kind(text: pa.Array) -> int:
    """Return which of integers, numbers and text (0, 1, 2) a column is so far."""
    trimmed = _numeric(text)
    if not _all(pc.invert(pc.match_substring_regex(trimmed, _LEADING_ZERO))):
        return 2
    if _all(pc.match_substring_regex(trimmed, _INTEGER)):
        try:
            pc.cast(trimmed, pa.int64())
            return 0
        except pa.ArrowInvalid:  # beyond 64 bits
            return 2
    return 1 if _all(pc.match_substring_regex(trimmed, _NUMBER)) else 2


def _all(of: pa.Array) -> bool:
    return bool(pc.all(of, min_count=0).as_py())


def _typed(text: pa.Array, kind: pa.DataType) -> pa.Array:
    return text if kind == pa.string() else pc.cast(_numeric(text), kind)


def check_schema(schema: Schema) -> None:
    """Raise ConfigError for a column of several numbers per row."""
    for name, field in schema.fields.items():
        if field.dtype.shape:
            raise ConfigError(f"Column {name!r} has several numbers per row: no CSV holds that.")


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write the names, then the rows as they come; text is quoted, what is missing is empty."""
    layout = arrow.layout(schema)
    with pa.output_stream(str(path)) as file, pcsv.CSVWriter(file, layout) as writer:
        for rows in arrow.record_batches(layout, chunks):
            writer.write_table(rows)
