"""Counting what was injected: `python -m tests.faults.record` makes the table of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.make_golden import DATASET, GOLDEN, RUN
from tests.train.conftest import float32, problem

__all__ = ["float32", "problem"]


@pytest.fixture
def injected(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Return ``injected(promise, n)``, which counts n faults that lost nothing."""

    def count(promise: str, n: int = 1) -> None:
        record_property("faults", (promise, n))

    return count


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the golden folder, from where its run and data set were made."""
    copy = Path(shutil.copytree(GOLDEN, tmp_path / "golden"))
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def finished(golden: Path) -> Path:
    """Return a run that has ended, with two checkpoints."""
    return golden / RUN


@pytest.fixture
def stored(golden: Path) -> Path:
    """Return a data set of three shards."""
    return golden / DATASET
