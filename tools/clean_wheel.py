"""The wheel in a clean environment: install it with its dependencies, run every command once.

    python -m tools.clean_wheel [--python python3.13]

Needs the network, for the dependencies. Prints the time of each command; the first failure ends it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tengri import compilation_cache
from tengri.grids import files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tengri", "emulator", "train")
SOURCES = (*PACKAGES, "data", "checkpoints", "pyproject.toml", "setup.py", "README.md", "LICENSE")

#: Of the caller's environment: another data folder, or code that would hide the wheel's.
#: And a cache of compiled programs, in whose place ours would not be.
LEFT_OUT = (files.ENVIRONMENT, "PYTHONPATH", "PYTHONHOME", "JAX_COMPILATION_CACHE_DIR")

#: A catalogue for `tengri predict`, of a format that needs no optional package.
CATALOGUE = "galaxies.ecsv"
ROWS = """# %ECSV 1.0
# ---
# datatype:
# - {name: redshift, datatype: float64}
# - {name: dust_tau_diff, datatype: float64}
redshift dust_tau_diff
0.1 0.3
0.2 1.0
"""

#: One for `tengri fit`: a galaxy in the bands of SDSS.
FLUXES = "fluxes.ecsv"
BANDS = tuple(f"sdss_{band}" for band in "ugriz")
FITTED = "\n".join([
    "# %ECSV 1.0", "# ---", "# datatype:", "# - {name: redshift, datatype: float64}",
    *(f"# - {{name: {kind}_{band}, datatype: float64}}" for band in BANDS for kind in "fe"),
    " ".join(["redshift", *(f"{kind}_{band}" for band in BANDS for kind in "fe")]),
    "0.1 1e-28 1e-29 4e-28 1e-29 9e-28 1e-29 1e-27 1e-29 2e-27 1e-29", "",
])  # fmt: skip

#: Every command once, in an order in which each has what it needs.
COMMANDS = (
    "--help",
    "--version",
    "doctor",
    "data list",
    "data build bc03-miles --dry-run",
    "data fetch --help",
    "list surrogates",
    "list spectrographs",
    "info sdss",
    "card sdss",
    "cite sdss",
    "sweep dust_tau_diff 0 3 -n 5 --bands sdss_g -o sweep.png",
    "sweep dust_tau_diff 0 3 --spectrum --model spectrum_compact -o sed.png",
    "sweep dust_tau_diff 0 3 --instrument JWST_NIRSpec_PRISM --set redshift=2 -o prism.png",
    f"predict {CATALOGUE} -o out.ecsv --bands sdss_g --set sfh_dpl_log_total_mass=10",
    f"fit {FLUXES} -o fits.ecsv --model sdss_tsnorm --flux f_{{band}} --error e_{{band}} "
    "--redshift redshift --dry-run",
    f"fit {FLUXES} -o photoz.ecsv --model sdss_tsnorm --flux f_{{band}} --error e_{{band}} "
    "--method library --library 4096 --page photoz.html --page-redshift redshift",
    "dataset tiny --set data.rows=2048 --set data.shards=2 -o set",
    "dataset verify set",
    "train tiny --set run.steps=40 --out run",
    "resume run",
    "replay run --row 7",
    "verify run",
    "verify sdss --exact",
    "sign --help",
    "compare run --n 256 --sweep dust_tau_diff -o page",
    "compare run --stars ssp_bc03_miles_kroupa_noneb.h5 --n 256 --fits 0 -o stars",
    "compare run --n 64 --population prior -o galaxies",
    "export run --numpy --name small",
    "export --help",
    "publish run --name mine --author 'Family, Given' -o upload",
    "list published",
)


def main() -> None:
    """Build, install, run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        wheel = build(scratch / "source", scratch / "wheel")
        subprocess.run([args.python, "-m", "venv", str(scratch / "venv")], check=True)
        binaries = scratch / "venv" / "bin"
        subprocess.run([binaries / "pip", "install", "--quiet", str(wheel)], check=True)
        (scratch / "empty").mkdir()
        for command, seconds in run_all(binaries / "tengri", scratch / "empty"):
            print(f"{seconds:6.1f} s  tengri {command}", flush=True)


def build(source: Path, output: Path) -> Path:
    """Build the wheel from a copy, so that no earlier ``build/`` gets in; return it."""
    source.mkdir(parents=True, exist_ok=True)
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", files.LOCAL)
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(output), str(source)], check=True)
    return next(output.glob("tengri*.whl"))


def run_all(tengri: Path, folder: Path) -> list[tuple[str, float]]:
    """Run every command in an empty folder; return what each took [s].

    Raises
    ------
    SystemExit
        A command that fails; the message has its output.
    """
    (folder / CATALOGUE).write_text(ROWS)
    (folder / FLUXES).write_text(FITTED)
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    kept[compilation_cache.ENVIRONMENT] = str(folder.parent / "cache")
    taken = []
    for command in COMMANDS:
        began = time.perf_counter()
        words = [str(tengri), *shlex.split(command)]
        done = subprocess.run(
            words, cwd=folder, env=kept, capture_output=True, text=True, check=False
        )
        taken.append((command, time.perf_counter() - began))
        if done.returncode:
            said = f"{done.stdout}{done.stderr}"
            raise SystemExit(f"tengri {command}: exit {done.returncode}\n{said}")
    return taken


if __name__ == "__main__":
    main()
