"""The polish at the end of a run: L-BFGS over one fixed set of rows, from the averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from train.problem import Problem
from train.rows import POLISH, RowMaker
from train.rowset import Rows
from train.schedule import Plan
from train.step import Pool, State, Trace, compiled_polish


class Polish:
    """The iterations of a plan that follow its steps."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        config = problem.config
        self.plan = plan
        self.optimiser, self._iterate = compiled_polish(
            problem.network, problem.target, config.optimiser
        )
        self.maker = RowMaker(problem, config.run.seed + POLISH, config.data.sampler)
        self.n_rows = config.optimiser.polish_rows

    def rows(self) -> Rows:
        """Return the rows, none of which were trained on."""
        return self.maker.make(0, self.n_rows)

    def fresh(self, state: State, params: Any) -> State:
        """Return a state that begins at weights with nothing known of their curvature."""
        return state._replace(params=params, opt_state=self.optimiser.init(params))

    def begun(self, state: State) -> State:
        """Return the state that the iterations start from: after the steps, the mean weights."""
        if int(state.step) != self.plan.steps:
            return state
        return self.fresh(state, jax.tree.map(jnp.copy, state.ema))

    def iterations(self, state: State, pool: Pool) -> Iterator[tuple[int, State, Trace]]:
        """Yield (step, state, trace) up to the plan's end; it ends early by closing it."""
        for step in range(int(state.step) + 1, self.plan.total + 1):
            state, trace = self._iterate(state, pool)
            yield step, state, trace
