"""A function of one galaxy, evaluated for many: padding, chunks and threads in one place.

Rows are evaluated block by block: a block is so many rows that what they compute fits the
processor's cache, or fills an accelerator. Batches are cut into chunks of a whole number of blocks,
the last block is padded, and how many blocks of a chunk are evaluated is an argument of the one
program: a new size of a batch compiles nothing, and no row depends on the size of its batch.

The blocks of a chunk are shared out to threads, one for each core: XLA deals out every operation
of one program to all cores, which then wait for one another before the next; programs that go
their own way gain a tenth to a third (`benchmarks/speed.py`). Where the process has several
devices, each has rows of its own instead: `tengri.forward.sharding`.
"""

from __future__ import annotations

import itertools
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.forward import sharding
from tengri.forward.packing import handed_over
from tengri.forward.sharding import Devices
from tengri.parameters.validate import default_float

#: So many parts of a batch per thread leave none of them idle for long at the end.
TASKS_PER_WORKER = 4
#: Structures of models whose programs are kept.
KEPT = 32


@dataclass(frozen=True)
class Sizes:
    """Rows of a block, and of a chunk: a whole number of blocks."""

    block: int
    chunk: int


@dataclass(frozen=True)
class Execution:
    """How a model's batches are evaluated.

    Attributes
    ----------
    processor, accelerator : Sizes
    recompute : bool
        Whether reverse mode computes a block anew rather than keep what it needs of it: cheaper
        where a block touches much memory for little arithmetic.
    """

    processor: Sizes
    accelerator: Sizes
    recompute: bool = False

    @property
    def sizes(self) -> Sizes:
        """The sizes on this machine."""
        return self.processor if _on_processor() else self.accelerator


class Task(NamedTuple):
    """``n_blocks`` blocks of the rows of a chunk, from the block ``first`` on."""

    rows: Any
    first: np.int32
    n_blocks: np.int32


class RowMap:
    """``row(constants, one)``, evaluated for every row.

    Parameters
    ----------
    row : callable
        A pure function of constants and of one row, both pytrees; returns a pytree of arrays.
    """

    def __init__(self, row: Callable[[Any, Any], Any]) -> None:
        self.row = row
        self._rows = jax.vmap(row, in_axes=(None, 0))
        self._programs: OrderedDict[Any, Any] = OrderedDict()

    def __reduce__(self) -> Any:
        """Leave machine code behind."""
        return RowMap, (self.row,)

    @property
    def n_programs(self) -> int:
        """How many structures of constants and rows it has been compiled for."""
        return len(self._programs)

    def __call__(self, constants: Any, rows: Any, sizes: Sizes) -> Any:
        """Return what ``row`` gives for rows (n, …), as a pytree of arrays (n, …)."""
        n = len(jax.tree.leaves(rows)[0])
        if n == 0 or jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return self._rows(constants, rows)
        if _on_processor():  # there NumPy shares the memory, and slices without compiling
            rows = jax.tree.map(np.asarray, rows)
        devices = sharding.local_devices()
        if len(devices) > 1:
            return self._over(devices, constants, rows, n, sizes)
        program = self._compiled(constants, rows, sizes, devices)
        tasks = _tasks(rows, n, sizes)
        parts = _side_by_side(lambda task: program(constants, task), tasks)
        return _joined(tasks, parts, n, sizes.block)

    def _over(self, devices: Devices, constants: Any, rows: Any, n: int, whole: Sizes) -> Any:
        """Return what ``row`` gives for n rows, shared out to devices."""
        sizes = Sizes(*sharding.sizes_over(len(devices), whole.block, whole.chunk))
        program = self._compiled(constants, rows, sizes, devices)
        constants = sharding.copied(constants, devices)
        results, asked = [], []
        for first in range(0, n, len(devices) * sizes.chunk):
            last = min(first + len(devices) * sizes.chunk, n)
            n_blocks = -(-(last - first) // (len(devices) * sizes.block))
            each = n_blocks * sizes.block
            starts = [first + i * each for i in range(len(devices))]
            parts = [_padded(rows, start, min(start + each, last), sizes.chunk) for start in starts]
            blocks = sharding.copied((np.int32(0), np.int32(n_blocks)), devices)
            results.append(program(constants, Task(sharding.placed(parts, devices), *blocks)))
            asked.append([max(0, min(each, last - start)) for start in starts])
        return sharding.gathered(results, asked)

    def _compiled(self, constants: Any, rows: Any, sizes: Sizes, devices: Devices) -> Any:
        """Return the program for constants and rows of these shapes.

        Compiled here and now, for settings such as ``enable_x64`` are this thread's own.
        """
        leaves, structure = jax.tree.flatten(constants)
        given = tuple((np.shape(x), x.dtype) for x in leaves)
        shapes = tuple((x.shape[1:], x.dtype) for x in jax.tree.leaves(rows))
        key = (structure, given, jax.tree.structure(rows), shapes, sizes, default_float(),
               jax.default_backend(), devices)  # fmt: skip
        if key not in self._programs:
            self._programs[key] = self._lowered(constants, rows, sizes, devices).compile()
            while len(self._programs) > KEPT:
                self._programs.popitem(last=False)
        self._programs.move_to_end(key)
        return self._programs[key]

    def _lowered(self, constants: Any, rows: Any, sizes: Sizes, devices: Devices) -> Any:
        """Trace the program that evaluates some blocks of a chunk; the other rows are zero.

        Which ones is not compiled in. No reverse mode.
        """
        block, chunk = sizes.block, sizes.chunk

        def some(constants: Any, task: Task) -> Any:
            def one_block(i: Array, done: Any) -> Any:
                take, put = jax.lax.dynamic_slice_in_dim, jax.lax.dynamic_update_slice_in_dim
                part = jax.tree.map(lambda x: take(x, i * block, block), task.rows)
                made = self._rows(constants, part)
                return jax.tree.map(lambda x, y: put(x, y, i * block, 0), done, made)

            shapes = jax.eval_shape(self._rows, constants, task.rows)
            empty = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
            return jax.lax.fori_loop(task.first, task.first + task.n_blocks, one_block, empty)

        full = jax.tree.map(lambda x: jax.ShapeDtypeStruct((chunk, *x.shape[1:]), x.dtype), rows)
        task = Task(full, np.int32(0), np.int32(1))
        if len(devices) > 1:
            return sharding.lowered(some, constants, task, devices)
        return jax.jit(some).lower(constants, task)


def map_traced(row: Callable[[Any], Any], rows: Any, execution: Execution) -> Any:
    """Evaluate rows (n, …) inside a JAX transformation, block by block."""
    block = execution.sizes.block
    if len(jax.tree.leaves(rows)[0]) <= block:
        return jax.vmap(row)(rows)
    row = jax.checkpoint(row) if execution.recompute else row
    return jax.lax.map(row, rows, batch_size=block)


def _tasks(rows: Any, n: int, sizes: Sizes) -> list[Task]:
    """Return chunks of n rows, each shared out while they are few."""
    starts = range(0, n, sizes.chunk)
    parts = min(-(-TASKS_PER_WORKER * _workers() // len(starts)), _workers())
    tasks = []
    for first in starts:
        last = min(first + sizes.chunk, n)
        some = jax.device_put(_padded(rows, first, last, sizes.chunk))
        n_blocks = -(-(last - first) // sizes.block)
        shares = ((np.int32(a), np.int32(k)) for a, k in _shares(n_blocks, parts))
        tasks += [Task(some, *handed_over(share)) for share in shares]
    return tasks


def _padded(rows: Any, start: int, stop: int, size: int) -> Any:
    """Return ``size`` rows from ``start`` on; from ``stop`` on, the last one again."""
    if stop - start == size:
        return jax.tree.map(lambda x: x[start:stop], rows)
    taken = np.minimum(np.arange(start, start + size), stop - 1)
    return jax.tree.map(lambda x: x[taken], rows)


def _joined(tasks: list[Task], parts: list[Any], n: int, block: int) -> Any:
    """Return the rows that each task was asked for, one after the other."""
    asked = [slice(int(task.first) * block, int(task.first + task.n_blocks) * block)
             for task in tasks]  # fmt: skip
    xp: Any = np if _on_processor() else jnp

    def join(*results: Array) -> Array:
        pieces = [xp.asarray(x)[rows] for x, rows in zip(results, asked)]
        surplus = sum(map(len, pieces)) - n  # what padded the last block
        pieces[-1] = pieces[-1][: len(pieces[-1]) - surplus]
        return jax.device_put(xp.concatenate(pieces))

    return jax.tree.map(join, *parts)


def _on_processor() -> bool:
    return jax.default_backend() == "cpu"


def _workers() -> int:
    """Return how many threads evaluate: one for an accelerator, or one for each core."""
    if not _on_processor():
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
