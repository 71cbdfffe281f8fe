"""Catalogues in ECSV, text with units and types (needs astropy)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from astropy.table import Table

from tengri.catalogue.held import HeldTable, in_memory
from tengri.catalogue.table import Columns, Schema
from tengri.errors import DataError
from tengri.io.hdf5_reader import MAX_BYTES

#: Characters of a line of the header, and brackets in brackets.
MAX_HEADER, MAX_DEPTH = 1 << 20, 64


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[HeldTable]:
    """Read a file whole; it holds one table, which has no name."""
    if name is not None:
        raise DataError(f"{path}: an ECSV file holds one table, none named {name!r}.")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path}: is larger than {MAX_BYTES} bytes: ECSV is held in memory.")
    _check_header(path)
    try:
        table = Table.read(path, format="ascii.ecsv")
    except Exception as error:  # whatever its readers of text and YAML raise
        raise DataError(f"{path}: cannot be read as ECSV ({error}).") from error
    yield HeldTable(table, path)


def _check_header(path: Path) -> None:
    """Raise DataError for many brackets in brackets, over which a reader of YAML takes minutes."""
    depth = 0
    with open(path, encoding="utf-8", errors="replace") as file:
        while (line := file.readline(MAX_HEADER)).startswith("#"):
            for character in line:
                depth += (character in "[{") - (character in "]}")
                if depth > MAX_DEPTH:
                    raise DataError(f"{path}: its header is nested deeper than in any table.")


def check_schema(schema: Schema) -> None:
    """Do nothing: ECSV holds every column."""


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write the header once, then the rows as they come."""
    with open(path, "w", encoding="utf-8") as file:
        for i, chunk in enumerate(chunks):
            text = io.StringIO()
            in_memory(schema, chunk).write(text, format="ascii.ecsv")
            lines = text.getvalue().splitlines(keepends=True)
            head = next(n for n, line in enumerate(lines) if not line.startswith("#")) + 1
            file.writelines(lines[head if i else 0 :])
