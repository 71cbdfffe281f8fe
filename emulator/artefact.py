"""The one file that a surrogate is: everything needed to use it honestly, sealed.

``surrogate.h5`` (`emulator.hdf5` says how it is protected) holds

==========================  ==================================================================
``document`` (JSON)         spec (names, priors, settings), parameter table (units, bounds),
                            target, network, scaling flags, filters and their hashes, SSP name
                            and hash, cosmology, accuracy, training cost, versions, card
``weights/…``               the nested dict of float32 weights
``scaling/in|out/…``        input and output scaling, (n_in,) and (n_out,)
``filters/000/wave|trans``  curves as used, wavelength in Å, one group per band
``ssp/…``                   age_edges [Gyr], lgmet, mass_remaining: star formation is exact
``error_bars/<level>``      split-conformal error bars [mag], (n_bands,), e.g. ``error_bars/95``
``error_bars_z/<level>``    the same by redshift, (n_z, n_bands); ``error_bars_z/edges``
``covariance``              of the residuals between bands [mag²], (n_bands, n_bands)
``conditional/…``           error bars and covariance by colours (`emulator.conditional_errors`)
``packed/…``                arrays of rounded values, in whole steps (`emulator.packing`)
``checks/…``                parameters (n,), fluxes of surrogate and exact model [maggies]
==========================  ==================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emulator import hdf5, packing
from emulator.conditional_errors import ConditionalErrors
from emulator.consistency import check
from emulator.description import FORMAT_VERSION, KIND, SPECTRUM
from emulator.networks import build_network
from emulator.scaling import InputScaling, OutputScaling
from emulator.targets import target_from_dict
from emulator.trained import Artefact
from tengri import __version__
from tengri.errors import ConfigError, DataError
from tengri.io import atomic
from tengri.io.jsonable import jsonable
from tengri.observation import FilterCurve, Photometry
from tengri.parameters import Parameters

CHECK_UNITS = "maggies"
HEADER = hdf5.Header(KIND, FORMAT_VERSION, f"tengri {__version__}")


def ssp_info(ssp: Any) -> dict[str, Any]:
    """Return the description of an ``SSPData`` that an artefact stores."""
    return {
        "name": ssp.name,
        "sha256": ssp.sha256,
        "age_edges": ssp.age_edges_gyr,
        "lgmet": ssp.ssp_lgmet,
        "mass_remaining": ssp.ssp_mass_remaining,
    }


# --- writing --------------------------------------------------------------------------------


def write(path: str | Path, artefact: Artefact) -> str:
    """Write an artefact whole, sealed and read back; return its digest.

    Raises
    ------
    ConfigError
        Pieces that do not fit together, or weights that are not finite.
    DataError
        The file cannot be written.
    """
    final = Path(path)
    artefact = artefact.completed()
    check(artefact)
    with atomic.whole(final) as temporary:
        sealed = hdf5.write(temporary, HEADER, document(artefact), arrays(artefact))
        read(temporary)
    return sealed


def document(artefact: Artefact) -> dict[str, Any]:
    """Return the JSON part."""
    filters = artefact.photometry.filters
    return jsonable(
        {
            "format": KIND,
            "format_version": FORMAT_VERSION,
            "tengri_version": __version__,
            "created": artefact.created,
            "target": artefact.target.to_dict(),
            "spec": artefact.spec.to_dict(),
            "parameters": parameter_table(artefact.spec),
            "bands": [band_about(f) for f in filters],
            "network": artefact.network.to_dict(),
            "input_columns": list(artefact.target.columns),
            "input_log": list(artefact.in_scaling.log),
            "input_shift": list(artefact.in_scaling.shift),
            "cosmology": artefact.cosmology,
            "ssp": {"name": artefact.ssp["name"], "sha256": artefact.ssp["sha256"]},
            "notes": artefact.target.notes(),
            "log10_mass_min": artefact.log10_mass_min,
            "check_units": CHECK_UNITS,
            "accuracy": artefact.accuracy,
            "training": artefact.training,
            "card": artefact.card,
        }
    )  # fmt: skip


def band_about(curve: FilterCurve) -> dict[str, Any]:
    """Return what identifies a band; its curve is kept apart."""
    about = {"name": curve.name, "sha256": curve.fingerprint, "pivot_aa": curve.pivot}
    return about | ({"reference": curve.reference} if curve.reference else {})


def parameter_table(spec: Parameters) -> list[dict[str, Any]]:
    """Return name, unit, bounds, range and meaning of every parameter, for readers."""
    rows = []
    for name, prior in spec.distributions.items():
        param = spec.composition.params[name]
        bounds = [b if math.isfinite(b) else None for b in param.bounds]
        rows.append(
            {
                "name": name,
                "unit": param.unit,
                "bounds": bounds,
                "prior": repr(prior),
                "follows": spec.mirrors.get(name),
                "description": param.description,
            }
        )
    return rows


def arrays(artefact: Artefact) -> hdf5.Arrays:
    """Return the arrays by path."""
    out = hdf5.flat(artefact.params, "weights")
    scalings = {"in": artefact.in_scaling.to_dict(), "out": artefact.out_scaling.to_dict()}
    del scalings["in"]["log"], scalings["in"]["shift"]
    out |= hdf5.flat(scalings, "scaling")
    for i, curve in enumerate(artefact.photometry.filters):
        out |= hdf5.flat({"wave": curve.wave, "trans": curve.trans}, f"filters/{i:03d}")
    for name in ("age_edges", "lgmet", "mass_remaining"):
        if artefact.ssp.get(name) is not None:
            out[f"ssp/{name}"] = np.asarray(artefact.ssp[name], np.float64)
    out |= hdf5.flat(_float64(artefact.error_bars), "error_bars")
    out |= hdf5.flat(_float64(artefact.error_bars_z), "error_bars_z")
    out |= hdf5.flat(_float64(artefact.checks), "checks")
    if artefact.covariance is not None:
        out["covariance"] = np.asarray(artefact.covariance, np.float64)
    if artefact.conditional is not None:
        out |= hdf5.flat(artefact.conditional.to_arrays(), "conditional")
    return packing.packed(out)


def _float64(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _float64(v) if isinstance(v, Mapping) else np.asarray(v, np.float64)
            for k, v in tree.items()}  # fmt: skip


# --- reading --------------------------------------------------------------------------------


def read(path: str | Path) -> Artefact:
    """Read an artefact of bands; its seal is checked before anything is parsed.

    Raises
    ------
    DataError
        Missing, damaged, of another kind, of a newer format version, of spectra, or malformed.
    """
    return parsed(Path(path), *hdf5.read(Path(path), KIND, newest=FORMAT_VERSION))


def parsed(path: Path, sealed: str, doc: Mapping[str, Any], stored: hdf5.Arrays) -> Artefact:
    """Return the artefact of what was read; raises as `read` does."""
    try:
        if doc["target"]["name"] == SPECTRUM:
            raise DataError(f"{path}: a surrogate of spectra, where one of bands is needed.")
        check_document(doc, _TABLES)
        stored = packing.unpacked(stored)
        artefact = _build(doc, stored, sealed)
        check(artefact)
        artefact.cosmology_object()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{path}: malformed surrogate: {error}") from error
    return artefact


_TABLES = ("spec", "target", "network", "cosmology", "ssp", "accuracy", "training")
_TEXTS = ("card", "created")


def check_document(doc: Mapping[str, Any], tables: tuple[str, ...]) -> None:
    """Raise where a part of the document is not of its kind."""
    for kind, names in ((dict, tables), (str, _TEXTS)):
        for name in names:
            if not isinstance(doc[name], kind):
                raise TypeError(f"{name} is {type(doc[name]).__name__}, not {kind.__name__}")


def _build(doc: Mapping[str, Any], stored: hdf5.Arrays, sealed: str) -> Artefact:
    ssp = {"mass_remaining": None, **doc["ssp"], **hdf5.nested(stored, "ssp")}
    scaling = hdf5.nested(stored, "scaling")
    return Artefact(
        spec=Parameters.from_dict(doc["spec"]),
        photometry=photometry_of(doc["bands"], hdf5.nested(stored, "filters")),
        target=target_from_dict(doc["target"]),
        network=build_network(**doc["network"]),
        params=hdf5.nested(stored, "weights"),
        in_scaling=_in_scaling(scaling["in"], doc),
        out_scaling=OutputScaling.from_dict(scaling["out"]),
        cosmology=doc["cosmology"],
        ssp=ssp,
        accuracy=doc["accuracy"],
        error_bars=hdf5.nested(stored, "error_bars"),
        error_bars_z=hdf5.nested(stored, "error_bars_z"),
        covariance=stored.get("covariance"),
        conditional=_conditional(hdf5.nested(stored, "conditional")),
        checks=hdf5.nested(stored, "checks"),
        training=doc["training"],
        card=doc["card"],
        log10_mass_min=math.nan if doc["log10_mass_min"] is None else float(doc["log10_mass_min"]),
        created=doc["created"],
        sha256=sealed,
    )


def _conditional(stored: Mapping[str, Any]) -> ConditionalErrors | None:
    return ConditionalErrors.from_arrays(stored) if stored else None


def _in_scaling(stored: Mapping[str, Any], doc: Mapping[str, Any]) -> InputScaling:
    log = doc["input_log"]
    shift = doc.get("input_shift", [0.0] * len(log))  # files of the first days have none
    return InputScaling.from_dict({**stored, "log": log, "shift": shift})


def photometry_of(bands: Any, curves: Mapping[str, Any]) -> Photometry:
    """Return the bands of a document and their stored curves, each held against its hash."""
    filters = []
    for i, band in enumerate(bands):
        about = {"name": band["name"], "reference": band.get("reference", "")}
        curve = FilterCurve.from_dict({**about, **curves[f"{i:03d}"]})
        if curve.fingerprint != band["sha256"]:
            raise ConfigError(f"the stored curve of {band['name']} does not match its hash")
        filters.append(curve)
    return Photometry(tuple(filters))
