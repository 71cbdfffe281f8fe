"""Every notebook of the gallery runs as a script; its figures are drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebooks.environment import as_users_compile

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(notebook, tmp_path):
    done = subprocess.run(
        [sys.executable, notebook], cwd=tmp_path, capture_output=True, text=True, timeout=900,
        env={**as_users_compile(), "MPLBACKEND": "Agg", "TENGRI_FAST": "1",
             "TENGRI_FIGURES": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    wanted = notebook.read_text().count("save(") + notebook.read_text().count(".savefig(")
    drawn = list(tmp_path.glob("*.png"))
    assert bool(drawn) == bool(wanted)
    assert all(f.stat().st_size > 5000 for f in drawn)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 4
