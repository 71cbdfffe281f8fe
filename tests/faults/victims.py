"""What is killed: the program itself and its writers, each saying in what phase it is.

A victim runs in a child that a warm process has forked (`tests.faults.kill`), so that dying
costs it no imports. It sends ``(phase, "in" | "out", number)`` down a pipe as it goes.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import jax
import numpy as np

import tengri.__main__
import train.commands
from emulator import artefact
from tengri.errors import DataError
from tengri.io.lock import Lock
from train import config as configs
from train import evaluate, pipeline, report
from train.checkpoints import Checkpoints
from train.dataset import Dataset
from train.pools import Pools
from train.rows import Rows
from train.runfolder import RunFolder

# Victims compile what their predecessors have compiled; nothing of it goes to a user's cache.
os.environ["TENGRI_COMPILATION_CACHE"] = "0"

#: Phase of a training → (owner, attribute) of the call that is it, in the order of a run.
PHASES: dict[str, tuple[Any, str]] = {
    "folder": (RunFolder, "create"),
    "plan": (RunFolder, "write_plan"),
    "rows": (Pools, "raw"),
    "steps": (Pools, "get"),
    "save": (Checkpoints, "save"),
    "evaluate": (evaluate, "evaluate"),
    "artefact": (pipeline, "write"),
    "report": (report, "write"),
    "done": (RunFolder, "write_done"),
    "proof": (pipeline, "_prove"),
}


#: What victims print, in the folder they run in.
LOG = "victims.log"


def program(pipe: Connection, words: list[str], folder: str) -> None:
    """Run the command line ``tengri WORDS`` in a folder; the exit code is the program's."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    os.chdir(folder)
    for phase, (owner, name) in PHASES.items():
        _announce(pipe, phase, owner, name, _step if phase == "save" else _zero)
    _announce(pipe, "restore", Checkpoints, "restore", _restored)
    _announce(pipe, "shard", Dataset, "make", lambda args, result: args[2])
    _redirect(LOG)
    code = tengri.__main__.main(words)
    if code == 0:
        jax.distributed.shutdown()  # waits for the other processes of a training, if there are any
    os._exit(code)


def on_a_full_disk(pipe: Connection, words: list[str], folder: str, phase: str, call: int) -> None:
    """Run the program; from the n-th call of a phase on no file can grow beyond 64 bytes.

    Nor can the log: what the program says at its end goes down the pipe.
    """
    owner, name = PHASES[phase]
    original, calls = getattr(owner, name), iter(range(1, 10**6))

    @functools.wraps(original)
    def limited(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, unlimited))
        return original(*args, **kwargs)

    def failed(args: Any, reason: object) -> int:
        pipe.send((f"tengri {args.command}: {reason}", "said", 0))
        return 1

    setattr(owner, name, limited)
    tengri.__main__._failed = failed  # noqa: SLF001  (what it says is sent on)
    program(pipe, words, folder)


def saver(pipe: Connection, folder: str) -> None:
    """Save checkpoints until killed; ``out`` says which step is safe."""
    checkpoints = Checkpoints(Path(folder))
    for step in range((checkpoints.steps() or [0])[-1] + 1, 10**6):
        pipe.send(("save", "in", step))
        checkpoints.save(step, state(step), 1.0 / step)
        pipe.send(("save", "out", step))


def holder(pipe: Connection, folder: str) -> None:
    """Hold the lock of a run until killed."""
    with Lock(Path(folder)):
        pipe.send(("lock", "in", os.getpid()))
        signal.pause()


def racer(pipe: Connection, folder: str, config: str, starts_at: float) -> None:
    """Make a run folder at a moment agreed upon; ``out`` says that it is this process's."""
    settings = configs.load(config)
    pipe.send(("race", "in", os.getpid()))
    time.sleep(max(0.0, starts_at - time.time()))
    with contextlib.suppress(DataError):
        RunFolder.create(Path(folder), settings, "tengri train")
        pipe.send(("race", "out", os.getpid()))


def worker(pipe: Connection, words: list[str], shards: list[str], folder: str) -> None:
    """Make some shards of a data set, one after another, as a job of its own would."""
    os.chdir(folder)
    _redirect(LOG)
    for shard in shards:
        pipe.send(("worker", "in", int(shard.split("/")[0])))
        if tengri.__main__.main([*words, "--shard", shard]) != 0:
            os._exit(1)
        pipe.send(("worker", "out", int(shard.split("/")[0])))


def folder_maker(pipe: Connection, folder: str, config: str) -> None:
    """Make run folders until killed."""
    settings = configs.load(config)
    for number in range(10**6):
        pipe.send(("folder", "in", number))
        RunFolder.create(Path(folder) / f"run-{number}", settings, "tengri train")
        pipe.send(("folder", "out", number))


def shard_maker(pipe: Connection, folder: str) -> None:
    """Write the shards of a data set again and again until killed."""
    dataset = Dataset.open(Path(folder))
    for number in range(10**6):
        shard = 1 + number % dataset.n_shards
        pipe.send(("shard", "in", shard))
        dataset._write(shard, rows_of(dataset, shard))  # noqa: SLF001  (rows that are made already)
        pipe.send(("shard", "out", shard))


def publisher(pipe: Connection, source: str, final: str) -> None:
    """Publish a surrogate under one name until killed."""
    published = artefact.read(source)
    for number in range(10**6):
        pipe.send(("artefact", "in", number))
        artefact.write(final, published)
        pipe.send(("artefact", "out", number))


def state(step: int) -> dict[str, Any]:
    """Return a state that only ``step`` can have."""
    rng = np.random.default_rng(step)
    return {
        "params": {"w": rng.normal(size=(192, 192)).astype(np.float32)},
        "step": np.asarray(step, np.int32),
    }


def bits(tree: Any) -> list[bytes]:
    """Return the bytes of every array of a tree."""
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def rows_of(dataset: Dataset, shard: int) -> Rows:
    """Return rows that only this shard of the set can have, large enough to take a while."""
    start, stop = dataset.bounds(shard)
    rng = np.random.default_rng(shard)
    flux = rng.random((stop - start, 5), np.float32)
    return Rows(start, rng.random((stop - start, 3), np.float32), flux)


def _announce(
    pipe: Connection, phase: str, owner: Any, name: str, number: Callable[[Any, Any], int]
) -> None:
    """Make a call say when it begins and when it has returned."""
    call = getattr(owner, name)

    @functools.wraps(call)
    def announced(*args: Any, **kwargs: Any) -> Any:
        pipe.send((phase, "in", number(args, None)))
        result = call(*args, **kwargs)
        pipe.send((phase, "out", number(args, result)))
        return result

    setattr(owner, name, announced)


def _zero(args: Any, result: Any) -> int:
    return 0


def _step(args: Any, result: Any) -> int:
    return args[1]


def _restored(args: Any, result: Any) -> int:
    return result.step if result is not None else 0


def _redirect(out: str) -> None:
    """Send what the victim prints to a file."""
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(handle, stream)


assert train.commands  # its commands are found by entry point; imported here to be warm
