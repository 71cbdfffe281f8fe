"""A surrogate as two files that need NumPy alone: weights, and the code that evaluates them.

The code is `emulator.standalone`, which knows networks, scalings and distances, and the target's
own (`Target.numpy_part`), which goes on where that ends.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from emulator import published
from emulator.artefact import Artefact, arrays
from emulator.reading import read_any
from emulator.scaling import BELOW_FLOOR
from emulator.spectral.artefact import SpectralArtefact
from emulator.surrogate import EmulatedSEDModel
from emulator.targets.numpy_part import NumPyPart
from emulator.verification import SAME
from tengri.constants import LSUN_ERG_S, MPC_CM
from tengri.cosmology import Z_MAX
from tengri.errors import ConfigError, DataError
from tengri.forward.units import LOG10_UNIT
from tengri.io import atomic
from tengri.io.jsonable import jsonable

STANDALONE = Path(__file__).with_name("standalone.py")
#: Networks and activations that it knows.
NETWORKS = ("mlp", "resmlp", "per_output")
ACTIVATIONS = ("tanh", "gelu", "silu", "smoothstep", "speculator")
#: Bands fainter than this share of a galaxy's brightest are compared relative to it: there a
#: logarithm has its floor, and taking it off again leaves a float32 few digits.
DARKEST = 1e-6


class Exported(NamedTuple):
    """The two files, and the worst relative difference of their fluxes to the surrogate's."""

    weights: Path
    code: Path
    difference: float

    def __str__(self) -> str:
        proof = f"reproduces the surrogate's check fluxes to {self.difference:.1e}"
        return f"{self.weights}\n{self.code}\n{proof}"


def to_numpy(
    path_or_name: str | os.PathLike[str], folder: str | os.PathLike[str], name: str | None = None
) -> Exported:
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
    Exported
        What was written, and how well it reproduces the surrogate.

    Raises
    ------
    ConfigError
        A name that is no name of a module; a target, network or component of the spec that has
        no form in NumPy alone.
    DataError
        The files cannot be written, or do not reproduce the surrogate.
    """
    source = published.resolve(path_or_name)
    artefact = read_any(source)
    if isinstance(artefact, SpectralArtefact):
        raise ConfigError(
            "The target 'spectrum' has no form in NumPy alone: no export. Its eigenspectra are "
            "arrays of the file itself (tengri info)."
        )
    name = name or (source.parent.name if source.name == published.FILE else source.stem)
    if not name.isidentifier():
        raise ConfigError(f"{name!r} is no name of a module: give --name, letters and _ only.")
    _check_network(artefact)
    part = _part(artefact)
    arrays = {**_arrays(artefact), **part.arrays}
    npz, code = (Path(folder) / f"{name}{suffix}" for suffix in (".npz", ".py"))
    about = np.frombuffer(json.dumps(_about(artefact, part)).encode(), np.uint8)
    try:
        npz.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = atomic.os_reason(error)
        raise DataError(f"{npz.parent}: cannot be made ({reason}).") from error
    with atomic.together(npz, code) as (new_npz, new_code):
        np.savez(new_npz, about=about, **arrays)  # type: ignore[arg-type]  # names are paths
        new_code.write_text(module_text(part.code, name), "utf-8")
        worst = _difference(module_of(new_code), artefact)
        if not worst <= SAME:
            raise DataError(f"{code} differs from the surrogate by {worst:.1e}: not written.")
    return Exported(npz, code, worst)


def _check_network(artefact: Artefact) -> None:
    network = artefact.network
    for kind, name, known in (("network", network.name, NETWORKS),
                              ("activation", network.activation, ACTIVATIONS)):  # fmt: skip
        if name not in known:
            raise ConfigError(
                f"The {kind} {name!r} has no form in NumPy alone; exported can be: "
                f"{', '.join(known)}."
            )


def _part(artefact: Artefact) -> NumPyPart:
    edges = artefact.ssp["age_edges"]
    return artefact.target.numpy_part(artefact.spec, artefact.photometry, edges)


def module_text(code: Path, name: str) -> str:
    """Return the module ``name``: the common code, and the target's without its imports."""
    text = code.read_text("utf-8")
    tree = ast.parse(text)
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    own = "".join(text.splitlines(keepends=True)[imports[-1].end_lineno :])
    words = str(ast.get_docstring(tree))
    common = STANDALONE.read_text("utf-8").replace("NAME", name).replace("HOW\n", f"{words}\n")
    return f"{common.rstrip()}\n\n\n{own.strip()}\n"


def _arrays(artefact: Artefact) -> dict[str, np.ndarray]:
    stored = arrays(artefact)
    return {n: a for n, a in stored.items() if n.split("/")[0] in ("weights", "scaling")}


def _about(artefact: Artefact, part: NumPyPart) -> dict[str, Any]:
    """Return what the code needs to know in addition to the arrays."""
    spec, params = artefact.spec, artefact.spec.composition.params
    ranges = EmulatedSEDModel(artefact).domain.ranges
    asked = (*(r.name for r in ranges), *part.parameters)
    return jsonable(
        {
            "written_from": artefact.sha256,
            "bands": artefact.band_names,
            "target": artefact.target.to_dict(),
            "below_floor": BELOW_FLOOR,
            "network": artefact.network.to_dict(),
            "input_log": artefact.in_scaling.log,
            "input_shift": artefact.in_scaling.shift,
            "cosmology": {**artefact.cosmology, "z_max": Z_MAX},
            "parameters": {n: {"unit": params[n].unit, "shape": list(params[n].shape),
                               "default": spec.get_distribution(n).default} for n in asked},
            "box": {**{r.name: (r.low, r.high) for r in ranges}, **part.bounds},
            "lsun_erg_s": LSUN_ERG_S,
            "mpc_cm": MPC_CM,
            **part.facts,
        }
    )  # fmt: skip


def module_of(code: Path) -> ModuleType:
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
    flux = module.fluxes(**standalone_arguments(artefact, checks["params"]))
    maggies, stored = flux * 10.0 ** -LOG10_UNIT["maggies"], checks["flux_surrogate"]
    least = DARKEST * stored.max(axis=1, keepdims=True)
    return float(np.max(np.abs(maggies - stored) / np.maximum(stored, least)))


def standalone_arguments(artefact: Artefact, params: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return a batch of parameters as the exported file takes it."""
    model = EmulatedSEDModel(artefact)
    taken = {*(r.name for r in model.domain.ranges), *_part(artefact).parameters}
    p = model.spec.resolve(params, batch=True)
    own = artefact.target.numpy_arguments(p, model.stars)
    return {**own, **{n: v for n, v in params.items() if n in taken}}
