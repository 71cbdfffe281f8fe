"""How long, in which batches, from which pools: decided once, kept with the run.

What was measured on the day (costs, hence reuse and number of steps) is written into the plan.
Afterwards a batch is a pure function of (plan, seed, step), so that a resumed run is
bit-identical to one that never stopped.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from train.config import Config

#: Generation may take as long as this many times the training on its rows.
GENERATION_SHARE = 0.5
MAX_REUSE = 32
#: Of the time of training: what is left by compiling, validating and saving.
USABLE = 0.93
#: Least share of the budget that is spent on training.
TRAINED = 0.5


class Costs(NamedTuple):
    """Measured seconds: making one row, and one step at either batch size."""

    row: float
    step: float
    late_step: float


@dataclass(frozen=True)
class Phase:
    """Consecutive steps of one batch size; the first uses pool ``first_pool``."""

    steps: int
    batch: int
    first_pool: int


@dataclass(frozen=True)
class Plan:
    """The schedule of a run.

    Attributes
    ----------
    seed, pool, reuse : int
        Seed; rows of one pool and how often each is used.
    phases : tuple of Phase
    polish : int
        L-BFGS iterations after the last phase.
    dispatch : int
        Most steps of one compiled call.
    legs : tuple of int
        Steps of each schedule of the learning rate, where the run was made longer.
    """

    seed: int
    pool: int
    reuse: int
    phases: tuple[Phase, ...]
    polish: int
    dispatch: int
    legs: tuple[int, ...] = ()

    @property
    def steps(self) -> int:
        """Steps of the schedule, without the polish."""
        return sum(phase.steps for phase in self.phases)

    @property
    def legs_or_whole(self) -> tuple[int, ...]:
        """Steps of each schedule of the learning rate."""
        return self.legs or (self.steps,)

    @property
    def total(self) -> int:
        """All steps."""
        return self.steps + self.polish

    @property
    def pools(self) -> int:
        """Pools that the phases use."""
        last = self.phases[-1]
        return last.first_pool + -(-last.steps // self.steps_per_pool(last))

    def steps_per_pool(self, phase: Phase) -> int:
        """Return how many steps one pool serves."""
        return self.reuse * (self.pool // phase.batch)

    def blocks(self, step: int) -> Iterator[Block]:
        """Yield the dispatches from ``step`` on; none spans two pools or phases."""
        start = 0
        for phase in self.phases:
            per_pool = self.steps_per_pool(phase)
            for first in range(0, phase.steps, per_pool):
                last = min(first + per_pool, phase.steps)
                pool = phase.first_pool + first // per_pool
                for begin in range(first, last, self.dispatch):
                    end = min(begin + self.dispatch, last)
                    if start + begin >= step:
                        local = range(begin - first, end - first)
                        yield Block(start + begin, pool, self._rows(pool, phase.batch, local))
            start += phase.steps

    def pools_used(self, step: int) -> int:
        """Return how many pools the first ``step`` steps use."""
        used = -1
        for block in self.blocks(0):
            if block.start >= step:
                break
            used = block.pool
        return used + 1

    def _rows(self, pool: int, batch: int, steps: range) -> np.ndarray:
        """Return row numbers (steps, batch): a fresh permutation of the pool for each use."""
        per_epoch = self.pool // batch
        rows = np.empty((len(steps), batch), np.int32)
        order: np.ndarray = np.empty(0)
        epoch_of_order = -1
        for i, step in enumerate(steps):
            epoch, place = divmod(step, per_epoch)
            if epoch != epoch_of_order:
                generator = np.random.default_rng((self.seed, pool, epoch))
                order, epoch_of_order = generator.permutation(self.pool), epoch
            rows[i] = order[place * batch : (place + 1) * batch]
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = dataclasses.asdict(self)
        return values if self.legs else {k: v for k, v in values.items() if k != "legs"}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        """Rebuild what `to_dict` describes; raises ValueError where no plan can be like that."""
        parts = {"phases": tuple(Phase(**p) for p in data["phases"]),
                 "legs": tuple(data.get("legs", ()))}  # fmt: skip
        plan = cls(**{**data, **parts})
        _check_counts(plan)
        return plan


def _check_counts(plan: Plan) -> None:
    """Raise ValueError for numbers that no plan has."""
    sizes = [plan.pool, plan.reuse, plan.dispatch, *(p.batch for p in plan.phases)]
    counts = [plan.seed, plan.polish, *(p.steps for p in plan.phases)]
    counts += [*(p.first_pool for p in plan.phases), *plan.legs]
    if not all(type(n) is int for n in (*sizes, *counts)):
        raise ValueError("a count is no whole number")
    if plan.legs and sum(plan.legs) != plan.steps:
        raise ValueError("the legs are not as long as the phases")
    if min(sizes) < 1 or min(counts) < 0 or any(p.batch > plan.pool for p in plan.phases):
        raise ValueError("a count is too small or too large")


class Block(NamedTuple):
    """Steps ``start`` … ``start + len(rows)``, all from one pool."""

    start: int
    pool: int
    rows: np.ndarray


def choose_reuse(config: Config, costs: Costs, pool: int) -> int:
    """Return how often to use a pool: as seldom as keeps generation a modest cost."""
    if config.data.reuse:
        return config.data.reuse
    per_row = costs.step / config.optimiser.batch
    return int(np.clip(math.ceil(costs.row / (GENERATION_SHARE * per_row)), 1, MAX_REUSE))


def seconds_per_step(config: Config, plan: Plan, costs: Costs) -> float:
    """Return the expected seconds of a step of the last phase, its rows and its overhead in it."""
    batch = plan.phases[-1].batch
    step = costs.step if batch == config.optimiser.batch else costs.late_step
    return (step + batch * costs.row / plan.reuse) / USABLE


def make_plan(config: Config, costs: Costs, pool: int, elsewhere: float = 0.0) -> Plan:
    """Return the plan for a configuration and what things cost here.

    ``elsewhere`` are seconds of the budget that go to what is not training: planning, and what
    follows. At least ``TRAINED`` of the budget is trained, however short it is.
    """
    reuse = choose_reuse(config, costs, pool)
    early, late = _split_steps(config, costs, reuse, elsewhere)
    o = config.optimiser
    phases = [Phase(early, o.batch, 0)] if early else []
    per_pool = reuse * (pool // o.batch)
    if late:
        phases.append(Phase(late, o.late_batch, -(-early // per_pool)))
    return Plan(config.run.seed, pool, reuse, tuple(phases), o.polish, config.run.dispatch)


def _split_steps(config: Config, costs: Costs, reuse: int, elsewhere: float) -> tuple[int, int]:
    """Return the steps at either batch size."""
    o = config.optimiser
    late = o.late if o.late_batch != o.batch else 0.0
    if config.run.steps:
        # the shares are of rows seen
        early_weight, late_weight = (1.0 - late) / o.batch, late / o.late_batch
        share = late_weight / (early_weight + late_weight)
        n_late = round(share * config.run.steps)
        return config.run.steps - n_late, n_late
    generation = costs.row / reuse
    early_row = costs.step / o.batch + generation
    late_row = costs.late_step / o.late_batch + generation
    whole = 60.0 * config.run.minutes
    seconds = USABLE * max(whole - elsewhere, TRAINED * whole)
    rows = seconds / ((1.0 - late) * early_row + late * late_row)
    return max(1, int((1.0 - late) * rows / o.batch)), int(late * rows / o.late_batch)
