"""How long a user waits for the first number: every figure from a process of its own.

    python benchmarks/first_numbers.py [--galaxies 300] [-o benchmarks/results/first_numbers.json]

A process imports the packages, makes a model and asks it for one thing: a call, a batch, a
gradient, or NUTS (compiled, not run). *Cold* is without the compilation cache, *warm* is with the
programs of an earlier process in it, *well* cold with ``TENGRI_SMALL_CALLS=off``, *older* cold
with the older of XLA's two compilers of loops. *Second* models have the structure of one that was
called before in the process, and other fixed values, or another fixed redshift. ``--galaxies N``
adds N galaxies at N fixed redshifts, a model each, beside bagpipes where that is installed. Rounds
are interleaved, medians are reported; seconds spent tracing, lowering and compiling are those that
JAX reports, and programs are those that it compiled or loaded.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
BATCH = 4096
KINDS = ("exact", "sdss")
TASKS = ("call", "batch", "gradient", "NUTS")
SECOND = ("other fixed values", "another fixed redshift")
#: What a model has in common with the second one of its structure, and what it has not.
FIXED = {
    "other fixed values": ({"redshift": 0.5, "met_logzsol": -0.3}, {"met_logzsol": -0.6}),
    "another fixed redshift": ({"redshift": 0.5}, {"redshift": 0.6}),
}
#: NUTS' compiler, asked to build loops as it did before.
OLDER = {"xla_cpu_use_fusion_emitters": False}
EVENTS = {
    "/jax/core/compile/jaxpr_trace_duration": "tracing",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lowering",
    "/jax/core/compile/backend_compile_duration": "compiling",
}
COLUMNS = ("import", "model", "seconds", "again", "tracing", "lowering", "compiling", "programs")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", help="figures whose name has this in it")
    parser.add_argument("--galaxies", type=int, default=0, help="at as many fixed redshifts")
    default = Path("benchmarks/results/first_numbers.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    parser.add_argument("--figure", help=argparse.SUPPRESS)  # this process measures it
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.figure:
        print(json.dumps(figure(args.figure, args.folder, args.galaxies)))
        return
    record = {"machine": platform.machine(), "cores": cores(), "load at start": os.getloadavg()[0],
              "batch": BATCH, "galaxies": args.galaxies, "rounds": args.rounds}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        record["versions"] = prepare(Path(folder))
        record["rows"] = measured(wanted(args), Path(folder), args)
    args.output.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def wanted(args: argparse.Namespace) -> list[str]:
    """Return the names of the figures."""
    names = [f"{how}, {kind}, {task}" for how in ("cold", "warm") for kind in KINDS
             for task in TASKS]  # fmt: skip
    names += [f"well, {kind}, call" for kind in KINDS]
    names += [f"older, {kind}, NUTS" for kind in KINDS]
    names += [f"cold, {kind}, {second}, {task}" for kind in KINDS for second in SECOND
              for task in TASKS[:2]]  # fmt: skip
    names += [f"{how}, tengri predict" for how in ("cold", "warm")]
    if args.galaxies:
        peers = ["bagpipes"] if importlib.util.find_spec("bagpipes") else []
        names += [f"cold, {who}, galaxies" for who in (*KINDS, *peers)]
    return [name for name in names if not args.only or any(part in name for part in args.only)]


def measured(names: list[str], folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each figure, printed as the rounds go on."""
    for name in names:
        for _ in range(2 if name.startswith("warm") else 0):  # written, then tried out
            fresh(name, folder, args.galaxies)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(args.rounds):
        for name in names:
            runs[name].append(fresh(name, folder, args.galaxies))
            print(line(name, runs[name][-1]), flush=True)
    rows = [{"what": name, **medians(found)} for name, found in runs.items()]
    print("\n" + line("medians", {column: column for column in COLUMNS}))
    for row in rows:
        print(line(row["what"], row))
    return rows


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of every column over the rounds."""
    return {key: round(statistics.median(run[key] for run in runs), 4) for key in runs[0]}


def line(name: str, row: dict[str, Any]) -> str:
    """Return a row of the table."""
    cells = [row.get(column, "") for column in COLUMNS]
    shown = [f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells]
    return f"{name:44s}" + "".join(f"{cell:>11s}" for cell in shown)


def fresh(name: str, folder: Path, galaxies: int) -> dict[str, float]:
    """Return what a process of its own measures."""
    cache = str(folder / "cache" / name.split(", ", 1)[1]) if name.startswith("warm") else "0"
    small = "off" if name.startswith("well") else "on"
    environment = {**os.environ, "TENGRI_COMPILATION_CACHE": cache, "TENGRI_SMALL_CALLS": small}
    if name.endswith("tengri predict"):
        return command_line(folder, environment)
    command = [sys.executable, str(HERE), "--figure", name, "--folder", str(folder)]
    command += ["--galaxies", str(galaxies)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def command_line(folder: Path, environment: dict[str, str]) -> dict[str, float]:
    """Return the wall seconds of ``tengri predict`` on a catalogue of a batch."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "tengri", "predict", str(folder / "sdss.h5"), "--model",
               "sdss", "--quiet", "-o", str(folder / "out.h5")]  # fmt: skip
    subprocess.run(command, env=environment, check=True)
    return {"seconds": time.perf_counter() - begin}


def prepare(folder: Path) -> dict[str, str]:
    """Write galaxies for all kinds, drawn from the priors; return versions."""
    import h5py
    import jax
    import numpy as np
    import work

    import emulator
    import tengri

    specs = {"exact": work.spec(), "sdss": emulator.load("sdss").spec}
    for kind, spec in specs.items():
        drawn = spec.sample_sobol(BATCH, seed=1)
        values = {name: np.asarray(drawn[name], np.float32) for name in spec.free_params}
        np.savez(folder / f"{kind}.npz", **values)
        with h5py.File(folder / f"{kind}.h5", "w") as file:
            file.update(values)
    return {"tengri": tengri.__version__, "jax": jax.__version__}


# -- in the process of a figure -----------------------------------------------------------------


def figure(name: str, folder: Path, galaxies: int) -> dict[str, float]:
    """Return the seconds of one figure, in a process that has done nothing before."""
    how, kind, *second, task = name.split(", ")
    begin = time.perf_counter()
    if kind == "bagpipes":
        return many_of_bagpipes(galaxies)
    import jax

    import emulator  # noqa: F401
    from tengri import enable_compilation_cache

    imported = time.perf_counter() - begin
    if how == "warm":
        enable_compilation_cache()
    if task == "galaxies":
        return {"import": imported, **many(kind, folder, galaxies)}
    fixed, other = FIXED[second[0]] if second else ({}, {})
    if second:
        jax.block_until_ready(request(task, made(kind, fixed), draws(kind, folder, fixed))())
    counted = Counted()
    begin = time.perf_counter()
    model = made(kind, {**fixed, **other})
    built = time.perf_counter() - begin
    options = OLDER if how == "older" else {}
    ask = request(task, model, draws(kind, folder, {**fixed, **other}), options)
    first, spent = timed(ask), counted.all()
    repeated = {} if task == "NUTS" else {"again": timed(ask)}
    return {"import": imported, "model": built, "seconds": first, **repeated, **spent}


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds of one call, waited for."""
    import jax

    begin = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - begin


class Counted:
    """Seconds that JAX reports by what it did, and the number of its programs, from here on."""

    def __init__(self) -> None:
        import jax

        self.seconds = dict.fromkeys(EVENTS.values(), 0.0)
        self.programs = 0
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration: float, **_: Any) -> None:
        if event in EVENTS:
            self.seconds[EVENTS[event]] += duration
            self.programs += EVENTS[event] == "compiling"

    def all(self) -> dict[str, float]:
        """Return seconds and number."""
        return {**self.seconds, "programs": self.programs}


def made(kind: str, fixed: dict[str, float]) -> Any:
    """Return a model: the exact one or the surrogate, SDSS, with some parameters fixed."""
    import work

    import emulator
    from tengri import Instrument, SEDModel

    if kind == "sdss":
        spec = own_spec().with_params(**fixed) if fixed else None
        return emulator.load("sdss", spec=spec, units="nJy")
    observation = Instrument.SDSS().observation()
    return SEDModel(work.spec().with_params(**fixed), grid(), observation, units="nJy")


@cache
def own_spec() -> Any:
    """Return the spec of the surrogate, read once."""
    import emulator

    return emulator.load("sdss").spec


@cache
def grid() -> Any:
    """Return the SSP grid, read once, as users do who make many models."""
    from tengri import load_ssp_data

    return load_ssp_data()


def draws(kind: str, folder: Path, fixed: dict[str, float]) -> dict[str, Any]:
    """Return the galaxies, each parameter that is free (BATCH,)."""
    import numpy as np

    with np.load(folder / f"{kind}.npz") as stored:
        return {name: stored[name] for name in stored.files if name not in fixed}


def request(
    task: str, model: Any, galaxies: dict[str, Any], options: dict[str, Any] | None = None
) -> Callable[[], Any]:
    """Return the call that is timed; ``options`` are NUTS' compiler's."""
    import jax

    one = {name: float(values[0]) for name, values in galaxies.items()}
    if task == "batch":
        return lambda: model.predict_photometry_batch(galaxies)
    if task == "gradient":
        return lambda: jax.grad(lambda p: model.predict_photometry(p).sum())(one)
    if task == "NUTS":
        return lambda: compiled(model, options or {})
    return lambda: model.predict_photometry(one)


def compiled(model: Any, options: dict[str, Any]) -> Any:
    """Compile warm-up and draws of NUTS for one galaxy."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from posterior import nuts

    flat = model.flat_function()
    flux = np.full(5, 1e4)
    data, start = flat.data(flux, 0.05 * flux), jnp.zeros(flat.size)
    jax.jit(lambda key: nuts(flat, key, start, data)).lower(jax.random.key(0)).compile(
        compiler_options=options)  # fmt: skip
    return start


def many(kind: str, folder: Path, n: int) -> dict[str, float]:
    """Return the seconds of n galaxies at n fixed redshifts, one model and one call each."""
    import numpy as np

    counted = Counted()
    galaxies = draws(kind, folder, {"redshift": 0.0})
    begin, first = time.perf_counter(), 0.0
    for i, z in enumerate(np.linspace(0.05, 0.9, n)):
        model = made(kind, {"redshift": float(z)})
        np.asarray(model.predict_photometry({k: float(v[i]) for k, v in galaxies.items()}))
        first = first or time.perf_counter() - begin
    seconds = time.perf_counter() - begin
    return {"model": first, "seconds": seconds, "again": (seconds - first) / max(n - 1, 1),
            **counted.all()}  # fmt: skip


def many_of_bagpipes(n: int) -> dict[str, float]:
    """Return the seconds of n galaxies in bagpipes, one model each."""
    from peers import bagpipes_model
    from work import Work

    from tengri import Instrument, load_ssp_data

    work = Work(load_ssp_data(), tuple(Instrument.SDSS().filter_names), n)
    one = bagpipes_model.one_each(work, n)
    times = [timed(lambda i=i: one(i)) for i in range(n)]
    return {"model": times[0], "seconds": sum(times), "again": statistics.median(times[1:])}


def cores() -> int | None:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


if __name__ == "__main__":
    main()
