"""Errors of published surrogates on galaxies that people have, beside their own priors.

    python benchmarks/populations.py [sdss sdss_nodes] [--rows 4000]
        [-o benchmarks/results/populations.json]

|Δm| [mmag] against the float64 exact model, entries above 1e-4 of a galaxy's brightest band, and
the share of them inside the 68 % error bar:

*smooth*   delayed-τ histories, τ_diff exponential with mean 0.3, τ_bc = 0.5–2 τ_diff, log Z normal
           (−0.3, 0.3), slope normal (−0.7, 0.2)
*bursty*   an old population, constant star formation and a burst, behind the same dust
*young*    all stars 1–5 Myr old, no dust
*spike*    stars of one age, 1 Myr to 5.5 Gyr; metals and every parameter of dust at an end
*laws*     *smooth* behind each attenuation law of the registry, its parameters drawn from their
           priors; a surrogate that has learnt one law does not answer

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
from tengri.components.dust.attenuation import LAWS
from tengri.errors import ConfigError
from tengri.io import atomic

Draws = dict[str, np.ndarray]
QUANTILES = (50.0, 95.0, 99.0, 99.9, 100.0)


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


def spike(rng: np.random.Generator, n: int) -> Draws:
    """Draw stars of one age behind dust at the ends of its box."""
    ends = {"met_logzsol": (-2.0, 0.2), "dust_tau_bc": (0.0, 4.0), "dust_tau_diff": (0.0, 3.0),
            "dust_slope": (-1.5, -0.3)}  # fmt: skip
    at_ends = {name: np.where(rng.random(n) < 0.5, *pair) for name, pair in ends.items()}
    return {"sfh_delta_age_gyr": 10.0 ** rng.uniform(-3.0, np.log10(5.5), n), **at_ends}


def behind(law: str, draw: Callable[[np.random.Generator, int], Draws]) -> Any:
    """Return the function that draws the same galaxies behind another law."""

    def drawn(rng: np.random.Generator, n: int) -> Draws:
        galaxies = draw(rng, n)
        del galaxies["dust_slope"]
        return galaxies | {p.name: np.asarray(p.prior.from_unit(rng.random(n)), float)
                           for p in LAWS[law].params}  # fmt: skip

    return drawn


Population = list[tuple[dict[str, Any], Callable[[np.random.Generator, int], Draws]]]
#: Each of groups of galaxies with one set of components.
POPULATIONS: dict[str, Population] = {
    "smooth": [({"mean_sfh_type": "delayed"}, smooth)],
    "bursty": [({"mean_sfh_type": ["delayed", "const", "burst"]}, bursty)],
    "young": [({"mean_sfh_type": "delta"}, young)],
    "spike": [({"mean_sfh_type": "delta"}, spike)],
    "laws": [({"mean_sfh_type": "delayed", "dust_law": law}, behind(law, smooth)) for law in LAWS],
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["sdss", "sdss_nodes"])
    parser.add_argument("--rows", type=int, default=4000)
    default = Path("benchmarks/results/populations.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    args = parser.parse_args()
    record: dict[str, Any] = {"galaxies": args.rows, "surrogates": {}}
    for name in args.names:
        rows = {population: judged(name, population, args.rows) for population in POPULATIONS}
        sha256 = emulator.load(name).artefact.sha256
        record["surrogates"][name] = {"sha256": sha256, "populations": rows}
        for population, row in rows.items():
            shown = ", ".join(f"{k}: {v:.2f}" for k, v in (row or {}).items())
            print(name, population, shown or "no answer", flush=True)
    atomic.write_text(args.output, json.dumps(record, indent=1) + "\n")


def judged(surrogate: str, population: str, n: int) -> dict[str, float] | None:
    """Return percentiles of |Δm| [mmag] and the share inside the 68 % bar; None: no answer."""
    groups = POPULATIONS[population]
    found = []
    for components, draw in groups:
        drawn = draw(np.random.default_rng(0), n // len(groups))
        try:
            model, params = bounded(surrogate, components, drawn)
        except ConfigError:
            return None
        found.append(compared(model, params))
    error, bar = (np.concatenate(x) for x in zip(*found))
    table = {f"p{q:g}": float(1e3 * np.percentile(error, q)) for q in QUANTILES}
    return {**table, "inside 68 %": float(np.mean(error < bar))}


def compared(model: EmulatedSEDModel, params: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Return |Δm| [mag] and the 68 % bar of all entries that are bright enough."""
    maggies = evaluate(model, params)
    with jax.enable_x64(True):
        truth = evaluate(model.exact_model(), params)
    lit = accuracy.bright(truth)
    bars = np.broadcast_to(model.predict_errors(params), truth.shape)
    return np.abs(accuracy.delta_mag(truth, maggies))[lit], bars[lit]


def bounded(
    surrogate: str, components: dict[str, Any], drawn: Draws
) -> tuple[EmulatedSEDModel, Draws]:
    """Return the surrogate under a spec of the components, and the draws cut at its box."""
    learnt = emulator.load(surrogate).spec
    box = {name: learnt.get_distribution(name).bounds for name in learnt.free_params
           if not name.startswith("sfh_") and (name in drawn or name == "redshift")}  # fmt: skip
    n = len(drawn["met_logzsol"])
    drawn = {**drawn, "redshift": np.random.default_rng(1).uniform(*box["redshift"], n)}
    params = {name: np.clip(v, *box[name]) if name in box else v for name, v in drawn.items()}
    others = {name: (float(v.min()), float(v.max()) + 1e-6) for name, v in params.items()
              if name not in box}  # fmt: skip
    spec = Parameters(**components, **others, **box)
    return emulator.load(surrogate, spec=spec, units="maggies"), params


if __name__ == "__main__":
    main()
