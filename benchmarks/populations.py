"""Errors of a published kernel surrogate on galaxies that people have, beside its own prior.

    python benchmarks/populations.py [sdss] [--rows 4000] [-o benchmarks/results/populations.json]

|Δm| [mmag] against the float64 exact model, entries above 1e-4 of a galaxy's brightest band, and
the share of them inside the 68 % error bar:

*smooth*   delayed-τ histories, τ_diff exponential with mean 0.3, τ_bc = 0.5–2 τ_diff, log Z normal
           (−0.3, 0.3), slope normal (−0.7, 0.2)
*bursty*   an old population, constant star formation and a burst, behind the same dust
*young*    all stars 1–5 Myr old, no dust

Draws are cut at the surrogate's box; redshifts are uniform in it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import emulator
from emulator.surrogate import EmulatedSEDModel
from emulator.verification import evaluate
from tengri import Parameters
from tengri.analysis import accuracy
from tengri.io import atomic

Draws = dict[str, np.ndarray]
QUANTILES = (50.0, 95.0, 99.0, 100.0)


def dust(rng: np.random.Generator, n: int) -> Draws:
    """Draw metals and dust of ordinary galaxies."""
    diffuse = rng.exponential(0.3, n)
    return {
        "dust_tau_diff": diffuse,
        "dust_tau_bc": diffuse * rng.uniform(0.5, 2.0, n),
        "met_logzsol": rng.normal(-0.3, 0.3, n),
        "dust_slope": rng.normal(-0.7, 0.2, n),
    }


def smooth(rng: np.random.Generator, n: int) -> Draws:
    """Draw delayed-τ histories."""
    tau, age = rng.uniform(0.3, 10.0, n), rng.uniform(1.0, 7.0, n)
    return {"sfh_delayed_tau_gyr": tau, "sfh_delayed_age_gyr": age, **dust(rng, n)}


def bursty(rng: np.random.Generator, n: int) -> Draws:
    """Draw an old population, constant star formation since 0.1–1 Gyr, and a burst."""
    return {
        "sfh_delayed_tau_gyr": rng.uniform(0.3, 1.0, n),
        "sfh_delayed_age_gyr": rng.uniform(4.0, 7.0, n),
        "sfh_delayed_log_total_mass": np.full(n, 10.0),
        "sfh_const_log_total_mass": rng.uniform(8.0, 10.0, n),
        "sfh_const_start_gyr": rng.uniform(0.1, 1.0, n),
        "sfh_burst_log_fburst": rng.uniform(-3.0, -0.5, n),
        "sfh_burst_log_tpeak_myr": rng.uniform(0.0, 2.0, n),
        **dust(rng, n),
    }


def young(rng: np.random.Generator, n: int) -> Draws:
    """Draw stars of one age, 1–5 Myr, without dust."""
    none = np.zeros(n)
    ages = {"sfh_delta_age_gyr": rng.uniform(1e-3, 5e-3, n)}
    return {**ages, **dust(rng, n), "dust_tau_diff": none, "dust_tau_bc": none}


POPULATIONS: dict[str, tuple[Any, Callable[[np.random.Generator, int], Draws]]] = {
    "smooth": ("delayed", smooth),
    "bursty": (["delayed", "const", "burst"], bursty),
    "young": ("delta", young),
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="sdss")
    parser.add_argument("--rows", type=int, default=4000)
    default = Path("benchmarks/results/populations.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    args = parser.parse_args()
    rows = {name: judged(args.name, name, args.rows) for name in POPULATIONS}
    record = {"surrogate": args.name, "sha256": emulator.load(args.name).artefact.sha256,
              "galaxies": args.rows, "populations": rows}  # fmt: skip
    atomic.write_text(args.output, json.dumps(record, indent=1) + "\n")
    for name, row in rows.items():
        print(name, ", ".join(f"{k}: {v:.2f}" for k, v in row.items()))


def judged(surrogate: str, population: str, n: int) -> dict[str, float]:
    """Return percentiles of |Δm| [mmag] and the share inside the 68 % bar."""
    family, draw = POPULATIONS[population]
    drawn = draw(np.random.default_rng(0), n)
    model, params = bounded(surrogate, family, drawn)
    maggies = evaluate(model, params)
    with jax.enable_x64(True):
        truth = evaluate(model.exact_model(), params)
    lit = accuracy.bright(truth)
    error = np.abs(accuracy.delta_mag(truth, maggies))[lit]
    bars = np.broadcast_to(model.predict_errors(params), truth.shape)[lit]
    found = {f"p{q:g}": accuracy.percentile(truth, maggies, q) for q in QUANTILES}
    return {**found, "inside 68 %": float(np.mean(error < bars))}


def bounded(surrogate: str, family: Any, drawn: Draws) -> tuple[EmulatedSEDModel, Draws]:
    """Return the surrogate under a spec of the family, and the draws cut at its box."""
    learnt = emulator.load(surrogate).spec
    box = {name: learnt.get_distribution(name).bounds for name in learnt.free_params
           if not name.startswith("sfh_")}  # fmt: skip
    n = len(drawn["met_logzsol"])
    drawn = {**drawn, "redshift": np.random.default_rng(1).uniform(*box["redshift"], n)}
    params = {name: np.clip(v, *box[name]) if name in box else v for name, v in drawn.items()}
    history = {name: (float(v.min()), float(v.max()) + 1e-6) for name, v in params.items()
               if name.startswith("sfh_")}  # fmt: skip
    spec = Parameters(mean_sfh_type=family, **history, **box)
    return emulator.load(surrogate, spec=spec, units="maggies"), params


if __name__ == "__main__":
    main()
