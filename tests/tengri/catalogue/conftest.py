"""A small catalogue of galaxies inside the box of the published SDSS surrogate."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import emulator

ROWS = 40


@pytest.fixture(scope="package")
def columns():
    spec = emulator.load("sdss_tsnorm").spec
    drawn = spec.sample_sobol(ROWS, seed=2)
    made = {name: np.array(drawn[name], np.float64) for name in spec.free_params}
    made["redshift"][7] = 3.0  # outside
    made["met_logzsol"][9] = np.nan
    return {"id": np.arange(100, 100 + ROWS), **made}


@pytest.fixture
def catalogue(columns, tmp_path):
    path = tmp_path / "cat.h5"
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values
        file["sfh_tsnorm_log_peak_sfr"].attrs["unit"] = "log10 Msun/yr"
    return path
