"""Usable posteriors per minute, and whether they are calibrated: mocks of the exact model, fitted.

    python benchmarks/fits.py [--mocks 2000] [--model sdss] [--redshift known|free]
        [--ratio 20] [--method importance] [--set NAME=VALUE …] [--certify 0]
        [--seed 11] [--seconds 600] [--row NAME] [-o benchmarks/results/fits.json]

Mocks are prior draws; their fluxes come from the exact model with noise at the signal-to-noise
`--ratio`. A posterior is usable as `tengri.inference.diagnostics` says. Calibration is Talts et al.
(2018, arXiv:1804.06788): the truth's rank among the posterior's draws is uniform over many mocks;
p of the Kolmogorov-Smirnov test is given for each parameter, and the share of truths inside the
68 per cent intervals. With `--certify` the same draws are weighted with the exact model.
Compilation is timed apart, on the first galaxies. No block is begun after `--seconds`. Every
command adds a row to the file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.stats import kstest

import emulator
from tengri.factory import changed_spec
from tengri.inference import Fit, FitSettings, Observations
from tengri.inference.fitter import BLOCK, Fitter
from tengri.inference.observations import FLAGS
from tengri.inference.results import joined

#: Draws among which a truth has its rank.
RANKED = 255
WARM_UP = 8


@dataclass(frozen=True)
class Clock:
    """Seconds of the clock and of the processor, all threads together."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Clock:
        return cls(time.perf_counter(), time.process_time())

    def since(self, before: Clock) -> Clock:
        return Clock(self.wall - before.wall, self.processor - before.processor)


def mocks(
    model: Any, n: int, ratio: float, known: bool, seed: int = 11
) -> tuple[Observations, dict[str, Any]]:
    """Return data of n galaxies, and the parameters they were made from."""
    truth = model.spec.sample_batch(jax.random.key(seed), n)
    flux = model.exact_model().predict_photometry_batch(truth, units="nJy")
    flux = np.asarray(flux, np.float64)
    error = np.abs(flux) / ratio
    seen = flux + error * np.random.default_rng(seed + 1).normal(size=flux.shape)
    z = np.asarray(truth["redshift"]) if known else None
    return Observations.of(seen, error, model.filter_names, redshift=z), truth


def calibration(found: Fit, truth: dict[str, Any], which: np.ndarray) -> dict[str, Any]:
    """Return p of uniform ranks and the coverage of each parameter over some galaxies."""
    rng, made, inside_all = np.random.default_rng(13), {}, []
    assert found.draws is not None
    for i, name in enumerate(found.names):
        x = np.asarray(truth[name], np.float64)[: len(found)][which]
        rank = (found.draws[which, :, i] < x[:, None]).sum(axis=1)
        uniform = (rank + rng.uniform(size=rank.size)) / (RANKED + 1)
        low, high = (found.columns[f"{name}_{q}"][which] for q in ("p16", "p84"))
        inside = (low <= x) & (x <= high)
        inside_all.append(inside)
        made[name] = {"KS p": round(float(kstest(uniform, "uniform").pvalue), 4),
                      "inside 68 %": round(float(inside.mean()), 4)}  # fmt: skip
    least = min(parameter["KS p"] for parameter in made.values())
    return {"galaxies": int(which.sum()), "parameters": made,
            "inside 68 %, pooled": round(float(np.mean(inside_all)), 4),
            "least KS p times parameters": round(len(made) * least, 4)}  # fmt: skip


def exactness(found: Fit) -> dict[str, Any]:
    """Return what the exact model says of the draws."""
    usable = (found.columns["flag"] & ~FLAGS["surrogate not exact enough"] & 31) == 0
    shift, ess, k = (found.columns[name][usable]
                     for name in ("exact_shift", "exact_ess", "exact_pareto_k"))  # fmt: skip
    q = [50.0, 95.0, 99.0, 99.9, 100.0]
    return {
        "galaxies": len(shift),
        "largest shift of a mean [σ], 50/95/99/99.9/100 %": _rounded(np.percentile(shift, q)),
        "share of galaxies all of whose means move by less than 0.1 σ": float((shift < 0.1).mean()),
        "Pareto k, largest": float(k.max()),
        "effective share of the draws, least": float(ess.min() / found_draws(found)),
        "said to be not exact enough": int(found.counts()["surrogate not exact enough"]),
    }


def found_draws(found: Fit) -> float:
    """Return how many draws were weighted: what counts where surrogate and model agree."""
    return float(np.ceil(np.nanmax(found.columns["exact_ess"])))


def measured(args: argparse.Namespace) -> dict[str, Any]:
    fixed = {name: float(value) for name, _, value in (item.partition("=") for item in args.set)}
    model = emulator.load(args.model)
    model = model.with_spec(changed_spec(model.spec, fixed)) if fixed else model
    data, truth = mocks(model, args.mocks, args.ratio, args.redshift == "known", args.seed)
    settings = FitSettings(method=args.method, draws=RANKED, certify=args.certify)
    begin = Clock.now()
    fitter = Fitter.of(model, data, settings)
    fitter(data.rows(slice(0, WARM_UP)))
    first, start, parts = Clock.now().since(begin), Clock.now(), []
    for row in range(0, args.mocks, BLOCK):
        if Clock.now().since(start).wall < args.seconds:
            parts.append(fitter(data.rows(slice(row, row + BLOCK))))
    used, found = Clock.now().since(start), joined(parts)
    usable = found.usable
    answered = (found.columns["flag"] & FLAGS["no answer of the model"]) == 0
    result = {
        "model": args.model, "fixed": fixed, "redshift": args.redshift,
        "signal to noise": args.ratio, "method": args.method,
        "free parameters": len(found.names), "bands": len(data.bands), "galaxies": len(found),
        "first galaxies and compilation [s]": round(first.wall, 1),
        "the same, processor [s]": round(first.processor, 1),
        "from a compilation cache": bool(jax.config.jax_compilation_cache_dir),
        "seconds": round(used.wall, 1), "processor seconds": round(used.processor, 1),
        "usable": int(usable.sum()), "usable per minute": round(60 * usable.sum() / used.wall),
        "usable per minute of two cores' processor time":
            round(120 * usable.sum() / used.processor),
        "effective draws, 5/50/95 %": _rounded(np.nanpercentile(found.columns["ess"], [5, 50, 95])),
        "Pareto k, 50/95 %": _rounded(np.nanpercentile(found.columns["pareto_k"], [50, 95])),
        "flags": found.counts(),
        "calibration of the usable": calibration(found, truth, usable),
        "calibration of all": calibration(found, truth, answered),
    }  # fmt: skip
    return result | ({"exact": exactness(found)} if args.certify else {})


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(x), 4) for x in values]


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--mocks", type=int, default=2000)
    p.add_argument("--model", default="sdss")
    p.add_argument("--redshift", choices=("known", "free"), default="known")
    p.add_argument("--ratio", type=float, default=20.0)
    p.add_argument("--method", default="importance")
    p.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    p.add_argument("--certify", type=int, default=0)
    p.add_argument("--seed", type=int, default=11, help="of the mocks")
    p.add_argument("--seconds", type=float, default=600.0)
    p.add_argument("--row", default="", help="name of the row (default: model, redshift, S/N)")
    p.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/fits.json"))
    return p


def main() -> None:
    args = parser().parse_args()
    load = os.getloadavg()[0]
    row = {"machine": platform.machine(), "cores": os.cpu_count(), "jax": jax.__version__,
           "load at start": load, **measured(args)}  # fmt: skip
    name = args.row or f"{args.model}, redshift {args.redshift}, S/N {args.ratio:g}"
    rows = json.loads(args.output.read_text()) if args.output.exists() else {}
    args.output.write_text(json.dumps(rows | {name: row}, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(row, indent=1, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
