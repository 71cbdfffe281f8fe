"""The training loop: it decides when; what happens in a step is in `train.step`.

Order of a start or a resume:

1. the plan is read, or made from measurements and written;
2. the newest good checkpoint is restored into a target rebuilt from the configuration, or
   step 0 is made from the seed;
3. blocks of steps follow the plan from there; between blocks: live numbers, log, checkpoint;
4. the polish, if any; a last checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emulator.scaling import OutputScaling
from tengri.analysis import accuracy
from tengri.errors import DataError, TengriError
from train import devices
from train.checkpoints import Checkpoints, NonFiniteError
from train.config import Config, parse_until
from train.guards import Signals, Stopped
from train.logs import Log, Progress, say
from train.plan import Block, Costs, Plan, make_plan
from train.pools import Pools, open_source
from train.problem import Problem
from train.rows import POLISH, VALIDATION, BadRowError, RowMaker, Rows, describe
from train.runfolder import RunFolder
from train.step import Pool, State, compiled, compiled_polish, init, make_loss

MEASURED_ROWS = 2  # chunks of the exact model that are timed
MEASURED_STEPS = 8
UNTIL_MARGIN = 0.97


class NaNStop(TengriError, ArithmeticError):
    """A NaN appeared while training; names the step, the row and the last good step."""


@dataclass
class Trained:
    """What the loop hands to the evaluation."""

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
        self.optimiser, self.dispatch = compiled(
            self.problem.network,
            self.problem.target,
            self.config.optimiser,
            self.plan.legs_or_whole,
        )
        state = self._start()
        self._validation()
        first = int(state.step)
        self.log = Log(self.folder.path, first)
        self.progress = Progress(
            self.plan.total, self.config.run.log_seconds, quiet=not devices.is_first()
        )
        self.began, self.elapsed_before = time.monotonic(), self.folder.seconds()
        self.saved, self.accuracy_at = first, -1
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
            self.log.close()
            self.checkpoints.close()
        return Trained(
            jax.tree.map(np.asarray, state.ema), self.scaling, int(state.step),
            self._rows_seen(int(state.step)), self._seconds(),
        )  # fmt: skip

    def _note(self, text: str) -> None:
        if self.progress is not None:
            self.progress.note(text)
        elif devices.is_first():
            say(text)

    # --- 1. the plan ------------------------------------------------------------------------

    def _plan(self) -> tuple[Plan, OutputScaling]:
        stored = self.folder.plan()
        if stored is None:
            self._note("exact model: compiling and measuring …")
            rows = self._usable(partial(self.pools.raw, 0), None)
            scaling = self.problem.fit_scaling(rows)
            costs = self.measure(scaling, rows)
            plan = make_plan(self.config, costs, self.source.size)
            self._announce(plan, costs)
            if lost := self.problem.pca_truncation_error(scaling, rows):
                self._note(
                    f"{self.problem.n_latent} components: what they leave out is "
                    f"{lost[0]:.2g} / {lost[1]:.2g} mmag (median / 99 %)"
                )
            if devices.is_first():
                self.folder.write_plan(plan, scaling, costs, self.problem.inputs)
            devices.wait("plan")
            stored = self.folder.plan() or {}
        try:
            self._check_inputs(dict(stored["inputs"]))
            arrays = {k: np.asarray(v, np.float32) for k, v in stored["scaling"].items()}
            return Plan.from_dict(stored["plan"]), OutputScaling.from_dict(arrays)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            path = self.folder.path / "plan.json"
            raise DataError(f"{path}: malformed ({error!r}).") from None

    def _check_inputs(self, planned: dict[str, str]) -> None:
        """Raise where a file that the run was planned with is another one now."""
        now = self.problem.inputs
        changed = [name for name, digest in planned.items() if now.get(name) != digest]
        if changed:
            raise DataError(
                f"{self.folder.path}: {' and '.join(changed)} changed since this run began. Bring "
                "back the files it began with, or start a new run."
            )

    def measure(self, scaling: OutputScaling, rows: Rows) -> Costs:
        """Time the exact model and a few real steps."""
        chunk = self.config.data.chunk
        row = 0.0
        if self.config.data.source == "streaming":
            drawn = self.maker.draw(0, MEASURED_ROWS * chunk)
            row = _seconds(lambda: self.maker.flux(drawn)) / (MEASURED_ROWS * chunk)
        o = self.config.optimiser
        pool = devices.replicate(self.problem.to_pool(scaling, rows))
        optimiser, dispatch = compiled(self.problem.network, self.problem.target, o, (1000,))
        per_step = {}
        for size in {o.batch, o.late_batch if o.late else o.batch}:
            index = np.arange(MEASURED_STEPS * size, dtype=np.int32).reshape(-1, size)
            split = devices.split_rows(index % len(rows.flux))
            dispatched = partial(self._dispatched, dispatch, optimiser, pool, split)
            per_step[size] = _seconds(dispatched) / MEASURED_STEPS
        return Costs(row, per_step[o.batch], per_step.get(o.late_batch, per_step[o.batch]))

    def _dispatched(self, dispatch: Any, optimiser: Any, pool: Pool, rows: Any) -> Any:
        return dispatch(self._state(optimiser), pool, rows)

    def _announce(self, plan: Plan, costs: Costs) -> None:
        o = self.config.optimiser
        self._note(
            f"exact model {1e6 * costs.row:.0f} µs/row, step {1e3 * costs.step:.1f} ms at batch "
            f"{o.batch}" + (f", {1e3 * costs.late_step:.1f} ms at {o.late_batch}" if o.late else "")
        )
        phases = ", then ".join(f"{p.steps} steps of {p.batch} rows" for p in plan.phases)
        self._note(
            f"plan: {phases}; {plan.pools} pools of {plan.pool} rows, each used {plan.reuse} times"
        )

    # --- 2. the state -----------------------------------------------------------------------

    def _state(self, optimiser: Any) -> State:
        key = jax.random.key(self.config.run.seed)
        return devices.replicate(init(self.problem.init_params(key), optimiser))

    def _target(self, step: int) -> State:
        """Return a state with the shapes of step ``step``."""
        if step > self.plan.steps:
            fresh = self._state(self.optimiser)
            optimiser, _ = self._polisher()
            return fresh._replace(opt_state=optimiser.init(fresh.params))
        return self._state(self.optimiser)

    def _start(self) -> State:
        for message in self.checkpoints.messages:
            self._note(message)
        restored = self.checkpoints.restore(self._target)
        if restored is None:
            if self.checkpoints.messages:
                self._note("no good checkpoint is left: starting from step 0")
            return self._state(self.optimiser)
        self._note(f"resuming from checkpoint {restored.step} of {self.plan.total} steps")
        return devices.replicate(restored.state)

    # --- 3. blocks of steps -----------------------------------------------------------------

    def _blocks(self, state: State) -> tuple[State, bool]:
        """Run the plan's blocks; return the state and whether ``until`` was reached."""
        run = self.config.run
        last_validation = last_save = time.monotonic()
        done, since = -1, 0.0  # set after the first block, which compiles
        for block in self.plan.blocks(int(state.step)):
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
                now - last_validation > run.validate_seconds or step >= self.plan.steps,
                now - last_save > run.save_seconds,
            )
            if validate:
                scalars = {"loss": loss, "grad_norm": float(trace.grad_norm[-1]), "rate": rate}
                self._validate(state, scalars)
                if self._is_reached(self._numbers):
                    self._note(f"{run.until} reached on the validation set at step {step}")
                    return state, True
                last_validation = time.monotonic()
            if self.progress is not None:
                self.progress.show(step, rate, loss)
            if stop:
                self._save(state)
                raise self._stopped(state)
            if save:
                self._save(state)
                last_save = time.monotonic()
        return state, False

    def _stopped(self, state: State) -> Stopped:
        return Stopped(
            f"stopped at step {int(state.step)} of {self.plan.total}, saved and verified. "
            f"Continue with: tengri resume {self.folder.path}"
        )

    def _validation(self) -> None:
        self.held_out = self.problem.held_out(VALIDATION, self.config.run.validation_rows)
        self._numbers: dict[str, float] = {}

    def _validate(self, state: State, scalars: dict[str, float] | None = None) -> None:
        """Refresh the live numbers; NaN there is an error, never a metric."""
        step = int(state.step)
        if self.accuracy_at == step and scalars is None:
            return
        emulated = self.held_out.emulated(state.ema, self.scaling)
        numbers = accuracy.live(self.held_out.flux, emulated)
        if not all(np.isfinite(list(numbers.values()))):
            raise NaNStop(
                f"step {step}: emulated fluxes of the validation set are not finite, first "
                f"{self._first_bad(emulated)}. Nothing was saved from it; {self._last_good()}"
            )
        if self.config.run.until:
            q, _ = parse_until(self.config.run.until)
            numbers["until"] = accuracy.percentile(self.held_out.flux, emulated, q)
        self._numbers, self.accuracy_at = numbers, step
        if self.progress is not None:
            self.progress.accuracy = (
                f"|Δm| {numbers['median']:.2f} / {numbers['p99']:.1f} / {numbers['worst']:.0f} "
                "mmag (median / 99 % / worst)"
            )
        if devices.is_first():
            named = {f"dm_{k}_mmag": v for k, v in numbers.items()}
            self.log.write(step, {**named, **(scalars or {})})

    def _is_reached(self, numbers: dict[str, float]) -> bool:
        if not self.config.run.until:
            return False
        _, target = parse_until(self.config.run.until)
        # the validation set is small: fresh draws shall not miss the target by its noise
        return numbers.get("until", np.inf) <= UNTIL_MARGIN * target

    def _save(self, state: State) -> None:
        self._validate(state)
        step = int(state.step)
        if step > 0:
            self.checkpoints.save(step, state, self._numbers["p99"])
            self.folder.write_seconds(self._seconds())
            self.saved = step

    def _seconds(self) -> float:
        return self.elapsed_before + time.monotonic() - self.began

    def _rows_seen(self, step: int) -> int:
        """Return how many different rows the first ``step`` steps have used."""
        used = -1
        for block in self.plan.blocks(0):
            if block.start >= step:
                break
            used = block.pool
        size = self.source.size
        return (used + 1) * size

    # --- NaN --------------------------------------------------------------------------------

    def _usable(self, make: Callable[[], Any], state: State | None) -> Any:
        """Return what ``make`` returns; before a bad row ends the run, the state is saved."""
        try:
            return make()
        except BadRowError as error:
            step = 0 if state is None else int(state.step)
            if state is not None:
                self._keep(state)
            raise BadRowError(
                f"step {step + 1}: {error}. {self._replay(error.row)} {self._last_good()}",
                error.row,
            ) from None

    def _keep(self, state: State) -> None:
        """Save the last good state on the way out; a failure there is told, not raised."""
        try:
            self._save(state)
        except (TengriError, ArithmeticError) as error:
            self._note(f"the last good state could not be saved: {error}")

    def _replay(self, row: int) -> str:
        return f"Replay it in the exact model: tengri replay {self.folder.path} --row {row}."

    def _first_bad(self, emulated: np.ndarray) -> str:
        """Name the first validation galaxy and band without a finite flux."""
        bad = np.argwhere(~np.isfinite(emulated))
        if not bad.size:
            return "nowhere (their exact fluxes are not)"
        row, band = (int(i) for i in bad[0])
        values = ", ".join(
            f"{k}={np.ravel(v[row])[0]:.6g}" for k, v in self.held_out.params.items()
        )
        return f"{self.problem.bands[band]} at {values}"

    def _nan(self, state: State, block: Block, pool: Pool) -> None:
        """Save the last good state and name what went wrong; ``state`` stopped before it."""
        good = int(state.step)
        index = block.rows[good - block.start]
        self._keep(state)
        position, band = self._culprit(state, pool, index)
        row = self.source.rows(block.pool)
        place = describe_row(self.maker, row, position)
        raise NaNStop(
            f"step {good + 1}: loss or gradient is not finite{band}. First row to blame: {place}. "
            f"{self._replay(row.start + position)} {self._last_good()}"
        )

    def _culprit(self, state: State, pool: Pool, index: np.ndarray) -> tuple[int, str]:
        """Return the pool position of the first row that spoils the batch, and its bands."""
        batch = pool.take(jnp.asarray(index))
        outputs = self.problem.network.apply(state.params, batch.rows.x)
        arrays = [*jax.tree.leaves(batch.rows), outputs]
        good = np.all([_finite_rows(a) for a in arrays], axis=0)
        if good.all():
            one = jax.vmap(lambda i: jax.grad(self.loss)(state.params, batch.take(i[None])))
            grad = one(jnp.arange(len(index)))
            rows = np.flatnonzero(~np.all([_finite_rows(g) for g in jax.tree.leaves(grad)], axis=0))
            first = int(rows[0]) if rows.size else 0
            return int(index[first]), "" if rows.size else " (no single row: the step overflowed)"
        first = int(np.flatnonzero(~good)[0])
        return int(index[first]), self._bands_of(np.asarray(batch.rows.y[first]))

    def _bands_of(self, y: np.ndarray) -> str:
        """Name the bands in which a row's targets are not finite."""
        if len(y) != self.problem.target.n_out:
            return ""
        names = self.problem.output_names
        finite = np.isfinite(y).reshape(len(names), -1).all(axis=1)
        bad = [name for name, is_finite in zip(names, finite) if not is_finite]
        return f" in {', '.join(bad)}" if bad else ""

    def _last_good(self) -> str:
        steps = self.checkpoints.steps()
        return f"last good step: {steps[-1] if steps else 0}."

    def _polisher(self) -> Any:
        problem = self.problem
        return compiled_polish(problem.network, problem.target, self.config.optimiser)

    # --- 4. the polish ------------------------------------------------------------------------

    def _polish(self, state: State) -> State:
        """Run L-BFGS over one fixed set of rows, starting from the averaged weights."""
        if not self.plan.polish or int(state.step) >= self.plan.total:
            return state
        optimiser, polish = self._polisher()
        if int(state.step) == self.plan.steps:
            params = jax.tree.map(jnp.copy, state.ema)
            state = state._replace(params=params, opt_state=optimiser.init(params))
        maker = RowMaker(self.problem, self.config.run.seed + POLISH, self.config.data.sampler)
        rows = maker.make(0, self.config.optimiser.polish_rows)
        if rows.bad.size:
            self._keep(state)
            place = describe(maker, rows, int(rows.bad[0]))
            raise NonFiniteError(f"polish set, {place}. {self._last_good()}")
        pool = devices.replicate(self.problem.to_pool(self.scaling, rows))
        began, first = time.monotonic(), int(state.step)
        last_save = began
        for step in range(first + 1, self.plan.total + 1):
            new, trace = polish(state, pool)
            if not bool(trace.finite.all()):
                self._note(f"polish ends at iteration {step - self.plan.steps - 1}: no finite step")
                break
            state, now = new, time.monotonic()
            if self.progress is not None:
                self.progress.show(step, (step - first) / (now - began), float(trace.loss[-1]))
            stop, save = devices.agree(
                bool(self.signals.received), now - last_save > self.config.run.save_seconds
            )
            if stop:
                self._save(state)
                raise self._stopped(state)
            if save:
                self._save(state)
                last_save = now
        return state


def describe_row(maker: RowMaker, rows: Rows, position: int) -> str:
    """Name a row of a pool by its parameters."""
    return describe(maker, rows, position).replace("no light in any band", "see parameters")


def _finite_rows(a: Any) -> np.ndarray:
    """Return whether all numbers of each row are finite, (n,)."""
    return np.isfinite(np.asarray(a)).reshape(len(a), -1).all(axis=1)


def _seconds(call: Callable[[], Any]) -> float:
    """Return the wall time of the best of four warm calls: others may use the machine too."""
    jax.block_until_ready(call())
    times = []
    for _ in range(4):
        begin = time.monotonic()
        jax.block_until_ready(call())
        times.append(time.monotonic() - begin)
    return min(times)
