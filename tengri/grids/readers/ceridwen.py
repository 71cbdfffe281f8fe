"""Grids of ceridwen: the schema of DSPS with provenance, and with [α/Fe] as a further axis.

Attributes ``isoc_type``, ``spec_library``, ``imf_type`` (of FSPS), ``fsps_version``; a dataset
``ssp_resolution`` that is not needed for bands; with [α/Fe] also ``ssp_afe`` (n_afe,) and
``ssp_flux`` (n_afe, n_met, n_age, n_wave). Layout: ``SSPData.save`` in
``ceridwen/ssps/ssp_data.py`` and ``ceridwen/ssps/ssp_data_afe.py`` of Espe13/ceridwen (034381f).
The grids are built without gas: their writer refuses ``add_neb_emission``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tengri.errors import DataError
from tengri.grids.contents import Contents, Planes, fixed_index, needed
from tengri.grids.readers import dsps
from tengri.grids.readers.fsps import IMF
from tengri.io import hdf5_reader

TAKES = frozenset({"zsun", "afe"})
AFE = "ssp_afe"


def can_read(path: Path) -> bool:
    """Return whether an HDF5 file carries what ceridwen alone writes."""
    if not dsps.can_read(path):
        return False
    try:
        with hdf5_reader.open_hdf5(path) as file:
            return any(hdf5_reader.has(file, name) for name in (AFE, "ssp_resolution"))
    except DataError:
        return False


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of a grid of ceridwen; ``stated``: ``zsun``, and ``afe`` if it has that.

    Raises
    ------
    DataError
        An axis [α/Fe] without the value at which to fix it, or a value outside; else as `dsps`.
    """
    with dsps.opened(path) as file:
        contents = dsps.contents_of(file, path, stated, "ceridwen")
        attrs = contents.attrs
        facts = {
            "imf": IMF.get(attrs.get("imf_type", -1)),
            "isochrones": attrs.get("isoc_type"),
            "library": attrs.get("spec_library"),
        }
        attrs = {**attrs, **{k: v for k, v in facts.items() if v is not None}}
        contents = replace(contents, attrs=attrs, gas=False)
        if hdf5_reader.has(file, AFE):
            return _at_afe(file, contents, stated)
        if "afe" in stated:
            raise DataError(f"{path}: afe= was given, but the grid has no axis [α/Fe].")
        return contents


def alpha_nodes(path: Path) -> np.ndarray | None:
    """Return [α/Fe] of the nodes; None of a grid without that axis."""
    with dsps.opened(path) as file:
        return hdf5_reader.array(file, AFE, path) if hdf5_reader.has(file, AFE) else None


def _at_afe(file: h5py.File, contents: Contents, stated: Mapping[str, Any]) -> Contents:
    path, shape = contents.path, contents.flux.shape
    axis = hdf5_reader.array(file, AFE, path)
    if len(shape) != 4 or axis.shape != shape[:1]:
        raise DataError(
            f"{path}: dataset ssp_flux has shape {shape}, ssp_afe {axis.shape}; expected "
            "(n_afe, n_met, n_age, n_wave)."
        )
    known = ", ".join(f"{value:g}" for value in axis)
    value = needed(stated, "afe", path, f"the grid has an axis [α/Fe] ({known})", f"{axis[0]:g}")
    low, t = fixed_index(axis, float(value), "[α/Fe]", path)

    def plane(i: int) -> np.ndarray:
        with dsps.opened(path) as again:
            flux = again["ssp_flux"]
            here = flux[low, i]
            return here if t == 0.0 else (1.0 - t) * here + t * flux[low + 1, i]

    attrs = {**contents.attrs, "afe": float(value)}
    return replace(contents, flux=Planes(shape[1:], plane), attrs=attrs)
