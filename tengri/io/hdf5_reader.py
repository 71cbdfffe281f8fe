"""Plain input from files that anybody may have written: arrays out of HDF5, and small texts.

HDF5 can point to other files, declare more than any memory holds, and carry types that are not
numbers. What is read here is checked first: data in the file itself, of numbers, not larger than
`MAX_BYTES`, and not declared a thousand times larger than what is stored. Every HDF5 file is opened
here, and links are followed nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tengri.errors import DataError
from tengri.io import seal
from tengri.io.regular import check_regular

MAX_BYTES = 1 << 31
MAX_TEXT_BYTES = 1 << 24
#: Deflate reaches 1032; beyond this a dataset was declared and never written.
MAX_RATIO = 2000
#: A chunk is unpacked whole.
MAX_CHUNK_BYTES = 1 << 28
#: Deflate, shuffle, fletcher32, szip, nbit, scale-offset and LZF; others load code of their own.
KNOWN_FILTERS = {*range(1, 7), 32000}
_SMALL = 1 << 20


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    A sealed file never changes and is read without the locks of HDF5, which some file systems
    lack; a foreign one may be in the hands of another program.

    Raises
    ------
    DataError
        No HDF5 file, a damaged one, or one that another process is writing.
    """
    try:
        file = h5py.File(path, "r", locking=False if seal.is_sealed(path) else None)
    except BlockingIOError as error:
        raise DataError(
            f"{path}: is locked: another process has this HDF5 file open for writing. Close it "
            "there, or read a copy; where the file system itself knows no locks, set "
            "HDF5_USE_FILE_LOCKING=FALSE."
        ) from error
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{path}: cannot be read as HDF5 ({error}). It is damaged, truncated or of another "
            "format: get a fresh copy."
        ) from error
    with file:
        yield file


def array(group: h5py.Group, name: str, path: Path, most: int = MAX_BYTES) -> np.ndarray:
    """Return the dataset ``name`` after checking what it is.

    Raises
    ------
    DataError
        None of that name, a link, no numbers, data outside of the file, or too large; damage.
    """
    item = dataset(group, name, path, most)
    try:
        return np.asarray(item[()])
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{path}: dataset {name} cannot be read ({error}). The file is damaged or "
            "truncated: get a fresh copy."
        ) from error


def attributes(item: h5py.HLObject) -> dict[str, Any]:
    """Return the attributes of a file, group or dataset; numbers as Python's own."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in item.attrs.items()}


def has(group: h5py.Group, name: str) -> bool:
    """Return whether there is anything of a name, a link included."""
    return group.get(name, getlink=True) is not None


def members(group: h5py.Group) -> dict[str, Any]:
    """Return what a group itself holds: links lead to other places and files."""
    return {name: group[name] for name in group if _is_own(group, name)}


def _is_own(group: h5py.Group, name: str) -> bool:
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def walk(
    group: h5py.Group, path: Path, depth: int, prefix: str = ""
) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield (path in the file, dataset) for all there is below a group, unread and unchecked.

    Raises
    ------
    DataError
        A link, something else than a group or dataset, groups nested deeper than ``depth``.
    """
    if depth < 0:
        raise DataError(f"{path}: groups nested deeper than in any file of this kind.")
    for name in group:
        full = prefix + name
        if not _is_own(group, name):
            raise DataError(f"{path}: {full} is a link; only data in the file itself is read.")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from walk(item, path, depth - 1, f"{full}/")
        elif isinstance(item, h5py.Dataset):
            yield full, item
        else:
            raise DataError(f"{path}: {full} is neither a group nor a dataset.")


def dataset(group: h5py.Group, name: str, path: Path, most: int = MAX_BYTES) -> h5py.Dataset:
    """Return the dataset ``name`` unread; raises as `array` does."""
    if not has(group, name):
        raise DataError(f"{path}: dataset {name} is missing.")
    if not _is_own(group, name):
        raise DataError(f"{path}: {name} is a link; only data in the file itself is read.")
    item = group[name]
    problem = problem_with(item, most)
    if problem:
        raise DataError(f"{path}: {name} {problem}.")
    return item


def texts(group: h5py.Group, name: str, path: Path) -> tuple[str, ...]:
    """Return a dataset of texts, of fixed or variable length, after checking what it is.

    Raises
    ------
    DataError
        None of that name, a link, no texts, data outside of the file, or too large; damage.
    """
    if not has(group, name):
        raise DataError(f"{path}: dataset {name} is missing.")
    item = group[name] if _is_own(group, name) else None
    if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in "SO":
        raise DataError(f"{path}: {name} is not a dataset of texts in the file itself.")
    problem = storage_problem(item, MAX_TEXT_BYTES)
    if problem or h5py.check_string_dtype(item.dtype) is None:
        raise DataError(f"{path}: {name} {problem or 'is not a dataset of texts'}.")
    try:
        return tuple(map(str, item.asstr(errors="replace")[()].ravel()))
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path}: dataset {name} cannot be read ({error}).") from error


def problem_with(item: Any, most: int = MAX_BYTES) -> str:
    """Return why an object of HDF5 is not a plain array of numbers, or nothing."""
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu" or item.shape is None:
        return "is not a dataset of numbers"
    return storage_problem(item, most)


def own_problem(item: Any, most: int = MAX_BYTES) -> str:
    """Return why a dataset is not as the files of a run or a surrogate hold theirs, or nothing.

    Those are stored as they are, with a checksum: nothing has to be unpacked, and nothing is
    larger than what is there.
    """
    if problem := problem_with(item, most):
        return problem
    if strange := _filters(item) - {h5py.h5z.FILTER_FLETCHER32}:
        return f"has a filter (number {min(strange)}); files of this kind have checksums only"
    if item.nbytes > item.id.get_storage_size():
        return f"declares {item.nbytes} bytes and stores {item.id.get_storage_size()}"
    return ""


def _filters(item: h5py.Dataset) -> set[int]:
    """Return the numbers of the filters of a dataset."""
    created = item.id.get_create_plist()
    return {created.get_filter(i)[0] for i in range(created.get_nfilters())}


def storage_problem(item: h5py.Dataset, most: int = MAX_BYTES) -> str:
    """Return why a dataset of any type cannot be read from the file it is in, or nothing."""
    if item.is_virtual or item.external is not None:
        return "has its data in another file"
    if item.nbytes > most:
        return f"is larger than {most} bytes"
    if unknown := _filters(item) - KNOWN_FILTERS:
        return f"has a filter that is no part of HDF5 (number {min(unknown)}): store it with gzip"
    if item.chunks and item.dtype.itemsize * math.prod(item.chunks) > MAX_CHUNK_BYTES:
        return f"has chunks of more than {MAX_CHUNK_BYTES} bytes"
    if item.nbytes > _SMALL + MAX_RATIO * item.id.get_storage_size():
        return f"declares {item.nbytes} bytes and stores {item.id.get_storage_size()}"
    return ""


def read_text(path: Path, most: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a regular file of modest size.

    Raises
    ------
    DataError
        A device or pipe, or a file that is too large.
    OSError, UnicodeDecodeError
        As ``Path.read_text``.
    """
    check_regular(path)
    if path.stat().st_size > most:
        raise DataError(f"{path} is larger than {most} bytes: not a file of this kind.")
    return path.read_text(encoding="utf-8")
