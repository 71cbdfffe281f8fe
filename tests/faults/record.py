"""Count the faults that the tests of reliability inject, and what was lost.

    python -m tests.faults.record              # every test of faults, the long ones too
    python -m tests.faults.record disk bits    # of these files alone; the rest stays as it is
    python -m tools.tables                     # the table of docs/reliability.md

A fault counts where its test passed. A test that failed counts once: as *silent* where an error
was expected and none came, as *unclear* where another one came, else as *lost*. The table adds the
kills of ``python -m tests.faults.stress -o tests/faults/results/kills.json`` and of
``python -m tests.faults.distributed -o tests/faults/results/distributed.json``.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tengri.io import atomic

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def run(name: str, report: Path) -> None:
    """Run the tests of a file, long ones too, in one process; the report says what they did."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-m", "",
               "-o", "junit_family=xunit1", f"--junitxml={report}",
               f"tests/faults/test_{name}.py"]  # fmt: skip
    subprocess.run(command, cwd=HERE.parents[1], check=False)


def fate(said: str) -> str:
    """Return what became of a fault whose test failed with these words."""
    if "DID NOT RAISE" in said:
        return "silent"
    clear = said.startswith(("assert", "AssertionError")) and "did not match" not in said
    return "lost" if clear else "unclear"


def counted(report: Path) -> dict[str, Any]:
    """Return promise → faults, the number of tests, which of them failed and how."""
    faults: Counter[str] = Counter()
    fates = dict.fromkeys(("lost", "silent", "unclear"), 0)
    failed, tests = [], 0
    for case in ElementTree.parse(report).iter("testcase"):
        tests += 1
        problems = [p for p in (case.find("failure"), case.find("error")) if p is not None]
        if problems:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
            fates[fate(problems[0].get("message", ""))] += 1
            continue
        for found in case.iter("property"):
            if found.get("name") == "faults":
                promise, number = ast.literal_eval(str(found.get("value")))
                faults[promise] += number
    return {"faults": dict(sorted(faults.items())), "tests": tests, "failed": failed,
            **fates}  # fmt: skip


def main() -> int:
    """Run from the command line; the exit code is 1 where anything was lost."""
    known = sorted(path.stem.removeprefix("test_") for path in HERE.glob("test_*.py"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=known, metavar="NAME")
    parser.add_argument("-o", "--out", type=Path, default=RESULTS / "faults.json")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(args.out.read_text()) if args.out.exists() else {}
    for name in args.names:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as temporary:
            report = Path(temporary, "report.xml")
            run(name, report)
            found[name] = counted(report) | {"seconds": round(time.monotonic() - began)}
        print(f"{name}: {json.dumps(found[name])}", flush=True)
        atomic.write_text(args.out, json.dumps(found, indent=1, sort_keys=True) + "\n")
    return 1 if any(found[name]["failed"] for name in args.names) else 0


if __name__ == "__main__":
    raise SystemExit(main())
