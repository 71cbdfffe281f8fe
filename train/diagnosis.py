"""Where a number that is not finite came from: the row of a pool, the galaxy, the bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from train.held_out import HeldOut
from train.problem import Problem
from train.rows import RowMaker, describe
from train.rowset import Rows
from train.step import Loss, Pool


def culprit(
    problem: Problem, loss: Loss, params: Any, pool: Pool, index: np.ndarray
) -> tuple[int, str]:
    """Return the pool position of the first row that spoils a batch, and its bands in words.

    ``index`` are the row numbers of the batch, ``params`` the weights before it.
    """
    batch = pool.take(jnp.asarray(index))
    outputs = problem.network.apply(params, batch.rows.x)
    arrays = [*jax.tree.leaves(batch.rows), outputs]
    good = np.all([_finite_rows(a) for a in arrays], axis=0)
    if good.all():
        one = jax.vmap(lambda i: jax.grad(loss)(params, batch.take(i[None])))
        grad = one(jnp.arange(len(index)))
        rows = np.flatnonzero(~np.all([_finite_rows(g) for g in jax.tree.leaves(grad)], axis=0))
        first = int(rows[0]) if rows.size else 0
        return int(index[first]), "" if rows.size else " (no single row: the step overflowed)"
    first = int(np.flatnonzero(~good)[0])
    return int(index[first]), _bands_of(problem, np.asarray(batch.rows.y[first]))


def _bands_of(problem: Problem, y: np.ndarray) -> str:
    """Name the bands in which a row's targets are not finite."""
    if len(y) != problem.target.n_out:
        return ""
    names = problem.output_names
    finite = np.isfinite(y).reshape(len(names), -1).all(axis=1)
    bad = [name for name, is_finite in zip(names, finite) if not is_finite]
    return f" in {', '.join(bad)}" if bad else ""


def first_bad(held_out: HeldOut, emulated: np.ndarray, bands: tuple[str, ...]) -> str:
    """Name the first held-out galaxy and band without a finite flux."""
    bad = np.argwhere(~np.isfinite(emulated))
    if not bad.size:
        return "nowhere (their exact fluxes are not)"
    row, band = (int(i) for i in bad[0])
    values = ", ".join(f"{k}={np.ravel(v[row])[0]:.6g}" for k, v in held_out.params.items())
    return f"{bands[band]} at {values}"


def describe_row(maker: RowMaker, rows: Rows, position: int) -> str:
    """Name a row of a pool by its parameters."""
    return describe(maker, rows, position).replace("no light in any band", "see parameters")


def replay(run: Path, row: int) -> str:
    """Return how to look at a row of a run."""
    return f"Replay it in the exact model: tengri replay {run} --row {row}."


def _finite_rows(a: Any) -> np.ndarray:
    """Return whether all numbers of each row are finite, (n,)."""
    return np.isfinite(np.asarray(a)).reshape(len(a), -1).all(axis=1)
