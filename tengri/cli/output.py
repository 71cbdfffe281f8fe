"""Output of commands: text for people, JSON for programs, nothing if quiet."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

from tengri.cli import streams
from tengri.progress import write_line

Rows = Sequence[Mapping[str, Any]]


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add ``--json`` and ``--quiet``, which every command has; `tengri.__main__` silences."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print errors only; the exit code tells"
    )


@contextlib.contextmanager
def narrated(args: argparse.Namespace) -> Iterator[None]:
    """Print what is logged on the way: to standard error where standard output is for JSON."""
    with contextlib.ExitStack() as stack:
        if args.json and not args.quiet:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        stack.enter_context(log_printed())
        yield


class _Printer(logging.Handler):
    """Prints messages on what is standard output at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        write_line(streams.printable(self.format(record)))


@contextlib.contextmanager
def log_printed() -> Iterator[None]:
    """Print what the packages of the program log, from INFO on; their loggers are left as found.

    Handlers of the root logger, which a dependency may have set up, do not repeat it.
    """
    packages = {entry.module.split(".")[0] for entry in entry_points(group="tengri.commands")}
    loggers = [logging.getLogger(name) for name in sorted(packages)]
    before, printer = [(logger.level, logger.propagate) for logger in loggers], _Printer()
    for logger in loggers:
        logger.addHandler(printer)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before):
            logger.setLevel(level)
            logger.propagate = propagate
            logger.removeHandler(printer)


def emit(as_json: bool, text: str, data: Any) -> None:
    """Print the text, or the data as JSON."""
    from tengri.io.jsonable import jsonable  # loads NumPy, which no --help needs

    if as_json:
        print(streams.printable_json(json.dumps(jsonable(data), indent=1, ensure_ascii=False)))
    else:
        print(streams.printable(text))


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
