"""Grids that come as one text file for each metallicity."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tengri.errors import DataError
from tengri.io import hdf5_reader

Array = np.ndarray

#: Largest text file of one metallicity [bytes].
MAX_BYTES = 1 << 30


def of(path: Path, metallicity: re.Pattern[str]) -> list[Path]:
    """Return a file and those beside it whose names differ in their metallicity only.

    ``metallicity`` matches the part of the name that says it, once.
    """
    match = metallicity.search(path.name)
    if match is None:
        return [path]
    head, tail = re.escape(path.name[: match.start()]), re.escape(path.name[match.end() :])
    alike = re.compile(f"{head}{metallicity.pattern}{tail}")
    return sorted(p for p in path.parent.iterdir() if alike.fullmatch(p.name) and p.is_file())


def text(path: Path) -> str:
    """Return the text of one of the files."""
    try:
        return hdf5_reader.read_text(path, MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read as text ({error}).") from error


def stamp(path: Path) -> tuple[Path, int, int]:
    """Return what tells a file from another one at its place: path, time of change, size."""
    about = path.stat()
    return path, about.st_mtime_ns, about.st_size


def table(path: Path) -> Array:
    """Return the numbers of a text file whose lines all have the same number of columns."""
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path}: is larger than {MAX_BYTES} bytes.")
    try:
        return np.loadtxt(path, dtype=np.float64, ndmin=2)
    except ValueError:  # exponents of Fortran, or lines that are cut
        lines = [line.split() for line in text(path).split("\n") if line.strip()]
    if len({len(words) for words in lines}) != 1:
        raise DataError(f"{path}: its lines do not all have as many columns: get a fresh copy.")
    return np.stack([numbers(words, path) for words in lines])


def numbers(words: Sequence[str], path: Path) -> Array:
    """Return words as numbers; Fortran's exponents ``D`` and ``1.0-100`` are understood."""
    try:
        return np.array(words, dtype=np.float64)
    except ValueError:
        pass
    try:
        return np.array([float(_exponent(word)) for word in words])
    except ValueError as error:
        raise DataError(f"{path}: holds something else than numbers: {error}.") from None


def _exponent(word: str) -> str:
    return re.sub(r"(?<=[0-9.])([+-]\d+)$", r"e\1", word.replace("D", "E").replace("d", "e"))


def check_same(values: Sequence[Array], files: Sequence[Path], what: str) -> None:
    """Raise unless all files have the same axis."""
    for other, path in zip(values[1:], files[1:]):
        if not np.array_equal(other, values[0]):
            raise DataError(
                f"{path}: its {what} are not those of {files[0].name}: keep grids of different "
                "sampling in different folders."
            )
