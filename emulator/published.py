"""Pretrained surrogates by name: ``checkpoints/<name>/surrogate.h5``."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from tengri import publications
from tengri.errors import DataError, suggestion

logger = logging.getLogger(__name__)

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

    A name that is not here is fetched, verified and kept: see `tengri.publications`.

    Raises
    ------
    DataError
        There is none; near names and how to train one are given. Or it cannot be fetched.
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
    if name in remote():
        return _fetched(name)
    everything = sorted({*names(), *remote()})
    known = f"{suggestion(name, everything)}" if everything else " None is published here."
    raise DataError(
        f"No surrogate {name!r}: neither a file, nor a folder with {FILE}, nor a published "
        f"name.{known} To train one: tengri train {given.stem or 'CONFIG'} --out RUN, then "
        "tengri.load_model('RUN')."
    )


def remote() -> list[str]:
    """Return the names of surrogates in the registry of published files."""
    return [entry.name for entry in publications.files().values() if entry.kind == "surrogate"]


def _fetched(name: str) -> Path:
    entry = publications.files()[name]
    if not entry.kept.is_file():
        logger.info(f"fetching {name} ({entry.n_bytes / 1e6:.1f} MB) into {entry.kept.parent}")
    return publications.fetched(name)
