"""Kill one of the processes of a training by several (`jax.distributed`), again and again.

    python -m tests.faults.distributed --kills 10 -o tests/faults/results/distributed.json

Two processes train one run. At a random instant of a random phase one of them is killed, the first
as often as the second; the other has a minute to end by itself. Then both resume. After every kill
the folder holds whole files alone, and the resume starts no earlier than the last save that was
acknowledged; the run that ends has the weights, to the bit, of two processes never killed.
"""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax

from tengri import __version__
from tengri.io import atomic
from tests.faults import kill, stress, tiny, victims
from train.runfolder import is_run

#: Phases in which both processes work, so that the other is left in the middle of one.
PHASES = ("rows", "steps", "save")
#: A process whose partner has died may take so long [s] to end.
PATIENCE = 60.0
PROCESSES = 2


class Kill(NamedTuple):
    """Which process dies, so many seconds into the n-th call of a phase."""

    process: int
    phase: str
    call: int
    delay: float


def session(folder: Path, run: str, plan: Kill | None = None) -> tuple[list[kill.Death], float]:
    """Train with two processes until the end, or until one is killed.

    Returns
    -------
    deaths : list of Death
        Of each process. One whose partner was killed and that had not ended is killed, too.
    waited : float
        How long after the kill the last one ended [s].
    """
    words = ["resume", run] if is_run(folder / run) else ["train", "tiny.toml", "--out", run]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    died: list[float] = []

    def overdue() -> bool:
        return bool(died) and time.monotonic() - died[0] > PATIENCE

    def one(process: int) -> kill.Death:
        joined = [*words, "--coordinator", address, "--processes", str(PROCESSES),
                  "--process", str(process)]  # fmt: skip
        mine = plan if plan is not None and plan.process == process else None
        death = kill.run(
            victims.program, joined, str(folder), at=mine and (mine.phase, mine.call),
            delay=mine.delay if mine else 0.0, unless=overdue,
        )  # fmt: skip
        if death.exit_code:
            died.append(time.monotonic())
        return death

    with ThreadPoolExecutor(PROCESSES) as threads:
        deaths = list(threads.map(one, range(PROCESSES)))
    return deaths, died[-1] - died[0] if died else 0.0


def kills(folder: Path, number: int, seed: int) -> dict[str, Any]:
    """Kill so many processes of one run after another; return what came of it."""
    rng = random.Random(seed)
    tiny.write(folder)
    session(folder, "first")  # compiles
    whole, _ = session(folder, "whole")
    assert [d.exit_code for d in whole] == [0, 0], (folder / victims.LOG).read_text()
    took = {name: max(times) for name, times in whole[0].durations().items()}
    expected = stress.weights(folder / "whole")
    phases: Counter[str] = Counter()
    lost: list[str] = []
    waits, ended, runs, done = [], 0, 0, 0
    while done < number:
        run, safe = f"run-{runs}", 0
        for _ in range(min(5, number - done)):
            phase = rng.choice(PHASES)
            plan = Kill(done % PROCESSES, phase, 1, rng.uniform(0.0, took[phase]))
            deaths, waited = session(folder, run, plan)
            if deaths[plan.process].exit_code != -9:
                lost.append(f"{run}: exit code {deaths[plan.process].exit_code}")
                break  # it had ended before, or by itself
            done += 1
            other = deaths[1 - plan.process].exit_code
            ended += other != -9
            waits.append(waited)
            phases[f"{phase}, {'first' if plan.process == 0 else 'second'}"] += 1
            print(f"kill {done}: {plan}, the other {other} after {waited:.1f} s", flush=True)
            restored = [d.last("restore") for d in deaths]
            lost += [f"{run}: resumed from {n}, {safe} was saved"
                     for n in restored if n is not None and n < safe]  # fmt: skip
            safe = max(safe, *(d.last("save") or 0 for d in deaths))
            lost += [f"{run}: {problem}" for problem in stress.torn(folder / run, safe)]
        end, _ = session(folder, run)
        codes = [d.exit_code for d in end]
        if codes != [0, 0]:
            lost.append(f"{run}: exit codes {codes}: {(folder / victims.LOG).read_text()[-1000:]}")
        elif stress.weights(folder / run) != expected:
            lost.append(f"{run}: other weights")
        runs += 1
    return {"kills": done, "lost": len(lost), "what_was_lost": lost, "runs": runs,
            "phases": dict(sorted(phases.items())), "the other ended by itself": ended,
            "longest wait for it [s]": round(max(waits, default=0.0), 1)}  # fmt: skip


def main() -> int:
    """Run from the command line; the exit code is 1 where anything was lost."""
    args = stress.arguments(__doc__, kills=10)
    with stress.runs_folder() as folder:
        began = time.monotonic()
        found = kills(folder, args.kills, args.seed)
    found |= {"seed": args.seed, "seconds": round(time.monotonic() - began),
              "versions": {"tengri": __version__, "jax": jax.__version__}}  # fmt: skip
    if args.out:
        atomic.write_text(args.out, json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return 1 if found["lost"] else 0


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    raise SystemExit(main())
