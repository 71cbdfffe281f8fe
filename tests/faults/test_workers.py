"""Promise: one data set, to the byte, from 1, 2 and 8 workers and in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.faults import kill, tiny, victims
from train.dataset import Dataset

SHARDS = 8


def made_by(folder: Path, workers: int, seed: int) -> dict[str, bytes]:
    """Let processes make one data set at the same time; return its files."""
    name = f"set-{workers}"
    words = ["dataset", "tiny.toml", "-o", name]
    shards = [f"{n}/{SHARDS}" for n in range(1, SHARDS + 1)]
    random.Random(seed).shuffle(shards)
    started = []
    for i in range(workers):
        ours, theirs = kill.WARM.Pipe(duplex=False)
        process = kill.WARM.Process(
            target=victims.worker, args=(theirs, words, shards[i::workers], str(folder)),
            daemon=True,
        )  # fmt: skip
        process.start()
        theirs.close()
        started.append((process, ours))
    for process, _ in started:
        process.join()
        assert process.exitcode == 0, (folder / victims.LOG).read_text()
    found = {p.name: p.read_bytes() for p in (folder / name).iterdir()}
    assert Dataset.open(folder / name).verify() == {}
    return found


@pytest.mark.slow
def test_processes_at_the_same_time(tmp_path: Path, injected: Callable[..., None]) -> None:
    tiny.write(tmp_path)
    alone = made_by(tmp_path, 1, seed=0)
    assert len(alone) == SHARDS + 1
    for workers in (2, 8):
        assert made_by(tmp_path, workers, seed=workers) == alone
        injected("workers", workers)


@pytest.mark.slow
def test_rows_do_not_depend_on_the_number_of_files(
    tmp_path: Path, injected: Callable[..., None]
) -> None:
    """The same rows in 1, 2 and 8 shards; a row's place in a chunk changes its last bit at most."""
    tiny.write(tmp_path)
    rows = []
    for shards in (1, 2, 8):
        words = ["dataset", "tiny.toml", "-o", f"in-{shards}", "--set", f"data.shards={shards}"]
        assert kill.run(victims.program, words, str(tmp_path)).exit_code == 0
        rows.append(Dataset.open(tmp_path / f"in-{shards}").rows(0, 192))
        injected("workers")
    for other in rows[1:]:
        np.testing.assert_array_equal(other.inputs, rows[0].inputs)
        np.testing.assert_allclose(other.flux, rows[0].flux, rtol=1e-6)
