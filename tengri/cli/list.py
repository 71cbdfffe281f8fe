"""``tengri list KIND``: list the available choices.

Each package contributes its kinds through entry points of the group ``tengri.lists``: functions
without arguments that return one dict per thing, the first entry of which is its name.
"""

from __future__ import annotations

import argparse
from importlib.metadata import entry_points
from typing import Any

from tengri.cli.output import Rows, add_output, emit, table
from tengri.errors import UnknownNameError, suggestion

GROUP = "tengri.lists"


def add_parser(commands: Any) -> None:
    """Add ``list`` to the program."""
    parser = commands.add_parser(
        "list",
        help="list instruments, filters, dust laws, networks …",
        description="List what can be chosen: names, parameters, references.",
        epilog="example: tengri list filters jwst",
    )
    kinds = sorted(entry.name for entry in entry_points(group=GROUP))
    parser.add_argument("kind", choices=kinds, metavar="KIND", help=", ".join(kinds))
    parser.add_argument("word", nargs="?", metavar="WORD", help="only names that contain it")
    add_output(parser)
    parser.set_defaults(func=_list)


def rows_of(kind: str, word: str | None = None) -> Rows:
    """Return the things of one kind, those whose name contains ``word``.

    Raises
    ------
    UnknownNameError
        Nothing has that word in its name; near names are given.
    """
    (entry,) = entry_points(group=GROUP, name=kind)
    rows = entry.load()()
    chosen = [
        row for row in rows if word is None or word.lower() in str(next(iter(row.values()))).lower()
    ]
    if not chosen:
        names = [str(next(iter(row.values()))) for row in rows]
        raise UnknownNameError(f"No name among {kind} has {word!r}.{suggestion(str(word), names)}")
    return chosen


def _list(args: argparse.Namespace) -> int:
    rows = rows_of(args.kind, args.word)
    emit(args.json, table(rows), rows)
    return 0
