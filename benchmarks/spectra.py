"""Spectra of a surrogate against the exact model: errors by population, and what one costs.

    python benchmarks/spectra.py [spectrum_compact] [--rows 600] [--grid FILE] [--only-cost]
        [--full FILE] [-o benchmarks/results/spectra.json]

Relative errors [%] of pixels with more than 1e-3 of a galaxy's largest λL_λ, against the exact
model in float64, for the *prior* of the surrogate, for *smooth*, *bursty*, *young* and *spike* of
`train.populations`, and |Δm| [mmag] in bands that follow from the spectra. µs of processor
time per spectrum of a batch, least of some tries, models asked in turn; with ``--grid`` also on
another grid of stars, decomposed here. bagpipes is asked at the same wavelengths between 912 Å and
3 µm, one galaxy after the other, as it is used in a sampler. ``--only-cost`` keeps the errors of
the JSON that is there. ``--full`` adds nothing but what the exact model costs on a grid of all
wavelengths (``tengri data build bc03-miles --resolution full``), in this process. What Speculator
and PROVABGS published is in it as their abstracts have it: factors over FSPS, on other machines.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import emulator
from emulator.spectral.artefact import SpectralArtefact
from emulator.spectral.compressed_grid import CompressedGrid
from emulator.spectral.model import EmulatedSpectrumModel
from tengri import Parameters, SEDModel, load_ssp_data
from tengri.analysis import accuracy
from tengri.io import atomic
from train.populations import POPULATIONS, Draws
from train.spectral.evaluation import draws, judge, line_errors, table

#: Factors over direct synthesis with FSPS, and errors, as the abstracts have them.
PUBLISHED = {
    "Speculator": {"paper": "Alsing et al. 2020, ApJS 249, 5", "faster": "1e3 to 1e4 times",
                   "error": "per cent"},
    "PROVABGS": {"paper": "Kwon, Hahn & Alsing 2023, ApJS 265, 23", "faster": "100 times",
                 "error": "much less than 1 %"},
}  # fmt: skip
Z = (0.001, 1.0)
PEER, FULL = 32, 256
BATCH, TRIES = 1024, 7
SEED = 5


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="spectrum_compact")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--only-cost", action="store_true")
    parser.add_argument("--full", type=Path)
    default = Path("benchmarks/results/spectra.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    args = parser.parse_args()
    if args.full:
        record = json.loads(args.output.read_text()) | {"full": full_grid(args.full)}
        print(record["full"], flush=True)
        atomic.write_text(args.output, json.dumps(record, indent=1) + "\n")
        return
    fast = emulator.load(args.name)
    record: dict[str, Any] = {"surrogate": args.name, "sha256": fast.artefact.sha256,
                              "galaxies": args.rows}  # fmt: skip
    if args.only_cost:
        record = json.loads(args.output.read_text())
    else:
        record |= of_populations(fast.artefact, args.rows)
    record["cost"] = {"embedded": cost(fast, fast.exact_model())}
    if args.grid:
        record["cost"][args.grid.stem] = cost(*decomposed(fast.artefact, args.grid))
    for grid, costs in record["cost"].items():
        print(grid, costs, flush=True)
    record["bagpipes"] = beside_bagpipes(fast)
    print("bagpipes", record["bagpipes"], flush=True)
    record["published"] = PUBLISHED
    atomic.write_text(args.output, json.dumps(record, indent=1) + "\n")


def of_populations(artefact: SpectralArtefact, rows: int) -> dict[str, Any]:
    """Return the errors of every population, and of lines."""
    found = {}
    for population in ("prior", *(name for name in POPULATIONS if name != "laws")):
        found[population] = errors(artefact, population, rows)
        print(population, found[population], flush=True)
    of_lines = lines(artefact, rows)
    print("lines", of_lines, flush=True)
    return {"populations": found, "lines": of_lines}


def full_grid(path: Path) -> dict[str, Any]:
    """Return seconds of first calls, MiB of the process and µs per spectrum of the exact model."""
    begin = time.perf_counter()
    spec = emulator.load("spectrum_compact").spec
    model, params = SEDModel(spec, load_ssp_data(path)), draws(spec, SEED, FULL)
    loaded = time.perf_counter()
    jax.block_until_ready(model.predict_rest_sed({k: v[0] for k, v in params.items()}).sed)
    one = time.perf_counter()
    jax.block_until_ready(model.predict_rest_sed_batch(params).sed)
    batch = time.perf_counter()
    cost = timed({"exact": lambda: model.predict_rest_sed_batch(params).sed}, FULL)["exact"]
    return {
        "populations": int(np.prod(model.ssp.shape[:2])), "wavelengths": len(model.galaxy.wave),
        "load_s": loaded - begin, "first_spectrum_s": one - loaded, "first_batch_s": batch - one,
        "us": cost, "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def beside_bagpipes(fast: EmulatedSpectrumModel) -> dict[str, float]:
    """Return µs of processor time per spectrum of bagpipes at the wavelengths of a surrogate."""
    from peers import bagpipes_spectra
    from work import FIXED_Z, Work, bands_of

    wave = fast.galaxy.wave[(fast.galaxy.wave > 912.0) & (fast.galaxy.wave < 3e4)]
    work = Work(fast.grid.ssp, bands_of(5), PEER)
    run = bagpipes_spectra.updates(work, PEER, wave * (1.0 + FIXED_Z))
    return {"wavelengths": len(wave), "us": timed({"bagpipes": run}, PEER)["bagpipes"]}


def errors(artefact: SpectralArtefact, population: str, n: int) -> dict[str, Any]:
    """Return the errors of pixels and bands of one population."""
    fast, params = drawn(artefact, population, n)
    found = judge(population, fast, fast.exact_model(), params)
    lit = accuracy.bright(found.exact)
    dm = 1e3 * np.abs(accuracy.delta_mag(found.exact, found.emulated))[lit]
    bands = {f"p{q:g}": float(np.percentile(dm, q)) for q in (50.0, 99.0, 99.9, 100.0)}
    return {"pixels": table(found.error), "bands_mmag": bands}


def drawn(
    artefact: SpectralArtefact, population: str, n: int
) -> tuple[EmulatedSpectrumModel, Draws]:
    """Return the surrogate under the spec of a population, and its galaxies."""
    if population == "prior":
        return EmulatedSpectrumModel(artefact), draws(artefact.spec, SEED, n)
    (group,) = POPULATIONS[population]
    params = group.draw(np.random.default_rng(SEED), n)
    params = {**params, "redshift": np.random.default_rng(SEED + 1).uniform(*Z, n)}
    params["met_logzsol"] = np.clip(params["met_logzsol"], -2.0, 0.2)
    spec = {name: (float(v.min()), float(v.max()) + 1e-6) for name, v in params.items()}
    return EmulatedSpectrumModel(artefact, Parameters(**group.components, **spec)), params


def lines(artefact: SpectralArtefact, n: int) -> dict[str, Any]:
    """Return the errors of lines of gas around the stars of the prior."""
    spec = artefact.spec.with_params(nebular="cloudy", neb_logU=(-4.0, -1.0))
    fast = EmulatedSpectrumModel(artefact, spec)
    return line_errors(fast, fast.exact_model(), draws(spec, SEED, n))


def decomposed(artefact: SpectralArtefact, path: Path) -> tuple[EmulatedSpectrumModel, SEDModel]:
    """Return both models on another grid."""
    ssp, n = load_ssp_data(path), artefact.grids[0].loadings["old"].shape[-1]
    grid = CompressedGrid.of(ssp, n)
    bare = SpectralArtefact(artefact.spec, artefact.photometry, (grid,), artefact.cosmology)
    fast = EmulatedSpectrumModel(bare)
    return fast, fast.exact_model(ssp)


def cost(fast: EmulatedSpectrumModel, exact: SEDModel) -> dict[str, Any]:
    """Return µs of processor time per spectrum and per galaxy in bands, and their ratios."""
    params = draws(fast.spec, SEED, BATCH)
    observation = fast.observation
    band_model = emulator.load("sdss_nodes")
    sdss = band_model.observation
    calls: dict[str, dict[str, Callable[[], Any]]] = {
        "rest": {
            "exact": lambda: exact.predict_rest_sed_batch(params).sed,
            "emulated": lambda: fast.predict_rest_sed_batch(params).sed,
        },
        "bands": {
            "exact": lambda: exact.predict_photometry_batch(params),
            "emulated": lambda: fast.predict_photometry_batch(params),
        },
    }
    found: dict[str, Any] = {
        "wavelengths": len(fast.galaxy.wave),
        "n_bands": len(observation.photometry.names),
    }
    for what, models in calls.items():
        found[what] = timed(models)
        found[what]["ratio"] = found[what]["exact"] / found[what]["emulated"]
    of_bands = fast.with_observation(sdss)
    found["sdss"] = timed({
        "emulated spectrum": lambda: of_bands.predict_photometry_batch(params),
        "table of bands": lambda: band_model.predict_photometry_batch(params),
    })  # fmt: skip
    return found


def timed(calls: dict[str, Callable[[], Any]], n: int = BATCH) -> dict[str, float]:
    """Return µs of processor time per galaxy, the least of some tries in turn."""
    for call in calls.values():
        jax.block_until_ready(call())
    best = dict.fromkeys(calls, np.inf)
    for _ in range(TRIES):
        for name, call in calls.items():
            begin = time.process_time()
            jax.block_until_ready(call())
            best[name] = min(best[name], 1e6 * (time.process_time() - begin) / n)
    return best


if __name__ == "__main__":
    main()
