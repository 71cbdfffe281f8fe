"""What commands print: text for people, JSON for programs, nothing where asked."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add ``--json`` and ``--quiet``, which every command has; `tengri.__main__` silences."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print errors only; the exit code tells"
    )


@contextlib.contextmanager
def aside(args: argparse.Namespace) -> Iterator[None]:
    """Send what is told on the way to standard error where standard output is for JSON."""
    if not args.json or args.quiet:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def emit(as_json: bool, text: str, data: Any) -> None:
    """Print the text, or the data as JSON."""
    from tengri.io.jsonable import jsonable  # loads NumPy, which no --help needs

    print(json.dumps(jsonable(data), indent=1, ensure_ascii=False) if as_json else text)


def table(rows: Rows) -> str:
    """Return rows as aligned columns under their names; the last column is as wide as it likes."""
    names = list(rows[0])
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names) - 1)]
    lines = ["  ".join([*(c.ljust(w) for c, w in zip(row, widths)), row[-1]]) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(_cell, value))
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
