"""Promise: a resumed run ends with the bits of one that never stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from tengri.errors import DataError
from tests.train.conftest import CONFIG, changed, new_run, trained, with_config
from train.checkpoints import Checkpoints
from train.dataset import Dataset
from train.loop import Loop, Trained
from train.optimisers import OPTIMISERS
from train.problem import Problem
from train.rows import RowMaker
from train.runfolder import RunFolder
from train.signals import Signals, Stopped

ROWS = 512
SETTINGS: dict[str, dict[str, Any]] = {
    "clipped": {"name": "adamw", "clip": 1.0, "weight_decay": 1e-3},
    "late": {"late": 0.5, "late_batch": 128},
    "polish": {"name": "adamw", "polish": 4, "polish_rows": 128},
    "staged": {"name": "adamw", "schedule": "staged"},
    "sobolev": {"name": "adamw", "sobolev": 0.1},
}
QUICK = ("muon", "adamw")


def cases() -> list[Any]:
    """Every optimiser that a configuration may name, and what changes the state of one."""
    named = {name: {"name": name} for name in OPTIMISERS}
    return [pytest.param(settings, id=name, marks=() if name in QUICK else pytest.mark.slow)
            for name, settings in {**named, **SETTINGS}.items()]  # fmt: skip


class Killed(Exception):
    """Stands for the end of the process, so that both lives fit into one."""


@pytest.mark.parametrize("settings", cases())
def test_every_optimiser(
    problem: Problem, tmp_path: Path, settings: dict[str, Any], injected: Callable[..., None]
) -> None:
    """From streamed rows and from stored ones: stopped once, cut off once, then left alone."""
    streaming = with_config(problem, changed(CONFIG, "optimiser", **settings))
    for source, run in (("streaming", streaming), ("stored", _stored(streaming, tmp_path))):
        whole = trained(run, tmp_path / f"{source}-whole")
        resumed = _interrupted(run, tmp_path / f"{source}-cut")
        assert resumed.steps == whole.steps
        for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(resumed.params)):
            np.testing.assert_array_equal(a, b)
        injected("resume", 2)


def _stored(problem: Problem, folder: Path) -> Problem:
    """Return the problem with rows from a data set, made here."""
    data = {"rows": ROWS, "path": str(folder / "set")}
    stored = with_config(problem, changed(problem.config, "data", source="stored", **data))
    dataset = Dataset.create(folder / "set", stored, 2, "tengri dataset test")
    for number in (1, 2):
        dataset.make(RowMaker(stored, 0), number)
    return stored


def _interrupted(problem: Problem, folder: Path) -> Trained:
    """Stop a run by a signal, end the next session without a word, finish in a third."""
    new_run(problem, folder)
    loop = Loop(problem, RunFolder.open(folder), Signals())
    _after(loop, 8, lambda: setattr(loop.signals, "received", 15))
    with pytest.raises(Stopped, match=f"step 8 of .*saved and verified.*tengri resume {folder}"):
        loop.run()
    loop = Loop(problem, RunFolder.open(folder), Signals())

    def end() -> None:
        raise Killed

    _after(loop, 20, end)
    with pytest.raises(Killed):
        loop.run()
    assert _newest(folder) == 8  # what the second session did is lost, and done again
    return Loop(problem, RunFolder.open(folder), Signals()).run()


def _after(loop: Loop, step: int, act: Callable[[], None]) -> None:
    """Act when the block that ends at ``step`` has been asked for."""
    get, blocks = loop.pools.get, iter(range(10**6))
    first = _newest(loop.folder.path)

    def counted(number: int, scaling: Any) -> Any:
        if first + CONFIG.run.dispatch * (next(blocks) + 1) == step:
            act()
        return get(number, scaling)

    loop.pools.get = counted  # type: ignore[method-assign]


def _newest(folder: Path) -> int:
    return max((int(p.name) for p in (folder / "state").iterdir()), default=0)


def test_other_inputs_are_not_trained_on(problem: Problem, tmp_path: Path) -> None:
    """A grid or a filter file that was replaced meanwhile: no resume mixes the two."""
    trained(problem, tmp_path / "run")
    other = with_config(problem, problem.config)
    ssp = replace(problem.model.ssp, sha256="0" * 64)
    model = object.__new__(type(problem.model))
    model.__dict__.update({**problem.model.__dict__, "ssp": ssp})
    object.__setattr__(other, "model", model)
    with pytest.raises(DataError, match="the SSP grid changed since this run began"):
        trained(other, tmp_path / "run")


def test_without_the_saved_optimiser_state_the_bits_differ(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a resume that forgets the optimiser's moments ends elsewhere."""
    adamw = with_config(problem, changed(CONFIG, "optimiser", name="adamw"))
    whole = trained(adamw, tmp_path / "whole")
    restore = Checkpoints.restore

    def forgetful(self: Checkpoints, target: Callable[[int], Any]) -> Any:
        found = restore(self, target)
        if found is None:
            return None
        fresh = target(0).opt_state
        return type(found)(found.step, found.state._replace(opt_state=fresh))

    monkeypatch.setattr(Checkpoints, "restore", forgetful)
    resumed = _interrupted(adamw, tmp_path / "cut")
    differ = [not np.array_equal(a, b) for a, b in
              zip(jax.tree.leaves(whole.params), jax.tree.leaves(resumed.params))]  # fmt: skip
    assert any(differ)
