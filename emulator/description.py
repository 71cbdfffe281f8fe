"""Description of a surrogate, read from its document without evaluating it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from emulator import hdf5, packing, published
from tengri.analysis import accuracy
from tengri.cli.output import table
from tengri.errors import TengriError

KIND = "tengri-surrogate"
FORMAT_VERSION = 1
#: Name of the target whose artefact holds spectra: see `emulator.spectral.artefact`.
SPECTRUM = "spectrum"


def describe(path_or_name: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the document of a surrogate, with its seal, error bars [mag] and number of weights.

    Raises
    ------
    DataError
        No such surrogate, or a damaged file, or one of a newer format.
    """
    path = published.resolve(path_or_name)
    sealed, document, arrays = hdf5.read(path, KIND, newest=FORMAT_VERSION)
    arrays = packing.unpacked(arrays)
    weights = [a for name, a in arrays.items()
               if name.startswith(("weights/", "grids/")) and "/axes/" not in name]  # fmt: skip
    bars = {name.split("/")[1]: a for name, a in arrays.items() if name.startswith("error_bars/")}
    return {"path": str(path), "sha256": sealed, **document, "error_bars": bars,
            "n_weights": sum(a.size for a in weights)}  # fmt: skip


def text(d: Mapping[str, Any]) -> str:
    """Return a description in words: bands, trained box, accuracy, provenance."""
    return "\n".join([*_head(d), "", *_box(d), "", *_errors(d), "", *_provenance(d)])


def _head(d: Mapping[str, Any]) -> list[str]:
    ssp = d["ssp"]
    return [
        f"surrogate '{d['target']['name']}' of the exact model, {d['created']}",
        f"bands      {', '.join(band['name'] for band in d['bands'])}{_any(d)}",
        f"{_learnt(d)}, {d['n_weights']} weights",
        f"SSP grid   {ssp['name']}, sha256 {ssp['sha256']}",
        f"cosmology  {', '.join(f'{k} {_short(v)}' for k, v in d['cosmology'].items())}",
        *_older(d["spec"]),
    ]


def _any(d: Mapping[str, Any]) -> str:
    """Say that the bands of a spectrum are those of any observation."""
    return " by default; any observation" if d["target"]["name"] == SPECTRUM else ""


def _learnt(d: Mapping[str, Any]) -> str:
    """Return the network in words, or the grids of a spectrum."""
    if d["target"]["name"] == SPECTRUM:
        return f"spectra    {', '.join(grid['name'] for grid in d['grids'])}"
    network = d["network"]
    return f"network    {network['name']} {network['width']} × {network['depth']}"


def _older(spec: Mapping[str, Any]) -> list[str]:
    """Say which components have changed since: the surrogate answers as they were."""
    from tengri.parameters import Parameters

    try:
        older = Parameters.from_dict(spec).composition.physics.older
    except TengriError as error:
        return [f"physics    this release cannot rebuild it: {error}"]
    return [f"physics    of its time: {clause}" for clause in older.values()]


def _short(value: Any) -> str:
    return f"({len(value)} values)" if isinstance(value, list) else str(value)


def _box(d: Mapping[str, Any]) -> list[str]:
    rows = [
        {"parameter": p["name"], "unit": p["unit"], "description": p["description"],
         "trained box": _range(d["target"], p)}
        for p in d["parameters"]
    ]  # fmt: skip
    columns = ("parameter", "trained box", "unit", "description")
    return [table([{name: row[name] for name in columns} for row in rows]), *_notes(d)]


def _notes(d: Mapping[str, Any]) -> list[str]:
    """Return what the target says of itself; early files have a sentence where no amplitude is."""
    exact = "The star-formation history is exact: these sfh_… parameters, or any others."
    return d.get("notes", [] if "amplitude" in d["target"] else [exact])


def _range(target: Mapping[str, Any], p: Mapping[str, Any]) -> str:
    """Return where a parameter may lie: anywhere, if no network has learnt it."""
    if p["follows"]:
        return f"follows {p['follows']}"
    learnt = {*target["input_names"], *(name for name, _ in target.get("fixed", ()))}
    exact = p["name"] not in learnt and not p["prior"].startswith("Fixed")
    return "any (exact)" if exact else p["prior"]


def _errors(d: Mapping[str, Any]) -> list[str]:
    lines = [accuracy.table_text(d["accuracy"])] if "faint" in d["accuracy"] else []
    for level, bars in d["error_bars"].items():
        shown = " ".join(f"{1e3 * bar:.1f}" for bar in np.asarray(bars))
        lines.append(f"error bars at {level} % [mmag]: {shown}")
    return lines


def _provenance(d: Mapping[str, Any]) -> list[str]:
    training = d["training"]
    lines = [f"trained with  {training.get('command', 'unknown')}"]
    if "seconds" in training:
        lines.append(f"in            {training['seconds']:.0f} s on {training['hardware']}")
    return [
        *lines,
        f"cite with     tengri cite {d['path']}",
        f"sha256        {d['sha256']}",
    ]
