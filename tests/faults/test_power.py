"""Promise: what was acknowledged survives a power cut, and none leaves a file of half a content."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from emulator import artefact
from emulator.export import to_numpy
from tengri.__main__ import main as program
from tengri.errors import DataError
from tengri.io import sealed_json
from tests.faults import catalogue, tiny, victims
from tests.faults.power import Disk, Image, restored
from tests.faults.test_disk import GOLDEN
from train import config as configs
from train import recovery
from train.checkpoints import Checkpoints, verify
from train.dataset import Dataset
from train.runfolder import RunFolder

Counter = Callable[..., None]
Act = Callable[[], object]


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Return ``cut(root, act, whole)``: let power fail at every point of ``act``.

    ``whole(folder, done)`` is asked of what each cut leaves; ``done``: `act` had returned.
    """
    disks, numbers = [], itertools.count()

    def run(root: Path, act: Act, whole: Callable[[Path, bool], None]) -> int:
        seen: list[Image] = []

        def look() -> None:
            image = disk.image()
            if not seen or image != seen[-1]:
                seen.append(image)

        disk = Disk(root, look)
        disks.append(disk)
        with monkeypatch.context() as patch:
            disk.watch(patch)
            act()
        for image in seen:
            whole(restored(image, tmp_path / f"image-{next(numbers)}"), False)
        whole(restored(disk.image(), tmp_path / f"image-{next(numbers)}"), True)
        return len(seen) + 1

    yield run
    for disk in disks:
        disk.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder whose disk forgets."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def test_sealed_files(root: Path, cut: Callable[..., int], injected: Counter) -> None:
    sealed_json.write_json(root / "x.json", "old")

    def whole(folder: Path, done: bool) -> None:
        assert sealed_json.read_json(folder / "x.json") in (["new"] if done else ["old", "new"])

    injected("power", cut(root, lambda: sealed_json.write_json(root / "x.json", "new"), whole))


def test_a_file_that_is_not_synced_is_lost(root: Path, cut: Callable[..., int]) -> None:
    """The control: without the syncs the disk does forget."""

    def act() -> None:
        (root / "x.json").write_text("new")

    with pytest.raises(DataError, match="missing"):
        cut(root, act, lambda folder, done: sealed_json.read_json(folder / "x.json"))


def test_an_artefact(root: Path, cut: Callable[..., int], injected: Counter) -> None:
    good = artefact.read(GOLDEN)
    n = cut(
        root, lambda: artefact.write(root / "s.h5", good),
        lambda folder, done: artefact.read(folder / "s.h5")
        if done or (folder / "s.h5").exists() else None,
    )  # fmt: skip
    injected("power", n)


def test_a_run_folder_and_its_plan(root: Path, cut: Callable[..., int], injected: Counter) -> None:
    (root / "tiny.toml").write_text(tiny.CONFIG)
    config = configs.load(str(root / "tiny.toml"))

    def whole(folder: Path, done: bool) -> None:
        run = folder / "runs" / "a"
        if done or run.exists():
            assert RunFolder.open(run).config().run.steps == 24
            recovery.recover(run)

    injected("power", cut(root, lambda: RunFolder.create(root / "runs" / "a", config, "x"), whole))
    run = root / "runs" / "a"
    act = lambda: recovery.write_twice(run, "plan.json", {"plan": 1, **RunFolder(run).stamp()})  # noqa: E731
    injected("power", cut(root, act, whole))


def test_checkpoints(root: Path, cut: Callable[..., int], injected: Counter) -> None:
    """The step that was saved is whole, and the one before it until then."""
    checkpoints = Checkpoints(root / "run", keep=1)
    checkpoints.save(1, victims.state(1), 1.0)

    def whole(folder: Path, done: bool) -> None:
        good = [step for step, problem in verify(folder / "run").items() if not problem]
        assert good[-1] in ([2] if done else [1, 2])
        with_one = Checkpoints(folder / "run", keep=1)
        found = with_one.restore(victims.state)
        assert found is not None and found.step == good[-1]
        assert victims.bits(found.state) == victims.bits(victims.state(found.step))
        with_one.close()

    n = cut(root, lambda: checkpoints.save(2, victims.state(2), 0.5), whole)
    checkpoints.close()
    injected("power", n)


def test_shards(stored: Path, cut: Callable[..., int], injected: Counter) -> None:
    dataset = Dataset.open(stored)
    first, last = dataset.bounds(2)
    rows = dataset.rows(first, last - first)
    act = lambda: dataset._write(2, rows)  # noqa: E731, SLF001  (rows that are made already)
    n = cut(stored, act, lambda folder, done: Dataset.open(folder).rows(0, 192))
    injected("power", n)


def test_a_prediction_and_an_export(root: Path, cut: Callable[..., int], injected: Counter) -> None:
    words = ["predict", *catalogue.written(root)]

    def joined(folder: Path, done: bool) -> None:
        if done or (folder / "out.h5").exists():
            assert program(["verify", str(folder / "out.h5")]) == 0
        assert (folder / "cat.h5").exists()

    def predict() -> None:
        assert program(words) == 0

    injected("power", cut(root, predict, joined))
    n = cut(root, lambda: to_numpy(GOLDEN, root, "good"),
            lambda folder, done: done and (folder / "good.py").read_bytes()[-1:]
            and (folder / "good.npz").read_bytes().startswith(b"PK"))  # fmt: skip
    injected("power", n)


# --- errors at every call -------------------------------------------------------------------------

ERRORS = {"input/output": OSError(errno.EIO, "Input/output error"), "memory": MemoryError("none"),
          "full disk": OSError(errno.ENOSPC, "No space left on device")}  # fmt: skip


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("writer", ["sealed", "twice", "artefact", "export"])
def test_an_error_at_every_call(
    root: Path, monkeypatch: pytest.MonkeyPatch, writer: str, error: str, injected: Counter
) -> None:
    """One clear error, no file of half a content, nothing left behind."""
    good = artefact.read(GOLDEN)
    acts: dict[str, Act] = {
        "sealed": lambda: sealed_json.write_json(root / "x.json", "same"),
        "twice": lambda: recovery.write_twice(root, "plan.json", "same"),
        "artefact": lambda: artefact.write(root / "s.h5", good),
        "export": lambda: to_numpy(GOLDEN, root, "good"),
    }
    acts[writer]()
    before = sorted(p.name for p in root.rglob("*"))
    for failing in itertools.count(1):
        calls = itertools.count(1)

        def fail(calls: Iterator[int] = calls, failing: int = failing) -> None:
            if next(calls) == 2 * failing - 1:  # before the call
                raise ERRORS[error]

        disk = Disk(root, fail)
        with monkeypatch.context() as patch:
            disk.watch(patch)
            with suppress(DataError, MemoryError):
                acts[writer]()
                break
        disk.close()
        assert sorted(p.name for p in root.rglob("*")) == before
        for path in root.rglob("*.json"):
            assert sealed_json.read_json(path) == "same"
        if writer == "artefact":
            artefact.read(root / "s.h5")
        injected("power")
    disk.close()
    assert failing > 1 and os.listdir(root)
