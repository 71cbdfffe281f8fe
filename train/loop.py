"""The training loop: it decides when; what happens in a step is in `train.step`.

Order of a start or a resume:

1. the plan is read, or made from measurements and written;
2. the newest good checkpoint is restored into a target rebuilt from the configuration, or
   step 0 is made from the seed;
3. blocks of steps follow the plan from there; between blocks: live numbers, log, checkpoint;
4. the polish, if any; a last checkpoint.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from emulator.scaling import OutputScaling
from tengri.errors import DataError, TengriError
from train import devices, planning
from train.allowance import expected_seconds
from train.checkpoints import Checkpoints, NonFiniteError
from train.config import Config
from train.diagnosis import culprit, describe_row, replay
from train.logs import Log, Progress
from train.polish import Polish
from train.pools import Pools, open_source
from train.problem import Problem
from train.rows import BadRowError, describe
from train.runfolder import RunFolder
from train.schedule import Block, Plan, make_plan
from train.signals import Signals, Stopped
from train.step import Pool, State, compiled, make_loss
from train.validation import NaNStop, Validation

logger = logging.getLogger(__name__)


@dataclass
class Trained:
    """Result of the loop, for the evaluation."""

    params: Any
    scaling: OutputScaling
    steps: int
    rows: int
    seconds: float


class Loop:
    """One session of training in a run folder.

    Parameters
    ----------
    problem : Problem
    folder : RunFolder
    signals : Signals
        Ask for a stop.
    """

    def __init__(self, problem: Problem, folder: RunFolder, signals: Signals) -> None:
        self.problem, self.folder, self.signals = problem, folder, signals
        self.made = time.monotonic()
        self.config: Config = problem.config
        self.source, self.maker = open_source(problem)
        self.pools = Pools(problem, self.source, self.maker, self._note)
        o = self.config.optimiser
        self.loss = make_loss(problem.network, problem.target, o.loss, o.sobolev, o.faint)
        self.progress: Progress | None = None
        self.checkpoints = Checkpoints(folder.path, self.config.run.keep)
        for size in (self.config.optimiser.batch, self.config.optimiser.late_batch):
            devices.check_batch(size)

    # --- the session ----------------------------------------------------------------------

    def run(self) -> Trained:
        """Train to the end of the plan, or until told to stop.

        Raises
        ------
        Stopped
            After a signal, with the state saved.
        NaNStop, BadRowError
            Numbers that are not finite; the last good state is saved.
        """
        self.plan, self.scaling = self._plan()
        network, target, legs = self.problem.network, self.problem.target, self.plan.legs_or_whole
        self.optimiser, self.dispatch = compiled(network, target, self.config.optimiser, legs)
        state = self._start()
        self.validation = Validation(self.problem)
        first = int(state.step)
        self.log = Log(self.folder.path, first) if devices.is_first() else None
        self.progress = Progress(
            self.plan.total, self.config.run.log_seconds, quiet=not devices.is_first(),
            after=expected_seconds(self.config, planning.stored_costs(self.folder)),
        )  # fmt: skip
        self.began, self.elapsed_before = time.monotonic(), self.folder.seconds()
        try:
            with self.signals.deferred():
                state, reached = self._blocks(state)
                if not reached:
                    state = self._polish(state)
                self._validate(state)
                self._save(state)
            if devices.agree(bool(self.signals.received))[0]:
                raise self._stopped(state)
        finally:
            self.progress.close()
            if self.log is not None:
                self.log.close()
            self.checkpoints.close()
        return Trained(
            jax.tree.map(np.asarray, state.ema), self.scaling, int(state.step),
            self.plan.pools_used(int(state.step)) * self.source.size, self._seconds(),
        )  # fmt: skip

    def _note(self, text: str) -> None:
        if devices.is_first():
            logger.info(text)

    # --- 1. the plan ------------------------------------------------------------------------

    def _plan(self) -> tuple[Plan, OutputScaling]:
        content = self.folder.plan()
        if content is None:
            self._note("exact model: compiling and measuring …")
            rows = self._usable(partial(self.pools.raw, 0), None)
            scaling = self.problem.fit_scaling(rows)
            costs = planning.measure(self.problem, self.maker, scaling, rows)
            elsewhere = time.monotonic() - self.made + expected_seconds(self.config, costs)
            plan = make_plan(self.config, costs, self.source.size, elsewhere)
            for text in (*planning.words(self.config, plan, costs),
                         *planning.truncation(self.problem, scaling, rows)):  # fmt: skip
                self._note(text)
            if devices.is_first():
                self.folder.write_plan(plan, scaling, costs, _inputs(self.problem, self.source))
            devices.wait("plan")
            content = self.folder.plan() or {}
        return planning.stored(_inputs(self.problem, self.source), self.folder, content)

    # --- 2. the state -----------------------------------------------------------------------

    def _target(self, step: int) -> State:
        """Return a state with the shapes of step ``step``."""
        fresh = planning.first_state(self.problem, self.optimiser)
        if step > self.plan.steps:
            return Polish(self.problem, self.plan).fresh(fresh, fresh.params)
        return fresh

    def _start(self) -> State:
        for message in self.checkpoints.messages:
            self._note(message)
        restored = self.checkpoints.restore(self._target)
        if restored is None:
            if self.checkpoints.messages:
                self._note("no good checkpoint is left: starting from step 0")
            return planning.first_state(self.problem, self.optimiser)
        _check_step(self.checkpoints.states, restored.step, int(restored.state.step))
        self._note(f"resuming from checkpoint {restored.step} of {self.plan.total} steps")
        return devices.replicate(restored.state)

    # --- 3. blocks of steps -----------------------------------------------------------------

    def _blocks(self, state: State) -> tuple[State, bool]:
        """Run the plan's blocks; return the state and whether ``until`` was reached."""
        run = self.config.run
        last_validation = last_save = time.monotonic()
        done, since = -1, 0.0  # set after the first block, which compiles
        pool: Any = None
        for block in self.plan.blocks(int(state.step)):
            pool = None  # an old one goes before a new one is made
            pool = self._usable(partial(self.pools.get, block.pool, self.scaling), state)
            state, trace = self.dispatch(state, pool, devices.split_rows(block.rows))
            if not bool(trace.finite.all()):
                self._nan(state, block, pool)
            now, step = time.monotonic(), block.start + len(block.rows)
            if done < 0:
                done, since = step, now
            rate = (step - done) / max(now - since, 1e-9)
            loss = float(trace.loss[-1])
            stop, validate, save = devices.agree(
                bool(self.signals.received),
                now - last_validation > self.validation.pace(run.validate_seconds)
                or step >= self.plan.steps,
                now - last_save > run.save_seconds,
            )
            if validate:
                scalars = {"loss": loss, "grad_norm": float(trace.grad_norm[-1]), "rate": rate}
                self._validate(state, scalars)
                if self.validation.is_reached:
                    self._note(f"{run.until} reached on the validation set at step {step}")
                    return state, True
                last_validation = time.monotonic()
            if self.progress is not None:
                self.progress.show(step, rate, loss)
            if self._stop_or_save(state, stop, save):
                last_save = time.monotonic()
        return state, False

    def _stop_or_save(self, state: State, stop: bool, save: bool) -> bool:
        """Save where either is due, then stop if told to; return whether it was saved."""
        if stop or save:
            self._save(state)
        if stop:
            raise self._stopped(state)
        return save

    def _stopped(self, state: State) -> Stopped:
        return Stopped(
            f"stopped at step {int(state.step)} of {self.plan.total}, saved and verified. "
            f"Continue with: tengri resume {self.folder.path}"
        )

    def _validate(self, state: State, scalars: dict[str, float] | None = None) -> None:
        """Refresh the live numbers; NaN there is an error, never a metric."""
        step = int(state.step)
        if self.validation.step == step and scalars is None:
            return
        self.validation.measure(step, state.ema, self.scaling, self._last_good())
        if self.progress is not None:
            self.progress.accuracy = self.validation.text
        if self.log is not None:
            named = {f"dm_{k}_mmag": v for k, v in self.validation.numbers.items()}
            self.log.write(step, {**named, **(scalars or {})})

    def _save(self, state: State) -> None:
        self._validate(state)
        step = int(state.step)
        if step > 0:
            self.checkpoints.save(step, state, self.validation.numbers["p99"])
            if devices.is_first():
                self.folder.write_seconds(self._seconds())

    def _seconds(self) -> float:
        return self.elapsed_before + time.monotonic() - self.began

    # --- NaN --------------------------------------------------------------------------------

    def _usable(self, make: Callable[[], Any], state: State | None) -> Any:
        """Return what ``make`` returns; before a bad row ends the run, the state is saved."""
        try:
            return make()
        except BadRowError as error:
            step = 0 if state is None else int(state.step)
            if state is not None:
                self._keep(state)
            what_next = f"{replay(self.folder.path, error.row)} {self._last_good()}"
            raise BadRowError(f"step {step + 1}: {error}. {what_next}", error.row) from None

    def _keep(self, state: State) -> None:
        """Save the last good state on the way out; a failure there is told, not raised."""
        try:
            self._save(state)
        except (TengriError, ArithmeticError) as error:
            self._note(f"the last good state could not be saved: {error}")

    def _nan(self, state: State, block: Block, pool: Pool) -> None:
        """Save the last good state and name what went wrong; ``state`` stopped before it."""
        good = int(state.step)
        index = block.rows[good - block.start]
        self._keep(state)
        position, bands = culprit(self.problem, self.loss, state.params, pool, index)
        rows = self.source.rows(block.pool)
        place = describe_row(self.maker, rows, position)
        raise NaNStop(
            f"step {good + 1}: loss or gradient is not finite{bands}. First row to blame: {place}. "
            f"{replay(self.folder.path, rows.start + position)} {self._last_good()}"
        )

    def _last_good(self) -> str:
        steps = self.checkpoints.steps()
        return f"last good step: {steps[-1] if steps else 0}."

    # --- 4. the polish ------------------------------------------------------------------------

    def _polish(self, state: State) -> State:
        """Run L-BFGS over one fixed set of rows, starting from the averaged weights."""
        if not self.plan.polish or int(state.step) >= self.plan.total:
            return state
        polish = Polish(self.problem, self.plan)
        state = polish.begun(state)
        pool = self._polish_pool(polish, state)
        began, first = time.monotonic(), int(state.step)
        last_save = began
        for step, new, trace in polish.iterations(state, pool):
            if not bool(trace.finite.all()):
                self._note(f"polish ends at iteration {step - self.plan.steps - 1}: no finite step")
                break
            state, now = new, time.monotonic()
            if self.progress is not None:
                self.progress.show(step, (step - first) / (now - began), float(trace.loss[-1]))
            stop, save = devices.agree(
                bool(self.signals.received), now - last_save > self.config.run.save_seconds
            )
            if self._stop_or_save(state, stop, save):
                last_save = now
        return state

    def _polish_pool(self, polish: Polish, state: State) -> Pool:
        rows = polish.rows()
        if rows.bad.size:
            self._keep(state)
            place = describe(polish.maker, rows, int(rows.bad[0]))
            raise NonFiniteError(f"polish set, {place}. {self._last_good()}")
        return devices.replicate(self.problem.to_pool(self.scaling, rows))


def _inputs(problem: Problem, source: Any) -> dict[str, str]:
    """Return digests of all that the numbers depend on."""
    return {**problem.inputs, **source.inputs}


def _check_step(states: Path, named: int, held: int) -> None:
    """Raise DataError for a checkpoint that was renamed; runs of format 1 say it nowhere else."""
    if held != named:
        raise DataError(
            f"{states}: checkpoint {named} holds step {held}: it was renamed. Give it and its "
            f"manifest their number back, or move it away."
        )
