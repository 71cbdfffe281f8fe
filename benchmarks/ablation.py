"""What each choice of the training is worth: one change at a time, at equal wall-clock.

    python benchmarks/ablation.py [--seconds 60] [--seeds 3] [-o benchmarks/results/ablation.json]

The kernel of SDSS (``sdss``) is trained on the same rows with every choice. The cost of a step
is measured for all of them, interleaved; each then gets as many steps as fit into the same time,
whatever else the machine does. |Δm| is against the float64 exact model on fresh draws from six
families of histories.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from soap import soap

from tengri.analysis import accuracy
from tengri.io.jsonable import jsonable
from train import config as configs
from train.config import Config
from train.optimisers import polisher, schedule
from train.problem import Problem
from train.rows import POLISH, VALIDATION, RowMaker
from train.schedule import Phase, Plan
from train.step import (
    Pool,
    State,
    compiled,
    init,
    make_dispatch,
    make_loss,
    make_polish,
    make_step,
)

BASE = "sdss"
#: name → changes of the configuration
CHOICES: dict[str, dict[str, Any]] = {
    "default: Muon, EMA, redshift table": {},
    "a table of metals, too": {"network.tables": ["met_logzsol"]},
    "AdamW": {"optimiser.name": "adamw", "optimiser.learning_rate": 3e-3},
    "NAdam": {"optimiser.name": "nadam", "optimiser.learning_rate": 3e-3},
    "SOAP": {"optimiser.name": "soap", "optimiser.learning_rate": 3e-3},
    "no EMA": {"optimiser.ema": 0.0},
    "L-BFGS polish in the last fifth": {"polish": 0.2},
    "Fourier features of redshift": {"network.redshift": "fourier"},
    "no features of redshift": {"network.redshift": "none"},
    "Huber loss": {"optimiser.loss": "huber"},
}
POOLS, DISPATCH, POLISH_ROWS = 3, 32, 8192
QUANTILES = ("p50", "p68", "p95", "p99", "p99.9")


def main() -> None:
    """Measure costs, train, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=12_000, help="galaxies it is judged on")
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/ablation.json")
    args = parser.parse_args()
    choices = {name: Choice(changed(changes)) for name, changes in CHOICES.items()}
    costs = step_costs(choices)
    truth = Choice.problem_of(changed({})).held_out(VALIDATION, args.rows)
    rows: dict[str, Any] = {}
    for name, choice in choices.items():
        steps = max(DISPATCH, int(args.seconds * (1.0 - choice.polish) / costs[name]))
        runs = [choice.judged(seed, steps, args.seconds, truth) for seed in range(args.seeds)]
        rows[name] = {"ms_per_step": 1e3 * costs[name], "steps": steps, "seeds": runs}
        rows[name] |= {q: statistics.median(run[q] for run in runs) for q in QUANTILES}
        print(line(name, rows[name]), flush=True)
        record = {"base": BASE, "seconds": args.seconds, "galaxies": args.rows,
                  "jax": jax.__version__, "rows_of_training": POOLS * Choice.pool_size,
                  "choices": rows}  # fmt: skip
        args.output.write_text(json.dumps(jsonable(record), indent=1) + "\n")


def changed(changes: dict[str, Any]) -> tuple[Config, dict[str, Any]]:
    """Return the base configuration with changes, and those that are none of its keys."""
    data = configs.to_dict(configs.load(BASE))
    rest = {}
    for key, value in changes.items():
        section, _, name = key.partition(".")
        if not name or value == "soap":
            rest[name or section] = value
        else:
            data[section][name] = value
    return configs.from_dict(data), rest


class Choice:
    """One choice: its compiled steps, on rows that all choices share."""

    pool_size = 32768
    _problems: dict[str, Problem] = {}  # noqa: RUF012 -- a cache of the process
    _pools: list[Pool] = []  # noqa: RUF012

    def __init__(self, given: tuple[Config, dict[str, Any]]) -> None:
        self.config, rest = given
        self.polish = float(rest.get("polish", 0.0))
        self.is_soap = rest.get("name") == "soap"
        self.problem = self.problem_of(given)
        o = self.config.optimiser
        self.loss = make_loss(self.problem.network, self.problem.target, o.loss)

    @classmethod
    def problem_of(cls, given: tuple[Config, dict[str, Any]]) -> Problem:
        """Return the problem of a configuration: one for each network."""
        key = repr(given[0].network)
        if key not in cls._problems:
            cls._problems[key] = Problem.build(given[0])
        return cls._problems[key]

    @classmethod
    def pools(cls) -> list[Pool]:
        """Return the rows that all choices train on."""
        if not cls._pools:
            problem = cls.problem_of(changed({}))
            maker = RowMaker(problem, 0)
            made = [maker.make(i * cls.pool_size, cls.pool_size) for i in range(POOLS)]
            scaling = problem.fit_scaling(made[0])
            cls._pools = [problem.to_pool(scaling, rows) for rows in made]
        return cls._pools

    def compiled(self, steps: int) -> tuple[Any, Any]:
        """Return the optimiser and its dispatch for a schedule."""
        o = self.config.optimiser
        if not self.is_soap:
            return compiled(self.problem.network, self.problem.target, o, steps)
        optimiser = soap(schedule(o, steps))
        return optimiser, make_dispatch(make_step(self.loss, optimiser, o))

    def start(self, seed: int, optimiser: Any) -> State:
        """Return the state of step 0."""
        return init(self.problem.init_params(jax.random.key(seed)), optimiser)

    def trained(self, seed: int, steps: int) -> State:
        """Return the state after the schedule."""
        optimiser, dispatch = self.compiled(steps)
        state, pools = self.start(seed, optimiser), self.pools()
        batch = self.config.optimiser.batch
        plan = Plan(seed, self.pool_size, 1, (Phase(steps, batch, 0),), 0, DISPATCH)
        for block in plan.blocks(0):
            state, _ = dispatch(state, pools[block.pool % POOLS], jnp.asarray(block.rows))
        return jax.block_until_ready(state)

    def judged(self, seed: int, steps: int, seconds: float, truth: Any) -> dict[str, float]:
        """Train and return percentiles of |Δm| [mmag]."""
        params = self.trained(seed, steps).ema
        if self.polish:
            params = self.polished(params, self.polish * seconds)
        emulated = self._emulated(params, truth)
        return {q: accuracy.percentile(truth.flux, emulated, float(q[1:])) for q in QUANTILES}

    def _emulated(self, params: Any, truth: Any) -> np.ndarray:
        """Return what this choice's network says of the galaxies."""
        families = (replace(t, network=self.problem.network) for t in truth.families)
        scaling = self.pools()[0].scaling
        said = [t.emulated(params, scaling, part) for t, part in zip(families, truth.parts)]
        return np.concatenate(said)

    def polished(self, params: Any, seconds: float) -> Any:
        """Run L-BFGS on a fixed set for a time: its steps differ too much to be counted."""
        optimiser = polisher()
        step = make_polish(self.loss, optimiser)
        problem = self.problem
        rows = RowMaker(problem, POLISH).make(0, POLISH_ROWS)
        pool = problem.to_pool(self.pools()[0].scaling, rows)
        state = State(params, optimiser.init(params), params, jnp.zeros((), jnp.int32))
        jax.block_until_ready(step(state, pool))
        begin = time.process_time()
        while time.process_time() - begin < seconds:
            state, _ = jax.block_until_ready(step(state, pool))
        return state.params


def step_costs(choices: dict[str, Choice]) -> dict[str, float]:
    """Return the processor seconds of a step, medians of interleaved repeats."""
    calls = {name: _dispatch_call(choice) for name, choice in choices.items()}
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(5):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            times[name].append((time.process_time() - begin) / DISPATCH)
    return {name: statistics.median(t) for name, t in times.items()}


def _dispatch_call(choice: Choice) -> Any:
    optimiser, dispatch = choice.compiled(1000)
    batch, pool = choice.config.optimiser.batch, choice.pools()[0]
    rows = jnp.asarray(np.arange(DISPATCH * batch, dtype=np.int32).reshape(DISPATCH, batch))
    return lambda: jax.block_until_ready(dispatch(choice.start(0, optimiser), pool, rows))


def line(name: str, row: dict[str, Any]) -> str:
    """Return one row of the table as text."""
    errors = "".join(f"{row[q]:8.2f}" for q in QUANTILES)
    return f"{name:38s}{row['steps']:7d} steps{errors}"


if __name__ == "__main__":
    main()
