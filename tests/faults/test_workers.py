"""Promise: one data set, to the byte, from 1, 2 and 8 workers, in any order, if some die or not."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.faults import kill, tiny, victims
from train.dataset import Dataset

SHARDS = 8


def made_by(folder: Path, workers: int, seed: int, dying: int = 0) -> dict[str, bytes]:
    """Let processes make one data set at the same time; return its files.

    So many of them are killed in one of their shards; another one does then what is missing.
    """
    name, rng = f"set-{workers}-{dying}", random.Random(seed)
    words = ["dataset", "tiny.toml", "-o", name]
    shards = [f"{n}/{SHARDS}" for n in range(1, SHARDS + 1)]
    rng.shuffle(shards)
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
    for process, pipe in started[:dying]:
        for _ in range(2 * rng.randint(1, SHARDS // workers) - 1):
            pipe.recv()  # the beginning or the end of a shard
        time.sleep(rng.uniform(0.0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
    for number, (process, _) in enumerate(started):
        process.join()
        assert process.exitcode == (-9 if number < dying else 0), log(folder)
    if dying:
        all_shards = [*words, "--set", f"data.shards={SHARDS}"]
        assert kill.run(victims.program, all_shards, str(folder)).exit_code == 0, log(folder)
    found = {p.name: p.read_bytes() for p in (folder / name).iterdir()}
    assert Dataset.open(folder / name).verify() == {}
    return found


def log(folder: Path) -> str:
    return (folder / victims.LOG).read_text(errors="replace")


@pytest.mark.slow
def test_processes_at_the_same_time(tmp_path: Path, injected: Callable[..., None]) -> None:
    tiny.write(tmp_path)
    alone = made_by(tmp_path, 1, seed=0)
    assert len(alone) == SHARDS + 1
    for workers in (2, 8):
        assert made_by(tmp_path, workers, seed=workers) == alone
        injected("workers", workers)
    for workers, dying in ((1, 1), (2, 1), (8, 3)):
        assert made_by(tmp_path, workers, seed=workers, dying=dying) == alone
        injected("workers", dying)


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
