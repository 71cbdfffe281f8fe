"""Rows of training data: prior draws and their exact fluxes, a pure function of (seed, index).

A row is known by its global index: whoever makes it, in whatever chunk, makes the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from tengri.errors import TengriError
from train.problem import Problem
from train.rowset import Rows

#: Added to the seed, so that training, validation and evaluation never share a row.
TRAINING, VALIDATION, EVALUATION, POLISH, PROOF = 0, 1_000_003, 2_000_003, 3_000_017, 4_000_037
#: Rows that are computed together: their truths are in memory twice for a moment.
TOGETHER = 8192


class BadRowError(TengriError, ArithmeticError):
    """A training row without finite flux; ``row`` is the global index of the first."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


class RowMaker:
    """Makes rows of a problem.

    Parameters
    ----------
    problem : Problem
    seed : int
        Of the sequence of draws.
    sampler : {"sobol", "random"}
    """

    def __init__(self, problem: Problem, seed: int, sampler: str = "sobol") -> None:
        self.problem = problem
        self.seed = seed
        self.sampler = sampler

    def draw(self, start: int, n: int) -> dict[str, np.ndarray]:
        """Return the free parameters of rows ``start`` … ``start + n``."""
        spec = self.problem.spec
        if self.sampler == "sobol" and spec.n_latent:
            drawn = spec.sample_sobol(n, seed=self.seed, skip=start)
        else:
            drawn = self.problem.random_rows(jax.random.key(self.seed), start + np.arange(n))
        return {name: np.asarray(drawn[name]) for name in spec.free_params}

    def make(self, start: int, n: int) -> Rows:
        """Return rows ``start`` … ``start + n``."""
        drawn = self.draw(start, n)
        return Rows(start, self.inputs(drawn), self.flux(drawn))

    def inputs(self, drawn: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the raw network inputs (n, n_in)."""
        columns = [np.reshape(drawn[name], (len(drawn[name]), -1))
                   for name in self.problem.target.input_names]  # fmt: skip
        return np.concatenate(columns, axis=1).astype(np.float32)

    def flux(self, drawn: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the exact truths (n, n_out) in the process's default float, chunk by chunk."""
        n = len(next(iter(drawn.values())))
        first = self._flux(drawn, 0, n)
        if len(first) == n:
            return first
        whole = np.empty((n, *first.shape[1:]), first.dtype)
        whole[: len(first)] = first
        for start in range(len(first), n, len(first)):
            whole[start : start + len(first)] = self._flux(drawn, start, n)
        return whole

    def _flux(self, drawn: Mapping[str, np.ndarray], start: int, n: int) -> np.ndarray:
        """Return the truths of the chunks that begin at row ``start`` of n."""
        problem = self.problem
        chunk = problem.sizes.chunk
        part = slice(start, min(start + max(1, TOGETHER // chunk) * chunk, n))
        packed = problem.model.pack({k: v[part] for k, v in drawn.items()}, batch=True)
        return np.asarray(problem.truths(problem.model.evaluator(), packed, problem.sizes))


def parameters_of(maker: RowMaker, row: int) -> dict[str, Any]:
    """Return the free parameters of one row as plain numbers, for messages and replays."""
    drawn = maker.draw(row, 1)
    return {name: value[0].tolist() for name, value in drawn.items()}


def describe(maker: RowMaker, rows: Rows, position: int) -> str:
    """Name the bands and parameters of a row that cannot be used."""
    flux = rows.flux[position]
    names = maker.problem.output_names
    finite = np.isfinite(flux).reshape(len(names), -1).all(axis=1)
    bands = [name for name, is_finite in zip(names, finite) if not is_finite]
    inputs = [c for c, x in zip(maker.problem.columns, rows.inputs[position]) if not np.isfinite(x)]
    values = parameters_of(maker, rows.start + position)
    shown = ", ".join(f"{k}={v:.9g}" if isinstance(v, float) else k for k, v in values.items())
    what = f"no finite flux in {', '.join(bands)}" if bands else "no light in any band"
    what = f"no finite {', '.join(inputs)}" if inputs else what
    return f"row {rows.start + position}: {what} at {shown}"
