"""Kill trainings and data-set workers, again and again, in every phase of their lives.

    python -m tests.faults.stress --kills 100 --seed 0 -o tests/faults/results/kills.json

A run is killed (``SIGKILL``) at a random instant of a chosen phase, resumed, killed in a later
one, and so on to its end; then the next run begins. After every kill and at every end:

- a folder that exists holds its configuration, and no reader finds a torn file;
- the resume starts from a step not before the last save that had been acknowledged;
- the finished run exits with 0 and has the weights, to the bit, of one that was never killed;
- the shards of a data set whose workers were killed are, to the byte, those of one worker.

Anything else counts as lost.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax

from emulator import artefact
from tengri import __version__
from tengri.io import atomic, seal
from tests.faults import kill, tiny, victims
from train import checkpoints, recovery
from train.dataset import Dataset
from train.runfolder import RunFolder, is_run

#: Kills of one run, in this order; a phase that comes often is hit in one of its first calls.
SERIES = ("folder", "plan", "rows", "save", "steps", "save", "rows", "save", "evaluate",
          "artefact", "report", "done", "proof")  # fmt: skip
OFTEN = {"rows": 2, "save": 3, "steps": 3}


@dataclass
class Record:
    """What was done to the victims and what came of it."""

    phases: Counter[str] = field(default_factory=Counter)
    redone: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Processes that died by our hand."""
        return sum(self.phases.values())

    def content(self) -> dict[str, Any]:
        """Return the record, JSON-serialisable."""
        return {
            "kills": self.kills,
            "lost": len(self.lost),
            "what_was_lost": self.lost,
            "most_steps_redone": self.redone,
            "steps_between_saves": 4,
            "phases": dict(sorted(self.phases.items())),
            "versions": {"tengri": __version__, "jax": jax.__version__,
                         "python": platform.python_version()},
        }  # fmt: skip


@dataclass
class Stress:
    """The folder of the victims, the reference that was never killed, and the record."""

    folder: Path
    rng: random.Random
    record: Record = field(default_factory=Record)

    def prepare(self) -> None:
        """Make the reference run and data set; learn how long each phase takes."""
        tiny.write(self.folder)
        self._program(["train", "tiny.toml", "--out", "first"])  # compiles
        whole = self._program(["train", "tiny.toml", "--out", "whole"])
        assert whole.exit_code == 0, self._log()
        self.took = {phase: max(times) for phase, times in whole.durations().items()}
        self.weights = weights(self.folder / "whole")
        made = self._program(["dataset", "tiny.toml", "-o", "set-whole"])
        assert made.exit_code == 0, self._log()
        self.took["shard"] = max(made.durations()["shard"])
        self.shards = _shards(self.folder / "set-whole")

    def run(self, kills: int) -> Iterator[Record]:
        """Go on until so many victims have died; the record comes after every run."""
        number = 0
        while self.record.kills < kills:
            self._training(number, kills)
            if self.record.kills < kills:
                self._dataset(number, kills)
            number += 1
            yield self.record

    # --- victims ------------------------------------------------------------------------------

    def _training(self, number: int, kills: int) -> None:
        """Kill one run in phase after phase, then let it end."""
        name, safe = f"run-{number}", 0
        for phase in SERIES:
            if self.record.kills >= kills:
                break
            death = self._session(name, phase)
            safe = self._judge(name, death, safe)
        end = self._session(name, None)
        safe = self._judge(name, end, safe)
        self._ended(name, end)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def _session(self, name: str, phase: str | None) -> kill.Death:
        words = ["resume", name] if is_run(self.folder / name) else [
            "train", "tiny.toml", "--out", name]  # fmt: skip
        return self._program(words, phase)

    def _program(self, words: list[str], phase: str | None = None) -> kill.Death:
        at = (phase, self.rng.randint(1, OFTEN.get(phase, 1))) if phase else None
        delay = self.rng.uniform(0.0, self.took[phase]) if phase else 0.0
        death = kill.run(victims.program, words, str(self.folder), at=at, delay=delay)
        if phase and death.exit_code == -9:
            self.record.phases[death.phase] += 1
            print(f"kill {self.record.kills}: {words[0]} in {death.phase}", flush=True)
        return death

    def _dataset(self, number: int, kills: int) -> None:
        """Kill workers of one data set, then let one of them end."""
        name = f"set-{number}"
        words = ["dataset", "tiny.toml", "-o", name]
        for shard in (1, 2):
            if self.record.kills < kills:
                death = self._program([*words, "--shard", f"{shard}/3"], "shard")
                self._expect(death.exit_code in (0, -9), f"{name}: exit {death.exit_code}")
        end = self._program(words)
        self._expect(end.exit_code == 0, f"{name}: exit code {end.exit_code}")
        if end.exit_code == 0:
            self._expect(_shards(self.folder / name) == self.shards, f"{name}: other shards")
        shutil.rmtree(self.folder / name, ignore_errors=True)

    # --- judgement ----------------------------------------------------------------------------

    def _judge(self, name: str, death: kill.Death, safe: int) -> int:
        """Check a run after a session; return the last step that is known to be saved."""
        self._expect(death.exit_code in (0, -9), f"{name}: exit code {death.exit_code}")
        found = death.last("restore")
        if found is not None:
            self._expect(found >= safe, f"{name}: resumed from {found}, {safe} was saved")
        begun = [n for phase, way, n in death.marks if (phase, way) == ("save", "in")]
        saved = death.last("save") or 0
        self.record.redone = max(self.record.redone, max(begun, default=0) - max(saved, safe))
        for problem in torn(self.folder / name, max(safe, saved)):
            self._expect(False, f"{name}: {problem}")
        return max(safe, saved)

    def _ended(self, name: str, end: kill.Death) -> None:
        run = self.folder / name
        self._expect(end.exit_code == 0, f"{name}: exit code {end.exit_code}")
        if end.exit_code == 0:
            self._expect(weights(run) == self.weights, f"{name}: other weights")
            left = [p.name for p in run.rglob("*") if "tmp" in p.name]
            self._expect(not left, f"{name}: left behind {left}")

    def _expect(self, holds: bool, message: str) -> None:
        if not holds:
            self.record.lost.append(message)
            print(f"LOST {message}\n{self._log()}", flush=True)

    def _log(self) -> str:
        return (self.folder / victims.LOG).read_text(errors="replace")[-2000:]


def torn(run: Path, safe: int) -> list[str]:
    """Return what a reader would stumble over in a run that was killed at any instant.

    Step ``safe`` was acknowledged: it or a later one is whole. Whatever has a manifest is whole.
    """
    if not run.exists():
        return []
    pairs = [[p for p in (run / name, run / recovery.COPIES / name) if p.exists()]
             for name in recovery.DUPLICATED]  # fmt: skip
    read_back = [p for pair in pairs for p in pair] + [
        run / name for name in ("clock.json", "done.json") if (run / name).exists()
    ]
    problems = [text for path in read_back if (text := recovery.problem_with(path))]
    if not pairs[0]:
        problems.append("no configuration")
    if (run / "surrogate.h5").exists():
        try:
            seal.verify(run / "surrogate.h5")
        except OSError as error:
            problems.append(str(error))
    stated = {int(p.stem) for p in (run / "manifests").glob("[0-9]*.json")}
    found = checkpoints.verify(run)
    newest = max((step for step, text in found.items() if not text), default=0)
    problems += [f"{step}: {text}" for step, text in found.items()
                 if text and step in stated]  # fmt: skip
    if newest < safe:
        problems.append(f"step {safe} was saved, {newest} is the newest that is whole")
    return problems


def weights(run: Path) -> list[bytes]:
    return victims.bits(artefact.read(RunFolder(run).artefact).params)


def _shards(folder: Path) -> list[str]:
    dataset = Dataset.open(folder)
    return [seal.verify(dataset.path(n)) for n in range(1, dataset.n_shards + 1)]


def measure(kills: int, seed: int, folder: Path, out: Path | None) -> dict[str, Any]:
    """Kill so many victims; return the record, which is also written after every run."""
    began = time.monotonic()
    stress = Stress(folder, random.Random(seed))
    stress.prepare()
    for found in stress.run(kills):
        content = found.content() | {"seed": seed, "seconds": round(time.monotonic() - began)}
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_text(out, json.dumps(content, indent=1) + "\n")
    return content


def arguments(about: str, kills: int) -> argparse.Namespace:
    """Return what the command line says of a record of kills."""
    parser = argparse.ArgumentParser(description=about.split("\n")[0])
    parser.add_argument("--kills", type=int, default=kills)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, help="write the record as JSON")
    return parser.parse_args()


@contextmanager
def runs_folder() -> Iterator[Path]:
    """Give a folder for runs that compile once, the first of them.

    Victims then live longer in the phases that matter.
    """
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(temporary, "compiled"))
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        yield Path(temporary, "runs")


def main() -> int:
    """Run from the command line; the exit code is 1 where anything was lost."""
    args = arguments(__doc__, kills=100)
    with runs_folder() as folder:
        found = measure(args.kills, args.seed, folder, args.out)
    print(json.dumps(found, indent=1))
    return 1 if found["lost"] else 0


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    raise SystemExit(main())
