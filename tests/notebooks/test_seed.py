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


#: What makes every model of the notebook an emulated one, after its import of the exact one.
SWAP = """
import emulator
SEDModel = lambda spec, ssp, observation=None: emulator.load("spectrum_compact", spec=spec, observation=observation)
"""  # noqa: E501
IMPORTED = "from tengri.components.stellar.sfh import sample_sfh_prior\n"


@pytest.mark.slow
@pytest.mark.parametrize("swap", ["", SWAP], ids=["exact", "emulated"])
def test_every_cell_of_the_seed_runs(tmp_path, swap):
    (tmp_path / "data").mkdir()
    shutil.copy(load_ssp_data().path, tmp_path / "data" / GRID)
    cells = (HERE / "seed_cells.py").read_text()
    assert cells.count(IMPORTED) == 1
    (tmp_path / "cells.py").write_text(cells.replace(IMPORTED, IMPORTED + swap))
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:tengri", tmp_path / "cells.py"],
        env={**as_users_compile(), "TENGRI_DATA_DIR": str(tmp_path / "data"), "MPLBACKEND": "Agg"},
        cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"SDSS\s+5 bands", done.stdout)
    assert re.search(r"JWST_NIRCam\s+8 bands", done.stdout)
    speedup = float(re.search(r"speedup:\s+([\d.]+)", done.stdout).group(1))
    assert speedup > 1.0
