"""Pickles, as hoki and others save their objects: never opened, for opening one runs its code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tengri.errors import DataError
from tengri.grids.contents import Contents

TAKES: frozenset[str] = frozenset()


def can_read(path: Path) -> bool:
    """Return whether a file is a pickle, by its name or first byte."""
    with open(path, "rb") as file:
        start = file.read(2)
    return path.suffix in (".pkl", ".pickle") or (start[:1] == b"\x80" and start[1:] < b"\x06")


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Refuse the file.

    Raises
    ------
    DataError
        Always: says what to save in its place.
    """
    raise DataError(
        f"{path}: is a pickle, and opening one runs whatever code it carries. Give the text files "
        "of BPASS that hoki reads (spectra-bin-imf135_300.z020.dat), or save the arrays as a file "
        "of the DSPS schema."
    )
