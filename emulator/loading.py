"""``load``: from a file or a name to a model."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from emulator import published
from emulator.reading import read_any
from emulator.spectral.artefact import SpectralArtefact
from emulator.spectral.model import EmulatedSpectrumModel
from emulator.surrogate import EmulatedSEDModel
from emulator.trained import Artefact
from tengri.forward.units import CGS
from tengri.observation import Observation
from tengri.parameters import Parameters


def load(
    path_or_name: str | os.PathLike[str],
    spec: Parameters | None = None,
    observation: Observation | None = None,
    out_of_domain: str = "raise",
    units: str = CGS,
) -> EmulatedSEDModel | EmulatedSpectrumModel:
    """Load a surrogate.

    Parameters
    ----------
    path_or_name : str or path
        A file, a run folder, or the name of a published surrogate.
    spec : Parameters, optional
        A narrower spec than the trained one; any, of a surrogate of spectra.
    observation : Observation, optional
        Some of the trained bands, in any order; any, of a surrogate of spectra.
    out_of_domain : str
        ``raise``, ``warn``, ``clip`` or ``nan``: see `emulator.domain`.
    units : str
        Unit of ``predict_photometry``, default erg/s/cm²/Hz.

    Returns
    -------
    EmulatedSEDModel, or EmulatedSpectrumModel where the surrogate has spectra

    Raises
    ------
    DataError
        No such surrogate, or a damaged file, or one of a newer format.
    ConfigError, ParameterError
        A spec or bands that the surrogate was not trained for.
    """
    file = published.resolve(path_or_name)
    read = _read(file, *_identity(file))
    return model_of(read, spec, observation, out_of_domain, units)


def model_of(
    found: Artefact | SpectralArtefact, *options: Any
) -> EmulatedSEDModel | EmulatedSpectrumModel:
    """Return the model of an artefact; further arguments are those of `load`."""
    if isinstance(found, SpectralArtefact):
        return EmulatedSpectrumModel(found, *options)
    return EmulatedSEDModel(found, *options)


@lru_cache(maxsize=4)  # many models of one surrogate: one for each galaxy's redshift, say
def _read(file: Path, *identity: int) -> Artefact | SpectralArtefact:
    return read_any(file)


def _identity(file: Path) -> tuple[int, ...]:
    """Return what changes when a file is written anew."""
    about = os.stat(file)
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
