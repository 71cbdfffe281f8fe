"""Count the faults that the tests of reliability inject, and what was lost.

    python -m tests.faults.record              # every test of faults, the long ones too
    python -m train.tables                     # the table of docs/reliability.md

A fault counts where its test passed; each test that failed is one thing lost. The kills of
``python -m tests.faults.stress -o tests/faults/results/kills.json`` are added by the table.
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

from tengri import durable

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def run(words: list[str], report: Path) -> None:
    """Run the tests of this folder, one process; the report holds what was injected."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-m", "",
               "-o", "junit_family=xunit1", f"--junitxml={report}", *words]  # fmt: skip
    subprocess.run(command, cwd=HERE.parents[1], check=False)


def counted(report: Path) -> dict[str, Any]:
    """Return promise → faults, the number of tests, and which of them failed."""
    faults: Counter[str] = Counter()
    failed, tests = [], 0
    for case in ElementTree.parse(report).iter("testcase"):
        tests += 1
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
            continue
        for found in case.iter("property"):
            if found.get("name") == "faults":
                promise, number = ast.literal_eval(str(found.get("value")))
                faults[promise] += number
    return {"faults": dict(sorted(faults.items())), "tests": tests, "failed": failed}


def main() -> int:
    """Run from the command line; the exit code is 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tests", nargs="*", default=[str(HERE)], help="default: all of them")
    parser.add_argument("-o", "--out", type=Path, default=RESULTS / "faults.json")
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary, "report.xml")
        run(args.tests, report)
        found = counted(report)
    found |= {"lost": len(found["failed"]), "seconds": round(time.monotonic() - began)}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    durable.write_text(args.out, json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return 1 if found["lost"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
