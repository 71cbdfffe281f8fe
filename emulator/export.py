"""A surrogate as two files that need NumPy alone: weights, and the code that evaluates them."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from emulator import artefact as artefacts
from emulator import published
from emulator.analytic.dust import STEP, DustIntegrals
from emulator.analytic.source import LOG10_PER_HZ
from emulator.artefact import Artefact
from emulator.scaling import BELOW_FLOOR
from emulator.surrogate import EmulatedSEDModel
from emulator.targets import SSPPhotometryTarget
from emulator.targets.photometry import FLOOR
from emulator.targets.ssp_photometry import (
    DARKEST,
    DEEPEST,
    HEATING_AA,
    LN_NODES,
    THINNEST,
)
from emulator.targets.ssp_photometry import LOG10_UNIT as LOG10_UNIT_OF_AGES
from emulator.verification import SAME
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import dl07
from tengri.constants import LSUN_ERG_S, MPC_CM
from tengri.cosmology import Z_MAX
from tengri.errors import ConfigError, DataError
from tengri.forward.exact_evaluators import redshift_range
from tengri.forward.galaxy import AgeBins
from tengri.forward.units import LOG10_UNIT
from tengri.jsonable import jsonable

STANDALONE = Path(__file__).with_name("standalone.py")


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
        A name that is no name of a module, or a dust law that the NumPy file does not know.
    DataError
        The files cannot be written, or do not reproduce the surrogate.
    """
    source = published.resolve(path_or_name)
    artefact = artefacts.read(source)
    name = name or (source.parent.name if source.name == published.FILE else source.stem)
    if not name.isidentifier():
        raise ConfigError(f"{name!r} is no name of a module: give --name, letters and _ only.")
    arrays = {**_arrays(artefact), **_known(artefact)}
    npz, code = (Path(folder) / f"{name}{suffix}" for suffix in (".npz", ".py"))
    about = np.frombuffer(json.dumps(_about(artefact)).encode(), np.uint8)
    try:
        npz.parent.mkdir(parents=True, exist_ok=True)
        np.savez(npz, about=about, **arrays)  # type: ignore[arg-type]  # names are paths
        code.write_text(STANDALONE.read_text("utf-8").replace("NAME", name), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{npz.parent}: cannot be written ({error.strerror or error}).") from error
    worst = _difference(_module(code), artefact)
    if not worst <= SAME:
        raise DataError(f"{code} differs from the surrogate by {worst:.1e}: not to be used.")
    return Exported(npz, code, worst)


def _arrays(artefact: Artefact) -> dict[str, np.ndarray]:
    stored = artefacts.arrays(artefact)
    return {n: a for n, a in stored.items() if n.split("/")[0] in ("weights", "scaling")}


def _known(artefact: Artefact) -> dict[str, np.ndarray]:
    """Return what stands beside the network of all ages: age bins, curves of attenuation."""
    target = artefact.target
    if not isinstance(target, SSPPhotometryTarget):
        return {}
    edges = AgeBins.split(np.asarray(artefact.ssp["age_edges"])).edges
    out = {"age_edges": edges, "ln_nodes": LN_NODES}
    for which, name in zip(("bc", "diff"), target.laws):
        law = LAWS[name]
        if not law.params:
            out[f"law/{which}"] = np.asarray(law.curve(np.exp(LN_NODES), {}), np.float64)
        elif name != "power_law":
            raise ConfigError(
                f"The dust law {name!r} has parameters of its own, which the NumPy file does not "
                "know: it can be exported with power_law, or with a law that has none."
            )
    if artefact.spec.composition.dust_emission is not None:
        out |= {f"dust/{name}": array for name, array in _dust(artefact).items()}
    return out


def _dust(artefact: Artefact) -> dict[str, np.ndarray]:
    """Return the templates of the dust, and the matrix that takes them to the bands."""
    emission = artefact.spec.composition.dust_emission
    if emission is not None and emission.name != dl07.DL07.name:
        raise ConfigError(
            f"The dust emission {emission.name!r} is a formula that the NumPy file does not know: "
            f"it can be exported with {dl07.DL07.name}."
        )
    dust = _integrals(artefact)
    if dust is None:
        return {}
    table = dl07.templates()
    shapes = np.stack([table.at(lnu, dust.rest) / table.power(lnu)[..., None]
                       for lnu in (table.umin_only, table.umin_umax)])  # fmt: skip
    return {
        "matrix": dust.matrix, "shapes": shapes * 10.0**-LOG10_PER_HZ, "qpah": table.qpah,
        "ln_umin": np.log(table.umin), "ratio": table.ratio,
    }  # fmt: skip


def _integrals(artefact: Artefact) -> DustIntegrals | None:
    """Return the band integrals of the dust."""
    emission = artefact.spec.composition.dust_emission
    z_lo, z_hi = redshift_range(artefact.spec)
    filters = artefact.photometry.filters
    return None if emission is None else DustIntegrals.build(emission, filters, z_lo, z_hi)


def _about(artefact: Artefact) -> dict[str, Any]:
    """Return what the code needs to know beside the arrays."""
    spec, params = artefact.spec, artefact.spec.composition.params
    model = EmulatedSEDModel(artefact)
    asked = [box.name for box in model.domain.boxes]
    asked += [artefact.target.amplitude] if artefact.target.amplitude else []
    emission, any_history = spec.composition.dust_emission, artefact.target.amplitude is None
    dust = _integrals(artefact) if any_history else None
    beside = emission.params if emission and any_history else ()
    asked += [param.name for param in beside]
    return jsonable(
        {
            "written_from": artefact.sha256,
            "bands": artefact.band_names,
            "target": artefact.target.to_dict(),
            "floor": FLOOR,
            "below_floor": BELOW_FLOOR,
            "log10_unit": LOG10_UNIT_OF_AGES,
            "network": artefact.network.to_dict(),
            "input_log": artefact.in_scaling.log,
            "input_shift": artefact.in_scaling.shift,
            "cosmology": {**artefact.cosmology, "z_max": Z_MAX},
            "parameters": {n: {"unit": params[n].unit, "shape": list(params[n].shape),
                               "default": spec.get_distribution(n).default} for n in asked},
            "box": {box.name: (box.low, box.high) for box in model.domain.boxes}
            | {param.name: param.bounds for param in beside},
            "deepest": DEEPEST,
            "thinnest": THINNEST,
            "heating_aa": HEATING_AA,
            "dust": None if dust is None else {"band": dust.band, "first": dust.first,
                                               "step": STEP},
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
    """Return the worst relative difference to the stored fluxes of the surrogate.

    Of a band below ``DARKEST`` of the galaxy's brightest, relative to that: there a logarithm has
    its floor, and taking it off again leaves a float32 few digits.
    """
    checks = artefact.checks
    if not checks:
        raise DataError("The surrogate carries no check pairs to prove an export on.")
    flux = module.fluxes(**standalone_arguments(artefact, checks["params"]))
    maggies, stored = flux * 10.0 ** -LOG10_UNIT["maggies"], checks["flux_surrogate"]
    least = DARKEST * stored.max(axis=1, keepdims=True)
    return float(np.max(np.abs(maggies - stored) / np.maximum(stored, least)))


def standalone_arguments(artefact: Artefact, params: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return a batch of parameters as the exported file takes it."""
    if not isinstance(artefact.target, SSPPhotometryTarget):
        return dict(params)
    model = EmulatedSEDModel(artefact)
    p = model.spec.resolve(params, batch=True)
    log10_mass, ages = jax.jit(jax.vmap(model.stars.formed))(p)
    formed = 10.0 ** np.asarray(log10_mass, float)[:, None] * np.asarray(ages, float)
    names = {box.name for box in model.domain.boxes}
    if model.spec.composition.dust_emission is not None:
        names |= {param.name for param in model.spec.composition.dust_emission.params}
    return {"formed": formed, **{n: v for n, v in params.items() if n in names}}
