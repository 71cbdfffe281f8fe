"""A function of one galaxy, evaluated for many: block by block, side by side.

A block is so many rows that what they compute fits the processor's cache, or fills an
accelerator. Batches are cut into chunks of a whole number of blocks; the last chunk is padded, so
that a new size of a batch compiles nothing. The blocks of a chunk are shared out to threads, one
for each core: XLA deals out every operation of one program to all cores, which then wait for one
another before the next; programs that go their own way gain a tenth to a third.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

#: So many parts of a batch per thread leave none of them idle for long at the end.
TASKS_PER_WORKER = 4


@dataclass(frozen=True)
class Sizes:
    """Rows of a block, and of the chunks that larger batches are cut into."""

    block: int
    chunk: int

    @property
    def least_alike(self) -> int:
        """Rows from which on every batch is served by one compiled function, chunk by chunk."""
        return min(self.block + 1, self.chunk)


class Blocks:
    """``row(constants, one)``, evaluated for every row.

    Parameters
    ----------
    row : callable
        A pure function of constants and of one row, a pytree; returns a pytree of arrays.
    sizes : Sizes
    """

    def __init__(self, row: Callable[[Any, Any], Any], sizes: Sizes) -> None:
        self.sizes = sizes
        self._rows = jax.vmap(row, in_axes=(None, 0))
        self._one_block = jax.jit(self._rows)
        self._compiled: dict[Any, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave machine code behind: Dask and its kin pickle the model that holds this."""
        return {**self.__dict__, "_compiled": {}}

    def __call__(self, constants: Any, rows: Any) -> Any:
        """Return what ``row`` gives for rows (n, …), as a pytree of arrays (n, …).

        A small batch is padded to a power of two.
        """
        n = len(jax.tree.leaves(rows)[0])
        undivided = jax.config.jax_disable_jit  # type: ignore[attr-defined]
        if n < self.sizes.least_alike or undivided:
            size = 1 << (n - 1).bit_length()
            return _first(n, self._one_block(constants, _padded(rows, 0, size)))
        tasks = self._tasks(rows, n)
        call = self._compile(constants, tasks[0])
        parts = _side_by_side(lambda task: call(constants, task), tasks)
        return _first(n, self._joined(tasks, parts))

    def _tasks(self, rows: Any, n: int) -> list[tuple[Any, np.int32, np.int32]]:
        """Return the arguments of `_some`: chunks, each shared out while they are few."""
        block, chunk = self.sizes.block, self.sizes.chunk
        starts = range(0, n, chunk)
        parts = min(-(-TASKS_PER_WORKER * _workers() // len(starts)), _workers())
        tasks = []
        for start in starts:
            some = jax.device_put(_padded(rows, start, chunk))
            n_blocks = -(-min(n - start, chunk) // block)
            tasks += [(some, np.int32(a), np.int32(k)) for a, k in _shares(n_blocks, parts)]
        return tasks

    def _some(self, constants: Any, task: tuple[Any, Array, Array]) -> Any:
        """Evaluate so many blocks of a chunk from the first one on; the other rows are zero.

        Which ones is not compiled in. No reverse mode.
        """
        rows, first, count = task
        size = self.sizes.block

        def block(i: Array, done: Any) -> Any:
            take, put = jax.lax.dynamic_slice_in_dim, jax.lax.dynamic_update_slice_in_dim
            some = jax.tree.map(lambda x: take(x, i * size, size), rows)
            made = self._rows(constants, some)
            return jax.tree.map(lambda x, part: put(x, part, i * size, 0), done, made)

        shapes = jax.eval_shape(self._rows, constants, rows)
        empty = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.fori_loop(first, first + count, block, empty)

    def _compile(self, constants: Any, task: Any) -> Any:
        """Compile `_some` here and now: settings such as ``enable_x64`` are this thread's own."""
        key = jax.tree.structure(task), *((x.shape, x.dtype) for x in jax.tree.leaves(task[0]))
        if key not in self._compiled:
            self._compiled[key] = jax.jit(self._some).lower(constants, task).compile()
        return self._compiled[key]

    def _cache_size(self) -> int:
        """Return how often it was compiled, as jitted functions do."""
        return self._one_block._cache_size() + len(self._compiled)  # type: ignore[attr-defined]

    def _joined(self, tasks: list[Any], parts: list[Any]) -> Any:
        """Return the rows that each task was asked for, one after the other."""
        block = self.sizes.block
        asked = [slice(first * block, (first + count) * block) for _, first, count in tasks]
        on_host = jax.default_backend() == "cpu"  # there NumPy shares the memory, and is quicker
        xp: Any = np if on_host else jnp

        def join(*results: Array) -> Array:
            return jax.device_put(
                xp.concatenate([xp.asarray(x)[rows] for x, rows in zip(results, asked)])
            )

        return jax.tree.map(join, *parts)


def _padded(rows: Any, start: int, size: int) -> Any:
    """Return so many rows from ``start`` on; beyond the last one, that one again."""
    n = len(jax.tree.leaves(rows)[0])
    if start + size <= n:
        return jax.tree.map(lambda x: x[start : start + size], rows)
    taken = np.minimum(np.arange(start, start + size), n - 1)
    return jax.tree.map(lambda x: x[taken], rows)


def _first(n: int, results: Any) -> Any:
    return jax.tree.map(lambda x: x if len(x) == n else x[:n], results)


def _workers() -> int:
    """Return how many threads evaluate: one for an accelerator, or one for each core."""
    if jax.default_backend() != "cpu":
        return 1
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _shares(n: int, parts: int) -> list[tuple[int, int]]:
    """Return (first, how many) of nearly equal parts of n things; none is empty."""
    ends = [i * n // parts for i in range(parts + 1)]
    return [(a, b - a) for a, b in itertools.pairwise(ends) if b > a]


def _side_by_side(call: Callable[[Any], Any], tasks: list[Any]) -> list[Any]:
    """Return ``call(task)`` of each; a thread waits for its result before it takes the next one."""
    if _workers() == 1 or len(tasks) == 1:
        return [call(task) for task in tasks]
    return list(_pool(_workers()).map(lambda task: jax.block_until_ready(call(task)), tasks))


@cache
def _pool(n: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n, thread_name_prefix="tengri")
