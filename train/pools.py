"""Pools of training rows by number: streamed from the exact model, or read from a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from emulator.scaling import OutputScaling
from tengri.errors import DataError
from train import devices
from train.dataset import Dataset
from train.memory import give_back
from train.problem import Problem
from train.rows import TRAINING, BadRowError, RowMaker, Rows, describe
from train.step import Pool

Note = Callable[[str], None]


class Source(Protocol):
    """Rows by pool number, a pure function of it.

    ``inputs`` are the digests, by name, of the files that they come from.
    """

    size: int
    inputs: dict[str, str]

    def rows(self, number: int) -> Rows:
        """Return the rows of pool ``number``."""
        ...


class Streaming:
    """Pool k: rows k·size … (k+1)·size of the endless sequence of the seed."""

    def __init__(self, maker: RowMaker, size: int) -> None:
        self.maker = maker
        self.size = size
        self.inputs: dict[str, str] = {}

    def rows(self, number: int) -> Rows:
        """Make the pool; several processes share the work."""
        start = number * self.size
        first, n = devices.my_share(start, self.size)
        mine = self.maker.make(first, n)
        return Rows(start, devices.gather(mine.inputs), devices.gather(mine.flux))


class Stored:
    """Pool k: the k-th block of a data set, starting over at its end."""

    def __init__(self, dataset: Dataset, size: int) -> None:
        self.dataset = dataset
        self.size = min(size, dataset.n_rows)
        self.inputs = {"the data set": dataset.digest}

    def rows(self, number: int) -> Rows:
        """Read and check the shards that hold the block."""
        blocks = self.dataset.n_rows // self.size
        return self.dataset.rows((number % blocks) * self.size, self.size)


class Pools:
    """Pools in network units on the devices; the last one is kept.

    Rows without finite flux are counted and named, and stop the run unless
    ``data.nonfinite = "skip"``: then each is replaced by the nearest usable row before it.
    """

    def __init__(self, problem: Problem, source: Source, maker: RowMaker, note: Note) -> None:
        self.problem = problem
        self.source = source
        self.maker = maker
        self.note = note
        self.skipped = 0
        self._number = -1
        self._pool: Pool | None = None

    def raw(self, number: int) -> Rows:
        """Return the usable rows of a pool, in physical units."""
        rows = self.source.rows(number)
        bad = rows.bad
        if bad.size:
            rows = self._without(rows, bad)
        if self.problem.config.data.shuffle_targets:
            order = np.random.default_rng((self.maker.seed, number)).permutation(len(rows.flux))
            rows = rows._replace(flux=rows.flux[order])
        return rows

    def get(self, number: int, scaling: OutputScaling) -> Pool:
        """Return pool ``number`` on the devices."""
        if self._pool is None or number != self._number:
            self._pool = None  # frees the old one before the new one is made
            give_back()
            rows = self.raw(number)
            self._pool = devices.replicate(self.problem.to_pool(scaling, rows))
            self._number = number
            del rows
            give_back()
        return self._pool

    def _without(self, rows: Rows, bad: np.ndarray) -> Rows:
        named = "; ".join(describe(self.maker, rows, int(i)) for i in bad[:3])
        message = f"{bad.size} of {len(rows.flux)} training rows cannot be used. {named}"
        if self.problem.config.data.nonfinite == "stop":
            raise BadRowError(message, rows.start + int(bad[0]))
        if bad.size == len(rows.flux):
            raise BadRowError(f"no row of the pool can be used. {named}", rows.start)
        self.note(message)
        self.skipped += int(bad.size)
        good = np.setdiff1d(np.arange(len(rows.flux)), bad)
        nearest = good[
            np.clip(np.searchsorted(good, np.arange(len(rows.flux)), "right") - 1, 0, None)
        ]
        return Rows(rows.start, rows.inputs[nearest], rows.flux[nearest])


def open_source(problem: Problem) -> tuple[Source, RowMaker]:
    """Return where the rows come from, and what can remake any of them."""
    config = problem.config
    if config.data.source == "streaming":
        maker = RowMaker(problem, config.run.seed + TRAINING, config.data.sampler)
        return Streaming(maker, config.data.pool), maker
    dataset = Dataset.open(Path(config.data.path))
    dataset.check(problem)
    if dataset.n_rows < max(config.optimiser.batch, config.optimiser.late_batch):
        raise DataError(f"{config.data.path} has only {dataset.n_rows} rows, less than a batch.")
    maker = RowMaker(problem, dataset.seed, dataset.sampler)
    return Stored(dataset, config.data.pool), maker
