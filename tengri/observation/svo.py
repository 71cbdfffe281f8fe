"""Filter curves of the SVO Filter Profile Service: by identifier, kept on disk, or as its files.

The service (Rodrigo & Solano 2020; Rodrigo et al. 2024, A&A 689, A93) answers with a VOTable that
states the unit of the wavelengths and whether the detector counts photons (``DetectorType`` 1) or
energy (0).
"""

from __future__ import annotations

import io
import os
import re
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np

from tengri.errors import ConfigError, DataError
from tengri.io import hdf5_reader
from tengri.io.cache import user_cache
from tengri.io.download import download
from tengri.observation.conventions import per_photon
from tengri.observation.filters import FilterCurve
from tengri.quantities import converted

SERVICE = "http://svo2.cab.inta-csic.es/theory/fps/fps.php"
#: Another address of the service: a mirror.
ENVIRONMENT = "TENGRI_SVO_URL"
VOTABLES = (".xml", ".vot", ".votable")
IDENTIFIER = re.compile(r"[\w+-]+/[\w+.-]+")
ENERGY, PHOTON = "0", "1"


def svo_curve(identifier: str, refresh: bool = False) -> FilterCurve:
    """Return a curve of the service.

    Parameters
    ----------
    identifier : str
        ``FACILITY/INSTRUMENT.BAND`` as the service writes it, e.g. ``SLOAN/SDSS.u``; the curve is
        named so.
    refresh : bool
        Ask the service even where its answer is on disk.

    Raises
    ------
    ConfigError
        No identifier of that form.
    DataError
        The service cannot be reached and the curve is not on disk; it knows no such filter.
    """
    if not IDENTIFIER.fullmatch(identifier) or ".." in identifier:
        raise ConfigError(
            f"{identifier!r} is no identifier of SVO: FACILITY/INSTRUMENT.BAND, e.g. SLOAN/SDSS.u "
            "(http://svo2.cab.inta-csic.es/theory/fps)."
        )
    kept = user_cache() / "svo" / f"{identifier}.xml"
    if refresh or not kept.is_file():
        address = os.environ.get(ENVIRONMENT) or SERVICE
        download(f"{address}?{urllib.parse.urlencode({'ID': identifier})}", kept)
    try:
        return read_votable(kept, identifier)
    except DataError:
        kept.unlink(missing_ok=True)  # an answer without a curve: ask again next time
        raise


def read_votable(path: str | Path, name: str | None = None) -> FilterCurve:
    """Return the curve of a VOTable of the service.

    Parameters
    ----------
    path : path
    name : str, optional
        Default: the identifier that the file states, else its stem.

    Raises
    ------
    DataError
        Not a VOTable with one table of wavelength and transmission.
    ConfigError
        Without astropy; a curve that cannot be used.
    """
    try:
        text = hdf5_reader.read_text(Path(path))
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error
    if "<STREAM" in text.upper():  # astropy would open what it points to
        raise DataError(f"{path}: its table is a stream; a curve stands in the file.")
    facts, table = _parsed(path, text)
    if table is None or len(table.colnames) < 2 or len(table) < 2:
        raise DataError(f"{path}: no curve{_reason(text)}.")
    wave, trans = (table[column] for column in table.colnames[:2])
    stated = str(wave.unit or facts.get("WavelengthUnit", "Angstrom"))
    label = name or facts.get("filterID") or Path(path).stem
    knots = converted(np.ma.filled(wave, np.nan), stated, "Angstrom", f"{label}: wavelength")
    response: np.ndarray = np.ma.filled(np.ma.asarray(trans, float), np.nan)
    order = np.argsort(knots)
    knots, response = knots[order], np.maximum(response[order], 0.0)
    if facts.get("DetectorType", PHOTON) == ENERGY:
        knots, response = per_photon(knots, response)
    return FilterCurve(label, knots, response).trimmed()


def _parsed(path: str | Path, text: str) -> tuple[dict[str, str], Any]:
    """Return the parameters of a VOTable and its only table, or None."""
    try:
        from astropy.io.votable import parse
    except ImportError:
        raise ConfigError("Curves of SVO need astropy: pip install astropy") from None
    try:
        found = parse(io.BytesIO(text.encode()), verify="ignore")
        tables = list(found.iter_tables())
        table = tables[0].to_table() if len(tables) == 1 else None
        params = [p for t in tables for p in t.params]
        return {p.name: str(p.value) for p in params}, table
    except Exception as error:  # whatever XML may hold
        raise DataError(f"{path}: not a VOTable ({str(error).splitlines()[0]}).") from error


def _reason(text: str) -> str:
    """Return what the service said instead, if it did."""
    said = re.search(r"<DESCRIPTION>\s*([^<]{1,200})", text)
    return f" ({said.group(1).strip()})" if said else ""
