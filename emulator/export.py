"""A surrogate as two files that need NumPy alone: weights, and the code that evaluates them."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from emulator import artefact as artefacts
from emulator import published
from emulator.artefact import Artefact
from emulator.surrogate import EmulatedSEDModel
from emulator.targets import PhotometryTarget
from emulator.targets.photometry import FLOOR
from emulator.verification import SAME
from tengri.constants import LSUN_ERG_S, MPC_CM
from tengri.cosmology import Z_MAX
from tengri.errors import ConfigError, DataError
from tengri.forward.units import LOG10_UNIT
from tengri.jsonable import jsonable

STANDALONE = Path(__file__).with_name("standalone.py")


def to_numpy(
    path_or_name: str | os.PathLike[str], folder: str | os.PathLike[str], name: str | None = None
) -> str:
    """Write ``name.npz`` and ``name.py``, and prove them on the check pairs.

    Parameters
    ----------
    path_or_name : str or path
        The surrogate.
    folder : path
        Where the files go; made if it is not there.
    name : str, optional
        Of both files; it becomes the name of a module.

    Returns
    -------
    str
        What was written, and how well it reproduces the surrogate.

    Raises
    ------
    ConfigError
        A name that is no name of a module, or a target other than photometry.
    DataError
        The files cannot be written, or do not reproduce the surrogate.
    """
    source = published.resolve(path_or_name)
    artefact = artefacts.read(source)
    name = name or (source.parent.name if source.name == published.FILE else source.stem)
    if not name.isidentifier():
        raise ConfigError(f"{name!r} is no name of a module: give --name, letters and _ only.")
    if not isinstance(artefact.target, PhotometryTarget):
        raise ConfigError(f"Only photometry can be exported, not {artefact.target.name!r}.")
    npz, code = (Path(folder) / f"{name}{suffix}" for suffix in (".npz", ".py"))
    about = np.frombuffer(json.dumps(_about(artefact)).encode(), np.uint8)
    kept = {n: a for n, a in artefacts.arrays(artefact).items() if n.split("/")[0] in _KEPT}
    try:
        npz.parent.mkdir(parents=True, exist_ok=True)
        np.savez(npz, about=about, **kept)  # type: ignore[arg-type]  # names are paths
        code.write_text(STANDALONE.read_text("utf-8").replace("NAME", name), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{npz.parent}: cannot be written ({error.strerror or error}).") from error
    worst = _difference(_module(code), artefact)
    if not worst <= SAME:
        raise DataError(f"{code} differs from the surrogate by {worst:.1e}: not to be used.")
    return f"{npz}\n{code}\nreproduces the surrogate's check fluxes to {worst:.1e}"


_KEPT = ("weights", "scaling")


def _about(artefact: Artefact) -> dict[str, Any]:
    """Return what the code needs to know beside the arrays."""
    spec, params = artefact.spec, artefact.spec.composition.params
    boxes = EmulatedSEDModel(artefact).domain.boxes
    free = [n for n in spec.all_params if n not in spec.mirrors]
    return jsonable(
        {
            "written_from": artefact.sha256,
            "bands": artefact.band_names,
            "target": artefact.target.to_dict(),
            "floor": FLOOR,
            "network": artefact.network.to_dict(),
            "input_log": artefact.in_scaling.log,
            "cosmology": {**artefact.cosmology, "z_max": Z_MAX},
            "parameters": {n: {"unit": params[n].unit, "shape": list(params[n].shape),
                               "default": spec.get_distribution(n).default} for n in free},
            "box": {box.name: (box.low, box.high) for box in boxes},
            "lsun_erg_s": LSUN_ERG_S,
            "mpc_cm": MPC_CM,
        }
    )  # fmt: skip


def _module(code: Path) -> ModuleType:
    """Import the written file by itself."""
    spec = importlib.util.spec_from_file_location(code.stem, code)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _difference(module: ModuleType, artefact: Artefact) -> float:
    """Return the worst relative difference to the stored fluxes of the surrogate."""
    checks = artefact.checks
    if not checks:
        raise DataError("The surrogate carries no check pairs to prove an export on.")
    maggies = module.fluxes(**checks["params"]) * 10.0 ** -LOG10_UNIT["maggies"]
    return float(np.max(np.abs(maggies / checks["flux_surrogate"] - 1.0)))
