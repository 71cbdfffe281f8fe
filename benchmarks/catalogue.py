"""What ``tengri predict`` costs beside the model that it asks, by format.

    python benchmarks/catalogue.py [--rows 500000] [--surrogate sdss]
        [-o benchmarks/results/catalogue.json]
    python benchmarks/catalogue.py --before CHECKOUT    # the same of other code, kept beside it
    python benchmarks/catalogue.py --parts              # processor seconds of each part

Ten columns of prior draws and an identifier, in HDF5, Parquet and FITS, through a published
surrogate to five fluxes in nJy, five error bars and a flag. One process does what the command does,
from the open catalogue to the output, in each format, and asks the model alone, in turn; the least
of several rounds counts, by the clock and in processor time. The command itself is run once, start
of Python, imports and compilation included. Parts are asked one after the other. Each call adds to
the file: a quiet machine is had for one at a time (``chrt -f 10``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

import emulator
from tengri import __version__
from tengri.catalogue.job import CHUNK, Job, Options
from tengri.catalogue.table import Columns, Field, Schema, format_of, open_table

FORMATS = (".h5", ".parquet", ".fits")
HERE = Path(__file__).resolve().parents[1]
ROWS = """
import json, os, shutil, sys, time
from pathlib import Path
import numpy, emulator
from tengri.catalogue import job as jobs
from tengri.catalogue.table import open_table
model = emulator.load(sys.argv[1], units="nJy")
rounds, endings = int(sys.argv[2]), sys.argv[3:]
with open_table(Path("all.h5")) as table:
    columns = table.read(model.spec.free_params, 0, table.n_rows)
def alone():
    for first in range(0, len(columns["redshift"]), jobs.CHUNK):
        some = {name: values[first : first + jobs.CHUNK] for name, values in columns.items()}
        numpy.asarray(model.predict_photometry_batch(some))
def command(ending):
    with open_table(Path("all" + ending)) as table:
        shards = max(1, -(-table.n_rows // jobs.SHARD_ROWS))
        names = {name: name for name in model.spec.free_params}
        job = jobs.Job(table, names, model, Path("out" + ending), shards,
                       jobs.Options(kept=("id",)))
        job.prepare()
        if hasattr(job, "run"):
            job.run()
        else:
            for number in range(1, shards + 1):
                job.make(number)
            job.join()
calls = {"model": alone} | {ending: lambda ending=ending: command(ending) for ending in endings}
spent = {name: [[], []] for name in calls}
model.predict_photometry_batch({name: values[:2] for name, values in columns.items()})
for _ in range(rounds):
    for name, call in calls.items():
        wall, used = time.perf_counter(), time.process_time()
        call()
        spent[name][0].append(time.perf_counter() - wall)
        spent[name][1].append(time.process_time() - used)
print(json.dumps({name: [min(w), min(u)] for name, (w, u) in spent.items()}))
"""


def write_catalogues(folder: Path, surrogate: str, rows: int) -> None:
    """Write the same rows in every format."""
    spec = emulator.load(surrogate).spec
    drawn = spec.sample_sobol(rows, seed=11)
    columns: Columns = {"id": np.arange(rows)}
    columns |= {name: np.asarray(drawn[name], np.float32) for name in spec.free_params}
    schema = Schema({name: Field(values.dtype) for name, values in columns.items()}, {}, rows)
    for ending in FORMATS:
        path = folder / f"all{ending}"
        format_of(path).write_table(path, schema, _chunks(columns, rows))


def _chunks(columns: Columns, n: int) -> Iterator[Columns]:
    for first in range(0, n, CHUNK):
        yield {name: values[first : first + CHUNK] for name, values in columns.items()}


def environment(checkout: Path) -> dict[str, str]:
    """Return that of a process which takes the code of a checkout and compiles anew."""
    return {**os.environ, "PYTHONPATH": str(checkout), "TENGRI_COMPILATION_CACHE": "0"}


def whole(folder: Path, surrogate: str, checkout: Path) -> dict[str, Any]:
    """Run ``tengri predict`` on HDF5 and return its seconds and peak memory."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tengri", "predict", "all.h5", "-o", "whole.h5", "--model",
         surrogate, "--keep", "id", "--quiet"], cwd=folder, env=environment(checkout),
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"tengri predict ended with {status}")
    return {
        "wall [s]": time.perf_counter() - begin,
        "processor [s]": used.ru_utime + used.ru_stime,
        "peak memory [MB]": used.ru_maxrss / 1e3,
        "output [MB]": (folder / "whole.h5").stat().st_size / 1e6,
    }


def by_row(
    folder: Path, surrogate: str, rows: int, checkout: Path, formats: list[str], rounds: int
) -> dict[str, Any]:
    """Return, by format, the costs of a row, beside the model's own."""
    ran = subprocess.run(
        [sys.executable, "-c", ROWS, surrogate, str(rounds), *formats], check=True, text=True,
        stdout=subprocess.PIPE, cwd=folder, env=environment(checkout),
    )  # fmt: skip
    spent = json.loads(ran.stdout.splitlines()[-1])
    cost = {name: {"wall": 1e6 * wall / rows, "processor": 1e6 * used / rows}
            for name, (wall, used) in spent.items()}  # fmt: skip
    model = cost.pop("model")
    return {"model [µs per row]": model} | {
        ending: {"row [µs]": row, "times the model": {k: row[k] / model[k] for k in row}}
        for ending, row in cost.items()
    }


def parts(folder: Path, surrogate: str, rows: int, ending: str) -> dict[str, float]:
    """Return the processor seconds of each part for all rows, one part after the other."""
    model = emulator.load(surrogate, units="nJy")
    names = {name: name for name in model.spec.free_params}
    spans = [(first, min(first + CHUNK, rows)) for first in range(0, rows, CHUNK)]
    spent: dict[str, float] = {}

    def timed(part: str, call: Callable[..., Any], *args: Any) -> Any:
        begin = time.process_time()
        made = call(*args)
        spent[part] = spent.get(part, 0.0) + time.process_time() - begin
        return made

    with open_table(folder / f"all{ending}") as table:
        job = Job(table, names, model, folder / f"parts{ending}", 1, Options(kept=("id",)))
        job.rows(0, 2)
        for first, last in spans:
            read = timed("read", table.read, job.columns_read, first, last)
            ready = timed("convert, check, copy", job.prepared, read, first)
            light = timed("model", job.answer, ready, first)
            timed("error bars and flags", job.finished, light, first)
        before = sum(spent.values())
        job.prepare()
        timed("digests, shard and seal", job.make, 1)
        spent["digests, shard and seal"] -= before  # all that is above is done in it again
        timed("join", job.join, [1])
        job.out.unlink()
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--surrogate", default="sdss")
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--format", action="append", default=[], choices=FORMATS)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/catalogue.json")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "command": "tengri predict cat.h5 -o phot.h5 --model NAME --keep id",
        "surrogates": {},
    }
    if args.output.exists():
        result = json.loads(args.output.read_text())
    entry = result["surrogates"].setdefault(args.surrogate, {})
    conditions = {**machine(), "rows": args.rows}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_catalogues(folder, args.surrogate, args.rows)
        if args.parts:
            entry["parts, processor [s]"] = conditions | {
                ending: parts(folder, args.surrogate, args.rows, ending) for ending in FORMATS
            }
        else:
            kind, checkout = ("before", args.before.resolve()) if args.before else ("now", HERE)
            formats = args.format or [*FORMATS]
            found = by_row(folder, args.surrogate, args.rows, checkout, formats, args.rounds)
            found["command"] = whole(folder, args.surrogate, checkout)
            entry[kind] = entry.get(kind, {}) | conditions | found
    args.output.write_text(json.dumps(_rounded(result), indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(_rounded(entry), indent=1, ensure_ascii=False))


def machine() -> dict[str, Any]:
    """Return what a figure depends on beside the code."""
    affinity = hasattr(os, "sched_getaffinity")
    return {
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if affinity else os.cpu_count(),
        "load at start": os.getloadavg()[0],
        "scheduler": {0: "normal", 1: "real time"}.get(os.sched_getscheduler(0), "other"),
        "tengri": __version__,
        "jax": jax.__version__,
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
