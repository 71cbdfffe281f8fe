"""Tiny trainings: two bands, three free parameters, the exact model of the package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from emulator.scaling import OutputScaling
from train.config import (
    Config,
    DataOptions,
    ModelOptions,
    NetworkOptions,
    OptimiserOptions,
    RunOptions,
)
from train.loop import Loop, Trained
from train.pools import Source
from train.problem import Problem
from train.rows import RowMaker, Rows
from train.runfolder import RunFolder
from train.schedule import Costs, make_plan
from train.signals import Signals


@pytest.fixture(autouse=True)
def float32() -> Iterator[None]:
    """Training runs in JAX's own default precision."""
    with jax.enable_x64(False):
        yield


CONFIG = Config(
    model=ModelOptions(
        bands=("sdss_g", "sdss_r"),
        parameters={
            "sfh_tsnorm_log_peak_sfr": (-1.0, 2.0),
            "sfh_tsnorm_peak_lbt_frac": (0.1, 0.9),
            "sfh_tsnorm_width_frac": 0.2,
            "met_logzsol": (-1.0, 0.2),
            "dust_tau_diff": 0.3,
            "redshift": (0.02, 0.1),
        },
    ),
    data=DataOptions(pool=256, reuse=2, chunk=128),
    network=NetworkOptions(width=16, depth=2, knots=8, features=2),
    optimiser=OptimiserOptions(batch=64, late_batch=64, learning_rate=0.02, ema=0.98),
    run=RunOptions(
        steps=24, dispatch=4, validation_rows=64, evaluation_rows=128, timing_rows=0,
        jacobian_rows=0, validate_seconds=1000.0, save_seconds=1000.0, log_seconds=1000.0,
    ),
)  # fmt: skip


def changed(config: Config, section: str, **values: Any) -> Config:
    """Return the configuration with some values of one section replaced."""
    return replace(config, **{section: replace(getattr(config, section), **values)})


@pytest.fixture(scope="session")
def problem() -> Problem:
    """The exact model and network of `CONFIG`; compiled once for all tests."""
    return _problem()


@cache  # one for all folders of tests that import the fixture
def _problem() -> Problem:
    with jax.enable_x64(False):
        return Problem.build(CONFIG)


def with_config(problem: Problem, config: Config) -> Problem:
    """Return the problem under another configuration of the same model, still compiled."""
    other = replace(problem, config=config)
    for name in ("truths", "random_rows", "outputs", "families"):
        other.__dict__[name] = getattr(problem, name)
    return other


def trained(problem: Problem, folder: Path, signals: Signals | None = None) -> Trained:
    """Run the loop in a new or existing folder."""
    run = RunFolder.open(folder) if folder.exists() else new_run(problem, folder)
    return Loop(problem, run, signals or Signals()).run()


def new_run(problem: Problem, folder: Path) -> RunFolder:
    """Make a run folder, with a plan from made-up costs: measuring takes seconds."""
    run = RunFolder.create(folder, problem.config, "test")
    costs = Costs(row=1e-4, step=1e-3, late_step=2e-3)
    plan = make_plan(problem.config, costs, problem.config.data.pool)
    run.write_plan(plan, scaling_of(problem), costs, problem.inputs)
    return run


def scaling_of(problem: Problem) -> OutputScaling:
    """Return the scaling that the loop itself would find."""
    maker = RowMaker(problem, problem.config.run.seed)
    return problem.fit_scaling(maker.make(0, problem.config.data.pool))


class Poisoned:
    """A source of rows with one NaN in it, in the second column."""

    def __init__(self, source: Source, row: int, where: str) -> None:
        self.source, self.row, self.where, self.size = source, row, where, source.size
        self.inputs = source.inputs

    def rows(self, number: int) -> Rows:
        rows = self.source.rows(number)
        if rows.start <= self.row < rows.start + len(rows.flux):
            values = np.array(getattr(rows, self.where))
            values[self.row - rows.start, 1] = np.nan
            return rows._replace(**{self.where: values})
        return rows
