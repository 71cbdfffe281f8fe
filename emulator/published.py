"""Pretrained surrogates by name: ``checkpoints/<name>/surrogate.h5``."""

from __future__ import annotations

import os
from pathlib import Path

from tengri.errors import DataError, suggestion

FILE = "surrogate.h5"
_PACKAGE = Path(__file__).resolve().parent


def roots() -> list[Path]:
    """Return the folders that hold published surrogates: of a wheel, or of a clone."""
    candidates = (_PACKAGE / "_checkpoints", _PACKAGE.parent / "checkpoints")
    return [folder for folder in candidates if folder.is_dir()]


def names() -> list[str]:
    """Return the names of the published surrogates that are here."""
    return sorted({file.parent.name for root in roots() for file in root.glob(f"*/{FILE}")})


def resolve(path_or_name: str | os.PathLike[str]) -> Path:
    """Return the file that a path, a run folder or a published name means.

    Raises
    ------
    DataError
        There is none; near names and how to train one are given.
    """
    given = Path(path_or_name).expanduser()
    if given.is_file():
        return given
    if (given / FILE).is_file():
        return given / FILE
    name = os.fspath(path_or_name)
    for root in roots():
        if name in names() and (root / name / FILE).is_file():
            return root / name / FILE
    known = f"{suggestion(name, names())}" if names() else " None is published here."
    raise DataError(
        f"No surrogate {name!r}: neither a file, nor a folder with {FILE}, nor a published "
        f"name.{known} To train one: tengri train {given.stem or 'CONFIG'} --out RUN, then "
        "tengri.load_model('RUN')."
    )
