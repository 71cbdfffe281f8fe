"""Data-parallel training: batches are split over all devices, everything else is copied.

One device, several devices of one process and several processes are the same code: the
compiler inserts the sums of gradients from the shardings of the arguments.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tengri.errors import ConfigError, TengriError
from train.signals import Stopped

#: The first process evaluates and reports for so long at most [s]; the others wait for its end.
LONGEST_END = 86400


class PartnerError(TengriError, RuntimeError):
    """Another process of the training has ended."""


@contextmanager
def joined(coordinator: str, processes: int, process: int, resume: str) -> Iterator[None]:
    """Join the processes of one training (``jax.distributed``) for a block.

    Where the block fails, this process ends without waiting for the others: they may be gone, or
    wait for it in the middle of a step, which fails when it is gone.

    Raises
    ------
    ConfigError
        Numbers that do not fit, or processes that do not find each other.
    PartnerError
        Another process has ended; ``resume`` is the command that goes on.
    """
    if processes == 1:
        yield
        return
    _connect(coordinator, processes, process)
    try:
        yield
    except Exception as error:
        if not isinstance(error, Stopped):
            atexit.register(os._exit, 1)  # before JAX's own end, which waits for minutes
        if isinstance(error, jax.errors.JaxRuntimeError):
            raise PartnerError(
                f"another process of this training has ended ({_first_line(error)}). Start all of "
                f"them again: {resume}"
            ) from error
        raise


def _connect(coordinator: str, processes: int, process: int) -> None:
    if not 0 <= process < processes:
        raise ConfigError(f"--process {process}: those of {processes} are 0 … {processes - 1}.")
    try:
        jax.distributed.initialize(
            coordinator or None, processes, process, shutdown_timeout_seconds=LONGEST_END
        )
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"--coordinator {coordinator or '(none)'}: the processes cannot be joined "
            f"({_first_line(error)})."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


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
    if n % jax.process_count():
        raise ConfigError(f"data.pool = {n} cannot be shared by {jax.process_count()} processes.")
    size = n // jax.process_count()
    return start + jax.process_index() * size, size


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
