"""The smallest run that has every phase: two bands, two free parameters, six saves.

It reads nothing but the three files beside its configuration.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tengri.grids.write import write_sealed
from tests.emulator.conftest import EDGES, tiny_ssp

CONFIG = """\
[model]
bands = ["g.txt", "r.txt"]
ssp = "ssp.h5"
[model.parameters]
sfh_tsnorm_peak_lbt_frac = [0.1, 0.9]
redshift = [0.02, 0.1]
[data]
rows = 192
shards = 3
pool = 64
chunk = 64
reuse = 2
[network]
width = 8
depth = 1
knots = 4
features = 2
[optimiser]
batch = 32
late_batch = 32
[run]
steps = 24
dispatch = 4
validation_rows = 32
evaluation_rows = 64
timing_rows = 0
jacobian_rows = 0
save_seconds = 0.0
validate_seconds = 1000.0
log_seconds = 1000.0
"""


def write(folder: Path) -> Path:
    """Write the configuration and what it reads into ``folder``, from where it is to be run."""
    folder.mkdir(parents=True, exist_ok=True)
    ssp = tiny_ssp()
    grid = {
        "ssp_lgmet": ssp.ssp_lgmet,
        "ssp_lg_age_gyr": ssp.ssp_lg_age_gyr,
        "ssp_wave": ssp.ssp_wave,
        "ssp_flux": ssp.ssp_flux,
    }
    write_sealed(folder / "ssp.h5", grid, dict.fromkeys(grid, ""), {"source": "made up"})
    for name in ("g", "r"):
        lo, hi = EDGES[name]
        curve = np.transpose([(lo, lo + 100.0, hi - 100.0, hi), (0.0, 1.0, 1.0, 0.0)])
        np.savetxt(folder / f"{name}.txt", curve, fmt="%.1f")
    (folder / "tiny.toml").write_text(CONFIG)
    return folder / "tiny.toml"
