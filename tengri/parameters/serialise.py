"""A spec as JSON: to travel inside artefacts, and to be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tengri.errors import ParameterError
from tengri.parameters.parse import Entry
from tengri.parameters.values import Mirror
from tengri.priors import Distribution


def describe(
    entries: Mapping[str, Entry], settings: Mapping[str, Any], physics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return settings, all priors and mirrors, the names that had been filled in.

    ``physics`` are versions and settings that are no longer those of the first release.
    """
    return {
        "settings": _json_types(settings),
        "params": {name: _described(entry) for name, entry in entries.items()},
        "filled_in": [name for name, entry in entries.items() if entry.status == "filled in"],
        **_later(physics),
    }


def read(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return (keywords, physics, what was filled in) from `describe`."""
    try:
        params = {name: _read_one(value) for name, value in data["params"].items()}
        filled = {name: params.pop(name) for name in data["filled_in"]}
        return {**data["settings"], **params}, dict(data.get("physics", {})), filled
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ParameterError(f"This is no description of Parameters: {error!r}.") from None


def fingerprint(
    entries: Mapping[str, Entry], settings: Mapping[str, Any], physics: Mapping[str, Any]
) -> str:
    """Hash what the spec means; descriptions and units of priors do not count."""
    params = {name: _described(entry) for name, entry in entries.items()}
    for prior in params.values():
        prior.pop("description", None)
        prior.pop("units", None)
    meaning = {"settings": _json_types(settings), "params": params}
    text = json.dumps({**meaning, **_later(physics)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _json_types(value: Any) -> Any:
    """Return ``value`` in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(k): _json_types(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) > 0:
        return [_json_types(v) for v in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return value.item()
    return value


def _later(physics: Mapping[str, Any]) -> dict[str, Any]:
    """Return nothing for what is as it was before versions were counted: hashes stay."""
    return {"physics": _json_types(physics)} if physics else {}


def _described(entry: Entry) -> dict[str, Any]:
    if entry.source is not None:
        return {"kind": "Mirror", "source": entry.source}
    return _json_types(entry.prior.to_dict())


def _read_one(data: Mapping[str, Any]) -> Distribution | Mirror:
    if data["kind"] == "Mirror":
        return Mirror(data["source"])
    return Distribution.from_dict(data)
