"""Promise: a NaN never overwrites or evicts a good model, and the run says where it came from."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from orbax.checkpoint import checkpoint_managers as policies

from tests.train.conftest import CONFIG, Poisoned, changed, new_run, with_config
from train import checkpoints as checkpoint_files
from train.checkpoints import Checkpoints, NonFiniteError, verify
from train.held_out import HeldOut
from train.loop import Loop, NaNStop
from train.problem import Problem
from train.rows import BadRowError, Rows
from train.signals import Signals

Counter = Callable[..., None]
#: The losses of trap 1: Orbax alone keeps a NaN and deletes the 1.0 (keep best 2).
LOSSES = (3.0, 2.0, math.nan, 1.0, math.nan, 1.5)
OFTEN = changed(CONFIG, "run", save_seconds=0.0)


def state(value: float) -> dict[str, Any]:
    return {"w": np.full(3, value, np.float32)}


def test_orbax_alone_deletes_its_best_checkpoint(tmp_path: Path) -> None:
    """The control: this is what handing it the losses as they come does."""
    best = policies.BestN(get_metric_fn=lambda m: m["metric"], reverse=True, n=2)
    options = ocp.CheckpointManagerOptions(
        best_fn=lambda m: m["metric"], best_mode="min", enable_async_checkpointing=False,
        preservation_policy=best,
    )  # fmt: skip
    with ocp.CheckpointManager(tmp_path.absolute(), options=options) as manager:
        for step, loss in enumerate(LOSSES, start=1):
            manager.save(
                step, args=ocp.args.StandardSave(state(loss)), metrics={"metric": loss}, force=True
            )
        assert LOSSES.index(1.0) + 1 not in manager.all_steps()


def test_the_very_sequence_keeps_the_best(tmp_path: Path, injected: Counter) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step, loss in enumerate(LOSSES, start=1):
        if math.isfinite(loss):
            checkpoints.save(step, state(step), loss)
            continue
        for bad, metric in ((state(step), loss), (state(math.nan), 0.5), (state(math.inf), 0.5)):
            with pytest.raises(NonFiniteError, match=f"step {step}"):
                checkpoints.save(step, bad, metric)
        assert checkpoints.steps()[-1] == max(s for s in checkpoints.steps() if s < step)
    assert set(checkpoints.steps()) >= {4, 6}  # the best and the newest
    assert not any(verify(tmp_path).values())
    injected("nan", 6)


def stopped(loop: Loop, error: type[Exception]) -> str:
    """Run a loop into its NaN; return what it says."""
    with pytest.raises(error) as caught:
        loop.run()
    return str(caught.value)


def good_state(folder: Path, last: int) -> None:
    """What is on disk is whole, finite, and goes up to the last good step."""
    found = verify(folder)
    assert max(found) == last and not any(found.values())


@pytest.mark.parametrize(("where", "what"), [("flux", "sdss_r"), ("inputs", "met_logzsol")])
def test_in_a_training_row(
    problem: Problem, tmp_path: Path, where: str, what: str, injected: Counter
) -> None:
    """Flux or input: the steps before it are saved, though no save was due."""
    loop = Loop(problem, new_run(problem, tmp_path / "run"), Signals())
    what = what if where == "flux" else problem.columns[1]
    loop.pools.source = Poisoned(loop.pools.source, 300, where)
    message = stopped(loop, BadRowError)
    last = problem.config.data.pool * problem.config.data.reuse // problem.config.optimiser.batch
    assert f"step {last + 1}: 1 of 256 training rows cannot be used. row 300: no finite" in message
    assert what in message and f"last good step: {last}." in message
    assert f"tengri replay {tmp_path / 'run'} --row 300" in message
    good_state(tmp_path / "run", last)
    injected("nan")


def poison(monkeypatch: pytest.MonkeyPatch, loop: Loop, part: str) -> None:
    """Spoil one row of the second pool behind every check of the rows."""
    original = type(loop.problem).to_pool

    def poisoned(self: Problem, scaling: Any, rows: Rows) -> Any:
        pool = original(self, scaling, rows)
        if rows.start != loop.source.size:
            return pool
        values = getattr(pool.rows, part).at[7, 1].set(jnp.nan)
        return pool._replace(rows=pool.rows._replace(**{part: values}))

    monkeypatch.setattr(type(loop.problem), "to_pool", poisoned)


@pytest.mark.parametrize("part", ["x", "y"])
def test_in_the_loss_and_gradient(
    problem: Problem, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    loop = Loop(problem, new_run(problem, tmp_path / "run"), Signals())
    poison(monkeypatch, loop, part)
    message = stopped(loop, NaNStop)
    step = int(message.split(":")[0].removeprefix("step "))
    assert "loss or gradient is not finite" in message and "row 263" in message
    assert f"tengri replay {tmp_path / 'run'} --row 263" in message
    assert f"last good step: {step - 1}." in message
    good_state(tmp_path / "run", step - 1)
    injected("nan")


def test_in_the_gradient_alone(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """The loss is finite where its derivative is not: √|r| at r = 0, as it were."""
    from train import step

    penalty = step.penalty

    def kinked(name: str) -> Callable[[jax.Array], jax.Array]:
        return lambda r: penalty("mse")(r) + 0.0 * jnp.sqrt(jnp.abs(r - r))

    monkeypatch.setattr(step, "penalty", kinked)
    slow = changed(CONFIG, "optimiser", learning_rate=0.0199)  # compiled under a key of its own
    loop = Loop(with_config(problem, slow), new_run(problem, tmp_path / "run"), Signals())
    message = stopped(loop, NaNStop)
    assert "step 1: loss or gradient is not finite" in message and "last good step: 0" in message
    assert not verify(tmp_path / "run")
    injected("nan")


def test_in_the_metric(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """The weights are finite and the validation fluxes are not: nothing newer is saved."""
    often = with_config(problem, OFTEN)
    loop = Loop(often, new_run(often, tmp_path / "run"), Signals())
    emulated = HeldOut.emulated

    def spoilt(self: HeldOut, params: Any, scaling: Any) -> np.ndarray:
        flux = np.array(emulated(self, params, scaling))
        if loop.checkpoints.steps()[-1:] == [12]:
            flux[5, 1] = np.nan
        return flux

    monkeypatch.setattr(HeldOut, "emulated", spoilt)
    message = stopped(loop, NaNStop)
    assert "step 16: emulated fluxes of the validation set are not finite" in message
    assert "sdss_r at " in message and "redshift=" in message and "last good step: 12." in message
    good_state(tmp_path / "run", 12)
    injected("nan")


def test_without_the_guard_a_spoilt_state_would_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the check of the numbers is all that stands between a NaN and the disk."""
    monkeypatch.setattr(checkpoint_files, "_check_finite", lambda *_: None)
    monkeypatch.setattr(checkpoint_files, "_same", lambda *_: True)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1.0), 1.0)
    checkpoints.save(2, state(math.nan), math.nan)
    found = checkpoints.restore(lambda step: state(0.0))
    assert found is not None and np.isnan(found.state["w"]).all()
