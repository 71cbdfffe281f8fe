"""Shards: one large table as files that any number of workers make alike, in any order.

A row belongs to the shard whose `shard_bounds` hold it, whoever makes it, on whatever machine. A
shard is written under a temporary name, sealed with its SHA-256, read back, synced and renamed:
it is complete or absent. So a job array, MPI ranks or a loop need no other scheduler, and a
second run makes only what is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from tengri.errors import ConfigError
from tengri.io import atomic, seal
from tengri.io.hdf5_writer import new_hdf5

MANIFEST = "manifest.json"


def parse_shard(text: str) -> tuple[int, int]:
    """Return (number, shards) of ``3/16``."""
    try:
        number, shards = (int(part) for part in text.split("/"))
    except ValueError:
        raise ConfigError(f"--shard {text!r}: write it as 3/16.") from None
    if not 1 <= number <= shards:
        raise ConfigError(f"--shard {text!r}: the number goes from 1 to {shards}.")
    return number, shards


def shard_name(number: int) -> str:
    """Return the file name of shard ``number`` (from 1)."""
    return f"shard-{number:05d}.h5"


def shard_bounds(n_rows: int, n_shards: int, number: int) -> tuple[int, int]:
    """Return the global rows [first, last) of shard ``number`` (from 1)."""
    return (n_rows * (number - 1)) // n_shards, (n_rows * number) // n_shards


def fingerprint(description: dict[str, Any]) -> str:
    """Return the SHA-256 of a description of what decides every row."""
    text = json.dumps(description, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_shard(
    path: Path, fill: Callable[[h5py.File], None], check: Callable[[Path], Any]
) -> None:
    """Write one shard: ``fill`` puts datasets and attributes in, ``check`` reads them back.

    Raises
    ------
    DataError
        A disk that is full, a folder that cannot be written; nothing is left behind.
    """
    with atomic.whole(path) as temporary:
        with new_hdf5(temporary) as file:
            fill(file)
        seal.seal(temporary)
        check(temporary)
