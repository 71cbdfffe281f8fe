"""The plan of a run: read from its folder, or made from measured costs and stored there."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from emulator.scaling import OutputScaling
from tengri.errors import DataError
from train import devices
from train.config import Config
from train.problem import Problem
from train.rows import RowMaker
from train.rowset import Rows
from train.runfolder import RunFolder
from train.schedule import Costs, Plan
from train.step import Pool, State, compiled, init

MEASURED_ROWS = 2  # chunks of the exact model that are timed
MEASURED_STEPS = 8


def stored(inputs: dict[str, str], folder: RunFolder, content: dict[str, Any]) -> Any:
    """Return plan and output scaling that a run folder holds; ``inputs`` are today's digests.

    Raises
    ------
    DataError
        They are malformed, or files that the run was planned with are others now.
    """
    try:
        _check_inputs(inputs, folder, dict(content["inputs"]))
        arrays = {k: np.asarray(v, np.float32) for k, v in content["scaling"].items()}
        return Plan.from_dict(content["plan"]), OutputScaling.from_dict(arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{folder.path / 'plan.json'}: malformed ({error!r}).") from None


def stored_costs(folder: RunFolder) -> Costs:
    """Return what was measured when the plan of a run was made; raises as `stored` does."""
    try:
        return Costs(**(folder.plan() or {})["costs"])
    except (KeyError, TypeError) as error:
        raise DataError(f"{folder.path / 'plan.json'}: malformed ({error!r}).") from None


def _check_inputs(now: dict[str, str], folder: RunFolder, planned: dict[str, str]) -> None:
    """Raise where a file that the run was planned with is another one now."""
    changed = [name for name, digest in planned.items() if now.get(name) != digest]
    if changed:
        raise DataError(
            f"{folder.path}: {' and '.join(changed)} changed since this run began. Bring "
            "back the files it began with, or start a new run."
        )


def measure(problem: Problem, maker: RowMaker, scaling: OutputScaling, rows: Rows) -> Costs:
    """Time the exact model and a few real steps."""
    config = problem.config
    chunk, o = config.data.chunk, config.optimiser
    row = 0.0
    if config.data.source == "streaming":
        drawn = maker.draw(0, MEASURED_ROWS * chunk)
        row = _seconds(lambda: maker.flux(drawn)) / (MEASURED_ROWS * chunk)
    pool = devices.replicate(problem.to_pool(scaling, rows))
    optimiser, dispatch = compiled(problem.network, problem.target, o, (1000,))
    per_step = {}
    for size in {o.batch, o.late_batch if o.late else o.batch}:
        index = np.arange(MEASURED_STEPS * size, dtype=np.int32).reshape(-1, size)
        split = devices.split_rows(index % len(rows.flux))
        dispatched = partial(_dispatched, problem, dispatch, optimiser, pool, split)
        per_step[size] = _seconds(dispatched) / MEASURED_STEPS
    return Costs(row, per_step[o.batch], per_step.get(o.late_batch, per_step[o.batch]))


def _dispatched(problem: Problem, dispatch: Any, optimiser: Any, pool: Pool, rows: Any) -> Any:
    return dispatch(first_state(problem, optimiser), pool, rows)


def first_state(problem: Problem, optimiser: Any) -> State:
    """Return the state of step 0, a function of the seed."""
    key = jax.random.key(problem.config.run.seed)
    return devices.replicate(init(problem.init_params(key), optimiser))


def words(config: Config, plan: Plan, costs: Costs) -> list[str]:
    """Return costs and plan in words, line by line."""
    o = config.optimiser
    phases = ", then ".join(f"{p.steps} steps of {p.batch} rows" for p in plan.phases)
    return [
        f"exact model {1e6 * costs.row:.0f} µs/row, step {1e3 * costs.step:.1f} ms at batch "
        f"{o.batch}" + (f", {1e3 * costs.late_step:.1f} ms at {o.late_batch}" if o.late else ""),
        f"plan: {phases}; {plan.pools} pools of {plan.pool} rows, each used {plan.reuse} times",
    ]


def truncation(problem: Problem, scaling: OutputScaling, rows: Rows) -> list[str]:
    """Return in words what the principal components that are kept leave out."""
    error = problem.pca_truncation_error(scaling, rows)
    if error is None:
        return []
    return [f"{problem.n_latent} components: what they leave out is "
            f"{error[0]:.2g} / {error[1]:.2g} mmag (median / 99 %)"]  # fmt: skip


def _seconds(call: Callable[[], Any]) -> float:
    """Return the wall time of the best of four warm calls: others may use the machine too."""
    jax.block_until_ready(call())
    times = []
    for _ in range(4):
        begin = time.monotonic()
        jax.block_until_ready(call())
        times.append(time.monotonic() - begin)
    return min(times)
