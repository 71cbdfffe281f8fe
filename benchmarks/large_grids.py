"""What a large grid of stars costs beside the embedded one, as it is and converted for the bands.

    python benchmarks/large_grids.py [-o benchmarks/results/large_grids.json]

Grids of the shapes of DSPS's default and of BPASS-like ones, interpolated from the embedded stars;
each also as `tengri data convert --instrument SDSS --largest-redshift 1` writes it. SDSS, free
redshift up to 1, batches in float32, repeats interleaved, medians; the first call and the memory of
each grid in a process of its own. Ratios are to the embedded grid. Writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SHAPES = {"12 × 107 × 5994": (12, 107, 5994), "13 × 94 × 10000": (13, 94, 10000)}
N = 2048


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    default = Path("benchmarks/results/large_grids.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    args = parser.parse_args()
    if args.one is not None:
        print(json.dumps(first(args.one)))
        return
    with tempfile.TemporaryDirectory() as folder:
        grids = {"embedded": "embedded", **written(Path(folder))}
        rows = {name: alone(path) for name, path in grids.items()}
        for name, cost in together(grids, args.repeats).items():
            rows[name]["us_per_galaxy"] = round(cost, 2)
    for row in rows.values():
        for key in ("us_per_galaxy", "first_call_s", "memory_mib"):
            row[f"{key}_ratio"] = round(row[key] / rows["embedded"][key], 2)
    record = {"galaxies": N, "repeats": args.repeats, "cpus": os.cpu_count(),
              "load_average": round(os.getloadavg()[0], 1), "grids": rows}  # fmt: skip
    args.output.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(record, indent=1, ensure_ascii=False))


def written(folder: Path) -> dict[str, str]:
    """Write the grids and their conversions; return their paths by name."""
    from tengri.__main__ import main as program

    paths = {}
    for i, (name, shape) in enumerate(SHAPES.items()):
        large, small = folder / f"large{i}.h5", folder / f"small{i}.h5"
        write(large, shape)
        words = ["--instrument", "SDSS", "--largest-redshift", "1"]
        if program(["data", "convert", str(large), str(small), *words]):
            raise SystemExit(f"{large} cannot be converted")
        paths |= {name: str(large), f"{name}, converted": str(small)}
    return paths


def write(path: Path, shape: tuple[int, int, int]) -> None:
    """Write the embedded stars on other axes, linear between their nodes."""
    from tengri import load_ssp_data

    ssp = load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")
    n_met, n_age, n_wave = shape
    wave = ssp.ssp_wave
    own = np.interp(np.linspace(0, len(wave) - 1, n_wave), np.arange(len(wave)), wave)
    ages = np.linspace(0, len(ssp.ssp_lg_age_gyr) - 1, n_age).round().astype(int)
    lgmet = np.linspace(ssp.ssp_lgmet[0], ssp.ssp_lgmet[-2], n_met)
    low = np.clip(np.searchsorted(ssp.ssp_lgmet, lgmet, side="right") - 1, 0, 4)
    part = (lgmet - ssp.ssp_lgmet[low]) / (ssp.ssp_lgmet[low + 1] - ssp.ssp_lgmet[low])
    with h5py.File(path, "w") as file:
        file["ssp_lgmet"], file["ssp_lg_age_gyr"] = lgmet, ssp.ssp_lg_age_gyr[ages]
        file["ssp_wave"] = own
        flux = file.create_dataset("ssp_flux", shape, np.float32)
        for i in range(n_met):
            pair = ssp.ssp_flux[low[i] : low[i] + 2, ages].astype(np.float64)
            plane = (1.0 - part[i]) * pair[0] + part[i] * pair[1]
            flux[i] = np.stack([np.interp(own, wave, row) for row in plane])


def alone(path: str) -> dict[str, Any]:
    """Return what the first call costs in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", path], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def first(path: str) -> dict[str, Any]:
    """Return shape, seconds of loading, of the first batch, and the memory of this process."""
    import work

    begin = time.perf_counter()
    ssp = work.grid_of(path)
    loaded = time.perf_counter()
    job = work.Work(ssp, work.bands_of(5), N)
    np.asarray(job.model.predict_photometry_batch(job.galaxies))
    called = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"shape": ssp.shape, "load_s": round(loaded - begin, 2),
            "first_call_s": round(called - loaded, 1), "memory_mib": round(memory)}  # fmt: skip


def together(grids: dict[str, str], repeats: int) -> dict[str, float]:
    """Return µs per galaxy of every grid, in turn."""
    import work
    from timing import Contender, measure

    jobs = {name: work.Work(work.grid_of(p), work.bands_of(5), N) for name, p in grids.items()}
    contenders = {
        name: Contender(lambda job=job: job.model.predict_photometry_batch(job.galaxies), N)
        for name, job in jobs.items()
    }
    rows = measure(contenders, repeats)
    return {name: row["us_per_galaxy"] for name, row in rows.items()}


if __name__ == "__main__":
    main()
