"""Checks of run folders and data sets for ``tengri verify``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tengri.cli.doctor import FAILURE, OK, WARNING, Check
from tengri.errors import DataError
from tengri.io import sealed_json
from tengri.io.sharding import MANIFEST


def run(path: str, exact: bool) -> list[Check] | None:
    """Check every file of a run that a resume would read."""
    from train.runfolder import is_run

    folder = Path(path)
    return list(_run(folder)) if is_run(folder) else None


def _run(folder: Path) -> Iterator[Check]:
    from train import checkpoints, logs, recovery
    from train.runfolder import RunFolder

    repair = f"tengri resume {folder}"
    for name in (
        *recovery.DUPLICATED,
        *(f"{recovery.COPIES}/{n}" for n in recovery.DUPLICATED),
        "clock.json",
    ):
        if (folder / name).exists():
            problem = recovery.problem_in(folder, name)
            if not problem and name.startswith(recovery.COPIES):
                problem = recovery.disagreement(folder, Path(name).name)
            yield _check(name, problem, "intact", repair)
    try:
        RunFolder.open(folder).config()
    except DataError as error:
        yield Check("run", FAILURE, str(error), repair)
    found = checkpoints.verify(folder)
    if not found and not (folder / "done.json").exists():
        yield Check("checkpoints", WARNING, "none yet")
    rest = checkpoints.half_removed(found)
    for step, problem in found.items():
        if step in rest:
            yield Check(f"checkpoint {step}", WARNING, "its removal was interrupted", repair)
        else:
            yield _check(f"checkpoint {step}", problem, "intact", f"{repair} takes an earlier one")
    torn = logs.damaged_lines(folder / "metrics.jsonl")
    if torn:
        yield Check("metrics.jsonl", WARNING, f"{len(torn)} damaged lines are left out: {torn[:9]}")
    if (folder / "done.json").exists():
        problem = recovery.artefact_problem(folder)
        yield _check("done.json", problem, "names this surrogate.h5", repair)
        yield _check("report", recovery.report_problem(folder), "as it was written", repair)


def dataset(path: str, exact: bool) -> list[Check] | None:
    """Check the manifest and every shard of a data set."""
    folder = Path(path)
    if not (folder / MANIFEST).is_file():
        return None
    try:
        if "made_with" not in sealed_json.read_object(folder / MANIFEST):
            return None  # shards of another kind
        return list(_dataset(folder))
    except DataError as error:
        return [Check(MANIFEST, FAILURE, str(error), "make the data set again")]


def _dataset(folder: Path) -> Iterator[Check]:
    from train.dataset import Dataset

    found = Dataset.open(folder)
    yield Check(MANIFEST, OK, f"intact: {found.n_rows} rows in {found.n_shards} shards")
    problems = found.verify()
    for number, problem in problems.items():
        yield Check(f"shard {number}", FAILURE, problem, found.remake(number))
    if good := found.n_shards - len(problems):
        yield Check("shards", OK, f"{good} of {found.n_shards} intact")


def _check(name: str, problem: str, good: str, fix: str) -> Check:
    return Check(name, FAILURE, problem, fix) if problem else Check(name, OK, good)
