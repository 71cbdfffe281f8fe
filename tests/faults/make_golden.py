"""Write a run and a data set of the current format: once per format version, then they are kept.

    python -m tests.faults.make_golden

Later versions must verify, resume and read them (`tests/faults/test_golden_runs.py`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults import tiny
from train.dataset import FORMAT as DATASET_FORMAT
from train.runfolder import FORMAT as RUN_FORMAT

GOLDEN = Path(__file__).parent / "golden"
RUN, DATASET = f"run-{RUN_FORMAT}", f"set-{DATASET_FORMAT}"
#: Not read back.
LEFT_OUT = ("report", "tensorboard", "lock")


def main() -> None:
    """Write what is not there yet; an existing run or data set is never replaced."""
    commands = {
        DATASET: ["dataset", "tiny.toml", "-o", DATASET],
        RUN: ["train", "tiny.toml", "--out", RUN],
    }
    missing = [name for name in commands if not (GOLDEN / name).exists()]
    if not missing:
        raise SystemExit(f"{RUN} and {DATASET} exist: golden files are not remade.")
    with tempfile.TemporaryDirectory() as temporary:
        tiny.write(Path(temporary))
        for known in (path for path in GOLDEN.glob("*") if path.is_file()):
            shutil.copy(known, temporary)  # runs of all formats share what they are made from
        for name in missing:
            words = [sys.executable, "-m", "tengri", *commands[name]]
            subprocess.run(words, cwd=temporary, check=True)
        for name in LEFT_OUT:
            path = Path(temporary, RUN, name)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for name in missing:
            shutil.copytree(Path(temporary, name), GOLDEN / name)
        for made in (path for path in Path(temporary).iterdir() if path.is_file()):
            if not (GOLDEN / made.name).exists():
                shutil.copy(made, GOLDEN)


if __name__ == "__main__":
    main()
