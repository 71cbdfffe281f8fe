"""Promise: ``kill -9`` at any instant loses at most the work since the last save."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emulator import artefact
from tengri.io import atomic, sealed_json
from tests.faults import kill, victims
from tests.faults.tiny import CONFIG
from train.checkpoints import Checkpoints, verify
from train.dataset import MANIFEST, Dataset
from train.runfolder import RunFolder

KILLS = 4
GOLDEN = Path(__file__).parents[1] / "emulator" / "golden" / "v1.h5"


def seconds(rng: random.Random, most: float) -> float:
    return rng.uniform(0.0, most)


def test_while_checkpoints_are_saved(tmp_path: Path, injected: Callable[..., None]) -> None:
    rng, folder = random.Random(0), tmp_path / "run"
    for _ in range(KILLS):
        death = kill.run(victims.saver, str(folder), at=("save", 3), delay=seconds(rng, 0.15))
        acknowledged = death.last("save") or 0
        checkpoints = Checkpoints(folder)
        found = checkpoints.restore(victims.state)
        assert found is not None and found.step >= acknowledged >= 2
        np.testing.assert_array_equal(
            found.state["params"]["w"], victims.state(found.step)["params"]["w"]
        )
        checkpoints.save(found.step + 1, victims.state(found.step + 1), 1.0)
        assert not any(verify(folder).values())
        assert not [p for p in (folder / "state").iterdir() if not p.name.isdigit()]
        checkpoints.close()
    injected("kill", KILLS)


def test_while_run_folders_are_made(tmp_path: Path, injected: Callable[..., None]) -> None:
    rng, config = random.Random(1), tmp_path / "tiny.toml"
    config.write_text(CONFIG)
    for i in range(KILLS):
        place = tmp_path / f"runs-{i}"
        death = kill.run(
            victims.folder_maker, str(place), str(config),
            at=("folder", rng.randrange(1, 40)), delay=seconds(rng, 0.002),
        )  # fmt: skip
        made = [path for path in place.glob("run-*")]
        assert len(made) >= (death.last("folder") or 0)
        for path in made:  # a folder that is there holds its configuration
            assert RunFolder.open(path).config().run.steps == 24
    injected("kill", KILLS)


def test_while_shards_are_written(tmp_path: Path, injected: Callable[..., None]) -> None:
    rng, folder = random.Random(2), tmp_path / "set"
    folder.mkdir()
    description = {"format": 1, "rows": 300_000, "shards": 4}
    content = {"rows": description, "made_with": {"command": "tengri dataset x"}}
    sealed_json.write_json(folder / MANIFEST, content)
    for i in range(KILLS):
        death = kill.run(victims.shard_maker, str(folder), at=("shard", 1 + i),
                         delay=seconds(rng, 0.03))  # fmt: skip
        dataset = Dataset.open(folder)
        whole = [n for n in range(1, 5) if dataset.path(n).exists()]
        assert {n for name, way, n in death.marks if way == "out"} <= set(whole)
        for number in whole:  # complete or absent, and never another's rows
            expected = victims.rows_of(dataset, number)
            np.testing.assert_array_equal(
                dataset.rows(expected.start, len(expected.flux)).flux, expected.flux
            )
    injected("kill", KILLS)


def test_a_shard_removes_what_a_killed_one_had_begun(stored: Path) -> None:
    """And leaves alone what a living one is at."""
    dead = kill.WARM.Process(target=os.getpid)
    dead.start()
    dead.join()
    dataset, name = Dataset.open(stored), f"shard-00002.h5.tmp-{atomic.HOST}"
    for pid in (dead.pid, os.getpid()):
        (stored / f".{name}-{pid}-7").write_bytes(b"begun")
    dataset._write(2, dataset.rows(64, 64))  # noqa: SLF001  (rows that are made already)
    assert [p.name for p in stored.glob(".*")] == [f".{name}-{os.getpid()}-7"]
    assert dataset.verify() == {}


def test_while_an_artefact_is_published(tmp_path: Path, injected: Callable[..., None]) -> None:
    rng, final = random.Random(3), tmp_path / "surrogate.h5"
    good = artefact.read(GOLDEN)
    artefact.write(final, good)
    for i in range(KILLS):
        kill.run(victims.publisher, str(GOLDEN), str(final), at=("artefact", 1 + i),
                 delay=seconds(rng, 0.05))  # fmt: skip
        assert artefact.read(final).created == good.created
    injected("kill", KILLS)


def test_without_the_manifest_a_torn_checkpoint_would_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the manifest protects from happens when nobody looks at it."""
    folder = tmp_path / "run"
    checkpoints = Checkpoints(folder)
    for step in (1, 2):
        checkpoints.save(step, victims.state(step), 1.0)
    checkpoints.close()
    torn = max((folder / "state" / "2").rglob("*"), key=lambda p: p.stat().st_size * p.is_file())
    data = bytearray(torn.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)  # blocks that never reached the disk
    torn.write_bytes(data)
    monkeypatch.setattr("train.checkpoints.verify", lambda folder: {})
    try:
        found = Checkpoints(folder).restore(victims.state)
    except Exception:
        return  # Orbax noticed: it crashes instead of falling back
    assert found is not None
    assert not np.array_equal(found.state["params"]["w"], victims.state(2)["params"]["w"])
