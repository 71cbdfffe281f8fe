"""Grids of synthesizer: HDF5 with the groups ``axes`` and ``spectra``.

The root attribute ``axes`` names the axes in order: ``ages`` [yr], ``metallicities`` (absolute), of
processed grids also ``ionisation_parameters`` and others. ``spectra/wavelength`` [Å] and spectra of
shape (axes…, n_wave) in erg/s/Hz per Msun formed: ``incident``, and behind gas ``transmitted``,
``nebular``, ``linecont``; every dataset states its ``Units``. The group ``Model`` holds facts as
attributes; grids of BPASS have ``star_fraction`` and ``remnant_fraction`` (n_age, n_met). Layout:
``GridFile`` in ``src/synthesizer_grids/grid_io.py`` of synthesizer-project/grid-generation
(0a4ff50) and ``src/synthesizer/grid.py`` of synthesizer-project/synthesizer (ad635a2).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tengri.errors import DataError, TengriError, suggestion
from tengri.grids.contents import Contents, Planes, fixed_index, needed
from tengri.grids.readers import dsps
from tengri.io import hdf5_reader
from tengri.quantities import as_unit

Array = np.ndarray
AGES, METALLICITIES = "ages", "metallicities"
TAKES = frozenset({"spectrum", "axes", "afe"})
ALPHA = "alpha_enhancements"
#: Spectra of stars alone, and those that hold what gas emits.
STARS, GAS = {"incident"}, {"nebular", "linecont", "total", "transmitted"}


def can_read(path: Path) -> bool:
    """Return whether an HDF5 file has the groups of synthesizer."""
    if not dsps.can_read(path):
        return False
    try:
        with hdf5_reader.open_hdf5(path) as file:
            own = hdf5_reader.members(file)
            return all(isinstance(own.get(n), h5py.Group) for n in ("axes", "spectra"))
    except DataError:
        return False


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of a grid of synthesizer.

    Parameters
    ----------
    path : Path
    stated : mapping
        ``spectrum`` where the file holds several, ``axes`` (or ``afe``) for every axis beside age
        and metallicity.

    Raises
    ------
    DataError
        A choice that the file leaves open, an axis or unit that is missing.
    """
    with dsps.opened(path) as file:
        names = [n.decode() if isinstance(n, bytes) else str(n) for n in file.attrs["axes"]]
        axes = {name: _quantity(file, f"axes/{name}", path) for name in names}
        for name in (AGES, METALLICITIES):
            if name not in axes:
                raise DataError(f"{path}: has no axis {name!r}, only {', '.join(names)}.")
        kinds = _kinds(file, path, stated)
        places = _places(axes, path, stated)
        attrs = _facts(file)
        mass = _surviving(file, path, axes)
        gas = bool(set(kinds) & GAS) if set(kinds) <= STARS | GAS else None
        wave = _quantity(file, "spectra/wavelength", path, "Angstrom")
        factor = _per_sun(file, kinds, path)
    age = axes[AGES] * _unit(path, "axes/ages", "yr", "Gyr")
    order = np.argsort(axes[METALLICITIES])
    data = {
        "ssp_lgmet": np.log10(axes[METALLICITIES][order]),
        "ssp_lg_age_gyr": np.log10(age),
        "ssp_wave": wave,
        **({} if mass is None else {"ssp_mass_remaining": mass.T[order]}),
    }

    def plane(i: int) -> Array:
        with dsps.opened(path) as again:
            each = [
                _plane(again[f"spectra/{kind}"], names, places, int(order[i])) for kind in kinds
            ]
        return np.sum(each, axis=0) * factor

    shape = (len(order), len(age), len(wave))
    attrs |= {name: value for name, (value, _, _) in places.items()}
    return Contents("synthesizer", (path,), data, Planes(shape, plane), attrs, gas=gas)


def alpha_nodes(path: Path) -> Array | None:
    """Return [α/Fe] of the nodes; None of a grid without that axis."""
    with dsps.opened(path) as file:
        names = hdf5_reader.members(hdf5_reader.members(file)["axes"])
        return _quantity(file, f"axes/{ALPHA}", path) if ALPHA in names else None


def _quantity(file: h5py.File, name: str, path: Path, unit: str = "") -> Array:
    group, _, last = name.rpartition("/")
    values = hdf5_reader.array(hdf5_reader.members(file)[group], last, path).astype(np.float64)
    return values * _unit(path, name, _stated_unit(file, name), unit) if unit else values


def _stated_unit(file: h5py.File, name: str) -> str:
    text = file[name].attrs.get("Units", "")
    return text.decode() if isinstance(text, bytes) else str(text)


def _unit(path: Path, name: str, text: str, into: str) -> float:
    """Return the factor from a unit as unyt writes it."""
    words = text.replace("Å", "Angstrom").replace("angstrom", "Angstrom").replace("**", "^")
    try:
        return float(as_unit(words).to(as_unit(into)))
    except (TengriError, ValueError, TypeError) as error:
        raise DataError(f"{path}: {name} is in {text!r}, not a unit of {into}. ({error})") from None


def _kinds(file: h5py.File, path: Path, stated: Mapping[str, Any]) -> tuple[str, ...]:
    spectra = hdf5_reader.members(file)["spectra"]
    known = [name for name in hdf5_reader.members(spectra) if name != "wavelength"]
    example = '"transmitted+nebular"' if "nebular" in known else f'"{known[0]}"'
    one = {"spectrum": known[0]} if len(known) == 1 else {}
    why = f"holds the spectra {', '.join(known)}"
    text = needed({**one, **stated}, "spectrum", path, why, example)
    kinds = tuple(text.split("+"))
    for kind in kinds:
        if kind not in known:
            raise DataError(f"{path}: has no spectrum {kind!r}.{suggestion(kind, known)}")
        hdf5_reader.dataset(spectra, kind, path, dsps.LARGEST_DATASET)  # of numbers, and in here
    return kinds


def _places(
    axes: Mapping[str, Array], path: Path, stated: Mapping[str, Any]
) -> dict[str, tuple[float, int, float]]:
    """Return where each further axis is fixed: its value, the node below and the share above."""
    given = dict(stated.get("axes", {}))
    if "afe" in stated:
        given[ALPHA] = stated["afe"]
    for name in given:
        if name not in axes or name in (AGES, METALLICITIES):
            raise DataError(f"{path}: no axis {name!r} to fix; its axes: {', '.join(axes)}.")
    places = {}
    for name, nodes in axes.items():
        if name in (AGES, METALLICITIES):
            continue
        if len(nodes) > 1 and name not in given:
            shown = ", ".join(f"{node:g}" for node in nodes)
            needed({}, "axes", path, f"has an axis {name} ({shown})", f"{{{name!r}: {nodes[0]:g}}}")
        value = float(given.get(name, nodes[0]))
        places[name] = (value, *fixed_index(nodes, value, name, path))
    return places


def _plane(
    item: h5py.Dataset, names: list[str], places: Mapping[str, tuple[float, int, float]], i: int
) -> Array:
    """Return (n_age, n_wave) of one metallicity, linear in every axis that is fixed."""
    corners: list[tuple[dict[str, int], float]] = [({}, 1.0)]
    for name, (_, low, t) in places.items():
        ends = [(low, 1.0 - t)] + ([(low + 1, t)] if t else [])
        corners = [({**at, name: node}, w * share) for at, w in corners for node, share in ends]
    total = 0.0
    for at, weight in corners:
        where = tuple(
            slice(None) if n == AGES else i if n == METALLICITIES else at[n] for n in names
        )
        total = total + weight * item[where].astype(np.float64)
    return np.asarray(total)


def _per_sun(file: h5py.File, kinds: tuple[str, ...], path: Path) -> float:
    factors = {
        _unit(path, f"spectra/{kind}", _stated_unit(file, f"spectra/{kind}"), "Lsun / Hz")
        for kind in kinds
    }
    if len(factors) != 1:
        raise DataError(f"{path}: {', '.join(kinds)} are in different units.")
    return factors.pop()


def _facts(file: h5py.File) -> dict[str, Any]:
    """Return what the group ``Model`` states, under the names that other grids use."""
    model = hdf5_reader.members(file).get("Model")
    told = {} if model is None else hdf5_reader.attributes(model)
    facts: dict[str, Any] = {
        k: told[k] for k in ("sps_name", "sps_version", "sps_variant") if k in told
    }
    if isinstance(imf := told.get("imf_type"), str):
        facts["imf"] = imf
    for name, key in (("weight", "WeightVariable"), ("version", "synthesizer_grids_version")):
        if key in file.attrs:
            facts[name] = str(file.attrs[key])
    return facts


def _surviving(file: h5py.File, path: Path, axes: Mapping[str, Array]) -> Array | None:
    """Return the mass in stars and remnants (n_age, n_met), if both are there."""
    names = ("star_fraction", "remnant_fraction")
    if not all(hdf5_reader.has(file, name) for name in names):
        return None
    mass = sum(hdf5_reader.array(file, name, path).astype(np.float64) for name in names)
    expected = (len(axes[AGES]), len(axes[METALLICITIES]))
    if np.shape(mass) != expected:
        raise DataError(f"{path}: star_fraction has shape {np.shape(mass)}, expected {expected}.")
    return np.asarray(mass)
