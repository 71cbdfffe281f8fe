"""The program ``tengri`` (also ``python -m tengri``): finds the command and runs it.

Each package contributes its commands through an entry point of the group
``tengri.commands`` that names a function ``add_parser(subparsers)``; the parser it adds sets
``func(args) -> int``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from tengri import __version__
from tengri.errors import TengriError, suggestion


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (0 done, 1 failed, 2 wrong usage, 130 stopped)."""
    _own_packages_first()
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        return int(args.func(args) or 0)
    except TengriError as error:
        print(f"tengri {args.command}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        print(f"tengri {args.command}: stopped", file=sys.stderr)
        return 130


def _own_packages_first() -> None:
    """Put the folder of the installed packages first on the path.

    ``python -m`` puts the working directory there, where a user's own ``train.py`` or
    ``emulator.py`` would hide the packages of those names.
    """
    home = str(Path(__file__).resolve().parent.parent)
    sys.path[:] = [home, *(entry for entry in sys.path if entry != home)]


class _Parser(argparse.ArgumentParser):
    """An argument parser whose error for a wrong choice says what was probably meant."""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            hint = suggestion(str(value), action.choices)
            raise argparse.ArgumentError(action, f"unknown {action.metavar} {value!r}.{hint}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tengri",
        description="Exact and emulated galaxy photometry: train surrogates, sweep, compare.",
    )
    parser.add_argument("--version", action="version", version=f"tengri {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="command", parser_class=_Parser
    )
    for entry in sorted(entry_points(group="tengri.commands"), key=lambda e: e.name):
        entry.load()(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
