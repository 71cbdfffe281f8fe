"""Recovery of a run before it resumes: damaged files are restored or set aside.

Every file that is read back is checked here, before anything else looks at it. Nothing is
deleted but what a kill left unfinished; what is damaged goes to ``damaged/``.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

from emulator import hdf5
from emulator.description import FORMAT_VERSION, KIND
from tengri.errors import DataError
from tengri.io import atomic, sealed_json
from tengri.io.seal import tree_sha256
from train import identity

#: Written once and needed by every resume: two copies are kept, and one restores the other.
DUPLICATED = ("config.json", "plan.json")
COPIES = "copies"
_TEMPORARY = re.compile(r"\..+\.(tmp-\d+(-\d+)?|\d+\.tmp)")


def recover(folder: Path) -> list[str]:
    """Make the files of a run usable after any crash or damage; return what was done.

    The caller holds the lock of the folder.

    Raises
    ------
    DataError
        Both copies of a file that cannot be made again are damaged or of another run, or the
        folder cannot be written.
    """
    try:
        _sweep(folder)
        messages = [text for name in DUPLICATED if (text := _restore_copy(folder, name))]
        _check_plan(folder)
        return [*messages, *_retake(folder)]
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{folder}: cannot be recovered ({error}).") from error


def write_twice(folder: Path, name: str, content: object) -> None:
    """Write one of `DUPLICATED`, its copy first."""
    try:
        (folder / COPIES).mkdir(exist_ok=True)
        atomic.sync_folder(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({atomic.os_reason(error)}).") from error
    sealed_json.write_json(folder / COPIES / name, content)
    sealed_json.write_json(folder / name, content)


def set_aside(folder: Path, path: Path) -> Path:
    """Move a file or folder of a run to ``damaged/``; return its place there."""
    now = time.time_ns()
    names = (f"{path.name}-{now + i}" for i in itertools.count())  # a clock may go backwards
    place = next(p for name in names if not os.path.lexists(p := folder / "damaged" / name))
    place.parent.mkdir(exist_ok=True)
    os.rename(path, place)
    return place


def problem_in(folder: Path, place: str) -> str:
    """Return what is wrong with a sealed JSON file of a run, also whose it is, or nothing."""
    return problem_with(folder / place) or identity.stranger(folder, folder / place)


def problem_with(path: Path) -> str:
    """Return what is wrong with a sealed JSON file, or nothing."""
    try:
        sealed_json.read_json(path)
    except DataError as error:
        return str(error)
    return ""


def artefact_problem(folder: Path) -> str:
    """Return why the artefact is not the one named in ``done.json``, or nothing."""
    path = folder / "surrogate.h5"
    try:
        sealed, document, _ = hdf5.read(path, KIND, FORMAT_VERSION)
        expected = sealed_json.read_object(folder / "done.json", "sha256")["sha256"]
        stated = document["training"].get("identity")
        own = identity.of(folder)
    except (OSError, KeyError, TypeError, AttributeError) as error:
        return str(error)
    if problem := identity.stranger(folder, folder / "done.json"):
        return problem
    if problem := identity.difference(own, stated):
        return f"{path} {problem}."
    return "" if sealed == expected else f"{path} is not the one that was proved"


def report_problem(folder: Path) -> str:
    """Return which files of the report are not those that ``done.json`` speaks of, or nothing.

    A report that was removed whole is no damage: nothing is computed from it.
    """
    try:
        expected = sealed_json.read_object(folder / "done.json").get("report") or {}
        found = tree_sha256(folder / "report")
        bad = [name for name, digest in expected.items() if found.get(name) != digest]
    except (OSError, AttributeError) as error:
        return str(error)
    if not bad or not (folder / "report").exists():
        return ""
    return f"{folder / 'report'}: damaged or missing: {', '.join(bad[:3])}."


def _sweep(folder: Path) -> None:
    """Remove what writers had begun when they were killed."""
    for path in [p for p in folder.rglob(".*") if _TEMPORARY.fullmatch(p.name)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _restore_copy(folder: Path, name: str) -> str:
    """Make both copies of a file whole from the one that is; say so."""
    pair = folder / name, folder / COPIES / name
    problems = [problem_with(path) if path.exists() else "missing" for path in pair]
    if problems == ["missing", "missing"]:
        return ""
    if not any(problems):
        return _reconciled(folder, *pair)
    if all(problems):
        raise DataError(f"{problems[0]} Its copy is no better: {problems[1]}")
    bad, good = pair if problems[0] else pair[::-1]
    edits = _edits(bad, good)
    kept = set_aside(folder, bad) if bad.exists() else bad
    bad.parent.mkdir(exist_ok=True)
    atomic.write_bytes(bad, good.read_bytes())
    if edits:
        return (
            f"{bad} has been edited: {edits}. A run goes on as it began, and the edited file is "
            f"kept as {kept}. To train longer: tengri resume {folder} --set run.minutes=…"
        )
    return f"{bad} was damaged or missing: restored from {good}"


def _reconciled(folder: Path, file: Path, copy: Path) -> str:
    """Make two copies that are both whole alike: one of another run, or of a change cut short."""
    if file.read_bytes() == copy.read_bytes():
        return ""
    strange = [identity.stranger(folder, path) for path in (file, copy)]
    if all(strange):
        raise DataError(f"{strange[0]} {strange[1]}")
    changed = differing(*map(sealed_json.read_json, (file, copy)))
    if not any(strange) and not set(changed) <= identity.MAY_DIFFER:
        raise DataError(
            f"{file} and {copy} are both whole and differ in {', '.join(changed)}: one is of "
            "another run. Put the one of this run in both places."
        )
    bad, good = (file, copy) if strange[0] else (copy, file)
    why = strange[0] or strange[1] or f"{bad} differs from {good}: a change was cut short."
    aside = set_aside(folder, bad)
    atomic.write_bytes(bad, good.read_bytes())
    return f"{why} It is kept as {aside}; {good} counts."


def _check_plan(folder: Path) -> None:
    """Raise where the plan, and its copy, are another run's: nothing else is touched then."""
    path = folder / "plan.json"
    if path.exists() and (problem := identity.stranger(folder, path)):
        raise DataError(
            f"{problem} One of the two was copied in from another run: bring back its own."
        )


def disagreement(folder: Path, name: str) -> str:
    """Return that the two copies of a file, both whole, are not the same, or nothing."""
    file, copy = folder / name, folder / COPIES / name
    try:
        same = sealed_json.read_small(file) == sealed_json.read_small(copy)
    except OSError:
        return ""  # that one cannot be read is said of it alone
    return "" if same else f"{copy} is not the same as {file}"


def _edits(bad: Path, good: Path) -> str:
    """Return how a file that can still be read differs from its copy, in words; or nothing."""
    try:
        found = json.loads(sealed_json.read_small(bad))["content"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""
    changed = differing(sealed_json.read_json(good), found)
    some = [f"{name.removeprefix('config.')} is {now!r}, was {was!r}"
            for name, (was, now) in changed.items()]  # fmt: skip
    return "; ".join(some[:5])


def differing(old: Any, new: Any, where: str = "") -> dict[str, tuple[Any, Any]]:
    """Return the values that differ between two nested dicts, (old, new) by dotted name."""
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*old, *new}):
            found |= differing(old.get(key), new.get(key), f"{where}.{key}".lstrip("."))
        return found
    return {} if old == new else {where: (old, new)}


def _retake(folder: Path) -> list[str]:
    """Set aside what the run can make again."""
    messages = []
    for name, meaning in (("clock.json", "the time trained so far is unknown"),
                          ("done.json", "the run is finished once more")):  # fmt: skip
        path = folder / name
        if path.exists() and (problem := problem_with(path)):
            set_aside(folder, path)
            messages.append(f"{problem} Set aside: {meaning}.")
    if (folder / "done.json").exists() and (problem := artefact_problem(folder)):
        for name in ("done.json", "surrogate.h5"):
            if (folder / name).exists():
                set_aside(folder, folder / name)
        messages.append(f"{problem} Set aside: it is made again from the last checkpoint.")
    elif (folder / "done.json").exists() and (problem := report_problem(folder)):
        set_aside(folder, folder / "done.json")
        messages.append(f"{problem} The run is finished once more, which writes it again.")
    return messages
