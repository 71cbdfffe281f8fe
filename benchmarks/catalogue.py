"""What ``tengri predict`` costs beside the model that it asks, by format.

    python benchmarks/catalogue.py [--rows 1000000] [--surrogate sdss]
        [-o benchmarks/results/catalogue.json]
    python benchmarks/catalogue.py --before CHECKOUT    # the same of other code, kept beside it
    python benchmarks/catalogue.py --parts              # processor seconds of each part

Ten columns of prior draws and an identifier, in HDF5, Parquet and FITS, through a published
surrogate to five fluxes in nJy, five error bars and a flag. For each format the command runs with
all rows and with few of them, in processes of their own: the difference, by row, is what a row
costs, and the shorter one is the start of Python, imports and compilation. The model's own time is
that of ``predict_photometry_batch`` for the same rows. Parts are asked one after the other in
one process. Each call adds to the file: all of them together take minutes, and a quiet machine is
had for one at a time (``chrt -f 10``).
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
FEW = CHUNK  # rows of the shorter command
HERE = Path(__file__).resolve().parents[1]
OWN = """
import sys, time, numpy, emulator
from tengri.catalogue.table import open_table
from pathlib import Path
model = emulator.load(sys.argv[1], units="nJy")
with open_table(Path(sys.argv[2])) as table:
    columns = table.read(model.spec.free_params, 0, table.n_rows)
    ask = lambda a: numpy.asarray(model.predict_photometry_batch(
        {name: values[a : a + 65536] for name, values in columns.items()}))
    ask(0)
    wall, used = time.perf_counter(), time.process_time()
    for first in range(0, table.n_rows, 65536):
        ask(first)
    print(time.perf_counter() - wall, time.process_time() - used)
"""


def write_catalogues(folder: Path, surrogate: str, rows: int) -> None:
    """Write the same rows in every format, all of them and few."""
    spec = emulator.load(surrogate).spec
    drawn = spec.sample_sobol(rows, seed=11)
    columns: Columns = {"id": np.arange(rows)}
    columns |= {name: np.asarray(drawn[name], np.float32) for name in spec.free_params}
    fields = {name: Field(values.dtype) for name, values in columns.items()}
    for ending in FORMATS:
        for name, n in (("all", rows), ("few", min(FEW, rows))):
            path = folder / f"{name}{ending}"
            some = {k: v[:n] for k, v in columns.items()}
            format_of(path).write_table(path, Schema(fields, {}, n), _chunks(some, n))


def _chunks(columns: Columns, n: int) -> Iterator[Columns]:
    for first in range(0, n, CHUNK):
        yield {name: values[first : first + CHUNK] for name, values in columns.items()}


def environment(checkout: Path) -> dict[str, str]:
    """Return that of a process which takes the code of a checkout and compiles anew."""
    return {**os.environ, "PYTHONPATH": str(checkout), "TENGRI_COMPILATION_CACHE": "0"}


def command(folder: Path, name: str, ending: str, surrogate: str, checkout: Path) -> dict[str, Any]:
    """Run ``tengri predict`` and return its seconds and peak memory."""
    out = folder / f"out{ending}"
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tengri", "predict", f"{name}{ending}", "-o", out.name, "--model",
         surrogate, "--keep", "id", "--quiet"], cwd=folder, env=environment(checkout),
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"tengri predict ended with {status}")
    found = {
        "wall [s]": time.perf_counter() - begin,
        "processor [s]": used.ru_utime + used.ru_stime,
        "peak memory [MB]": used.ru_maxrss / 1e3,
        "output [MB]": out.stat().st_size / 1e6,
    }
    out.unlink()
    return found


def own(folder: Path, surrogate: str, checkout: Path) -> dict[str, float]:
    """Return what the model itself costs [µs per row]."""
    ran = subprocess.run([sys.executable, "-c", OWN, surrogate, str(folder / "all.h5")],
                         check=True, text=True, capture_output=True, cwd=folder,
                         env=environment(checkout))  # fmt: skip
    wall, used = map(float, ran.stdout.split())
    return {"wall [s]": wall, "processor [s]": used}


def commands(
    folder: Path, surrogate: str, rows: int, checkout: Path, formats: list[str]
) -> dict[str, Any]:
    """Return, by format, the costs of a row, beside the model's own."""
    model = own(folder, surrogate, checkout)
    found: dict[str, Any] = {
        "model [µs per row]": {k: 1e6 * model[f"{k} [s]"] / rows for k in ("wall", "processor")}
    }
    for ending in formats:
        few = command(folder, "few", ending, surrogate, checkout)
        every = command(folder, "all", ending, surrogate, checkout)
        row = {kind: 1e6 * (every[f"{kind} [s]"] - few[f"{kind} [s]"]) / max(1, rows - FEW)
               for kind in ("wall", "processor")}  # fmt: skip
        found[ending] = {
            "whole": every, "few": few, "row [µs]": row,
            "times the model": {k: row[k] / found["model [µs per row]"][k] for k in row},
        }  # fmt: skip
    return found


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
    parser.add_argument("--rows", type=int, default=1_000_000)
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
            found = commands(folder, args.surrogate, args.rows, checkout, args.format or [*FORMATS])
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
