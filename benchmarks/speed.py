"""What a galaxy costs: the exact model, our surrogates and the peers, side by side in one run.

    python benchmarks/speed.py [--grid embedded --grid 97x1775] [-o benchmarks/results/speed.json]

Everything is measured in one process, in float32 and in float64, on the same grid, histories,
dust, redshifts and bands (`work`); repeats are interleaved, medians are reported. Peers come with
``pip install 'tengri-sed[peers]'``; one that is missing is named. JAX evaluates all calls in the
thread that makes them; with ``--asynchronous`` it hands them over to another, its default. Writes
JSON and two figures.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import work
from matplotlib.figure import Figure
from peers import bagpipes_model, dsps_model, networks
from timing import Contender, gflops, measure, peak
from work import Work

import emulator
from emulator import published
from tengri import Instrument, SEDModel
from tengri.analysis.style import CATEGORIES
from tengri.forward.evaluator import FixedValues
from tengri.forward.fixed_redshift import FixedRedshiftEvaluator, screen_domain
from tengri.forward.grid_spectra import GridSpectra
from tengri.io.jsonable import jsonable

PEERS = ("dsps", "bagpipes")
BATCHES = (1, 16, 256, 4096, 32768)
BANDS = (1, 5, 10, 16, 24)
WAVELENGTHS = (469, 938, 1875)
SMALL = 512  # galaxies of contenders that take long
LOOP = 128
SINGLES = 500  # single calls of a surrogate, one after the other
PUBLISHED_BATCH = 32768
SWEEP = 256  # metallicities of the notebook's last cell
BLOCK = 128  # galaxies of a compiled block


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", action="append", help="embedded, 97x1775 or an SSP file")
    parser.add_argument("--n", type=int, default=4096, help="galaxies in a batch")
    parser.add_argument("--most", type=int, default=1_000_000, help="galaxies in the largest batch")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", action="append", help="measure this part, keep the others")
    parser.add_argument("--asynchronous", action="store_true", help="as JAX does by default")
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/speed.json")
    args = parser.parse_args()
    jax.config.update("jax_cpu_enable_async_dispatch", args.asynchronous)
    absent = [name for name in PEERS if importlib.util.find_spec(name) is None]
    for name in absent:
        print(f"{name} is not installed and not measured: pip install 'tengri-sed[peers]'")
    grids = args.grid or ["embedded", "97x1775"]
    parts: dict[str, Any] = {
        "grids": lambda: {
            g: _both(lambda g=g: _grid(g, args.n, args.repeats, absent)) for g in grids},
        "notebook": lambda: _both(lambda: _notebook(args.repeats)),
        "published": lambda: _published(args.repeats),
        "precision": lambda: _precision(args.n),
        "scaling": lambda: _scaling(args.repeats),
        "large": lambda: _large(args.most),
    }  # fmt: skip
    wanted = args.only or list(parts)
    if unknown := set(wanted) - set(parts):
        parser.error(f"no part {', '.join(unknown)}: there are {', '.join(parts)}")
    kept = json.loads(args.output.read_text()) if args.only and args.output.exists() else {}
    record: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "devices": [f"{d.platform}: {d.device_kind}" for d in jax.devices()],
        "cores": len(os.sched_getaffinity(0)),
        "load at start": os.getloadavg()[0],
        "jax": jax.__version__,
        "asynchronous": args.asynchronous,
        "not installed": absent,
        "bands": list(work.bands_of(5)),
    }  # fmt: skip
    args.output.parent.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        kept[name] = parts[name]()
        record |= {part: kept[part] for part in parts if part in kept}
        args.output.write_text(json.dumps(jsonable(record), indent=1) + "\n")
    print(text(record))
    if "scaling" in wanted:
        figure = Path("docs/figures") / f"{args.output.stem}_scaling.png"
        scaling_figure(record["scaling"]).savefig(figure, dpi=90)


def _both(run: Any) -> dict[str, Any]:
    """Return what ``run`` gives in float32 and in float64."""
    result = {}
    for name, x64 in (("float32", False), ("float64", True)):
        with jax.enable_x64(x64):
            result[name] = run()
    return result


# --- one grid -------------------------------------------------------------------------------


def _grid(name: str, n: int, repeats: int, absent: list[str]) -> dict[str, Any]:
    """Measure all contenders on one grid, in the current default float."""
    job = Work(work.grid_of(name), work.bands_of(5), n)
    contenders = {**exact_contenders(job), **surrogate_contenders(job)}
    contenders |= peer_contenders(job, absent)
    contenders["matrix product"] = peak()
    rows = measure(contenders, repeats)
    ssp = job.ssp
    return {
        "shape": {"metallicities": len(ssp.ssp_lgmet), "ages": len(ssp.ssp_lg_age_gyr),
                  "wavelengths": len(ssp.ssp_wave)},
        "contenders": rows,
        "ratios": ratios(rows),
        "peak_gflops": gflops(rows["matrix product"]["us_per_galaxy"]),
        "roofline": roofline(job, rows),
    }  # fmt: skip


def exact_contenders(job: Work) -> dict[str, Contender]:
    """Return the ways in which the exact model is called."""
    model, fixed, galaxies, n = job.model, job.at_one_redshift, job.galaxies, job.n
    at_one_z = {k: v for k, v in galaxies.items() if k != "redshift"}
    one = {k: float(v[0]) for k, v in galaxies.items()}
    one_traced = {k: v[0] for k, v in galaxies.items()}
    jitted = jax.jit(model.predict_photometry)
    singles = [{k: v[i] for k, v in galaxies.items()} for i in range(LOOP)]
    return {
        "exact, batch": Contender(lambda: model.predict_photometry_batch(galaxies), n),
        "exact, batch, one redshift": Contender(
            lambda: fixed.predict_photometry_batch(at_one_z), n),
        **_under("exact", gradient_contenders(model, galaxies, n)),
        "exact, single call": Contender(lambda: model.predict_photometry(one), 1, 50),
        "exact, single call in jit": Contender(lambda: jitted(one_traced), 1, 50),
        "exact, loop of jitted calls": Contender(lambda: [jitted(p) for p in singles], LOOP),
    }  # fmt: skip


def surrogate_contenders(job: Work) -> dict[str, Contender]:
    """Return the published SDSS surrogates on the same galaxies."""
    result = {}
    for name, title in (("sdss_tsnorm", "surrogate, end-to-end"), ("sdss", "surrogate, kernel")):
        if name == "sdss_tsnorm":
            model = emulator.load(name, units="maggies")
            galaxies = model.spec.sample_batch(jax.random.key(1), 8 * job.n)
        else:
            model = emulator.load(name, spec=work.spec_for_surrogate(), units="maggies")
            galaxies = {k: np.resize(v, 8 * job.n) for k, v in job.galaxies.items()}
        galaxies = {k: jnp.asarray(galaxies[k], float) for k in model.spec.free_params}
        one = {k: float(v[0]) for k, v in galaxies.items()}
        batch = lambda m=model, g=galaxies: m.predict_photometry_batch(g)  # noqa: E731
        result[f"{title}, batch"] = Contender(batch, 8 * job.n)
        result |= _under(title, gradient_contenders(model, galaxies, 8 * job.n))
        result[f"{title}, single call"] = Contender(
            lambda m=model, p=one: m.predict_photometry(p), 1, SINGLES)  # fmt: skip
    return result


def gradient_contenders(model: Any, galaxies: Any, n: int) -> dict[str, Contender]:
    """Return the gradients of the log fluxes of n galaxies: each by itself, and one sum in jit.

    Beside that the fluxes in jit, which know no threads and no chunks either.
    """
    each = model.batched(jax.grad(lambda p: jnp.log(model.predict_photometry(p)).sum()))
    flux = jax.jit(model.predict_photometry_batch)
    total = jax.jit(jax.grad(lambda b: jnp.log(model.predict_photometry_batch(b)).sum()))
    return {
        "gradient of batch": Contender(lambda: each(galaxies), n),
        "batch in jit": Contender(lambda: flux(galaxies), n),
        "gradient of batch in jit": Contender(lambda: total(galaxies), n),
    }


def _under(title: str, contenders: dict[str, Contender]) -> dict[str, Contender]:
    return {f"{title}, {name}": contender for name, contender in contenders.items()}


def peer_contenders(job: Work, absent: list[str]) -> dict[str, Contender]:
    """Return the other codes and the networks of other emulators."""
    result = {}
    if "dsps" not in absent:
        few = {k: v[:SMALL] for k, v in job.galaxies.items()}
        plain, tuned = (dsps_model.magnitudes(job, how) for how in ("plain", "matmul"))
        result["DSPS"] = Contender(lambda: plain(few), SMALL)
        result["DSPS, our matrix products"] = Contender(lambda: tuned(job.galaxies), job.n)
    if "bagpipes" not in absent:
        result["bagpipes"] = Contender(bagpipes_model.updates(job, LOOP), LOOP)
    for kind in networks.SHAPES:
        call = networks.forward(kind, 8 * job.n, 9, len(job.bands))
        result[f"network of {kind}"] = Contender(call, 8 * job.n)
    return result


def ratios(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return how many times faster, from medians of the same run."""
    cost = {name: row["us_per_galaxy"] for name, row in rows.items()}
    pairs = {
        "exact vs. DSPS": ("DSPS", "exact, batch"),
        "exact at one redshift vs. DSPS": ("DSPS", "exact, batch, one redshift"),
        "exact vs. DSPS with our matrix products": ("DSPS, our matrix products", "exact, batch"),
        "exact vs. bagpipes": ("bagpipes", "exact, batch"),
        "end-to-end surrogate vs. bagpipes": ("bagpipes", "surrogate, end-to-end, batch"),
        "kernel surrogate vs. bagpipes": ("bagpipes", "surrogate, kernel, batch"),
        "batch vs. a loop of jitted calls": ("exact, loop of jitted calls", "exact, batch"),
    }  # fmt: skip
    for model in ("exact", "surrogate, end-to-end", "surrogate, kernel"):
        for where in ("", " in jit"):
            pairs[f"gradient over forward{where}, {model.removeprefix('surrogate, ')}"] = (
                f"{model}, gradient of batch{where}", f"{model}, batch{where}")  # fmt: skip
    return {name: cost[slow] / cost[fast] for name, (slow, fast) in pairs.items() if slow in cost}


def roofline(job: Work, rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return FLOPs and bytes per galaxy as compiled, and the share of the matrix-product peak."""
    top = gflops(rows["matrix product"]["us_per_galaxy"]) * 1e3  # FLOP per µs
    at_one_z = {k: v for k, v in job.galaxies.items() if k != "redshift"}
    surrogate = emulator.load("sdss_tsnorm", units="maggies")
    drawn = surrogate.spec.sample_batch(jax.random.key(1), job.n)
    useful = {
        "exact, batch": (job.model, job.galaxies, matrix_flops(job.model)),
        "exact, batch, one redshift": (
            job.at_one_redshift, at_one_z, matrix_flops(job.at_one_redshift)),
    }  # fmt: skip
    if not jax.config.jax_enable_x64:  # networks are float32 whatever the default
        useful["surrogate, end-to-end, batch"] = surrogate, drawn, network_flops(surrogate)
    return {
        title: {"matrix_flop": flop, "share_of_peak": flop / rows[title]["us_per_galaxy"] / top}
        | _analysis(model, batch)
        for title, (model, batch, flop) in useful.items()
    }


def _analysis(model: Any, batch: Any) -> dict[str, float]:
    """Return what XLA counts in one block of the batch, per galaxy."""
    block = {k: v[:BLOCK] for k, v in batch.items() if k in model.spec.free_params}
    compiled = jax.jit(model.predict_photometry_batch).lower(block).compile()
    analysis = compiled.cost_analysis() or {}
    return {name: analysis.get(key, np.nan) / BLOCK
            for name, key in (("flop", "flops"), ("bytes", "bytes accessed"))}  # fmt: skip


def matrix_flops(model: Any) -> float:
    """Return the FLOPs of the matrix products of one galaxy of the exact model."""
    evaluator = at_one_redshift(model) if model.spec.is_fixed("redshift") else model.evaluator()
    spectra = evaluator.spectra
    return float(sum(2 * np.prod(a.shape) for a in (spectra.young, spectra.old)))


def at_one_redshift(model: Any) -> FixedRedshiftEvaluator:
    """Return the evaluator of a fixed redshift that batches of stars and dust go through."""
    grid = GridSpectra.build(model.spec.composition, model.ssp, model.cosmology)
    return FixedRedshiftEvaluator.build(
        grid,
        model.observation.photometry.filters,
        float(model.spec.fixed_value("redshift")),
        screen_domain(model.spec),
        FixedValues.of(model.spec),
    )


def network_flops(model: Any) -> float:
    """Return the FLOPs of the layers of a surrogate's network, one galaxy."""
    leaves = jax.tree_util.tree_leaves_with_path(model.artefact.params)
    return float(sum(2 * a.size for path, a in leaves if "kernel" in jax.tree_util.keystr(path)))


# --- the notebook's last cell ----------------------------------------------------------------


def _notebook(repeats: int) -> dict[str, float]:
    """Return ms of a sweep in one batch, in a loop that waits for each call, and their ratio."""
    spec = work.of_the_notebook()
    model = SEDModel(spec, work.grid_of("embedded"), Instrument.SDSS().observation())
    base, metals = spec.sample(jax.random.PRNGKey(0)), jnp.linspace(-1.5, 0.0, SWEEP)
    batch = {k: jnp.broadcast_to(v, (SWEEP, *jnp.shape(v))) for k, v in base.items()}
    batch["met_logzsol"] = metals
    jitted = jax.jit(model.predict_photometry)
    each = lambda v: jitted({**base, "met_logzsol": v}).block_until_ready()  # noqa: E731
    rows = measure({
        "batch": Contender(lambda: model.predict_photometry_batch(batch), SWEEP, 5),
        "loop": Contender(lambda: [each(v) for v in metals], SWEEP),
    }, repeats)  # fmt: skip
    batched, looped = (1e-3 * SWEEP * rows[k]["us_per_galaxy"] for k in ("batch", "loop"))
    return {"batch_ms": batched, "loop_ms": looped, "ratio": looped / batched}


# --- every published surrogate ---------------------------------------------------------------


def _published(repeats: int) -> dict[str, dict[str, float]]:
    """Return galaxies per second, µs of a single call and the gradient's cost, float32."""
    with jax.enable_x64(False):
        return {name: _calls(emulator.load(name, units="maggies"), repeats)
                for name in published.names()}  # fmt: skip


def _calls(model: Any, repeats: int) -> dict[str, float]:
    drawn = model.spec.sample_batch(jax.random.key(3), PUBLISHED_BATCH)
    galaxies = {k: jnp.asarray(drawn[k], float) for k in model.spec.free_params}
    one = {k: float(v[0]) for k, v in galaxies.items()}
    rows = measure({
        "batch": Contender(lambda: model.predict_photometry_batch(galaxies), PUBLISHED_BATCH),
        **gradient_contenders(model, galaxies, PUBLISHED_BATCH),
        "single": Contender(lambda: model.predict_photometry(one), 1, SINGLES),
    }, repeats)  # fmt: skip
    cost = {name: row["us_per_galaxy"] for name, row in rows.items()}
    return {"bands": len(model.filter_names), "galaxies_per_s": 1e6 / cost["batch"],
            "gradient_over_forward": cost["gradient of batch"] / cost["batch"],
            "gradient_over_forward_in_jit": cost["gradient of batch in jit"] / cost["batch in jit"],
            "single_call_us": cost["single"]}  # fmt: skip


# --- what float32 costs in accuracy ---------------------------------------------------------


def _precision(n: int) -> dict[str, dict[str, float]]:
    """Return percentiles of the relative error in float32 of the exact model's band fluxes."""
    bands, ssp = work.bands_of(5), work.grid_of("embedded")
    with jax.enable_x64(False):
        job = Work(ssp, bands, n)
        cases = {"the population": (job.model.spec, job.galaxies)}
        spec = work.young()
        drawn = spec.sample_batch(jax.random.key(2), n)
        cases["1 to 10 Myr old, metal-poor"] = spec, {k: drawn[k] for k in spec.free_params}
    result = {}
    for name, (spec, galaxies) in cases.items():
        fluxes = _both(lambda s=spec, g=galaxies: work.fluxes(s, ssp, bands, g))
        error = np.abs(fluxes["float32"] / fluxes["float64"] - 1.0)
        result[name] = {f"{q:g} %": float(np.percentile(error, q)) for q in (50, 99, 100)}
    return result


# --- how cost grows -------------------------------------------------------------------------


def _scaling(repeats: int) -> dict[str, Any]:
    """Return µs per galaxy against batch size, bands and wavelengths, float32."""
    with jax.enable_x64(False):
        base = Work(work.grid_of("embedded"), work.bands_of(5), max(BATCHES))
        surrogate = emulator.load("sdss_tsnorm", units="maggies")
        drawn = surrogate.spec.sample_batch(jax.random.key(1), max(BATCHES))
        by_size = {}
        for n in BATCHES:
            few = {k: v[:n] for k, v in base.galaxies.items()}
            fast = {k: drawn[k][:n] for k in surrogate.spec.free_params}
            by_size[n] = measure({
                "exact": Contender(lambda f=few: base.model.predict_photometry_batch(f), n),
                "surrogate": Contender(lambda f=fast: surrogate.predict_photometry_batch(f), n),
            }, 3 if n > 10_000 else repeats)  # fmt: skip
        by_bands = {n: _one_batch(Work(base.ssp, work.bands_of(n), 2048), repeats) for n in BANDS}
        by_waves = {n: _one_batch(Work(work.grid_of("embedded", n), base.bands, 2048), repeats)
                    for n in WAVELENGTHS}  # fmt: skip
    return {"batch size": by_size, "bands": by_bands, "wavelengths": by_waves}


def _one_batch(job: Work, repeats: int) -> dict[str, Any]:
    model, galaxies = job.model, job.galaxies
    call = Contender(lambda: model.predict_photometry_batch(galaxies), job.n)
    return measure({"exact": call}, repeats)


def _large(most: int) -> dict[str, Any]:
    """Return throughput and peak memory of the exact model from 10⁴ galaxies to ``most``."""
    with jax.enable_x64(False):
        result = {}
        for n in [10**k for k in range(4, 9) if 10**k <= most]:
            job = Work(work.grid_of("embedded"), work.bands_of(5), n)
            row = _one_batch(job, 1 if n > 10**5 else 3)["exact"]
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            result[n] = {**row, "peak_memory_mb_of_the_process_so_far": memory}
    return result


# --- words and pictures ---------------------------------------------------------------------


def text(record: dict[str, Any]) -> str:
    """Return the tables as text."""
    lines = []
    for grid, both in record.get("grids", {}).items():
        shape = both["float32"]["shape"]
        lines += ["", f"grid {grid}: " + " × ".join(f"{v} {k}" for k, v in shape.items())]
        lines.append(f"{'µs per galaxy':46s}{'float32':>12s}{'float64':>12s}")
        for name, row in both["float32"]["contenders"].items():
            other = both["float64"]["contenders"][name]
            lines.append(f"{name:46s}{row['us_per_galaxy']:12.4g}{other['us_per_galaxy']:12.4g}")
        for name, value in both["float32"]["ratios"].items():
            lines.append(f"{name:46s}{value:12.4g}{both['float64']['ratios'][name]:12.4g}")
        for name, row in both["float32"]["roofline"].items():
            other = both["float64"]["roofline"].get(name, {}).get("share_of_peak", np.nan)
            lines.append(f"{name + ': share of peak':46s}{row['share_of_peak']:12.3f}{other:12.3f}")
    for name, row in record.get("notebook", {}).items():
        lines.append(
            f"notebook's sweep, {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in row.items())
        )
    for name, row in record.get("published", {}).items():
        lines.append(f"{name:30s}" + ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
    for name, row in record.get("precision", {}).items():
        shown = ", ".join(f"{value:.1e} at {q}" for q, value in row.items())
        lines.append(f"float32 vs. float64, {name}: {shown}")
    return "\n".join(lines)


def scaling_figure(scaling: dict[str, Any]) -> Figure:
    """Draw the cost per galaxy against batch size, bands and wavelengths."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, (what, rows) in zip(axes, scaling.items()):
        for i, name in enumerate(next(iter(rows.values()))):
            cost = [row[name]["us_per_galaxy"] for row in rows.values()]
            look = {"marker": "os"[i % 2], "color": CATEGORIES[i], "label": name}
            ax.plot([int(n) for n in rows], cost, **look)
        ax.set(xlabel=what, ylabel="µs per galaxy")
        if what == "batch size":
            ax.set(xscale="log", yscale="log")
        else:
            ax.set(ylim=(0, None))
        ax.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    main()
