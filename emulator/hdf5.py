"""A sealed HDF5 file of one JSON document and a tree of plain numeric arrays, and nothing else.

Layout: attributes ``format``, ``written_by`` (bytes) and ``format_version`` (int); dataset
``document`` (UTF-8 JSON as bytes); every other dataset is an array named by its path. Every
dataset carries fletcher32, and the file a SHA-256 seal (`tengri.io.seal`) that is checked before
HDF5 opens it.

Nothing in such a file is ever executed: no pickle, no object or string types, no links out of
the file; type, shape and size are checked before a dataset is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from tengri.errors import DataError
from tengri.io import hdf5_reader, seal
from tengri.io.hdf5_writer import new_hdf5

Arrays = dict[str, np.ndarray]

DOCUMENT = "document"
DTYPES = ("<f4", "<f8", "<i4", "<i8", "|u1")
#: Compact enough for a small file to be small; every h5py that is supported reads it.
LIBVER = ("v110", "v110")
MAX_BYTES, MAX_DOCUMENT = 1 << 30, 1 << 22
MAX_DATASETS = 20_000
MAX_DEPTH = 8
MAX_NDIM = 4


class Header(NamedTuple):
    """What a file is: kind, version of its format, the program that wrote it."""

    kind: str
    version: int
    written_by: str


def write(path: Path, header: Header, document: Mapping[str, Any], arrays: Arrays) -> str:
    """Write and seal a file; return its digest. The caller chooses a temporary name."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode()
    with new_hdf5(path, libver=LIBVER) as file:
        file.attrs["format"] = np.bytes_(header.kind)
        file.attrs["format_version"] = np.int64(header.version)
        file.attrs["written_by"] = np.bytes_(header.written_by)
        _add(file, DOCUMENT, np.frombuffer(text, np.uint8))
        for name, values in sorted(arrays.items()):
            _add(file, name, values)
    return seal.seal(path)


def _add(file: h5py.File, name: str, values: np.ndarray) -> None:
    """Add a dataset with a checksum; an empty one has no chunks."""
    values = np.atleast_1d(values)
    stored = values.astype(values.dtype.newbyteorder("<"))
    if stored.dtype.str not in DTYPES:
        raise DataError(f"Array {name} has type {values.dtype}; only {', '.join(DTYPES)} go in.")
    file.create_dataset(name, data=stored, fletcher32=stored.size > 0)


def read(path: Path, kind: str, newest: int) -> tuple[str, dict[str, Any], Arrays]:
    """Return (digest, document, arrays) of a sealed file.

    Raises
    ------
    DataError
        No such file, damaged, of another kind or of a newer version; or contents that a file
        of this kind cannot have.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    try:
        sealed = seal.verify(path)
        with hdf5_reader.open_hdf5(path) as file:
            _check_version(file, path, kind, newest)
            arrays = dict(_datasets(file, path))
    except DataError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Get a fresh copy.") from error
    return sealed, _document(arrays, path), arrays


def _check_version(file: h5py.File, path: Path, kind: str, newest: int) -> None:
    found, writer = (_text(file.attrs.get(name)) for name in ("format", "written_by"))
    if found != kind:
        raise DataError(f"{path}: not a {kind} file.")
    version = int(file.attrs["format_version"])
    if version > newest:
        raise DataError(
            f"{path}: format version {version} of {kind} (written by {writer}); this "
            f"installation reads versions up to {newest}. Upgrade tengri to use it."
        )


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else "unknown"


def _datasets(file: h5py.File, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every dataset after checking what it is; total size is bounded."""
    total = 0
    for count, (name, item) in enumerate(hdf5_reader.walk(file, path, MAX_DEPTH)):
        _check_dataset(item, path, name)
        total += item.nbytes
        if count >= MAX_DATASETS or total > MAX_BYTES:
            raise DataError(f"{path}: larger than any file of this kind can be.")
        yield name, hdf5_reader.array(file, name, path, MAX_BYTES)


def _check_dataset(item: h5py.Dataset, path: Path, name: str) -> None:
    ours = item.dtype.str in DTYPES and item.shape is not None and item.ndim <= MAX_NDIM
    problem = hdf5_reader.own_problem(item, MAX_DOCUMENT if name == DOCUMENT else MAX_BYTES)
    if not ours or problem:
        raise DataError(
            f"{path}: {name} ({item.dtype}, {item.shape}) is not a plain array"
            f"{': it ' + problem if problem else ''}."
        )


def _document(arrays: Arrays, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(arrays.pop(DOCUMENT).tobytes().decode())
    except (KeyError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: its document is not JSON ({error}).") from None
    if not isinstance(document, dict):
        raise DataError(f"{path}: its document is not a JSON object.")
    return document


def flat(tree: Mapping[str, Any], prefix: str) -> Arrays:
    """Return the leaves of a nested dict by path, ``prefix/outer/inner``."""
    out: Arrays = {}
    for name, value in tree.items():
        if not str(name).replace("_", "a").isalnum():
            raise DataError(f"{name!r} cannot name an array: letters, digits and _ only.")
        path = f"{prefix}/{name}"
        out |= flat(value, path) if isinstance(value, Mapping) else {path: np.asarray(value)}
    return out


def nested(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """Return the arrays below ``prefix`` as a nested dict."""
    tree: dict[str, Any] = {}
    for path, values in arrays.items():
        if not path.startswith(prefix + "/"):
            continue
        *groups, last = path[len(prefix) + 1 :].split("/")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = values
    return tree
