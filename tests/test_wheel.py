"""What users install: every package and data file is in the wheel, and it works by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tengri.grids import files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tengri", "emulator", "train")
SOURCES = (*PACKAGES, "data", "checkpoints", "pyproject.toml", "setup.py", "README.md", "LICENSE")

PROGRAM = """
import os, sys
import numpy as np
import emulator, tengri, train
from tengri import Instrument, Parameters, SEDModel, load_ssp_data

ssp = load_ssp_data()
spec = Parameters(mean_sfh_type="tsnorm", dust_emission="dl07", redshift=0.1)
model = SEDModel(spec, ssp, Instrument.SDSS().observation(), units="mag_ab")
magnitudes = np.asarray(model.predict_photometry())
assert magnitudes.shape == (5,) and np.isfinite(magnitudes).all(), magnitudes
assert os.listdir() == [], os.listdir()
print(*(os.path.dirname(m.__file__) for m in (tengri, emulator, train)), ssp.path, sep="\\n")
"""


def test_every_folder_of_code_is_a_package():
    """setuptools leaves a folder without __init__.py out of the wheel, and says nothing."""
    folders = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert [str(f) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []
    # an empty folder is not in a clone, and setup.py names both
    assert all(any((ROOT / name).glob("*.md")) for name in ("data", "checkpoints"))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, set[str]]:
    """Build from a copy, so that no earlier build/ gets in; return the wheel and its code."""
    source, output = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", files.LOCAL)
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    _run("-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(output), str(source))
    code = {p.relative_to(source).as_posix() for n in PACKAGES for p in (source / n).rglob("*.py")}
    return next(output.glob("tengri-*.whl")), code


@pytest.mark.slow
def test_contents_of_the_wheel(built):
    wheel, code = built
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == set(PACKAGES)
    assert {f"tengri/_data/{name}" for name in files.EMBEDDED} <= set(names)
    assert {"tengri/_data/NOTICE.md", "emulator/_checkpoints/README.md"} <= set(names)
    assert code <= set(names)


@pytest.mark.slow
def test_the_installed_wheel_works_in_an_empty_folder(built, tmp_path):
    target, empty = tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    _run("-m", "pip", "install", "--no-deps", "--target", str(target), str(built[0]))
    printed = _run("-c", PROGRAM, cwd=empty, PYTHONPATH=str(target)).splitlines()
    data = target / "tengri" / "_data" / files.DEFAULT_SSP
    assert printed == [*(str(target / name) for name in PACKAGES), str(data)]


def _run(*arguments: str, cwd: Path | None = None, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k != files.ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env={**kept, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
