"""Usable posteriors per minute, and whether they are calibrated: mocks of the exact model, fitted.

    python benchmarks/fits.py [--mocks 200] [--model sdss] [--redshift known|free]
        [--ratio 20] [--method importance] [--certify 0] [-o benchmarks/results/fits.json]

Mocks are prior draws; their fluxes come from the exact model with noise at the signal-to-noise
`--ratio`. A posterior is usable as `tengri.inference.diagnostics` says. Calibration is Talts et al.
(2018, arXiv:1804.06788): the truth's rank among the posterior's draws is uniform over many mocks;
p of the Kolmogorov-Smirnov test is given for each parameter, and the share of truths inside the
68 per cent intervals. Compilation is timed apart, on the first eight galaxies.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.stats import kstest

import emulator
from tengri.inference import Fit, FitSettings, Observations
from tengri.inference.fitter import Fitter
from tengri.inference.observations import FLAGS

#: Draws among which a truth has its rank.
RANKED = 255
WARM_UP = 8


def mocks(model: Any, n: int, ratio: float, known: bool) -> tuple[Observations, dict[str, Any]]:
    """Return data of n galaxies, and the parameters they were made from."""
    truth = model.spec.sample_batch(jax.random.key(11), n)
    flux = model.exact_model().predict_photometry_batch(truth, units="nJy")
    flux = np.asarray(flux, np.float64)
    error = np.abs(flux) / ratio
    seen = flux + error * np.random.default_rng(12).normal(size=flux.shape)
    z = np.asarray(truth["redshift"]) if known else None
    return Observations.of(seen, error, model.filter_names, redshift=z), truth


def calibration(found: Fit, truth: dict[str, Any], which: np.ndarray) -> dict[str, Any]:
    """Return p of uniform ranks and the coverage of each parameter over some galaxies."""
    rng, made, inside_all = np.random.default_rng(13), {}, []
    assert found.draws is not None
    for i, name in enumerate(found.names):
        x = np.asarray(truth[name], np.float64)[which]
        rank = (found.draws[which, :, i] < x[:, None]).sum(axis=1)
        uniform = (rank + rng.uniform(size=rank.size)) / (RANKED + 1)
        low, high = (found.columns[f"{name}_{q}"][which] for q in ("p16", "p84"))
        inside = (low <= x) & (x <= high)
        inside_all.append(inside)
        made[name] = {"KS p": float(kstest(uniform, "uniform").pvalue),
                      "inside 68 %": float(inside.mean())}  # fmt: skip
    least = min(parameter["KS p"] for parameter in made.values())
    return {"parameters": made, "inside 68 %, pooled": float(np.mean(inside_all)),
            "least KS p times parameters": len(made) * least}  # fmt: skip


def measured(args: argparse.Namespace) -> dict[str, Any]:
    model = emulator.load(args.model)
    data, truth = mocks(model, args.mocks, args.ratio, args.redshift == "known")
    settings = FitSettings(method=args.method, draws=RANKED, certify=args.certify)
    begin = time.perf_counter()
    fitter = Fitter.of(model, data, settings)
    fitter(data.rows(slice(0, WARM_UP)))
    compiled = time.perf_counter()
    clock = time.process_time()
    found = fitter(data)
    seconds, processor = time.perf_counter() - compiled, time.process_time() - clock
    usable = found.usable
    answered = (found.columns["flag"] & FLAGS["no answer of the model"]) == 0
    return {
        "model": args.model, "redshift": args.redshift, "signal to noise": args.ratio,
        "method": args.method, "free parameters": len(found.names), "bands": len(data.bands),
        "galaxies": args.mocks, "first galaxies and compilation [s]": round(compiled - begin, 1),
        "seconds": round(seconds, 1), "processor seconds": round(processor, 1),
        "usable": int(usable.sum()), "usable per minute": round(60 * usable.sum() / seconds),
        "usable per minute of two cores' processor time": round(120 * usable.sum() / processor),
        "effective draws, 5/50/95 %": np.nanpercentile(found.columns["ess"], [5, 50, 95]).tolist(),
        "Pareto k, 50/95 %": np.nanpercentile(found.columns["pareto_k"], [50, 95]).tolist(),
        "flags": found.counts(),
        "calibration of the usable": calibration(found, truth, usable),
        "calibration of all": calibration(found, truth, answered),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocks", type=int, default=200)
    parser.add_argument("--model", default="sdss")
    parser.add_argument("--redshift", choices=("known", "free"), default="known")
    parser.add_argument("--ratio", type=float, default=20.0)
    parser.add_argument("--method", default="importance")
    parser.add_argument("--certify", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/fits.json"))
    args = parser.parse_args()
    result = {
        "machine": platform.machine(), "cores": os.cpu_count(), "jax": jax.__version__,
        "load at start": os.getloadavg()[0], **measured(args),
    }  # fmt: skip
    args.output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(args.output.read_text(), flush=True)


if __name__ == "__main__":
    main()
