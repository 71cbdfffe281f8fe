"""The loop: golden step, over-fitting, bit-exact resume, NaN stops, signals, logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tensorboardX.proto import event_pb2

from emulator.targets.batch import Batch
from tengri.errors import DataError
from tengri.io.lock import Lock, LockedError
from tests.train.conftest import (
    CONFIG,
    Poisoned,
    changed,
    new_run,
    scaling_of,
    trained,
    with_config,
)
from train.logs import read_metrics
from train.loop import Loop
from train.optimisers import build, polisher
from train.problem import Problem
from train.schedule import Plan
from train.signals import Signals
from train.step import Pool, init, make_dispatch, make_loss, make_polish, make_step

LINEAR = {
    "layer": {"kernel": np.float32([[1.0], [2.0]]), "bias": np.float32([0.5])},
}


class Linear:
    """A network of one layer."""

    @staticmethod
    def apply(params: Any, x: Any) -> Any:
        return x @ params["layer"]["kernel"] + params["layer"]["bias"]


def linear_loss(problem: Problem, name: str = "mse") -> Any:
    return make_loss(Linear, problem.target, name)  # type: ignore[arg-type]


def as_pool(problem: Problem, x: Any, y: Any) -> Pool:
    return Pool(Batch(x, y, jnp.ones_like(y)), scaling_of(problem), problem.in_scaling)


def linear_pool(problem: Problem, n: int = 32) -> Pool:
    x = jax.random.normal(jax.random.key(1), (n, 2))
    return as_pool(problem, x, x @ jnp.array([[3.0], [-1.0]]) + 0.25)


def test_golden_step_against_a_hand_computed_one(problem: Problem) -> None:
    """AdamW's first step is the sign of the gradient times the learning rate."""
    pool = linear_pool(problem)
    settings = CONFIG.optimiser
    step = make_step(linear_loss(problem), optax.adam(0.01, eps=1e-12), settings)
    state, trace = step(init(LINEAR, optax.adam(0.01, eps=1e-12)), pool)
    residual = np.asarray(Linear.apply(LINEAR, pool.rows.x) - pool.rows.y)
    grad = 2.0 * np.asarray(pool.rows.x).T @ residual / len(residual)
    assert float(trace.loss[()]) == pytest.approx(float(np.mean(residual**2)), rel=1e-6)
    moved = np.asarray(state.params["layer"]["kernel"]) - np.asarray(LINEAR["layer"]["kernel"])
    np.testing.assert_allclose(moved, -0.01 * np.sign(grad), rtol=1e-4)
    ema = np.asarray(state.ema["layer"]["kernel"])  # decay 1/10 at step 0
    expected = 0.1 * np.asarray(LINEAR["layer"]["kernel"]) + 0.9 * np.asarray(
        state.params["layer"]["kernel"]
    )
    np.testing.assert_allclose(ema, expected, rtol=1e-6)
    assert int(state.step) == 1


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_optimisers_overfit_32_points(problem: Problem, name: str) -> None:
    settings = changed(CONFIG, "optimiser", name=name, learning_rate=0.02, ema=0.9).optimiser
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.uniform(-1, 1, (32, problem.target.n_in)), jnp.float32)
    pool = as_pool(problem, x, jnp.asarray(rng.normal(size=(32, 2)), jnp.float32))
    optimiser = build(settings, (600,))
    loss = make_loss(problem.network, problem.target, "mse")
    dispatch = make_dispatch(make_step(loss, optimiser, settings))
    state = init(problem.init_params(jax.random.key(0)), optimiser)
    state, trace = dispatch(state, pool, np.tile(np.arange(32, dtype=np.int32), (600, 1)))
    assert float(trace.loss[0]) > 0.3
    assert float(trace.loss[-1]) < 3e-3


@pytest.mark.parametrize("name", ["mse", "huber", "log_cosh"])
def test_losses_agree_for_small_residuals(problem: Problem, name: str) -> None:
    loss = linear_loss(problem, name)
    x = linear_pool(problem).rows.x
    near = as_pool(problem, x, Linear.apply(LINEAR, x) + 1e-3)
    assert float(loss(LINEAR, near)) == pytest.approx(1e-6, rel=1e-2)


def test_polish_solves_a_linear_problem(problem: Problem) -> None:
    pool = linear_pool(problem)
    polish = make_polish(linear_loss(problem), polisher())
    state = init(jax.tree.map(jnp.asarray, LINEAR), polisher())
    for _ in range(15):
        state, trace = polish(state, pool)
    assert float(trace.loss[0]) < 1e-10


def test_a_batch_is_a_function_of_seed_and_step(problem: Problem, tmp_path: Path) -> None:
    stored = new_run(problem, tmp_path / "run").plan()
    plan = Plan.from_dict(stored["plan"])  # type: ignore[index]
    blocks = list(plan.blocks(0))
    later = list(plan.blocks(blocks[3].start))
    np.testing.assert_array_equal(later[0].rows, blocks[3].rows)
    assert sum(len(b.rows) for b in blocks) == plan.steps == CONFIG.run.steps
    per_epoch = plan.pool // CONFIG.optimiser.batch
    first_epoch = np.concatenate([b.rows.ravel() for b in blocks])[: per_epoch * 64]
    assert sorted(first_epoch) == list(range(plan.pool))


@pytest.mark.slow
def test_resume_without_a_saved_step_starts_at_zero(problem: Problem, tmp_path: Path) -> None:
    whole = trained(problem, tmp_path / "whole")
    new_run(problem, tmp_path / "fresh")
    again = trained(problem, tmp_path / "fresh")
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(again.params)):
        np.testing.assert_array_equal(a, b)


def test_bad_rows_can_be_skipped_but_never_in_silence(
    problem: Problem, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "train")
    lenient = with_config(problem, changed(CONFIG, "data", nonfinite="skip"))
    loop = Loop(lenient, new_run(lenient, tmp_path / "run"), Signals())
    loop.pools.source = Poisoned(loop.pools.source, 300, "flux")
    loop.run()
    assert loop.pools.skipped == 1
    assert "row 300" in caplog.text


def test_event_file_and_metrics_are_read_back(problem: Problem, tmp_path: Path) -> None:
    trained(problem, tmp_path / "run")
    records = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert records[-1]["step"] == CONFIG.run.steps
    events = list((tmp_path / "run" / "tensorboard").iterdir())
    tags = {v.tag for e in read_events(events[0]) for v in e.summary.value}
    assert {"loss", "dm_median_mmag", "dm_p99_mmag", "dm_worst_mmag"} <= tags


def read_events(path: Path) -> list[Any]:
    """Parse the TFRecord framing: length, crc, payload, crc."""
    data, events = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:8], "little")
        events.append(event_pb2.Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return events


def test_second_process_is_refused_and_a_stale_lock_recovered(tmp_path: Path) -> None:
    with Lock(tmp_path), pytest.raises(LockedError, match="in use by process"), Lock(tmp_path):
        pass
    (tmp_path / "lock").write_text('{"pid": 999999, "host": "gone"}')
    with Lock(tmp_path) as lock:
        assert "999999" in lock.recovered


def test_existing_or_unwritable_folder_is_refused(problem: Problem, tmp_path: Path) -> None:
    new_run(problem, tmp_path / "run")
    with pytest.raises(DataError, match="tengri resume"):
        new_run(problem, tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made"):
        new_run(problem, tmp_path / "file" / "run")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "run"]
