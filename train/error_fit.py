"""Errors by colours and redshift, from draws of priors and of populations, which count alike."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from emulator.artefact import Artefact
from emulator.surrogate import EmulatedSEDModel
from tengri.analysis import accuracy
from tengri.constants import MAG_PER_LN
from tengri.errors import ConfigError
from train import error_network, populations
from train.error_network import JudgedGalaxies
from train.evaluate import LEVELS, Evaluation

logger = logging.getLogger(__name__)
#: Fewer galaxies of the prior do not say how errors depend on colours.
LEAST_GALAXIES = 4000
#: Calibrating draws of populations are others than those that `populations.judged` begins with.
SEED = 1009


class Seen(NamedTuple):
    """Emulated magnitudes up to a constant (n, n_bands), redshifts (n,), residuals [mag], NaN
    where a band is judged in flux."""

    magnitudes: np.ndarray
    redshift: np.ndarray
    residuals: np.ndarray

    @classmethod
    def of(cls, exact: np.ndarray, emulated: np.ndarray, redshift: np.ndarray) -> Seen:
        """Return what fluxes of both models say, (n, n_bands) in one unit per galaxy."""
        lit = accuracy.bright(exact)
        residuals = np.where(lit, accuracy.delta_mag(exact, emulated), np.nan)
        magnitudes = -MAG_PER_LN * np.log(np.maximum(emulated, 1e-300))
        return cls(magnitudes, np.broadcast_to(redshift, len(exact)), residuals)


def with_conditional_errors(
    artefact: Artefact, result: Evaluation, names: Sequence[str], rows: int
) -> Artefact:
    """Return the artefact with errors by colours: of the galaxies it is judged on, of its own prior
    and of the populations ``names``.

    Those that it does not answer are left out, and said. A surrogate of one redshift, or one that
    is judged on few galaxies, keeps its errors by redshift.
    """
    redshift = result.held_out.params.get("redshift")
    if redshift is None or len(redshift) < LEAST_GALAXIES:
        return artefact
    seen = [Seen.of(result.exact, result.emulated, redshift)]
    surrogate = EmulatedSEDModel(artefact)
    for name in (populations.PRIOR, *names):
        try:
            parts = populations.judged(surrogate, name, rows, SEED)
        except ConfigError as error:
            logger.info(f"population {name!r} is not answered: {error}")
            continue
        groups = [Seen.of(p.exact, p.emulated, p.params["redshift"]) for p in parts]
        seen.append(Seen(*(np.concatenate(x) for x in zip(*groups))))
    group = np.repeat(np.arange(len(seen)), [len(s.redshift) for s in seen])
    magnitudes, z, residuals = (np.concatenate(x) for x in zip(*seen))
    sample = JudgedGalaxies(magnitudes, z, residuals, group)
    return replace(artefact, conditional=error_network.fit(sample, LEVELS))
