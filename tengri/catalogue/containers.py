"""Tables in memory, of any library: columns by name, each with its unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tengri.errors import ParameterError


def column_names(table: Any) -> list[str]:
    """Return the names of the columns of a mapping, a DataFrame, or a table of any library.

    Raises
    ------
    ParameterError
        Something without named columns, or two columns of one name.
    """
    fields = getattr(getattr(table, "dtype", None), "names", None)
    if fields:  # a structured array, rows of FITS
        names: Iterable[Any] = fields
    elif hasattr(table, "column_names"):  # pyarrow
        names = table.column_names
    elif hasattr(table, "keys"):
        names = table.keys()
    else:
        raise ParameterError(
            "A table has columns by name: a dict of arrays, an astropy Table, a DataFrame, a "
            f"structured array; got {type(table).__name__}."
        )
    found = [name for name in names if isinstance(name, str)]
    check_unique(found)
    return found


def check_unique(names: Iterable[str], where: str = "The table") -> None:
    """Raise ParameterError, with the name, where two columns have the same one."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ParameterError(f"{where} has two columns {name!r}: rename one.")
        seen.add(name)


def column(table: Any, name: str) -> tuple[Any, Any]:
    """Return a column, in whatever container, and the unit that stands beside it, or ``""``."""
    if hasattr(table, "column_names"):
        from tengri.catalogue import arrow

        return table[name], arrow.unit_of(table.schema.field(name))
    if hasattr(getattr(table, "columns", None), "add_col"):  # rows of FITS
        from tengri.catalogue import fits

        return fits.column(table, name), table.columns[name].unit or ""
    return table[name], ""
