"""Errors for users: each states the given value, the expected one and the likely fix."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class TengriError(Exception):
    """Base of every error raised on purpose by tengri, emulator and train."""


class ParameterError(TengriError, ValueError):
    """A parameter, prior or parameter dict that cannot be used."""


class ConfigError(TengriError, ValueError):
    """A setting, component or configuration that cannot be used."""


class UnknownNameError(ConfigError, KeyError):
    """A name that no registry knows; the message carries near matches."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0])


class DataError(TengriError, OSError):
    """A file that is missing, damaged or not what it claims to be."""


def suggestion(name: str, valid: Iterable[str], most: int = 4) -> str:
    """Return ``" Did you mean a, b?"`` for the nearest valid names, else the valid names.

    Names that go on where ``name`` ends come first, in whatever case.
    """
    names, typed = sorted(map(str, valid)), str(name)
    longer = [n for n in names if len(typed) > 2 and n.lower().startswith(typed.lower())]
    near = [*longer, *difflib.get_close_matches(typed, names, n=most, cutoff=0.6)]
    near = near or _sharing_words(typed, names)
    if near:
        return f" Did you mean {', '.join(list(dict.fromkeys(near))[:most])}?"
    shown = ", ".join(names[:40]) + (" …" if len(names) > 40 else "")
    return f" Known: {shown}." if names else ""


def _sharing_words(typed: str, names: list[str]) -> list[str]:
    """Return names with all words of ``typed``: for ``u_band`` ``sdss_u`` and ``lsst_u``."""
    words = set(re.split(r"[^a-z0-9]+", typed.lower())) - {"", "band", "filter"}
    if not words:
        return []
    return [name for name in names if words <= set(re.split(r"[^a-z0-9]+", name.lower()))]


def unknown(kind: str, name: str, valid: Iterable[str]) -> UnknownNameError:
    """Return the error for an unknown ``name`` of a ``kind``, with near matches."""
    return UnknownNameError(f"Unknown {kind} {name!r}.{suggestion(name, valid)}")
