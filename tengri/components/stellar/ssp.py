"""Simple stellar populations: the light of one solar mass of stars of one age and metallicity.

==================  =========================  =============================================
``ssp_lgmet``       (n_met,)                   log10 of the absolute metal fraction Z
``ssp_lg_age_gyr``  (n_age,)                   log10 of the age in Gyr
``ssp_wave``        (n_wave,)                  rest wavelength in vacuum, Å
``ssp_flux``        (n_met, n_age, n_wave)     L_ν in Lsun/Hz per Msun formed
``mass_remaining``  (n_met, n_age) or None     mass in stars and remnants per mass formed
``age_edges_gyr``   (n_age + 1,)               edges of the lookback bin that each age stands for
``ionising``        see `IonisingLight`        what gas around the stars answers to, or None
``lines``           see `LineTable`            emission lines listed beside the spectra, or None
==================  =========================  =============================================

The schema and the names of the datasets are those of DSPS (Hearin et al. 2023, MNRAS 521, 1741);
``ssp_mass_remaining``, ``ssp_age_edges_gyr`` and those of `tengri.grids.ionising` are optional
additions. Units that the file states are obeyed or refused: `tengri.grids.ssp_units`.
Files of other programs are read by `tengri.grids.readers`; what a grid is, with gas or without, is
measured on its spectra (`tengri.grids.measurement`) and held against what its file says.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from tengri.components.stellar.alpha_grid import stack_ssp_data
from tengri.components.stellar.ionising import IonisingLight
from tengri.components.stellar.loadings import Loadings
from tengri.components.stellar.metal_nodes import MetalNodes
from tengri.errors import DataError
from tengri.grids import files, readers
from tengri.grids.ages import log_midpoint_edges
from tengri.grids.checks import check_axes, check_brightness, checked_flux, cleaned_notes
from tengri.grids.contents import Contents, LineTable, Planes
from tengri.grids.facts import facts
from tengri.grids.measurement import Measured, Sample
from tengri.grids.stated import FREE, Stated, parse
from tengri.grids.stated import digest as stated_digest
from tengri.grids.verdict import Verdict, accepted, judge
from tengri.io import hdf5_reader, seal

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SSPData:
    """A grid of simple stellar populations, in host memory (see the top of the file).

    Attributes
    ----------
    name, path : str
        File name without its ending, and where it was read from.
    sha256 : str
        SHA-256 of the file, hexadecimal; of several files, of their digests; with what was said of
        them by keyword, where that changes the grid.
    attrs : dict
        Provenance as stored: ``imf``, ``source``, ``citation``, ``nebular``, ``logu``, ``zsun`` …
    ssp_afe : ndarray, shape (n_afe,)
        [α/Fe] of a grid that has this axis, else empty. The first axis of all that is (n_met, …)
        then runs over the metallicities at the first [α/Fe], then at the second …
    lines : LineTable or None
        Emission lines that the file lists beside its spectra.
    gas : bool or None
        Whether nebular light is part of the fluxes, by the spectra or as the user said; None of
        a grid that was not loaded from a file.
    measured : Measured or None
        What was measured on the spectra.
    notes : tuple of str
        What was done on loading, is missing, or cannot be told.
    loadings : Loadings or None
        How the populations mix of few spectra, where the grid is compressed.
    """

    ssp_lgmet: Array
    ssp_lg_age_gyr: Array
    ssp_wave: Array
    ssp_flux: Array
    ssp_mass_remaining: Array | None
    age_edges_gyr: Array
    ionising: IonisingLight | None = None
    name: str = ""
    path: str = ""
    sha256: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)
    lines: LineTable | None = None
    gas: bool | None = None
    measured: Measured | None = None
    notes: tuple[str, ...] = ()
    loadings: Loadings | None = None
    ssp_afe: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def metals(self) -> MetalNodes:
        """The nodes of the grid in metals."""
        return MetalNodes(self.ssp_lgmet, self.ssp_afe)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (n_met, n_age, n_wave)."""
        return self.ssp_flux.shape

    @property
    def nebular(self) -> bool:
        """Whether nebular emission is part of the fluxes."""
        return bool(self.attrs.get("nebular", False)) if self.gas is None else self.gas

    @property
    def facts(self) -> dict[str, Any]:
        """Return what is known of zsun, imf, isochrones, library, source, citation and logu."""
        return facts(self.attrs, self.name)

    def __repr__(self) -> str:
        n_age, n_wave = self.shape[1:]
        metals = f"{len(self.ssp_lgmet)} metallicities"
        if self.ssp_afe.size:
            metals = f"{len(self.ssp_afe)} [α/Fe] × {metals}"
        return f"SSPData({self.name!r}: {metals} × {n_age} ages × {n_wave} wavelengths)"


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
        ``lsun_erg_per_s`` states another one is rescaled.

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
    return grid_of(accepted(contents, verdict, stated), verdict, stated)


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
    )


def digest(paths: tuple[Path, ...]) -> str:
    """Return the SHA-256 of a file, or of the digests of several, sorted, in hexadecimal."""
    each = sorted(seal.file_sha256(path) for path in paths)
    return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()
