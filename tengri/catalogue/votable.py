"""Catalogues in VOTable, the XML of the Virtual Observatory (needs astropy)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import votable
from astropy.table import vstack

from tengri.catalogue import votable_structure
from tengri.catalogue.held import HeldTable, in_memory
from tengri.catalogue.table import Columns, Field, Schema, chosen
from tengri.errors import ConfigError, DataError


@contextmanager
def open_table(path: Path, name: str | None) -> Iterator[HeldTable]:
    """Read a file whole; its only table, or the one of a name, ID or number."""
    votable_structure.check(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tables = list(votable.parse(path, verify="ignore").iter_tables())
            found = chosen(path, _by_name(tables, name), name).to_table(use_names_over_ids=True)
    except DataError:
        raise
    except Exception as error:  # whatever its readers of XML and Base64 raise
        raise DataError(f"{path}: cannot be read as VOTable ({_first_line(error)}).") from error
    yield HeldTable(found, path)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _by_name(tables: list[Any], name: str | None) -> dict[str, Any]:
    """Return the tables by name, ID or number, whichever each has first; by all if one is asked."""
    keys = [[key for key in (table.name, table.ID, str(i)) if key]
            for i, table in enumerate(tables, start=1)]  # fmt: skip
    wanted = keys if name is not None else [several[:1] for several in keys]
    return {key: table for several, table in zip(wanted, tables) for key in several}


def check_schema(schema: Schema) -> None:
    """Raise ConfigError for unsigned integers of 64 bits."""
    for name, field in schema.fields.items():
        if field.dtype.base == np.uint64:
            raise ConfigError(f"Column {name!r}: VOTable has no unsigned integers of 64 bits.")


def write_table(path: Path, schema: Schema, chunks: Iterable[Columns]) -> None:
    """Write all rows at once: they are held in memory."""
    schema = replace(schema, fields={n: _widened(f) for n, f in schema.fields.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units that the standard does not know
        rows = vstack([in_memory(schema, chunk) for chunk in chunks], metadata_conflicts="silent")
        file = votable.from_table(rows)
        file.description = "; ".join(f"{name}: {value}" for name, value in schema.facts.items())
        file.to_xml(str(path), tabledata_format="binary2")


def _widened(field: Field) -> Field:
    """Return a field with a type that VOTable has: signed integers of 16, 32 and 64 bits, bytes."""
    base = field.dtype.base
    wider = {"int8": "i2", "uint16": "i4", "uint32": "i8", "float16": "f4"}.get(base.name, base)
    return Field(np.dtype((wider, field.dtype.shape)), field.unit, field.null)
