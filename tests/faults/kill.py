"""Signals at a chosen phase: a child is forked, listened to, and killed there and then."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

#: One warm process has imported everything; every victim is forked from it.
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["tests.faults.victims"])
PATIENCE = 1800.0

Mark = tuple[str, str, int]


@dataclass
class Death:
    """What a victim had said before it ended, when it did, and its exit code."""

    marks: list[Mark] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    exit_code: int | None = None

    def last(self, phase: str) -> int | None:
        """Return the number of the last call of ``phase`` that had returned."""
        done = [number for name, way, number in self.marks if (name, way) == (phase, "out")]
        return done[-1] if done else None

    @property
    def phase(self) -> str:
        """The innermost phase that had begun and not ended."""
        inside: list[str] = []
        for name, way, _ in self.marks:
            if way == "in":
                inside.append(name)
            elif name in inside:
                inside.remove(name)
        return inside[-1] if inside else "between"

    def durations(self) -> dict[str, list[float]]:
        """Return how long every finished call of each phase took [s]."""
        begun: dict[str, float] = {}
        took: dict[str, list[float]] = {}
        for (name, way, _), when in zip(self.marks, self.times):
            if way == "in":
                begun[name] = when
            elif name in begun:
                took.setdefault(name, []).append(when - begun[name])
        return took


def run(target: Callable[..., None], *args: Any, at: tuple[str, int] | None = None,
        delay: float = 0.0, signals: Sequence[int] = (signal.SIGKILL,),
        unless: Callable[[], bool] = lambda: False) -> Death:  # fmt: skip
    """Run a victim; send signals ``delay`` seconds into the n-th call of the phase ``at``.

    Without ``at``, or when it ends before, it lives to its end, or until ``unless`` says so.
    """
    ours, theirs = WARM.Pipe(duplex=False)
    process = WARM.Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    theirs.close()
    death, waiting, begun = Death(), at, time.monotonic()
    while time.monotonic() - begun < PATIENCE and not unless():
        try:
            if not ours.poll(0.5):
                continue
            mark = ours.recv()
        except EOFError:
            break
        death.marks.append(mark)
        death.times.append(time.monotonic())
        if waiting and mark[:2] == (waiting[0], "in"):
            waiting = (waiting[0], waiting[1] - 1)
            if waiting[1] <= 0:
                for number in signals:
                    time.sleep(delay)
                    with suppress(ProcessLookupError):  # it has ended by itself
                        os.kill(process.pid, number)  # type: ignore[arg-type]
                waiting = None
    process.kill()
    process.join()
    death.exit_code = process.exitcode
    return death
