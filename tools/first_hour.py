"""The first hour of a new user: every command of the README, in its order, timed.

    python -m tools.first_hour                  writes benchmarks/results/first_hour.json
    python -m tools.first_hour --list           the commands

In an empty folder, with a new environment and empty caches; nothing of the clone is seen but the
README and the wheel built from it, which stands for the address of the repository. Commands that
need a clone (``make``) are left out. Needs the network, for the dependencies. Fails where a command
does, or where one of the `LIMITS` is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tengri.grids import files
from tools.clean_wheel import LEFT_OUT, ROOT, build

RESULT = ROOT / "benchmarks/results/first_hour.json"
BLOCK = re.compile(r"^```(sh|python|console)\n(.*?)^```", re.S | re.M)
#: Where the commands begin that need a clone.
END = "## From a clone"
#: What the README installs from, in whose place the wheel of this clone is installed.
ADDRESS = re.compile(r"tengri-sed @ git\+\S+?(?=\")")
#: Milestones by what their command has, and seconds of the clock that they may take.
LIMITS = {
    "install": ("pip install", None),
    "first plot": ("savefig", 60.0),
    "first trained surrogate": ("tengri train", 360.0),
    "first comparison": ("tengri compare", None),
    "first ten fits": ("tengri fit", None),
}


@dataclass(frozen=True)
class Step:
    """One command of the README: a line of shell, or a block of Python."""

    kind: str
    text: str

    @property
    def name(self) -> str:
        """The milestone that it is, or nothing."""
        return next((name for name, (word, _) in LIMITS.items() if word in self.text), "")

    @property
    def title(self) -> str:
        """What is printed: the line, or the last one of a block."""
        return self.text.strip().splitlines()[-1]


def steps(text: str) -> Iterator[Step]:
    """Yield the commands of a README in their order."""
    for kind, block in BLOCK.findall(text.partition(END)[0]):
        if kind == "python":
            yield Step(kind, block)
            continue
        for line in block.replace("\\\n", " ").splitlines():
            command = line.removeprefix("$ ").strip()
            if command and not command.startswith("#"):
                yield Step("sh", command)


def main(words: Sequence[str] | None = None) -> int:
    """Run the README; return 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the commands")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment")
    parser.add_argument("--before", default="", metavar="WORDS",
                        help="stand before the commands that have a limit, such as 'chrt -f 10' "
                        "on a busy machine")  # fmt: skip
    parser.add_argument("--out", type=Path, default=RESULT, help="the record")
    args = parser.parse_args(words)
    found = list(steps((ROOT / "README.md").read_text()))
    if args.list:
        print("\n\n".join(f"[{step.name or step.kind}] {step.text}" for step in found))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        record = _run(found, Path(folder), args)
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    late = [f"{row['milestone']}: {row['seconds']} s" for row in record["steps"] if row["late"]]
    print(f"in all {record['seconds']:.0f} s" + (f"; too late: {', '.join(late)}" if late else ""))
    return 1 if late else 0


def _run(found: list[Step], scratch: Path, args: argparse.Namespace) -> dict[str, Any]:
    wheel = build(scratch / "source", scratch / "wheel")
    subprocess.run([args.python, "-m", "venv", str(scratch / "venv")], check=True)
    empty = scratch / "empty"
    empty.mkdir()
    environment = _environment(scratch)
    load = os.getloadavg()[0]
    rows: list[dict[str, Any]] = []
    for step in found:
        limit = LIMITS[step.name][1] if step.name else None
        before = shlex.split(args.before) if limit else []
        seconds, processor = _timed(before, step, wheel, empty, environment)
        rows.append({"command": step.title, "milestone": step.name, "limit": limit,
                     "seconds": round(seconds, 1), "processor_seconds": round(processor, 1),
                     "late": limit is not None and seconds > limit})  # fmt: skip
        print(f"{seconds:7.1f} s ({processor:6.1f} s of processor)  {step.title}", flush=True)
    return {
        "machine": platform.machine(), "cores": os.cpu_count(), "load_at_start": load,
        "before_commands_with_a_limit": args.before,
        "python": platform.python_version(), "seconds": sum(float(r["seconds"]) for r in rows),
        "steps": rows,
    }  # fmt: skip


def _environment(scratch: Path) -> dict[str, str]:
    """Return the environment of somebody who has never run this: empty caches, the new python."""
    kept = {k: v for k, v in os.environ.items() if k not in LEFT_OUT and k != files.ENVIRONMENT}
    path = f"{scratch / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "XDG_CACHE_HOME": str(scratch / "cache"), "MPLBACKEND": "Agg"}


def _timed(
    words: list[str], step: Step, wheel: Path, folder: Path, environment: dict[str, str]
) -> tuple[float, float]:
    """Run a command; return the seconds of the clock and of the processors.

    Raises
    ------
    SystemExit
        It failed.
    """
    text = ADDRESS.sub(f"tengri-sed @ {wheel.as_uri()}", step.text)
    if step.kind == "python":
        command = ["python", "-c", text]
    else:
        command = ["bash", "-euo", "pipefail", "-c", text]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*words, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{step.text}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
