"""Where the minutes of a short training go, and when its accuracy is first of use.

    python benchmarks/five_minutes.py [sdss …] [--minutes 5]
        [-o benchmarks/results/five_minutes.json]

Runs ``tengri train NAME --set run.minutes=M`` and times the lines that it prints; accuracies on
held out galaxies are those of its log. Seconds count from the start of the command: import,
planning and compilation are in them. Memory is the largest of the process, to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tengri import __version__
from train.logs import read_metrics

#: |Δm| at 99 % [mmag] that photometry of S/N 50, 100 and 200 asks for.
OF_USE = (20.0, 10.0, 5.0)
STAGE = re.compile(r"\((\d)/\d\) (.*) …")


def timed(name: str, minutes: float) -> dict[str, Any]:
    """Return what a training of a budget took."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = ["train", name, "--set", f"run.minutes={minutes}", "--out", str(run)]
        load, begin = os.getloadavg()[0], time.time()
        process = subprocess.Popen(
            [sys.executable, "-m", "tengri", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        lines, clock = [], [(0.0, 0.0)]
        for line in process.stdout:
            lines.append((time.time() - begin, line.rstrip()))
            clock.append((lines[-1][0], processor_seconds(process.pid)))
        _, status, used = os.wait4(process.pid, 0)
        wall = time.time() - begin
        if status:
            raise SystemExit("\n".join(line for _, line in lines[-20:]))
        live = [(record["time"] - begin, record) for record in read_metrics(run / "metrics.jsonl")]

    def both(at: float) -> dict[str, float]:
        return {"at [s]": at, "processor [s]": float(np.interp(at, *zip(*clock)))}

    def first_within(most: float) -> dict[str, float] | None:
        found = [at for at, r in live if r["dm_p99_mmag"] <= most]
        return both(found[0]) if found else None

    starts = [(at, found[2]) for at, line in lines if (found := STAGE.search(line))]
    ends = [*(at for at, _ in starts[1:]), wall]
    return {
        "load at start": load,
        "minutes": minutes,
        "wall [s]": wall,
        "processor [s]": used.ru_utime + used.ru_stime,
        "peak memory [MB]": used.ru_maxrss / 1024,
        "first step": both(next(at for at, line in lines if line.startswith("step "))),
        "steps": live[-1][1]["step"],
        "after the steps [s]": {words: end - at for (at, words), end in zip(starts, ends)},
        "share after the steps": (wall - starts[0][0]) / wall,
        "held out": [{**both(at), **{key: r[f"dm_{key}_mmag"] for key in ("median", "p99")}}
                     for at, r in live],
        "first within [mmag] at 99 %": {
            str(most): first_within(most) for most in OF_USE
        },
    }  # fmt: skip


def processor_seconds(pid: int) -> float:
    """Return what a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rounded(value: Any) -> Any:
    """Return a result with four digits."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["sdss"])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/five_minutes.json")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)), "tengri": __version__, "jax": jax.__version__,
        "trainings": {},
    }  # fmt: skip
    for name in args.names:
        result["trainings"][name] = rounded(timed(name, args.minutes))
        args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
