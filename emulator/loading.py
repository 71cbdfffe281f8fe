"""``load``: from a file or a name to a model."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from emulator import artefact, published
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
) -> EmulatedSEDModel:
    """Load a surrogate.

    Parameters
    ----------
    path_or_name : str or path
        A file, a run folder, or the name of a published surrogate.
    spec : Parameters, optional
        A narrower spec than the trained one.
    observation : Observation, optional
        Some of the trained bands, in any order.
    out_of_domain : str
        ``raise``, ``warn``, ``clip`` or ``nan``: see `emulator.domain`.
    units : str
        Unit of ``predict_photometry``, default erg/s/cm²/Hz.

    Returns
    -------
    EmulatedSEDModel

    Raises
    ------
    DataError
        No such surrogate, or a damaged file, or one of a newer format.
    ConfigError, ParameterError
        A spec or bands that the surrogate was not trained for.
    """
    file = published.resolve(path_or_name)
    read = _read(file, *_identity(file))
    return EmulatedSEDModel(read, spec, observation, out_of_domain, units)


@lru_cache(maxsize=4)  # many models of one surrogate: one for each galaxy's redshift, say
def _read(file: Path, *identity: int) -> Artefact:
    return artefact.read(file)


def _identity(file: Path) -> tuple[int, ...]:
    """Return what changes when a file is written anew."""
    about = os.stat(file)
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
