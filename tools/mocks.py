"""Mock galaxies for the checks of pages: prior draws through the exact model, with noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import emulator
from tengri.io.hdf5_writer import new_hdf5


def write_mocks(path: Path, n: int, surrogate: str = "sdss_tsnorm") -> None:
    """Write fluxes ``f_BAND`` and errors ``e_BAND`` [nJy] of n galaxies at redshifts ``z``."""
    model = emulator.load(surrogate)
    drawn = model.spec.sample_sobol(n, seed=3)
    flux = np.asarray(model.exact_model().predict_photometry_batch(drawn, units="nJy"))
    error = 0.05 * flux
    flux = flux + error * np.random.default_rng(0).normal(size=flux.shape)
    with new_hdf5(path) as file:
        file["z"] = np.asarray(drawn["redshift"])
        for i, band in enumerate(model.filter_names):
            file[f"f_{band}"], file[f"e_{band}"] = flux[:, i], error[:, i]
