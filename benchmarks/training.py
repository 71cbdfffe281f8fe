"""Where the time of a training goes: exact model, network, or what is neither.

    python benchmarks/training.py [sdss_tsnorm sdss] [-o benchmarks/results/training.json]

Trains each configuration for some thousand steps, with smaller pools but as many uses of each row,
and counts seconds from the end of the first block of steps on: compiling is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jax

from tengri.io.jsonable import jsonable
from train import config as configs
from train import loop
from train.checkpoints import Checkpoints
from train.problem import Problem
from train.rows import RowMaker
from train.runfolder import RunFolder
from train.signals import Signals

POOL = 8192
#: what is timed → the name of its share
PARTS = {
    (RowMaker, "flux"): "exact model",
    (Problem, "to_pool"): "network's targets of the rows",
    (loop.Loop, "_validate"): "validation",
    (Checkpoints, "save"): "saving and reading back",
}


class Clock:
    """Seconds by name, once ``started``; calls inside another timed call count for the outer."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.started = 0.0
        self._busy = self._is_armed = False

    def armed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call``, after which the first block of steps starts the clock."""

        def then_armed(*args: Any) -> Any:
            result = call(*args)
            self._is_armed = True
            return result

        return then_armed

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call``, waited for and counted under ``name``."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            if self._busy:
                return call(*args, **kwargs)
            self._busy, begin = True, time.perf_counter()
            try:
                return jax.block_until_ready(call(*args, **kwargs))
            finally:
                self._busy = False
                if self.started:
                    self.seconds[name] += time.perf_counter() - begin

        return counted

    def compiled(self, *args: Any) -> tuple[Any, Any]:
        """Return the optimiser and its dispatch; the clock starts when the first one is done."""
        optimiser, dispatch = compiled(*args)
        counted = self.timed("network", dispatch)

        def first_starts(*given: Any) -> Any:
            result = counted(*given)
            if self._is_armed and not self.started:
                self.started = time.perf_counter()
            return result

        return optimiser, first_starts


compiled = loop.compiled


@contextmanager
def patched(clock: Clock) -> Iterator[None]:
    """Let a clock see the parts of the training loop."""
    patches = [patch.object(owner, method, clock.timed(name, getattr(owner, method)))
               for (owner, method), name in PARTS.items()]  # fmt: skip
    patches.append(patch.object(loop, "compiled", clock.compiled))
    patches.append(patch.object(loop.Loop, "_start", clock.armed(loop.Loop._start)))  # noqa: SLF001  (timed where it is)
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def shares(name: str, steps: int) -> dict[str, Any]:
    """Return where the seconds of one training went."""
    config = configs.load(name)
    config = replace(config, data=replace(config.data, pool=POOL),
                     run=replace(config.run, steps=steps, validation_rows=1024))  # fmt: skip
    problem, clock = Problem.build(config), Clock()
    with tempfile.TemporaryDirectory() as temporary, Signals() as signals:
        folder = RunFolder.create(Path(temporary, "run"), config, f"tengri train {name}")
        training = loop.Loop(problem, folder, signals)
        with patched(clock):
            trained = training.run()
        total = time.perf_counter() - clock.started
    clock.seconds["Python and the rest"] = total - sum(clock.seconds.values())
    return {"steps": steps, "rows": trained.rows, "seconds": total,
            "shares": {part: s / total for part, s in clock.seconds.items()}}  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["sdss_tsnorm", "sdss"])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/training.json")
    args = parser.parse_args()
    record: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "jax": jax.__version__,
                              "load at start": os.getloadavg()[0]}  # fmt: skip
    record["trainings"] = {name: shares(name, args.steps) for name in args.names}
    for name, row in record["trainings"].items():
        print(name, ", ".join(f"{part} {100 * s:.1f} %" for part, s in row["shares"].items()))
    args.output.write_text(json.dumps(jsonable(record), indent=1) + "\n")


if __name__ == "__main__":
    main()
