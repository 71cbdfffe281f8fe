"""A run goes on longer when asked; an edit of its files is called one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import emulator
from tengri.__main__ import main as program
from tengri.errors import ConfigError
from tests.faults.make_golden import RUN
from train import extension, recovery
from train.runfolder import RunFolder
from train.schedule import Plan


def plan_of(folder: Path) -> Plan:
    stored = RunFolder.open(folder).plan()
    assert stored is not None
    return Plan.from_dict(stored["plan"])


@pytest.mark.slow
def test_a_finished_run_goes_on_longer(finished: Path) -> None:
    before = emulator.load(finished / "surrogate.h5").artefact.params
    first = plan_of(finished)
    assert program(["resume", RUN, "--set", f"run.steps={first.steps + 16}"]) == 0
    longer = plan_of(finished)
    assert longer.steps == first.steps + 16 and longer.legs == (first.steps, 16)
    taken = [block for block in longer.blocks(0) if block.start < first.steps]
    for old, new in zip(first.blocks(0), taken, strict=True):
        np.testing.assert_array_equal(old.rows, new.rows)
    done = RunFolder.open(finished).done()
    after = emulator.load(finished / "surrogate.h5")
    assert done is not None and done["sha256"] == after.artefact.sha256
    changed = np.abs(after.artefact.params["out"]["kernel"] - before["out"]["kernel"])
    assert 0.0 < changed.max() < 1.0
    assert program(["resume", RUN]) == 0  # nothing more to do: verified


def test_minutes_are_those_of_the_whole_run(finished: Path) -> None:
    folder = RunFolder.open(finished)
    minutes = folder.config().run.minutes
    first = plan_of(finished)
    changed = extension.change(folder, ["run.steps=0", f"run.minutes={minutes + 0.01}"])
    assert any("more steps" in text for text in changed)
    assert plan_of(finished).steps > first.steps and folder.done() is None


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("run.steps=3", "give more than that"),
        ("network.width=64", "steps that were taken depend on it"),
        ("run.minute=3", "Did you mean"),
    ],
)
def test_what_cannot_change_is_said(finished: Path, setting: str, words: str) -> None:
    before = (finished / "config.json").read_bytes()
    with pytest.raises(ConfigError, match=words):
        extension.change(RunFolder.open(finished), [setting])
    assert (finished / "config.json").read_bytes() == before
    assert RunFolder.open(finished).done() is not None


def test_an_edit_is_called_one_and_kept(finished: Path) -> None:
    path = finished / "config.json"
    written = path.read_bytes()
    document = json.loads(written)
    document["content"]["config"]["run"]["minutes"] = 77.0
    path.write_text(json.dumps(document))
    (message,) = recovery.recover(finished)
    assert "has been edited: run.minutes is 77.0" in message and "restored" not in message
    assert "--set run.minutes" in message and path.read_bytes() == written
    (kept,) = (finished / "damaged").iterdir()
    assert "77.0" in kept.read_text()
