"""Error and throughput of surrogates and their rivals, on the same galaxies in the same run.

    python benchmarks/surrogates.py --kernel sdss --run runs/sdss_photulator --run runs/sdss_parrot

Contenders: a published surrogate of the age kernel, the exact model, lookup tables, and runs of
end-to-end networks (one family of histories). All are judged against the float64 exact model on
prior draws of the family that they have in common; those that serve any history also on all
families. Throughput is that of the public batch method, star-formation history included; repeats
are interleaved, medians are reported. Writes JSON and the figure.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from lookup import Lookup
from matplotlib.figure import Figure

import emulator
from emulator import published
from emulator.targets.ssp_photometry import LOG10_UNIT
from emulator.verification import evaluate
from tengri.analysis import accuracy
from tengri.analysis.style import category_colours
from tengri.forward.units import LOG10_UNIT as UNITS
from tengri.io.jsonable import jsonable
from tools.publish import PUBLISHED
from train import config as configs
from train.held_out import Galaxies
from train.problem import Problem

KNOTS = (32, 128, 512)
QUANTILES = ("p50", "p68", "p95", "p99", "p99.9")


def problem_of(name: str) -> Problem:
    """Return the problem that a published surrogate was trained on."""
    training = emulator.load(name).artefact.training
    return Problem.build(configs.from_dict(training["config"]))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", default="sdss", help="a published kernel surrogate")
    parser.add_argument("--run", action="append", default=[], type=Path, help="may be repeated")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--timed", type=int, default=32_768, help="galaxies of a timed batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--output", default="benchmarks/results/surrogates.json")
    args = parser.parse_args()
    problem = problem_of(args.kernel)
    truth = problem.held_out(PUBLISHED, args.rows)
    common = truth.parts[0]
    models = {"age kernel": emulator.load(args.kernel, units="maggies")}
    models |= {run.name: emulator.load(run, units="maggies") for run in args.run}
    errors = {name: judged(common, evaluate(m, common.params)) for name, m in models.items()}
    errors["age kernel"]["families"] = published_families(args.kernel)
    lookups = {f"lookup, {k} redshifts": Lookup(problem.model, k) for k in KNOTS}
    for name, table in lookups.items():
        errors[name] = judged(common, tabulated(table, common))
    speed = timed(callers(problem, models, lookups, args.timed), args.timed, args.repeats)
    rows = {name: {**errors.get(name, {}), **speed[name]} for name in speed}
    seconds = {name: m.artefact.training for name, m in models.items()}
    for name, training in seconds.items():
        rows[name] |= {k: training[k] for k in ("seconds", "steps", "rows")}
    print(text(rows))
    record = {"machine": platform.processor() or platform.machine(), "jax": jax.__version__,
              "devices": [str(d) for d in jax.devices()], "galaxies judged": len(common.flux),
              "galaxies timed": args.timed, "contenders": rows}  # fmt: skip
    Path(args.output).write_text(json.dumps(jsonable(record), indent=1) + "\n")
    pareto(rows).savefig("docs/figures/pareto.png", dpi=90)


def judged(galaxies: Galaxies, maggies: np.ndarray) -> dict[str, Any]:
    """Return percentiles of |Δm| [mmag] against the exact model."""
    return {q: accuracy.percentile(galaxies.maggies, maggies, float(q[1:])) for q in QUANTILES}


def tabulated(table: Lookup, galaxies: Galaxies) -> np.ndarray:
    """Return maggies (n, n_bands) of a lookup table; the mass formed is exact in both."""
    log10_unit = (galaxies.log10_scale + galaxies.log10_luminosity_to_flux - UNITS["maggies"]
                  + table.model.galaxy.log10_flux_unit - LOG10_UNIT)  # fmt: skip
    return table.fluxes(galaxies.packed) * 10.0 ** log10_unit[:, None]


def published_families(name: str) -> Any:
    """Return the accuracy by family of histories, from the report of a published surrogate."""
    report = json.loads(published.resolve(name).with_name("report.json").read_text())
    return {k: {q: v[q] for q in QUANTILES} for k, v in report["accuracy"]["families"].items()}


def callers(
    problem: Problem, models: dict[str, Any], lookups: dict[str, Lookup], n: int
) -> dict[str, Callable[[], Any]]:
    """Return a call by name: photometry of n galaxies."""
    spec = problem.spec
    drawn = spec.sample_batch(jax.random.key(5), n)
    drawn = {k: np.asarray(drawn[k]) for k in spec.free_params}
    packed = problem.model.pack(drawn, batch=True)
    calls: dict[str, Callable[[], Any]] = {
        "exact": lambda: problem.model.predict_photometry_batch(drawn)
    }
    for name, model in models.items():
        calls[name] = lambda m=model: m.predict_photometry_batch(drawn)
    for name, table in lookups.items():
        calls[name] = lambda t=table: t.fluxes(packed)
    return calls


def timed(calls: dict[str, Callable[[], Any]], n: int, repeats: int) -> dict[str, dict[str, float]]:
    """Return µs per galaxy by name, medians of interleaved repeats."""
    for call in calls.values():
        jax.block_until_ready(call())
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begin = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - begin)
    return {name: {"us_per_galaxy": 1e6 * statistics.median(t) / n} for name, t in times.items()}


def text(rows: dict[str, dict[str, Any]]) -> str:
    """Return the table as text."""
    lines = [f"{'':26s}{'µs/galaxy':>10s}" + "".join(f"{q[1:] + ' %':>9s}" for q in QUANTILES)]
    for name, row in rows.items():
        shown = "".join(f"{row[q]:9.2f}" if q in row else f"{'–':>9s}" for q in QUANTILES)
        lines.append(f"{name:26s}{row['us_per_galaxy']:10.2f}{shown}")
    return "\n".join(lines)


def pareto(rows: dict[str, dict[str, Any]]) -> Figure:
    """Draw the error against throughput, median to 99 %."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.add_subplot()
    looks = zip(category_colours(len(rows) - 1), "osD^vP<")
    for name, row in rows.items():
        speed = 1e6 / row["us_per_galaxy"]
        if "p50" not in row:
            ax.axvline(speed, color="k", lw=0.8, ls=":", label=name)
            continue
        errors, (colour, marker) = [row[q] for q in ("p50", "p95", "p99")], next(looks)
        ax.plot([speed] * 3, errors, f"{marker}-", color=colour, ms=5, lw=1.2, label=name)
    ax.set(xscale="log", yscale="log", xlabel="galaxies per second",
           ylabel="|Δm| at 50, 95, 99 % [mmag]")  # fmt: skip
    figure.legend(fontsize=8, loc="outside right upper")
    return figure


if __name__ == "__main__":
    main()
