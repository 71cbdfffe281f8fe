"""An artefact from its file, of bands or of spectra."""

from __future__ import annotations

from pathlib import Path

from emulator import artefact, hdf5
from emulator.description import FORMAT_VERSION, KIND, SPECTRUM
from emulator.spectral import artefact as spectral
from emulator.spectral.artefact import SpectralArtefact
from emulator.trained import Artefact
from tengri.errors import DataError


def read_any(path: str | Path) -> Artefact | SpectralArtefact:
    """Read an artefact; its seal is checked before anything is parsed.

    Raises
    ------
    DataError
        Missing, damaged, of another kind, of a newer format version, or malformed.
    """
    path = Path(path)
    found = hdf5.read(path, KIND, newest=FORMAT_VERSION)
    target = found[1].get("target")
    if not isinstance(target, dict):
        raise DataError(f"{path}: malformed surrogate: it has no target.")
    if target.get("name") == SPECTRUM:
        return spectral.parsed(path, *found)
    return artefact.parsed(path, *found)
