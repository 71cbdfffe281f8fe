"""The program ``tengri`` (also ``python -m tengri``): finds the command and runs it.

Each package contributes its commands through an entry point of the group
``tengri.commands`` that names a function ``add_parser(subparsers)``; the parser it adds sets
``func(args) -> int``, and ``compiles`` if that takes programs that are worth keeping on disk.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tengri import __version__, shadow
from tengri.cli import streams
from tengri.cli.limits import check_address_space
from tengri.cli.wording import in_options
from tengri.errors import TengriError, suggestion
from tengri.io.atomic import os_reason


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (0 done, 1 failed, 2 wrong usage, 130 stopped)."""
    streams.prepare()
    try:
        code = _run(argv)
        streams.finish()
        return code
    except SystemExit:  # help, or wrong usage
        with contextlib.suppress(OSError):
            streams.finish()
            raise
        streams.silence()
        return 1
    except BrokenPipeError:  # nobody reads on; whatever was asked for is not known to be done
        streams.silence()
        return 1
    except OSError as error:  # nothing can be written
        streams.silence()
        with contextlib.suppress(OSError):
            print(f"tengri: standard output: {os_reason(error)}", file=sys.stderr)
        return 1


def _run(argv: Sequence[str] | None) -> int:
    """Run one command; return its exit code."""
    _own_packages_first()
    if strangers := shadow.imported():
        print(f"tengri: {shadow.message(strangers)}", file=sys.stderr)
        return 1
    args = _parse(argv)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.showwarning = _one_line
            if getattr(args, "quiet", False):
                stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            if getattr(args, "compiles", False):
                check_address_space()
                _keep_compiled_programs()
            return int(args.func(args) or 0)
    except TengriError as error:
        return _failed(args, in_options(str(error), args.command))
    except BrokenPipeError:
        raise
    except OSError as error:  # a disk that is full, a folder that cannot be written
        return _failed(args, f"{error.filename or ''}: {os_reason(error)}".lstrip(": "))
    except MemoryError as error:
        return _failed(args, f"out of memory ({error})")
    except KeyboardInterrupt:
        _failed(args, "stopped")
        return 130


def _keep_compiled_programs() -> None:
    """Turn the compilation cache on; only here, because JAX takes a while to import."""
    from tengri.compilation_cache import enable_compilation_cache

    enable_compilation_cache()


def _failed(args: argparse.Namespace, reason: object) -> int:
    with contextlib.suppress(OSError):  # a log on a full disk; the exit code says it too
        print(f"tengri {args.command}: {streams.printable(reason)}", file=sys.stderr)
    return 1


def _one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as one line: where in the code it was raised helps no user."""
    with contextlib.suppress(OSError):  # a warning that nobody can read ends no training
        print(f"tengri: warning: {streams.printable(message)}", file=sys.stderr)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; an unknown option is answered with near ones."""
    parser, commands = build_parser()
    args, strange = parser.parse_known_args(argv)
    if strange:
        command = commands.choices[args.command]
        option = next((word for word in strange if word.startswith("-")), "")
        known = re.findall(r"--[a-z][a-z0-9-]*", command.format_help())
        hint = suggestion(option.split("=")[0], known) if option else ""
        command.error(f"unrecognised: {' '.join(strange)}.{hint}")
    return args


def _own_packages_first() -> None:
    """Put the folder of the installed packages first on the path.

    ``python -m`` puts the working directory there, where a user's own ``train.py`` or
    ``emulator.py`` would hide the packages of those names.
    """
    home = str(Path(__file__).resolve().parent.parent)
    sys.path[:] = [home, *(entry for entry in sys.path if entry != home)]


class _Parser(argparse.ArgumentParser):
    """An argument parser whose error for a wrong choice says what was probably meant.

    -1e-3 is a number to it: argparse itself takes that for an option before Python 3.14.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            hint = suggestion(str(value), action.choices)
            kind = action.metavar or action.dest
            raise argparse.ArgumentError(action, f"unknown {kind} {value!r}.{hint}")


def build_parser() -> tuple[argparse.ArgumentParser, Any]:
    """Return the parser of the program, and its commands as argparse keeps them."""
    parser = _Parser(
        prog="tengri",
        description="Exact and emulated galaxy photometry: train surrogates, sweep, compare.",
    )
    parser.add_argument("--version", action="version", version=f"tengri {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="command", parser_class=_Parser
    )
    # once each: what an earlier installation left behind names the same ones again
    entries = {(e.name, e.value): e for e in entry_points(group="tengri.commands")}
    for _, entry in sorted(entries.items()):
        entry.load()(commands)
    return parser, commands


if __name__ == "__main__":
    raise SystemExit(main())
