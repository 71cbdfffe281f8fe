"""Simulation-based calibration of fits, on mocks of the exact model, by signal-to-noise ratio.

    python benchmarks/sbc.py [--mocks 2000] [--ratios 5 20 100] [--model sdss]
        [--redshift known|free] [--method auto] [--seed 31] [--seconds 600]
        [-o benchmarks/results/sbc.json]

Truths are drawn from the prior, their fluxes come from the exact model with noise, and are fitted
with the surrogate. If posteriors are right, the rank of a truth among draws of its posterior is
uniform over the mocks (Talts et al. 2018, arXiv:1804.06788), and 68 per cent of the truths lie in
the 68 per cent intervals. For each ratio: p of the Kolmogorov-Smirnov test of every parameter, the
shares inside 68 and 95 per cent, for all parameters together too with the standard error of that
(by galaxies, whose parameters are correlated), of all mocks and of those with a usable posterior.

Errors that were a share of the true flux would tell the truth to whoever knows the share, and the
likelihood does not: at a ratio of 5 its posteriors are off by up to half a standard deviation. So
the errors of a mock come from another galaxy, and mocks are kept by what was observed alone: the
ratio of the median band within a factor `BAND`, that of every band within `SPREAD`. What is chosen
by its data is as well calibrated as all. No block is begun after `--seconds`; each ratio adds a row
to the file as it is finished.
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
from fits import RANKED
from scipy.stats import kstest

import emulator
from tengri.inference import Fit, FitSettings, Observations
from tengri.inference.fitter import BLOCK, Fitter
from tengri.inference.observations import FLAGS
from tengri.inference.results import joined
from tengri.io import atomic

#: How far observed signal-to-noise ratios are from the one asked for, at most: of the median
#: band and of each.
BAND, SPREAD = 1.4, 4.0
#: Candidates that are predicted together.
CANDIDATES = 8192
INTERVALS = {"68 %": ("p16", "p84"), "95 %": ("p02", "p97")}


def mocks(
    model: Any, n: int, ratio: float, known: bool, seed: int
) -> tuple[Observations, dict[str, Any]]:
    """Return data of n galaxies about a signal-to-noise ratio, and what they were made from."""
    exact, rng = model.exact_model(), np.random.default_rng(seed)
    parts: list[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]] = []
    made, key = 0, jax.random.key(seed)
    while made < n:
        key, first, second = jax.random.split(key, 3)
        truth = model.spec.sample_batch(first, CANDIDATES)
        other = model.spec.sample_batch(second, CANDIDATES) | {"redshift": truth["redshift"]}
        flux, like = (np.asarray(m.predict_photometry_batch(p, units="nJy"), np.float64)
                      for m, p in ((exact, truth), (model, other)))  # fmt: skip
        error = like / ratio
        seen = flux + error * rng.normal(size=flux.shape)
        kept = _alike(seen / error, ratio)
        made += int(kept.sum())
        parts.append((seen[kept], error[kept], {k: np.asarray(v)[kept] for k, v in truth.items()}))
    seen, error = (np.concatenate([part[i] for part in parts])[:n] for i in (0, 1))
    drawn = {name: np.concatenate([part[2][name] for part in parts])[:n] for name in parts[0][2]}
    z = drawn["redshift"] if known else None
    return Observations.of(seen, error, model.filter_names, redshift=z), drawn


def _alike(observed: np.ndarray, ratio: float) -> np.ndarray:
    """Return which observed signal-to-noise ratios (n, bands) are near the one asked for."""
    middle = np.median(observed, axis=1)
    near = (middle > ratio / BAND) & (middle < ratio * BAND)
    found: np.ndarray = near & np.all(
        (observed > ratio / SPREAD) & (observed < ratio * SPREAD), axis=1
    )
    return found


def calibration(found: Fit, truth: dict[str, Any], which: np.ndarray) -> dict[str, Any]:
    """Return how the truths of some galaxies lie in their posteriors."""
    assert found.draws is not None
    rng, parameters = np.random.default_rng(13), {}
    inside: dict[str, list[np.ndarray]] = {name: [] for name in INTERVALS}
    for i, name in enumerate(found.names):
        x = np.asarray(truth[name], np.float64)[: len(found)][which]
        rank = (found.draws[which, :, i] < x[:, None]).sum(axis=1)
        uniform = (rank + rng.uniform(size=rank.size)) / (RANKED + 1)
        row = {"KS p": float(kstest(uniform, "uniform").pvalue)}
        for interval, (low, high) in INTERVALS.items():
            ends = (found.columns[f"{name}_{q}"][which] for q in (low, high))
            hit = (next(ends) <= x) & (x <= next(ends))
            inside[interval].append(hit)
            row[interval] = float(hit.mean())
        parameters[name] = {key: round(value, 4) for key, value in row.items()}
    least = min(row["KS p"] for row in parameters.values())
    pooled = {}
    for interval, hits in inside.items():
        each = np.mean(hits, axis=0)
        pooled[interval] = [round(float(each.mean()), 4),
                            round(float(each.std() / max(1, len(each)) ** 0.5), 4)]  # fmt: skip
    return {"galaxies": int(which.sum()), "parameters": parameters,
            "all parameters, ±": pooled,
            "least KS p times parameters": round(len(parameters) * least, 4)}  # fmt: skip


def measured(model: Any, args: argparse.Namespace, ratio: float) -> dict[str, Any]:
    """Return the calibration at one signal-to-noise ratio."""
    data, truth = mocks(model, args.mocks, ratio, args.redshift == "known", args.seed)
    settings = FitSettings(method=args.method, draws=RANKED, derived=False)
    fitter, parts = Fitter.of(model, data, settings), []
    begin, processor = time.perf_counter(), time.process_time()
    for row in range(0, args.mocks, BLOCK):
        if time.perf_counter() - begin > args.seconds:
            break
        parts.append(fitter(data.rows(slice(row, row + BLOCK))))
        print(f"S/N {ratio:g}: {row + len(parts[-1])} in {time.perf_counter() - begin:.0f} s",
              flush=True)  # fmt: skip
    found = joined(parts)
    answered = (found.columns["flag"] & FLAGS["no answer of the model"]) == 0
    methods, counts = np.unique(found.columns["method"].astype(str), return_counts=True)
    return {
        "galaxies": len(found), "usable": int(found.usable.sum()),
        "methods": {str(name): int(n) for name, n in zip(methods, counts)},
        "processor seconds, compilation included": round(time.process_time() - processor, 1),
        "usable ones": calibration(found, truth, found.usable),
        "all": calibration(found, truth, answered),
    }  # fmt: skip


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--mocks", type=int, default=2000, help="at each ratio")
    p.add_argument("--seconds", type=float, default=600.0)
    p.add_argument("--ratios", type=float, nargs="+", default=[5.0, 20.0, 100.0])
    p.add_argument("--model", default="sdss")
    p.add_argument("--redshift", choices=("known", "free"), default="known")
    p.add_argument("--method", default="auto")
    p.add_argument("--seed", type=int, default=31, help="of the mocks")
    p.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/sbc.json"))
    args = p.parse_args()
    model = emulator.load(args.model)
    rows = json.loads(args.output.read_text()) if args.output.exists() else {}
    for ratio in args.ratios:
        row = {"machine": platform.machine(), "cores": os.cpu_count(), "jax": jax.__version__,
               "load at start": round(os.getloadavg()[0], 1), "model": args.model,
               "redshift": args.redshift, "method": args.method, "seed": args.seed,
               "signal to noise": ratio, **measured(model, args, ratio)}  # fmt: skip
        rows[f"{args.model}, redshift {args.redshift}, S/N {ratio:g}"] = row
        atomic.write_text(args.output, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        print(json.dumps(row, indent=1, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
