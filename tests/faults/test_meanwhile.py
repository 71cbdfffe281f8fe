"""Promise: files that change while they are read and clocks that go backwards spoil nothing."""

from __future__ import annotations

import os
import signal
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emulator import artefact
from tengri.catalogue.table import Field, Schema, format_of, open_table
from tengri.errors import DataError
from tengri.io import sealed_json
from tengri.io.lock import Lock
from tests.faults.make_golden import RUN
from train import recovery
from train.dataset import Dataset

Counter = Callable[..., None]


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0" * 100)


def exchanged(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.replace(other, path)


def taken_away(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [cut_off, grown, exchanged, taken_away])
@pytest.mark.parametrize("ending", [".h5", ".fits", ".fits.gz", ".parquet", ".csv"])
def test_catalogues_that_change_while_they_are_read(
    tmp_path: Path, ending: str, change: Callable[[Path], None], injected: Counter
) -> None:
    path, rows = tmp_path / f"x{ending}", {"redshift": np.linspace(0.0, 1.0, 50_000)}
    schema = Schema({"redshift": Field(np.dtype("f8"))}, {}, len(rows["redshift"]))
    format_of(path).write_table(path, schema, [rows])
    with open_table(path) as found:
        found.read(["redshift"], 0, 10)
        change(path)
        with pytest.raises(DataError, match="has changed while it was read"):
            found.read(["redshift"], 40_000, 50_000)
    injected("meanwhile")


def test_a_clock_that_goes_backwards(
    finished: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """What is set aside never takes the place of what was set aside before."""
    monkeypatch.setattr(time, "time_ns", lambda: -5)
    for text in ("one", "two", "three"):
        (finished / "clock.json").write_text(text)
        recovery.recover(finished)
    kept = [p.read_text() for p in (finished / "damaged").iterdir()]
    assert sorted(kept) == ["one", "three", "two"]
    injected("meanwhile", 3)


def test_interrupted_calls(golden: Path, injected: Counter) -> None:
    """A signal every millisecond: calls of the system end early, and are made again."""
    calls = 0

    def count(number: int, frame: types.FrameType | None) -> None:
        nonlocal calls
        calls += 1

    good = artefact.read(golden / RUN / "surrogate.h5")
    before = signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
    try:
        for number in range(5):
            artefact.write(golden / "x.h5", good)
            sealed_json.write_json(golden / "x.json", [number] * 1000)
            assert artefact.read(golden / "x.h5").card == good.card
            assert sealed_json.read_json(golden / "x.json") == [number] * 1000
            assert Dataset.open(golden / "set-1").verify() == {}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert calls > 20
    injected("meanwhile", 5)


def test_a_lock_that_is_a_link_spoils_nothing(tmp_path: Path, injected: Counter) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "lock").symlink_to("mine")
    with pytest.raises(DataError, match="lock: cannot be written"), Lock(tmp_path):
        pass
    assert (tmp_path / "mine").read_text() == "precious"
    injected("meanwhile")
