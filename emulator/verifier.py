"""Checks of a surrogate for ``tengri verify``."""

from __future__ import annotations

from pathlib import Path

from emulator import published
from tengri.cli.doctor import FAILURE, OK, Check
from tengri.errors import DataError, TengriError
from tengri.io import seal


def surrogate(path: str, exact: bool) -> list[Check] | None:
    """Re-hash a file, a folder's or a published one, and re-evaluate its check pairs.

    Raises
    ------
    DataError
        Neither a path nor the name of a published surrogate.
    """
    if Path(path).exists() and not _holds_one(Path(path)):
        return None
    file = published.resolve(path)
    from emulator import verification
    from emulator.loading import load

    try:
        model = load(file).exact_model() if exact else None
        return [Check("surrogate", OK, str(verification.verify(file, model)))]
    except TengriError as error:
        return [Check("surrogate", FAILURE, str(error), "get a fresh copy, or train it again")]


def _holds_one(path: Path) -> bool:
    """Return whether a folder or an intact file is a surrogate; others answer for the rest."""
    if path.is_dir():
        return (path / published.FILE).exists()
    from emulator.description import KIND
    from tengri.io import hdf5_reader

    try:
        seal.verify(path)
        with hdf5_reader.open_hdf5(path) as file:
            return file.attrs.get("format") == KIND.encode()
    except (OSError, DataError, RuntimeError):
        return False
