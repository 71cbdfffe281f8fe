"""Whose file is it? The identity of a run, repeated in everything that belongs to it.

A run draws random digits when it begins, and takes the digest of the settings that its steps
depend on. Both stand in ``config.json``; the plan, the manifest of every checkpoint, ``done.json``
and the surrogate repeat them. So a file that was copied in from another run is named, however
well it fits. Runs of format 1 have no identity, and their files none.
"""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tengri.errors import DataError
from tengri.io import sealed_json

#: Settings that no step taken depends on: what may change while a run lasts.
CHANGEABLE = (
    "run.minutes", "run.steps", "run.until", "run.keep", "run.save_seconds",
    "run.validate_seconds", "run.log_seconds", "run.evaluation_rows", "run.timing_rows",
    "run.jacobian_rows",
)  # fmt: skip
#: The files that state the identity, and the settings in them that a change cut short may leave
#: different in one of two copies.
CONFIG, STATED = "config.json", ("config.json", "plan.json", "done.json")
MAY_DIFFER = {f"config.{name}" for name in CHANGEABLE} | {"plan.phases", "plan.legs", "minutes"}

Identity = dict[str, str]


def new(config: Mapping[str, Any]) -> Identity:
    """Return the identity of a run that begins with a configuration (nested plain values)."""
    return {"run": secrets.token_hex(16), "config": digest(config)}


def digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration without the settings that may change."""
    fixed = copy.deepcopy(dict(config))
    for name in CHANGEABLE:
        section, key = name.split(".")
        if isinstance(fixed.get(section), dict):
            fixed[section].pop(key, None)
    text = json.dumps(fixed, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def of(folder: Path) -> Identity | None:
    """Return the identity of a run folder; None for a run of format 1, or no run at all.

    Raises
    ------
    DataError
        Neither copy of its configuration can be read.
    """
    found = [place for place in (folder / CONFIG, folder / "copies" / CONFIG) if place.exists()]
    for place in found:
        try:
            found_one = sealed_json.read_object(place).get("identity")
            if found_one is not None and not _is_one(found_one):
                raise DataError(f"{place}: malformed, identity is {found_one!r:.60}.")
            return found_one
        except DataError:
            if place == found[-1]:
                raise
    return None


def check_config(path: Path, header: Mapping[str, Any]) -> None:
    """Raise DataError where a configuration is not the one that its run began with."""
    stated, config = header.get("identity"), header.get("config")
    if stated is None:
        return
    if not _is_one(stated) or not isinstance(config, dict):
        raise DataError(f"{path}: malformed, no identity or no configuration.")
    if stated["config"] != digest(config):
        raise DataError(f"{path}: its settings are not those that this run began with.")


def stranger(folder: Path, path: Path) -> str:
    """Return why a sealed file in a run folder, or its copy, is not of the run; or nothing.

    A configuration is held against what plan and checkpoints say. Damage is told elsewhere.
    """
    if path.name not in STATED:
        return ""
    try:
        stated = sealed_json.read_object(path).get("identity")
        owns = _vouched(folder) if path.name == CONFIG else [of(folder)]
    except DataError:
        return ""
    if not owns or stated in owns:
        return ""
    return f"{path} {difference(owns[0], stated)}."


def _vouched(folder: Path) -> list[Identity | None]:
    """Return the identities that the plan and the checkpoints of a folder state."""
    places = [folder / "plan.json", folder / "copies" / "plan.json"]
    found: list[Identity | None] = []
    for path in (*places, *sorted((folder / "manifests").glob("*.json"))):
        try:
            stated = sealed_json.read_object(path).get("identity")
        except DataError:
            continue
        if stated not in found:
            found.append(stated)
    return found


def difference(own: Identity | None, found: Any) -> str:
    """Return in words why a file that states ``found`` is not of the run ``own``, or nothing."""
    if found == own:
        return ""
    if own is None or found is None:
        return f"belongs to {_name(found)}, the folder to {_name(own)}"
    if _run(found) != own["run"]:
        return f"belongs to another run ({_name(found)}; the folder is of {_name(own)})"
    return f"is of {_name(own)}, but was made with other settings"


def _is_one(identity: Any) -> bool:
    """Return whether a value has the form of an identity."""
    return (isinstance(identity, dict) and set(identity) == {"run", "config"}
            and all(isinstance(value, str) for value in identity.values()))  # fmt: skip


def _name(identity: Any) -> str:
    return "a run without an identity" if identity is None else f"run {_run(identity)[:8]}…"


def _run(identity: Any) -> str:
    return str(identity.get("run")) if isinstance(identity, dict) else "?"
