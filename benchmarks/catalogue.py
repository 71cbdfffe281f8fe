"""A catalogue of a million rows through ``tengri predict``, as a user runs it.

    python benchmarks/catalogue.py [--rows 1000000] [-o benchmarks/results/catalogue.json]

Ten columns of prior draws in HDF5 through the published SDSS surrogate to five fluxes in nJy, five
error bars and the flag, start of Python and compilation included; wall seconds, processor
seconds and peak memory of the one process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import jax
import numpy as np

import emulator
from tengri import __version__


def write_catalogue(path: Path, rows: int) -> None:
    spec = emulator.load("sdss").spec
    drawn = spec.sample_sobol(rows, seed=11)
    with h5py.File(path, "w") as file:
        file["id"] = np.arange(rows)
        for name in spec.free_params:
            file[name] = np.asarray(drawn[name], np.float32)


def measure(rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "cat.h5"), Path(folder, "phot.h5")
        write_catalogue(source, rows)
        begin = time.perf_counter()
        cold = {**os.environ, "TENGRI_COMPILATION_CACHE": "0"}
        subprocess.run([sys.executable, "-m", "tengri", "predict", source, "-o", out, "--model",
                        "sdss", "--keep", "id", "--quiet"], check=True, env=cold)  # fmt: skip
        wall = time.perf_counter() - begin
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "rows": rows,
            "wall [s]": round(wall, 2),
            "processor [s]": round(used.ru_utime + used.ru_stime, 2),
            "rows per second": round(rows / wall),
            "peak memory [MB]": round(used.ru_maxrss / 1e3),
            "output [MB]": round(out.stat().st_size / 1e6, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/catalogue.json")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    result = {"machine": platform.machine(), "cores": cores, "load at start": os.getloadavg()[0],
              "tengri": __version__, "jax": jax.__version__, "surrogate": "sdss",
              "command": "tengri predict cat.h5 -o phot.h5 --model sdss --keep id",
              **measure(args.rows)}  # fmt: skip
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
