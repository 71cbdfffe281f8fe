"""What a VOTable declares, looked at before any of it is believed.

The reader of the format follows addresses and makes room for what is declared. So no data of
other places (``STREAM href``), no definitions of entities, and no rows or cells that cannot be in
a file of its length.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.parsers import expat

from tengri.errors import DataError
from tengri.io.hdf5_reader import MAX_BYTES

#: Bytes of a cell: the widest primitive, a double complex.
WIDEST = 16
#: More elements in one cell than any catalogue has.
MAX_CELL = 1 << 20
#: Bytes of a table whose number of rows is declared; room is made for them at once.
MAX_TABLE = 4 * MAX_BYTES
MAX_DEPTH = 64
_CHUNK = 1 << 20


class _Found(Exception):
    """Ends the parsing with what is wrong."""


def check(path: Path) -> None:
    """Raise DataError where a VOTable points elsewhere or declares what it cannot hold."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path}: is larger than {MAX_BYTES} bytes: VOTables are held in memory.")
    parser = expat.ParserCreate()
    depth, rows, width = 0, 0, 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, rows, width
        depth += 1
        name = name.rpartition(":")[2]
        if depth > MAX_DEPTH:
            raise _Found("its elements are nested deeper than in any VOTable")
        if problem := _problem(name, attributes, size):
            raise _Found(problem)
        if name == "TABLE":
            rows, width = int(attributes.get("nrows") or 0), 0
        elif name == "FIELD":
            width += WIDEST * max(1, _cells(attributes.get("arraysize", "")))
        if rows * width > MAX_TABLE:
            raise _Found(f"declares a table of {rows} rows of {width} bytes")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def entity(*_: object) -> None:
        raise _Found("defines entities of XML, which no VOTable needs")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.EntityDeclHandler = entity
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                parser.Parse(chunk)
            parser.Parse(b"", True)
    except _Found as found:
        raise DataError(f"{path}: {found}.") from None
    except (expat.ExpatError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as VOTable ({error}).") from None


def _problem(name: str, attributes: dict[str, str], size: int) -> str:
    """Return what is wrong with an element in a file of ``size`` bytes, or nothing."""
    if name == "STREAM" and "href" in attributes:
        return f"has its data elsewhere ({attributes['href'][:80]!r}); only its own are read"
    rows = attributes.get("nrows", "") if name == "TABLE" else ""
    if rows and (not _is_count(rows) or int(rows) > size):
        return f"declares {rows[:40]} rows in {size} bytes"
    cells = _cells(attributes.get("arraysize", "")) if name in ("FIELD", "PARAM") else 0
    if WIDEST * cells > MAX_CELL:
        column = attributes.get("name", attributes.get("ID", "?"))
        return f"column {column[:80]!r} declares {cells} elements in a row"
    return ""


def _is_count(text: str) -> bool:
    return text.strip().isdecimal() and len(text.strip()) < 20


def _cells(arraysize: str) -> int:
    """Return the elements that an array has at most; 0 where nothing or nonsense is said."""
    sizes = [part.strip().rstrip("*") for part in arraysize.split("x")]
    return math.prod(int(s) for s in sizes if s) if all(map(_is_count_or_open, sizes)) else 0


def _is_count_or_open(text: str) -> bool:
    return text == "" or _is_count(text)
