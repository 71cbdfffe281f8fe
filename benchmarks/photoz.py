"""Photometric redshifts of a catalogue beside those of EAZY, on the same galaxies.

    python benchmarks/photoz.py CATALOGUE_FOLDER EAZY_FOLDER [-o benchmarks/results/photoz.json]

CATALOGUE_FOLDER holds one .csv (columns ``id``, ``f_BAND`` and ``e_BAND`` in µJy, ``z_spec``) and
the curve of each band, ``BAND.dat`` (Å, transmission), e.g. the Hubble Deep Field North as
Fernández-Soto, Lanzetta & Yahil (1999) measured it; EAZY_FOLDER is a checkout of
``gbrammer/eazy-photoz``. Neither is part of this repository. EAZY: ``pip install eazy==0.8.7``.

Both codes give a redshift to every galaxy; those with a spectrum are compared. Point estimates:
ours ``redshift_peak``, the mode of P(z), and ``redshift_p50``; EAZY's ``z_ml``, the maximum of its
P(z). Differences in σ_NMAD and in the share of outliers come with the 95 % interval of a paired
bootstrap over the galaxies.

The surrogate is trained first where --model is not given (benchmarks/photoz.toml, some minutes).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers import eazy_model

import emulator
from tengri import Instrument, Parameters, SEDModel, __version__, load_ssp_data
from tengri.analysis.redshifts import quality
from tengri.inference import Observations, fit, solve_zero_points
from tengri.inference.importance import SamplingPlan

HERE = Path(__file__).resolve().parent
#: Priors of the fit: what is not named is as the surrogate's spec has it.
PRIORS: dict[str, Any] = {
    "sfh_delayed_log_total_mass": (5.0, 12.5),
    "sfh_delayed_age_frac": (0.02, 0.98),
    "sfh_delayed_tau_gyr": (0.05, 10.0),
    "met_logzsol": (-1.5, 0.2),
    "dust_tau_bc": (0.0, 2.0),
    "dust_tau_diff": (0.0, 2.0),
    "dust_slope": (-1.3, -0.5),
    "redshift": (0.01, 7.0),
}
FLOOR = 0.05
PRIOR_BAND = "f814w"
RESAMPLED = 4_000
#: What zero points are solved for with: a first look needs no more.
ZERO_POINT_ROWS, PLAN = 80, SamplingPlan(starts=6, steps=5, scouts=24)
LIBRARY = 2**17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("eazy", type=Path)
    parser.add_argument("--model", help="exact, or a surrogate for these bands")
    parser.add_argument(
        "--work", type=Path, help="a folder that keeps all redshifts: goes on there"
    )
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results" / "photoz.json")
    args = parser.parse_args()
    bands, flux, error, z_spec = read(args.catalogue)
    with tempfile.TemporaryDirectory() as scratch:
        run = args.model or str(train(args.catalogue, bands, Path(scratch, "run")))
        model = photometric_model(run, args.catalogue, bands)
        work = args.work or Path(scratch)
        mine = our_redshifts(model, bands, flux, error, work)
        theirs = their_redshifts(args.eazy.resolve(), args.catalogue, bands, flux, error, work)
    result = {
        "machine": platform.machine(), "cores": len(os.sched_getaffinity(0)),
        "load at start": os.getloadavg()[0], "tengri": __version__, "eazy": "0.8.7",
        "model": "exact" if args.model == "exact" else "a table, benchmarks/photoz.toml",
        "galaxies": len(flux), "spectra": int(np.isfinite(z_spec).sum()),
        "priors": {name: str(value) for name, value in PRIORS.items()}, "floor": FLOOR,
        "library": LIBRARY,
        "ours": {name: described(found, z_spec) for name, found in mine.items()},
        "eazy, by settings": {name: described(found, z_spec) for name, found in theirs.items()},
        "ours - eazy": {
            f"{a} - {b}": paired(*(np.array(z, float) for z in (
                mine[a]["redshift_peak"], theirs[b]["z_ml"])), z_spec)
            for a in mine for b in theirs
        },
    }  # fmt: skip
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def read(folder: Path) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return bands in order of wavelength, fluxes and errors [µJy], spectroscopic redshifts."""
    (path,) = folder.glob("*.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    bands = [name.removeprefix("f_") for name in rows[0] if name.startswith("f_")]
    flux, error = (np.array([[float(row[f"{what}_{b}"]) for b in bands] for row in rows])
                   for what in "fe")  # fmt: skip
    return bands, flux, error, np.array([float(row["z_spec"] or "nan") for row in rows])


def train(folder: Path, bands: list[str], run: Path) -> Path:
    curves = [str((folder / f"{band}.dat").resolve()) for band in bands]
    subprocess.run([sys.executable, "-m", "tengri", "train", HERE / "photoz.toml", "--set",
                    f"model.bands={json.dumps(curves)}", "--out", run], check=True)  # fmt: skip
    return run


def photometric_model(run: str, folder: Path, bands: list[str]) -> Any:
    spec = Parameters(**PRIORS)
    if run != "exact":
        return emulator.load(run, spec=spec, units="nJy", out_of_domain="nan")
    curves = [folder / f"{band}.dat" for band in bands]
    return SEDModel(spec, load_ssp_data(), Instrument.from_files(curves).observation(), units="nJy")


def our_redshifts(
    model: Any, bands: list[str], flux: np.ndarray, error: np.ndarray, work: Path
) -> dict[str, Any]:
    """Return redshifts and times by settings; the first of them compiles."""
    data = Observations.of(flux, error, bands, units="uJy", floor=FLOOR)
    found = {}
    for name, prior, solve in (
        ("plain", "", False), ("prior", PRIOR_BAND, False), ("zero points", "", True),
    ):  # fmt: skip
        found[name] = kept(
            work / f"ours, {name}.json", lambda p=prior, s=solve: ours(model, data, p, s)
        )
    return found


def ours(model: Any, data: Observations, prior: str, solve: bool) -> dict[str, Any]:
    begin, processor = time.perf_counter(), time.process_time()
    points = None
    if solve:
        points = solve_zero_points(
            model, data, magnitude_prior=prior, rows=ZERO_POINT_ROWS, plan=PLAN
        )
        data = points.apply(data)
    made = fit(model, data, "library", magnitude_prior=prior, derived=False, library=LIBRARY)
    return {
        "redshift_peak": made.columns["redshift_peak"].tolist(),
        "redshift_p50": made.columns["redshift_p50"].tolist(),
        "seconds": time.perf_counter() - begin,
        "processor": time.process_time() - processor,
        "usable": int(made.usable.sum()),
        "zero points": points.to_dict() if points else None,
    }


def their_redshifts(
    eazy: Path, folder: Path, bands: list[str], flux: np.ndarray, error: np.ndarray, work: Path
) -> dict[str, Any]:
    curves = {band: np.loadtxt(folder / f"{band}.dat") for band in bands}

    def answers() -> dict[str, Any]:
        found = eazy_model.photometric_redshifts(eazy, curves, flux, error)
        return {
            name: {"z_ml": a.z.tolist(), "seconds": a.seconds, "processor": a.processor,
                   "setup": a.setup,
                   "factors": a.zero_points.tolist() if "zero" in name else None}
            for name, a in found.items()
        }  # fmt: skip

    return kept(work / "eazy.json", answers)


def kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a file holds, or make it and write it there."""
    if not path.exists():
        path.write_text(json.dumps(make()))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def described(found: dict[str, Any], z_spec: np.ndarray) -> dict[str, Any]:
    """Return figures of all point estimates, and what else is known."""
    estimates = ("redshift_peak", "redshift_p50", "z_ml")
    return {
        name: quality(np.array(value, float), z_spec)._asdict() if name in estimates else value
        for name, value in found.items() if value is not None
    }  # fmt: skip


def paired(ours: np.ndarray, theirs: np.ndarray, z_spec: np.ndarray) -> dict[str, Any]:
    """Return differences of the figures, ours less theirs, with 95 % of a paired bootstrap."""
    rows = np.flatnonzero(np.isfinite(z_spec))
    rng = np.random.default_rng(0)
    drawn = rows[rng.integers(len(rows), size=(RESAMPLED, len(rows)))]
    both = [
        np.array([quality(z[some], z_spec[some])[1:3] for some in drawn]) for z in (ours, theirs)
    ]
    differences = both[0] - both[1]
    at = [np.array(quality(z[rows], z_spec[rows])[1:3]) for z in (ours, theirs)]
    found = {}
    for i, name in enumerate(("sigma_nmad", "outliers")):
        low, high = np.percentile(differences[:, i], (2.5, 97.5))
        found[name] = {"difference": float(at[0][i] - at[1][i]), "low": float(low),
                       "high": float(high),
                       "share of resamples where ours is as good": float(
                           np.mean(differences[:, i] <= 0.0))}  # fmt: skip
    return found


if __name__ == "__main__":
    main()
