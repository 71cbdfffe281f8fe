"""A small catalogue and the words that send it through a published surrogate."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

COLUMNS = {
    "dust_slope": -0.7, "dust_tau_bc": 1.0, "dust_tau_diff": 0.3, "met_logzsol": -0.2,
    "sfh_tsnorm_log_peak_sfr": 1.0, "sfh_tsnorm_peak_lbt_frac": 0.3, "sfh_tsnorm_skew": 0.1,
    "sfh_tsnorm_trunc": 3.0, "sfh_tsnorm_width_frac": 0.2,
}  # fmt: skip


def written(folder: Path, ending: str = ".h5", rows: int = 200) -> list[str]:
    """Write a catalogue; return the words of ``tengri predict`` for it."""
    with h5py.File(folder / "cat.h5", "w") as file:
        file["redshift"] = np.linspace(0.05, 0.9, rows)
        for name, value in COLUMNS.items():
            file[name] = np.full(rows, value)
    out = str(folder / f"out{ending}")
    return [str(folder / "cat.h5"), "-o", out, "--model", "sdss_tsnorm", "--quiet"]
