"""Loading of simple stellar populations (`SSPData`) from files.

Units that a file states are obeyed or refused: `tengri.grids.ssp_units`. Files of other programs
are read by `tengri.grids.readers`; what a grid is, with gas or without, is measured on its spectra
(`tengri.grids.measurement`) and held against what its file says.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack
from weakref import WeakValueDictionary

import numpy as np

from tengri.components.stellar.alpha_grid import stack_ssp_data
from tengri.components.stellar.ionising import IonisingLight
from tengri.components.stellar.ssp_data import SSPData
from tengri.errors import DataError
from tengri.grids import files, readers
from tengri.grids.ages import log_midpoint_edges
from tengri.grids.checks import check_axes, check_brightness, checked_flux, cleaned_notes
from tengri.grids.contents import Contents, Planes
from tengri.grids.measurement import Sample
from tengri.grids.stated import FREE, Stated, parse
from tengri.grids.stated import digest as stated_digest
from tengri.grids.verdict import Verdict, accepted, judge
from tengri.io import hdf5_reader, seal

Array = np.ndarray


def load_ssp_data(
    path: str | Path | None = None, sha256: str | None = None, **stated: Unpack[Stated]
) -> SSPData:
    """Read and validate an SSP grid.

    Parameters
    ----------
    path : path, optional
        A file of any layout of `tengri.grids.readers`, or the name of one in a data folder
        (`tengri.grids.files`). Default: the embedded BC03/MILES grid with nebular emission.
    sha256 : str, optional
        Digest that the file must have; it is checked before the file is parsed. A foreign
        file has no seal: without this, damage that leaves its values plausible goes unseen.
    **stated
        What the file does not say or says wrongly, keywords of `tengri.grids.stated.Stated`:
        ``nebular``, ``vacuum``, ``zsun``, ``afe`` …; with ``afe="free"`` the grid keeps its axis
        [α/Fe], and models on it have the parameter ``met_afe``.

    Returns
    -------
    SSPData
        Fluxes in Lsun/Hz/Msun with Lsun = 3.828e33 erg/s: a file whose attribute
        ``lsun_erg_per_s`` states another one is rescaled. Its arrays cannot be written to: who
        loads the same once more gets the same object while it is in use.

    Warns
    -----
    UserWarning
        The file or its name says of gas what the spectra contradict; the spectra, or
        ``nebular=``, decide.

    Raises
    ------
    DataError
        If the file is missing, damaged or unusable; it names the file, the dataset and the fix.
    ConfigError
        A keyword that is unknown or says nothing about this layout.
    """
    if not isinstance(path, str | Path | None):
        raise DataError(f"load_ssp_data takes the path of an HDF5 file, not {path!r}.")
    found = files.resolve(files.DEFAULT_SSP if path is None else path)
    if stated.get("afe") == FREE:
        nodes = readers.alpha_nodes(found).tolist()
        return stack_ssp_data(
            {v: load_ssp_data(found, sha256, **{**stated, "afe": v}) for v in nodes}
        )  # type: ignore[typeddict-item]
    if files.is_embedded(found) or seal.is_sealed(found):
        seal.verify(found)
    if sha256 is not None and (has := seal.file_sha256(found)) != sha256.lower():
        raise DataError(f"{found}: SHA-256 is {has}, expected {sha256.lower()}. {_FRESH}")
    contents, verdict = examined(found, stated)
    if verdict.contradictions:
        taken = "stars and gas" if verdict.gas else "stars alone"
        said = "; ".join(verdict.contradictions)
        warnings.warn(f"{found}: {said}. Taken as {taken}.", stacklevel=2)
    grid = grid_of(accepted(contents, verdict, stated), verdict, stated)
    return _IN_USE.setdefault((grid.path, grid.sha256, repr(sorted(stated.items()))), grid)


#: Grids in use, by file, content and what was said of them: models that load one alike share it.
_IN_USE: WeakValueDictionary[tuple[str, str, str], SSPData] = WeakValueDictionary()


def load_named_ssp(text: str | None) -> SSPData:
    """Read the grid that a command line or a configuration names.

    Parameters
    ----------
    text : str or None
        ``FILE``, or ``FILE,KEYWORD=VALUE,…`` with keywords of `load_ssp_data`; None: its default.

    Raises
    ------
    DataError, ConfigError
        As `load_ssp_data`; a part that is no keyword with a value.
    """
    if not text:
        return load_ssp_data()
    path, stated = parse(text)
    return load_ssp_data(path, **stated)  # type: ignore[misc]


def examined(path: Path, stated: Mapping[str, Any]) -> tuple[Contents, Verdict]:
    """Return a file's contents, in memory and checked, and the verdict on them.

    Raises
    ------
    DataError
        Contents that are no grid; problems of a grid are part of the verdict.
    """
    contents = readers.read(path, stated)
    check_axes(contents)
    contents, cleaned = checked_flux(contents)
    flux = _in_memory(contents)
    data = contents.datasets
    check_brightness(flux, data["ssp_wave"], path)
    notes = (*contents.notes, *cleaned_notes(cleaned))
    contents = replace(contents, flux=Planes.of(flux), notes=notes)
    wave, lg_age, lgmet = (
        data[n].astype(np.float64) for n in ("ssp_wave", "ssp_lg_age_gyr", "ssp_lgmet")
    )
    return contents, judge(contents, Sample.of(wave, lg_age, lgmet, flux), stated)


_FRESH = "It is damaged or another file: get a fresh copy."


def _in_memory(contents: Contents) -> Array:
    """Return every spectrum, (n_met, n_age, n_wave)."""
    n_bytes = contents.flux.shape[0] * contents.flux.read(0).nbytes
    if n_bytes > hdf5_reader.MAX_BYTES:
        raise DataError(
            f"{contents.path}: ssp_flux of shape {contents.flux.shape} takes {n_bytes} bytes, more "
            f"than {hdf5_reader.MAX_BYTES}. Make it smaller: tengri data convert."
        )
    return contents.flux.all()


def grid_of(contents: Contents, verdict: Verdict, stated: Mapping[str, Any]) -> SSPData:
    """Return the grid of checked contents."""
    data, path = contents.datasets, contents.path
    lg_age = data["ssp_lg_age_gyr"].astype(np.float64)
    edges = data.get("ssp_age_edges_gyr")
    flux = contents.flux.all()
    return SSPData(
        ssp_lgmet=data["ssp_lgmet"].astype(np.float64),
        ssp_lg_age_gyr=lg_age,
        ssp_wave=data["ssp_wave"].astype(np.float64),
        ssp_flux=flux,
        ssp_mass_remaining=data.get("ssp_mass_remaining"),
        age_edges_gyr=log_midpoint_edges(lg_age) if edges is None else edges.astype(np.float64),
        ionising=IonisingLight.stored({**data, "ssp_flux": flux}),
        name=path.stem,
        path=str(path),
        sha256=stated_digest(digest(contents.files), stated),
        attrs=contents.attrs,
        lines=contents.lines,
        gas=verdict.gas,
        measured=verdict.measured,
        notes=verdict.notes,
    ).constant()


def digest(paths: tuple[Path, ...]) -> str:
    """Return the SHA-256 of a file, or of the digests of several, sorted, in hexadecimal."""
    each = sorted(seal.file_sha256(path) for path in paths)
    return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()
