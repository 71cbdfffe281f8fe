"""Promise: two processes never work on one run; a dead one locks nobody out."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tengri.__main__ import main as program
from tengri.errors import DataError
from tengri.io import sealed_json
from tengri.io.lock import Lock, LockedError
from tests.faults import catalogue, kill, tiny, victims
from train.runfolder import RunFolder

Counter = Callable[..., None]


def begun(target: Callable[..., None], *args: object) -> tuple[object, object, int]:
    """Start a process; return it, its pipe and the number that it sent first."""
    ours, theirs = kill.WARM.Pipe(duplex=False)
    process = kill.WARM.Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    theirs.close()
    return process, ours, ours.recv()[2]


def test_the_second_is_refused_and_told_who_holds_it(
    finished: Path, injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the first is killed: the third goes on, and says what it found."""
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    process, _, pid = begun(victims.holder, str(finished))
    try:
        assert program(["resume", str(finished)]) == 1
        assert f"is in use by process {pid} on " in capsys.readouterr().err
        with pytest.raises(LockedError, match=f"process {pid}"), Lock(finished):
            pass
        after = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
        assert before.items() <= after.items()
    finally:
        os.kill(pid, signal.SIGKILL)
        process.join()  # type: ignore[attr-defined]
    with Lock(finished) as lock:
        assert f"stale lock of process {pid} on " in lock.recovered
    injected("lock", 3)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', "\0" * 5000, '{"pid": 1}'])
def test_a_lock_file_may_hold_anything(tmp_path: Path, content: str, injected: Counter) -> None:
    (tmp_path / "lock").write_text(content)
    with Lock(tmp_path), pytest.raises(LockedError, match=f"process {os.getpid()}"), Lock(tmp_path):
        pass
    injected("lock")


def test_a_new_training_does_not_enter_an_old_run(
    golden: Path, injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(golden.rglob("*"))
    assert program(["train", "tiny.toml", "--out", "run-1"]) == 1
    assert "run-1 exists. Continue it with `tengri resume run-1`" in capsys.readouterr().err
    assert sorted(golden.rglob("*")) == before
    injected("lock")


def test_the_same_process_id_on_two_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """Containers share a folder and all are process 1: one writes while the other does."""
    path, sync = tmp_path / "manifest.json", os.fsync
    monkeypatch.setattr(os, "getpid", lambda: 1)

    def interrupted(handle: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        sealed_json.write_json(path, "the other's")
        sync(handle)

    monkeypatch.setattr(os, "fsync", interrupted)
    sealed_json.write_json(path, "mine")
    assert sealed_json.read_json(path) == "mine" and os.listdir(tmp_path) == ["manifest.json"]
    injected("lock")


@pytest.mark.slow
def test_one_of_many_makes_the_folder(tmp_path: Path, injected: Counter) -> None:
    """Four processes begin the same run at the same instant, five times."""
    (tmp_path / "tiny.toml").write_text(tiny.CONFIG)
    for race in range(5):
        folder, when = tmp_path / f"run-{race}", time.time() + 0.3
        racers = [begun(victims.racer, str(folder), str(tmp_path / "tiny.toml"), when)
                  for _ in range(4)]  # fmt: skip
        winners = 0
        for process, pipe, _ in racers:
            process.join()  # type: ignore[attr-defined]
            with suppress(EOFError):
                winners += pipe.recv()[1] == "out"  # type: ignore[attr-defined]
        assert winners == 1
        assert RunFolder.open(folder).config().run.steps == 24
    assert sorted(p.name for p in tmp_path.iterdir()) == [*(f"run-{i}" for i in range(5)),
                                                          "tiny.toml"]  # fmt: skip
    injected("lock", 15)


def test_a_lock_file_that_is_removed_lets_nobody_in(tmp_path: Path, injected: Counter) -> None:
    with Lock(tmp_path):
        (tmp_path / "lock").unlink()
        with pytest.raises(LockedError, match="is in use by another process"), Lock(tmp_path):
            pass
    with Lock(tmp_path):
        pass
    injected("lock")


def test_a_folder_that_its_holder_removes(tmp_path: Path, injected: Counter) -> None:
    """What was opened a moment before is the lock of nothing."""
    folder = tmp_path / "parts"
    folder.mkdir()
    late = Lock(folder)
    take = late._take  # noqa: SLF001  (the moment between opening and locking)

    def removed_first() -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "lock").touch()
        take()

    late._take = removed_first  # type: ignore[method-assign]  # noqa: SLF001
    with pytest.raises(LockedError, match="has just been removed"), late:
        pass
    injected("lock")


def test_a_disk_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("tengri.io.lock.fcntl.flock", refused)
    with pytest.raises(DataError, match="knows no locks"), Lock(tmp_path):
        pass
    injected("lock")


def test_folders_that_cannot_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """As on NFS: the file in them is locked all the same."""
    flock = fcntl.flock

    def files_only(handle: int, how: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(handle, how)

    monkeypatch.setattr("tengri.io.lock.fcntl.flock", files_only)
    with Lock(tmp_path), pytest.raises(LockedError, match=f"process {os.getpid()}"), Lock(tmp_path):
        pass
    injected("lock")


def test_those_who_share_keep_out_who_wants_it_alone(tmp_path: Path, injected: Counter) -> None:
    shared = Lock(tmp_path, shared=True), Lock(tmp_path, shared=True)
    with shared[0], shared[1], pytest.raises(LockedError), Lock(tmp_path):
        pass
    with Lock(tmp_path), pytest.raises(LockedError), Lock(tmp_path, shared=True):
        pass
    injected("lock", 2)


@pytest.mark.parametrize("shard", [[], ["--shard", "1/1"]])
def test_two_predictions_of_one_catalogue(
    tmp_path: Path, shard: list[str], injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", *catalogue.written(tmp_path), *shard]
    parts = tmp_path / "out.h5.parts"
    parts.mkdir()
    process, _, pid = begun(victims.holder, str(parts))
    try:
        assert program(words) == 1
        assert f"is in use by process {pid} on " in capsys.readouterr().err
    finally:
        os.kill(pid, signal.SIGKILL)
        process.join()  # type: ignore[attr-defined]
    assert program(words) == 0
    injected("lock")
