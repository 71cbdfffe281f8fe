"""``tengri doctor``: check the installation and say how to fix it.

Each package contributes its checks through entry points of the group ``tengri.checks``:
functions without arguments that return a list of `Check`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from tengri.cli.output import add_output, emit
from tengri.cli.wording import in_options
from tengri.errors import TengriError

GROUP = "tengri.checks"
OK, WARNING, FAILURE = "ok", "note", "FAIL"


class Check(NamedTuple):
    """One finding: what was looked at, ``ok``, ``note`` or ``FAIL``, what was found, the fix."""

    name: str
    state: str
    found: str
    fix: str = ""


def add_parser(commands: Any) -> None:
    """Add ``doctor`` to the program."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation: devices, precision, data, disk, extras",
        description="Check devices, precision, data files and their hashes, disk, optional "
        "packages and published surrogates; each finding comes with its fix. Exit code 1 if "
        "something that is needed is missing or damaged.",
        epilog="example: tengri doctor --json",
    )
    add_output(parser)
    parser.set_defaults(func=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    checks = [in_words(check) for check in run()]
    emit(args.json, "\n".join(map(line, checks)), [check._asdict() for check in checks])
    return int(any(check.state == FAILURE for check in checks))


def run() -> Iterator[Check]:
    """Run the checks of every package; one that raises is a failure of its own."""
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.value, reverse=True):
        try:
            yield from entry.load()()
        except (TengriError, ImportError, OSError) as error:
            yield Check(entry.name, FAILURE, str(error), "Reinstall tengri.")


def in_words(check: Check) -> Check:
    """Return a finding in the words of the command line."""
    return check._replace(found=in_options(check.found), fix=in_options(check.fix))


def line(check: Check) -> str:
    """Return a finding as text, its fix below it."""
    fix = f"\n{'':24s}fix: {check.fix}" if check.fix else ""
    return f"{check.state:<5s} {check.name:<17s} {check.found}{fix}"
