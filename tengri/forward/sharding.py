"""Batches over several devices of one process.

Each device has a part of the rows of a chunk, in whole blocks, and evaluates them by the one
program that all run: it is compiled once, and no device waits for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

SPLIT, ALIKE = PartitionSpec("rows"), PartitionSpec()
Devices = tuple[Any, ...]


def local_devices() -> Devices:
    """Return the devices that evaluate: all of this process, or the one that JAX is told to use."""
    chosen = jax.config.jax_default_device  # type: ignore[attr-defined]
    return tuple(jax.local_devices()) if chosen is None else (chosen,)


def sizes_over(n_devices: int, block: int, chunk: int) -> tuple[int, int]:
    """Return the rows of a block, and those of a chunk that each device has.

    Blocks stay as they are, unless a chunk has fewer of them than there are devices.
    """
    block = max(1, min(block, chunk // n_devices))
    return block, max(1, chunk // n_devices // block) * block


def lowered(some: Callable[[Any, Any], Any], constants: Any, task: Any, devices: Devices) -> Any:
    """Trace ``some(constants, task)`` for devices that have rows ``task.rows`` of their own."""

    def everywhere(x: Any) -> Any:
        shape = len(devices) * x.shape[0], *x.shape[1:]
        return jax.ShapeDtypeStruct(shape, x.dtype, sharding=NamedSharding(_mesh(devices), SPLIT))

    apart = jax.shard_map(
        some, mesh=_mesh(devices), in_specs=(ALIKE, type(task)(SPLIT, ALIKE, ALIKE)),
        out_specs=SPLIT, check_vma=False,
    )  # fmt: skip
    rows, *rest = task
    given = type(task)(jax.tree.map(everywhere, rows), *copied(rest, devices))
    return jax.jit(apart).lower(copied(constants, devices), given)


def copied(tree: Any, devices: Devices) -> Any:
    """Return arrays that every device has."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), ALIKE))


def placed(parts: Sequence[Any], devices: Devices) -> Any:
    """Return rows as one array over all devices; each gets its part, all of one size."""

    def together(*pieces: Array) -> Array:
        shape = len(pieces) * pieces[0].shape[0], *pieces[0].shape[1:]
        sharding = NamedSharding(_mesh(devices), SPLIT)
        return jax.make_array_from_single_device_arrays(shape, sharding, list(pieces))

    return jax.tree.map(
        together, *(jax.device_put(part, device) for part, device in zip(parts, devices))
    )


def gathered(results: Sequence[Any], asked: Sequence[Sequence[int]]) -> Any:
    """Return the first so many rows of every device, of one result after the other."""

    def join(*arrays: Array) -> Array:
        pieces = [piece[:n] for array, counts in zip(arrays, asked)
                  for piece, n in zip(_by_device(array), counts)]  # fmt: skip
        return jax.device_put(np.concatenate(pieces))

    return jax.tree.map(join, *results)


def _by_device(array: Array) -> list[np.ndarray]:
    shards = sorted(array.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return [np.asarray(shard.data) for shard in shards]


@cache
def _mesh(devices: Devices) -> Mesh:
    return Mesh(np.array(devices), ("rows",))
