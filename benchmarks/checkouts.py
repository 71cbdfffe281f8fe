"""What a change costs: the speed benchmark of two checkouts, in turn, on one machine.

    git worktree add ../before REVISION
    python benchmarks/checkouts.py ../before [-o benchmarks/results/checkouts.json]

Runs ``benchmarks/speed.py`` of the other checkout and of this one, round after round, each in a
process of its own, and writes the median cost of every contender on both sides and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parents[1]
PARTS = ("grids", "published", "notebook")


def main() -> None:
    """Measure both, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    default = Path("benchmarks/results/checkouts.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    args = parser.parse_args()
    sides = {"before": args.before.resolve(), "after": HERE}
    costs: dict[str, dict[str, list[float]]] = {side: {} for side in sides}
    for _ in range(args.rounds):
        for side, checkout in sides.items():
            for name, cost in flat(run(checkout, args.repeats)).items():
                costs[side].setdefault(name, []).append(cost)
    rows = {
        name: {side: median(costs[side][name]) for side in sides}
        for name in costs["before"]
        if name in costs["after"]
    }
    for row in rows.values():
        row["ratio"] = row["after"] / row["before"]
    revisions = {side: revision(checkout) for side, checkout in sides.items()}
    record = {"revisions": revisions, "rounds": args.rounds, "rows": rows}
    args.output.write_text(json.dumps(record, indent=1) + "\n")
    for name, row in rows.items():
        print(f"{row['before']:12.3f} {row['after']:12.3f} {row['ratio']:7.3f}  {name}")


def run(checkout: Path, repeats: int) -> dict[str, Any]:
    """Return what the speed benchmark of a checkout measures, on the embedded grid."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "speed.json"
        command = [sys.executable, "benchmarks/speed.py", "--grid", "embedded", "-o", str(output)]
        command += ["--repeats", str(repeats), *(f"--only={part}" for part in PARTS)]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        subprocess.run(
            command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        return json.loads(output.read_text())


def flat(record: dict[str, Any]) -> dict[str, float]:
    """Return the costs by name: µs per galaxy or call of each contender, ms of the notebook."""
    result = {}
    for floats, measured in record["grids"]["embedded"].items():
        for name, row in measured["contenders"].items():
            result[f"{floats}: {name}"] = row["us_per_galaxy"]
            result[f"{floats}: {name}, first call [s]"] = row["first_call_s"]
    for name, row in record["published"].items():
        result[f"published {name}: batch"] = 1e6 / row["galaxies_per_s"]
        forward = 1e6 / row["galaxies_per_s"]
        result[f"published {name}: gradient"] = forward * row["gradient_over_forward"]
        result[f"published {name}: single call"] = row["single_call_us"]
    for floats, row in record["notebook"].items():
        result[f"{floats}: notebook's batch [ms]"] = row["batch_ms"]
    return result


def revision(checkout: Path) -> str:
    """Return the commit of a checkout."""
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
