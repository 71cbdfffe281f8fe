"""Shards: one large table as files that any number of workers make alike, in any order.

A row belongs to the shard whose `shard_bounds` hold it, whoever makes it, on whatever machine. A
shard is written under a temporary name, sealed with its SHA-256, read back, synced and renamed:
it is complete or absent. So a job array, MPI ranks or a loop need no other scheduler, and a
second run makes only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py

from tengri.errors import ConfigError
from tengri.io import atomic, seal
from tengri.io.hdf5_writer import new_hdf5

MANIFEST = "manifest.json"


#: What launchers call a process's number, from 0, and how many there are.
LAUNCHERS = (
    ("SLURM_PROCID", "SLURM_NTASKS"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("FLUX_TASK_RANK", "FLUX_JOB_SIZE"),
)


def parse_shard(text: str) -> tuple[int, int]:
    """Return (number, shards) of ``3/16``, or of ``env``: where a launcher put this process."""
    if text.strip() == "env":
        return shard_of_environment(os.environ)
    try:
        number, shards = (int(part) for part in text.split("/"))
    except ValueError:
        raise ConfigError(f"--shard {text!r}: write it as 3/16, or env.") from None
    if not 1 <= number <= shards:
        raise ConfigError(f"--shard {text!r}: the number goes from 1 to {shards}.")
    return number, shards


def shard_of_environment(environ: Mapping[str, str]) -> tuple[int, int]:
    """Return (number, shards) of a process that SLURM, MPI or Flux has started.

    In an array of SLURM every task of every element has a shard of its own. Outside of ``srun``
    the number of a task says nothing: a script runs once, whatever ``--ntasks`` is.

    Raises
    ------
    ConfigError
        None of them has; numbers that are none.
    """
    try:
        element, elements = _array(environ)
        rank, size = _rank(environ)
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"--shard env: the launcher's variables cannot be read ({error})."
        ) from None
    if elements * size == 0 or not (0 <= element < elements and 0 <= rank < size):
        raise ConfigError(
            f"--shard env: element {element} of {elements}, task {rank} of {size} cannot be."
        )
    if not any(name in environ for name in ("SLURM_ARRAY_TASK_ID", *(r for r, _ in LAUNCHERS))):
        known = ", ".join(["SLURM_ARRAY_TASK_ID", *(r for r, _ in LAUNCHERS)])
        raise ConfigError(
            f"--shard env: no launcher has numbered this process ({known}). Say --shard 3/16."
        )
    return element * size + rank + 1, elements * size


def _array(environ: Mapping[str, str]) -> tuple[int, int]:
    """Return which element of an array of SLURM this is, from 0, and how many there are."""
    if "SLURM_ARRAY_TASK_ID" not in environ:
        return 0, 1
    first = int(environ.get("SLURM_ARRAY_TASK_MIN", "0"))
    step = int(environ.get("SLURM_ARRAY_TASK_STEP", "1"))
    element, rest = divmod(int(environ["SLURM_ARRAY_TASK_ID"]) - first, step)
    if rest:
        raise ValueError("SLURM_ARRAY_TASK_ID lies between two steps")
    return element, int(environ["SLURM_ARRAY_TASK_COUNT"])


def _rank(environ: Mapping[str, str]) -> tuple[int, int]:
    """Return the number of this process among those that one launcher has started."""
    for rank, size in LAUNCHERS:
        if rank in environ and (rank != "SLURM_PROCID" or "SLURM_STEP_ID" in environ):
            return int(environ[rank]), int(environ[size])
    return 0, 1


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
