"""Logging is the standard library's: importing changes no logger, and only commands print."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from orbax.checkpoint import CheckpointManager

import tengri
from tengri.cli.output import narrated
from tengri.progress import Meter
from train.checkpoints import Checkpoints

ROOT = Path(tengri.__file__).parents[1]

IMPORT_ALL = """
import importlib, logging, pkgutil
# the packages that these import may set up loggers of their own
import flax, h5py, jax, matplotlib.pyplot, numpy, optax, orbax.checkpoint, rich.live, scipy.special
import tensorboardX.event_file_writer, tensorboardX.summary

def state():
    names = [None, *logging.root.manager.loggerDict]
    return {n: (log.level, list(log.handlers), list(log.filters), log.disabled, log.propagate)
            for n in names for log in [logging.getLogger(n)]}

before = state()
ours = ("tengri", "emulator", "train", "tools")
for package in map(importlib.import_module, ours):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("_standalone") and module.name != "emulator.standalone":
            importlib.import_module(module.name)
after = state()
new = {n: s for n, s in after.items() if n not in before and str(n).split(".")[0] in ours}
assert {n: after[n] for n in before} == before, [n for n in before if after[n] != before[n]]
assert "train.loop" in new and all(s == (0, [], [], False, True) for s in new.values()), new
"""


def test_importing_everything_changes_no_logger() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


#: Modules that print: what is said on the command line, and by a process asked for one line.
COMMAND_LINE = {"tengri/__main__.py", "tengri/cli/output.py", "train/commands.py",
                "tengri/compilation_cache/trial.py"}  # fmt: skip


def test_only_the_command_line_prints() -> None:
    printing = {
        str(file.relative_to(ROOT))
        for package in ("tengri", "emulator", "train")
        for file in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    }
    assert printing == COMMAND_LINE


def test_there_is_one_progress_meter() -> None:
    """What draws over a line of the terminal is in one module."""
    drawing = {
        str(file.relative_to(ROOT))
        for package in ("tengri", "emulator", "train")
        for file in (ROOT / package).rglob("*.py")
        if {"rich.live", "rich.progress", "tqdm"}
        & {getattr(node, "module", None) for node in ast.walk(ast.parse(file.read_text()))}
    }
    assert drawing == {"tengri/progress.py"}


def test_a_command_prints_what_is_logged_and_leaves_the_loggers(capsys) -> None:
    logger = logging.getLogger("train.pipeline")
    parents = [logging.getLogger(name) for name in ("tengri", "emulator", "train")]
    before = [(log.level, list(log.handlers), log.propagate) for log in parents]
    repeated: list[str] = []
    root = logging.Handler()
    root.emit = lambda record: repeated.append(record.getMessage())  # type: ignore[method-assign]
    logging.root.addHandler(root)
    for as_json in (False, True):
        with narrated(Namespace(json=as_json, quiet=False)):
            logger.info("100 % of it")
            logger.debug("a detail")
    assert capsys.readouterr() == ("100 % of it\n", "100 % of it\n")
    logging.root.removeHandler(root)
    assert not repeated
    logger.info("nobody asked")
    assert capsys.readouterr().out == ""
    assert [(log.level, list(log.handlers), log.propagate) for log in parents] == before


def test_the_meter_tells_done_rate_and_time_left(capsys) -> None:
    with Meter(8, "rows of a test", seconds=0.0) as meter:
        meter.advance(2)
        meter.advance(6)
    out, error = capsys.readouterr()
    first, last = error.splitlines()
    assert out == "" and "2 of 8 rows" in first and "8 of 8 rows" in last and "0:00 left" in last
    with Meter(8, "slow", seconds=60.0) as meter:
        meter.advance(8)
    with Meter(8, "quiet", quiet=True, seconds=0.0) as meter:
        meter.advance(8)
    assert capsys.readouterr() == ("", "")


def test_checkpoints_quieten_orbax_only_while_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absl, seen = logging.getLogger("absl"), []
    before = absl.level
    save = CheckpointManager.save

    def watched(*args: Any, **more: Any) -> Any:
        seen.append(absl.level)
        return save(*args, **more)

    monkeypatch.setattr(CheckpointManager, "save", watched)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"w": np.zeros(2, np.float32)}, 0.0)
    checkpoints.close()
    assert seen == [logging.ERROR] and absl.level == before
