"""Data-parallel training: batches are split over all devices, everything else is copied.

One device, several devices of one process and several processes are the same code: the
compiler inserts the sums of gradients from the shardings of the arguments.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tengri.errors import ConfigError


def connect(coordinator: str, processes: int, process: int) -> None:
    """Join the processes of one training (``jax.distributed``)."""
    if processes > 1:
        jax.distributed.initialize(coordinator or None, processes, process)


def mesh() -> Mesh:
    """Return all devices of all processes in one row."""
    return Mesh(np.array(jax.devices()), ("batch",))


def check_batch(batch: int) -> None:
    """Raise when a batch cannot be split evenly."""
    if batch % jax.device_count():
        raise ConfigError(
            f"optimiser.batch = {batch} cannot be split over {jax.device_count()} devices."
        )


def replicate(tree: Any) -> Any:
    """Put host arrays, the same on every process, on every device."""
    sharding = NamedSharding(mesh(), PartitionSpec())
    return jax.tree.map(lambda a: _place(a, sharding), tree)


def split_rows(rows: np.ndarray) -> Array:
    """Put (steps, batch) row numbers on the devices, split along the batch."""
    return _place(rows, NamedSharding(mesh(), PartitionSpec(None, "batch")))


def _place(value: Any, sharding: NamedSharding) -> Array:
    if jax.process_count() == 1:
        return jax.device_put(value, sharding)
    host = np.asarray(value)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def my_share(start: int, n: int) -> tuple[int, int]:
    """Return (first row, number of rows) of this process's part of ``n`` rows."""
    size = -(-n // jax.process_count())
    first = min(jax.process_index() * size, n)
    return start + first, min(size, n - first)


def gather(part: np.ndarray) -> np.ndarray:
    """Join the parts of all processes, in order, on every one of them."""
    if jax.process_count() == 1:
        return part
    return np.asarray(multihost_utils.process_allgather(part, tiled=True))


def agree(*flags: bool) -> tuple[bool, ...]:
    """Return each flag as any process raised it: all do the same thing after the same step."""
    if jax.process_count() == 1:
        return flags
    everyone = multihost_utils.process_allgather(np.array(flags))
    return tuple(bool(f) for f in np.any(everyone, axis=0))


def wait(name: str) -> None:
    """Wait until all processes have reached this point."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def is_first() -> bool:
    """Say whether this process writes files and talks."""
    return jax.process_index() == 0
