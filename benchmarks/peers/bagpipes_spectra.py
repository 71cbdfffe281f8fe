"""bagpipes' spectra (Carnall+2018): ``model_galaxy.update`` with wavelengths in place of bands.

As `peers.bagpipes_model`, at one redshift: what it resamples its grid to, and the wavelengths at
which it is asked, are made once and not counted.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np
from work import FIXED_Z, Work

from peers.bagpipes_model import components


def updates(work: Work, n: int, wave_obs: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a call that updates one model to n galaxies and returns their spectra, (n, n_wave)."""
    with contextlib.redirect_stdout(io.StringIO()):
        import bagpipes
    described = [{**components(work, i), "redshift": FIXED_Z} for i in range(n)]
    model = bagpipes.model_galaxy(described[0], spec_wavs=wave_obs)

    def run() -> np.ndarray:
        spectra = []
        for one in described:
            model.update(one)
            spectra.append(model.spectrum[:, 1].copy())
        return np.array(spectra)

    return run
