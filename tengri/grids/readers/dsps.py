"""The schema of DSPS, and of the programs that share it.

Datasets ``ssp_lgmet``, ``ssp_lg_age_gyr``, ``ssp_wave`` and ``ssp_flux`` at the root of an HDF5
file; with gas also ``ssp_emline_name``, ``ssp_emline_wave`` and ``ssp_emline_luminosity`` (n_met,
n_age, n_line) in Lsun/Msun. Layout: ``scripts/write_fsps_data_to_disk.py`` and
``dsps/data_loaders/load_ssp_data.py`` of ArgonneCPAC/dsps (2ca3ce4), which multiplies line
luminosities by Lsun as it reads them; ``write_ssp_templates_to_disk`` in
``diffsky/data_loaders/load_ssp_data.py`` of ArgonneCPAC/diffsky, which divides by it.

astro-tengri adds ``ssp_mass_remaining`` and the attribute ``nebular_included``, and writes
isochrones, library and IMF into the name (``src/tengri/components/stellar/sps/dsps_wrapper.py`` of
suchethac/tengri).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tengri.constants import LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids import ssp_units
from tengri.grids.checks import EXPECTED, OPTIONAL, REQUIRED
from tengri.grids.contents import Contents, LineTable, Planes
from tengri.io import hdf5_reader, seal

Array = np.ndarray

TAKES = frozenset({"zsun"})
#: Spectra are read by planes; a whole dataset may be larger than what is read at once.
LARGEST_DATASET = 1 << 43
LINES = "ssp_emline_name", "ssp_emline_wave", "ssp_emline_luminosity"


def can_read(path: Path) -> bool:
    """Return whether a file is HDF5, sealed or not, by its first bytes."""
    with open(path, "rb") as file:
        head = file.read(seal.USERBLOCK + len(seal.HDF5_SIGNATURE))
    return seal.HDF5_SIGNATURE in (head[:8], head[seal.USERBLOCK :])


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of a file of the schema; ``stated``: ``zsun``.

    Raises
    ------
    DataError
        A dataset that is missing, of other units, or no numbers; names the fix.
    """
    with opened(path) as file:
        return contents_of(file, path, stated, "dsps")


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file; damage that shows itself later is told in the same words."""
    try:
        with hdf5_reader.open_hdf5(path) as file:
            yield file
    except DataError:
        raise
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(
            f"{path}: cannot be read as HDF5 ({error}). It is damaged, truncated or of another "
            "format: get a fresh copy."
        ) from error


def contents_of(file: h5py.File, path: Path, stated: Mapping[str, Any], layout: str) -> Contents:
    """Return the contents of an open file of the schema."""
    attrs = hdf5_reader.attributes(file)
    for name in REQUIRED:
        if not hdf5_reader.has(file, name):
            raise DataError(f"{path}: dataset {name} is missing. {EXPECTED}")
    _checked(file, "ssp_flux", path)  # before its attributes are looked at
    names = [n for n in (*REQUIRED, *OPTIONAL) if n != "ssp_flux" and hdf5_reader.has(file, n)]
    data = {n: in_schema(file, n, _dataset(file, n, path), path, attrs) for n in names}
    if "zsun" in stated:
        data["ssp_lgmet"] = data["ssp_lgmet"] + np.log10(stated["zsun"])
        attrs.setdefault("zsun", float(stated["zsun"]))
    sun = _sun(file, attrs, path)
    if "ssp_flux_behind_gas" in data:
        behind = data["ssp_flux_behind_gas"]
        data["ssp_flux_behind_gas"] = behind if sun == 1.0 else behind * behind.dtype.type(sun)
    vacuum = True if "vac" in ssp_units.stated("ssp_wave", file["ssp_wave"].attrs, attrs) else None
    return Contents(
        layout,
        (path,),
        data,
        _planes(file, path, attrs, sun),
        attrs,
        gas=stated_gas(attrs),
        vacuum=vacuum,
        lines=_lines(file, path, sun),
    )


def in_schema(
    file: h5py.File, name: str, values: Array, path: Path, attrs: Mapping[str, Any]
) -> Array:
    """Return a dataset in the unit of the schema, obeying the one that the file states."""
    unit = ssp_units.stated(name, file[name].attrs, attrs)
    return ssp_units.in_schema(name, values, unit, path)


def stated_gas(attrs: Mapping[str, Any]) -> bool | None:
    """Return what the attributes of a file say about nebular light, if they do."""
    for name in ("nebular", "nebular_included"):
        if name in attrs and not isinstance(attrs[name], str):
            return bool(attrs[name])
    return None


def _planes(file: h5py.File, path: Path, attrs: Mapping[str, Any], sun: float) -> Planes:
    """Return the spectra, by metallicity; the file is opened anew for each."""
    item = _checked(file, "ssp_flux", path)
    unit = ssp_units.stated("ssp_flux", item.attrs, attrs)
    ssp_units.in_schema("ssp_flux", np.ones(1), unit, path)  # a unit that is none, before any light

    def plane(i: int) -> Array:
        with opened(path) as again:
            values = _floats(again["ssp_flux"][i])
        values = ssp_units.in_schema("ssp_flux", values, unit, path)
        return values if sun == 1.0 else values * values.dtype.type(sun)

    return Planes(item.shape, plane)


def _checked(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    try:
        return hdf5_reader.dataset(file, name, path, LARGEST_DATASET)
    except DataError as error:
        raise DataError(f"{error} {EXPECTED}") from error


def _dataset(file: h5py.File, name: str, path: Path) -> Array:
    try:
        return _floats(hdf5_reader.array(file, name, path))
    except DataError as error:
        raise DataError(f"{error} {EXPECTED}") from error


def _floats(values: Array) -> Array:
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _sun(file: h5py.File, attrs: dict[str, Any], path: Path) -> float:
    """Return the file's solar luminosity in our units."""
    unit = ssp_units.stated("ssp_flux", file["ssp_flux"].attrs, attrs)
    if not ssp_units.counts_in_suns(unit):
        attrs["lsun_erg_per_s"] = LSUN_ERG_S  # erg are converted with ours
    lsun = attrs.get("lsun_erg_per_s", LSUN_ERG_S)
    if not isinstance(lsun, (int, float)) or not 3.7e33 < lsun < 4.0e33:
        raise DataError(f"{path}: attribute lsun_erg_per_s is {lsun!r}; expected about 3.83e33.")
    return float(lsun / LSUN_ERG_S)


def _lines(file: h5py.File, path: Path, sun: float) -> LineTable | None:
    """Return the emission lines that are listed beside the spectra, if there are any.

    Raises
    ------
    DataError
        Some of their datasets only, or shapes that do not belong together.
    """
    absent = [name for name in LINES if not hdf5_reader.has(file, name)]
    if len(absent) == len(LINES):
        return None
    if absent:
        raise DataError(f"{path}: {', '.join(absent)} is missing beside the other ssp_emline_*.")
    names = hdf5_reader.texts(file, LINES[0], path)
    wave, light = (_dataset(file, name, path) for name in LINES[1:])
    shape = (len(file["ssp_lgmet"]), len(file["ssp_lg_age_gyr"]), len(names))
    if light.shape != shape or wave.shape != shape[-1:]:
        raise DataError(
            f"{path}: {LINES[2]} has shape {light.shape} and {LINES[1]} {wave.shape}; "
            f"the names and axes of the file ask for {shape} and {shape[-1:]}."
        )
    if not np.isfinite(light).all() or (light < 0).any():
        raise DataError(f"{path}: {LINES[2]} holds values that are negative or not finite.")
    return LineTable(names, wave.astype(np.float64), light * sun)
