"""Standard streams that may be closed, full, gone or unable to write what is printed.

A descriptor below 3 that is closed goes to the next file that is opened, and what a library prints
would land in it: those are opened on the null device first.
"""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress
from typing import Any

#: Control characters, those that turn the direction of text, and separators of lines: what a file
#: says reaches a terminal or a page without them. Line feeds and tabs stay.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


def prepare() -> None:
    """Open standard descriptors that are closed, and let streams replace what they cannot write."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # the lowest free number is the one that is missing: those below it are open by now
            opened = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with suppress(ValueError, OSError):  # detached
                stream.reconfigure(errors="backslashreplace")


def finish() -> None:
    """Write what standard output still holds; raises OSError as writing does."""
    with suppress(ValueError):  # closed by now
        sys.stdout.flush()


def silence() -> None:
    """Send the rest of standard output nowhere: nobody reads on, or nothing can be written."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def printable(text: Any) -> str:
    """Return text in which characters that steer a terminal are escaped, ``\\x1b``."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), str(text))


def printable_json(text: str) -> str:
    """Return JSON that is the same, in characters that any terminal and encoding takes."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    if encoding == "utf8":
        return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return "".join(c if c.isascii() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """Return the escape of a character in JSON, of two halves beyond the first 65 536."""
    halves = character.encode("utf-16-be", "surrogatepass")
    pairs = (halves[i : i + 2].hex() for i in range(0, len(halves), 2))
    return "".join(f"\\u{pair}" for pair in pairs)
