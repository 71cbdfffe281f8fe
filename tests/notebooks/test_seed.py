"""The parameter-sweeps notebook runs, unmodified, with the embedded grid at the path it names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tengri import load_ssp_data
from tests.notebooks.environment import as_users_compile

HERE = Path(__file__).parent
GRID = "ssp_prsc_miles_chabrier_wNE_logGasU-3.0_logGasZ0.0.h5"


@pytest.mark.slow
def test_every_cell_of_the_seed_runs(tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(load_ssp_data().path, tmp_path / "data" / GRID)
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:tengri", HERE / "seed_cells.py"],
        env={**as_users_compile(), "TENGRI_DATA_DIR": str(tmp_path / "data"), "MPLBACKEND": "Agg"},
        cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"SDSS\s+5 bands", done.stdout)
    assert re.search(r"JWST_NIRCam\s+8 bands", done.stdout)
    speedup = float(re.search(r"speedup:\s+([\d.]+)", done.stdout).group(1))
    assert speedup > 1.0
