"""``--dry-run``: estimate a training on this machine from a few measured steps."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from tengri.io.sharding import shard_bounds, shard_name
from tengri.progress import duration
from tengri.tabular import aligned
from train import tabulation
from train.allowance import expected_seconds
from train.config import Config
from train.loop import Loop
from train.planning import measure
from train.problem import Problem
from train.rows import RowMaker
from train.runfolder import RunFolder
from train.schedule import Costs, Plan, make_plan
from train.signals import Signals
from train.spectral.problem import SpectralProblem, is_spectral

BYTES = 4  # float32
NOTHING = "nothing has been written (dry run)"
CHECKPOINT_COPIES = 4  # weights, their mean and two moments


def describe(config: Config, out: Path) -> list[str]:
    """Measure a few real steps and return the plan, line by line; nothing stays on disk."""
    if is_spectral(config):
        words = SpectralProblem.build(config).words
        return [*words, f"would write: {out}/{{config.json, surrogate.h5, report/}}", NOTHING]
    problem = Problem.build(config)
    if problem.target.tabulated:
        return [*_model(problem), *tabulation.words(problem), *_files(problem, out)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder.create(Path(scratch) / "dry", problem.config, "dry run")
        loop = Loop(problem, folder, Signals())
        rows = loop.pools.raw(0)
        costs = measure(problem, loop.maker, problem.fit_scaling(rows), rows)
        loop.checkpoints.close()
    plan = make_plan(config, costs, loop.source.size, expected_seconds(config, costs))
    return [*_model(problem), *_work(problem, plan, costs), *_files(problem, out)]


def describe_rows(config: Config, shards: list[int], of: int, out: Path) -> list[str]:
    """Measure one chunk of a data set and return what making the shards would take."""
    problem = Problem.build(config)
    maker = RowMaker(problem, config.run.seed, config.data.sampler)
    chunk = min(config.data.chunk, config.data.rows)
    maker.make(0, chunk)  # compiles
    begin = time.perf_counter()
    maker.make(0, chunk)
    seconds = (time.perf_counter() - begin) / chunk
    bounds = [shard_bounds(config.data.rows, of, number) for number in shards]
    rows = sum(stop - start for start, stop in bounds)
    need = rows * (problem.target.n_in + problem.target.n_out) * BYTES + 1e5 * len(shards)
    return [
        *_model(problem),
        f"rows: {rows} in {len(shards)} of {of} shards",
        f"measured: {1e6 * seconds:.0f} µs/row on {chunk} rows",
        f"ETA {duration(rows * seconds)}",
        *_disk(need, out),
        f"would write: {out}/{{manifest.json, {shard_name(shards[0])} …}}",
        NOTHING,
    ]


def _model(problem: Problem) -> list[str]:
    filters = problem.model.observation.photometry.filters
    lines = ["parameters (free):"]
    lines += aligned(
        [(n, repr(problem.spec.get_distribution(n))) for n in problem.spec.free_params]
    )
    lines += ["bands:"]
    lines += aligned([(f.name, f"pivot {f.pivot:>9.1f} Å") for f in filters])
    lines.append(f"grid: {problem.model.ssp!r}")
    return lines


def _work(problem: Problem, plan: Plan, costs: Costs) -> list[str]:
    network = problem.config.network
    pool = plan.pool * (problem.target.n_in + 2 * problem.target.n_out) * BYTES
    state = CHECKPOINT_COPIES * problem.n_weights * BYTES
    phases = ", then ".join(f"{p.steps} steps of {p.batch} rows" for p in plan.phases)
    seconds = plan_seconds(plan, costs) + expected_seconds(problem.config, costs)
    return [
        f"network: {network.name} {network.width} × {network.depth}, {problem.n_weights} weights",
        f"memory: pool {pool / 1e6:.1f} MB, state {state / 1e6:.1f} MB",
        f"rows: {plan.pools} pools of {plan.pool} = {plan.pools * plan.pool}, each used "
        f"{plan.reuse} times",
        f"plan: {phases}",
        f"measured: exact model {1e6 * costs.row:.0f} µs/row; "
        f"{1.0 / costs.step:.1f} steps/s at first, {1.0 / costs.late_step:.1f} later",
        f"ETA {duration(seconds)}",
    ]


def plan_seconds(plan: Plan, costs: Costs) -> float:
    """Return the expected seconds of training, generation included."""
    steps = [costs.step, costs.late_step][-len(plan.phases):]  # fmt: skip
    training = sum(p.steps * s for p, s in zip(plan.phases, steps))
    return training + plan.pools * plan.pool * costs.row


def _files(problem: Problem, out: Path) -> list[str]:
    state = CHECKPOINT_COPIES * problem.n_weights * BYTES
    need = (problem.config.run.keep + 2) * state + problem.n_weights * BYTES + 5e6
    return [
        *_disk(need, out),
        f"would write: {out}/{{config.json, plan.json, state/, metrics.jsonl, tensorboard/, "
        "surrogate.h5, report/}",
        NOTHING,
    ]


def _disk(need: float, out: Path) -> list[str]:
    place = out.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    verdict = "enough" if free > 2 * need else "NOT ENOUGH"
    return [f"disk: about {need / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free: {verdict}"]
