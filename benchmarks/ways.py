"""One catalogue through every way that the manual shows: rates, peak memory, and the same bytes.

    python benchmarks/ways.py [--rows 1000000] [--files 8] [--only NAME …]
        [-o benchmarks/results/ways.json]
    python benchmarks/ways.py --rows 10000000 --folder FOLDER --write    # only the catalogue …
    python benchmarks/ways.py --rows 10000000 --folder FOLDER --only …   # … and what it is for

Ten columns of prior draws through the published SDSS surrogate: ``tengri predict`` to HDF5 and
Parquet, whole and in shards that SLURM's variables number, and the examples in ``docs/engines``
for ``pyarrow.dataset``, ``concurrent.futures`` and Dask. Every process counts, start of Python and
compilation included; memory is the largest of all processes together (they share pages, which count
for each). What comes out is compared by the SHA-256 of every column.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

import emulator
from tengri import __version__

HERE = Path(__file__).resolve().parents[1]
ENGINES = HERE / "docs/engines"
PREDICT = [sys.executable, "-m", "tengri", "predict"]
MODEL = ["--model", "sdss", "--keep", "id"]
FOLDER = ["in", "out", "--keep", "id"]
#: name → commands, run one after the other in a folder with ``cat.h5`` and ``in/part-*.parquet``.
WAYS: dict[str, list[tuple[list[str], dict[str, str]]]] = {
    "tengri predict, HDF5": [([*PREDICT, "cat.h5", "-o", "out.h5", *MODEL], {})],
    "tengri predict, Parquet": [([*PREDICT, "cat.parquet", "-o", "out.parquet", *MODEL], {})],
    "three tasks of srun, joined": [
        *(([*PREDICT, "cat.h5", "-o", "out.h5", *MODEL, "--shard", "env"],
           {"SLURM_STEP_ID": "0", "SLURM_PROCID": str(task), "SLURM_NTASKS": "3"})
          for task in (2, 0, 1)),
        ([*PREDICT, "cat.h5", "-o", "out.h5", *MODEL], {}),
    ],
    "pyarrow.dataset": [([sys.executable, str(ENGINES / "arrow_folder.py"), *FOLDER], {})],
    "concurrent.futures": [([sys.executable, str(ENGINES / "futures_folder.py"), *FOLDER], {})],
    "Dask": [([sys.executable, str(ENGINES / "dask_folder.py"), *FOLDER], {})],
}  # fmt: skip


def write_catalogue(folder: Path, rows: int, files: int) -> None:
    """Write the same rows as HDF5, as one file of Parquet and as a folder of several."""
    import h5py

    spec = emulator.load("sdss").spec
    (folder / "in").mkdir()
    block = 1 << 18
    with h5py.File(folder / "cat.h5", "w") as h5:
        for name in ("id", *spec.free_params):
            h5.create_dataset(name, (rows,), np.int64 if name == "id" else np.float32)
        writer = None
        for first in range(0, rows, block):
            n = min(block, rows - first)
            drawn = spec.sample_sobol(n, seed=11 + first)
            columns = {"id": np.arange(first, first + n)}
            columns |= {k: np.asarray(drawn[k], np.float32) for k in spec.free_params}
            for name, values in columns.items():
                h5[name][first : first + n] = values
            table = pa.table(columns)
            if writer is None:
                path = folder / "cat.parquet"
                writer = pq.ParquetWriter(path, table.schema, use_dictionary=False)
            writer.write_table(table)
        writer.close()
    every = pq.ParquetFile(folder / "cat.parquet")
    per_file = -(-rows // files)
    parts: list[Any] = [None] * files
    first = 0
    for batch in every.iter_batches(65536):
        while len(batch):
            number = first // per_file
            take = min(len(batch), (number + 1) * per_file - first)
            if parts[number] is None:
                path = folder / f"in/part-{number:03d}.parquet"
                parts[number] = pq.ParquetWriter(path, batch.schema, use_dictionary=False)
            parts[number].write_batch(batch.slice(0, take))
            batch, first = batch.slice(take), first + take
    for part in filter(None, parts):
        part.close()


class Peak(threading.Thread):
    """Watches the resident memory of a process and all below it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.most, self.over = pid, 0, False

    def run(self) -> None:
        while not self.over:
            self.most = max(self.most, sum(map(_resident, _family(self.pid))))
            time.sleep(0.1)


def _family(pid: int) -> list[int]:
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(found for child in below for found in _family(int(child)))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def run(folder: Path, commands: list[tuple[list[str], dict[str, str]]]) -> dict[str, float]:
    """Run commands and return seconds and peak memory."""
    begin, before, most = time.perf_counter(), os.times(), 0
    for words, variables in commands:
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "TENGRI_COMPILATION_CACHE": "0",
            **variables,
        }
        with open(folder / "log.txt", "w") as log:
            process = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
            peak = Peak(process.pid)
            peak.start()
            status = process.wait()
            peak.over = True
            peak.join()
        if status:
            raise SystemExit((folder / "log.txt").read_text()[-3000:])
        most = max(most, peak.most)
    now = os.times()
    used = now.children_user + now.children_system - before.children_user - before.children_system
    return {
        "wall [s]": time.perf_counter() - begin,
        "processor [s]": used,
        "peak memory [MB]": most / 1e6,
    }


def surroundings() -> dict[str, Any]:
    """Return what else the machine does, and whether that matters."""
    kinds = {0: "normal", 1: "real time"}
    return {"scheduler": kinds.get(os.sched_getscheduler(0), "other"),
            "load at start": os.getloadavg()[0]}  # fmt: skip


def columns_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every column that came out, rows by their identifiers."""
    import h5py

    if (folder / "out.h5").exists():
        with h5py.File(folder / "out.h5") as file:
            return {
                name: hashlib.sha256(file[name][:].tobytes()).hexdigest() for name in sorted(file)
            }
    path = folder / "out.parquet" if (folder / "out.parquet").exists() else folder / "out"
    table = ds.dataset(path, format="parquet").to_table()
    order = np.argsort(table["id"].to_numpy(), kind="stable")
    return {name: _digest(table[name].to_numpy()[order])
            for name in sorted(table.column_names) if not name.startswith("__")}  # fmt: skip


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def clean(folder: Path) -> None:
    """Remove what came out."""
    for path in folder.glob("out*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--only", action="append", default=[], choices=list(WAYS))
    parser.add_argument("--folder", type=Path, help="keep the catalogue here, or take that one")
    parser.add_argument("--write", action="store_true", help="write the catalogue, measure nothing")
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/ways.json")
    args = parser.parse_args()
    result: dict[str, Any] = {"rows": args.rows, "ways": {}}
    if args.output.exists():
        kept = json.loads(args.output.read_text())
        result = kept if kept["rows"] == args.rows and args.only else result
    result |= {"machine": platform.machine(), "cores": len(os.sched_getaffinity(0)),
               "tengri": __version__, "jax": jax.__version__}  # fmt: skip
    with ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if not (folder / "in").exists():
            folder.mkdir(exist_ok=True)
            write_catalogue(folder, args.rows, args.files)
        if args.write:
            return
        for way in args.only or WAYS:
            around = surroundings()
            found: dict[str, Any] = {**run(folder, WAYS[way]), **around}
            found["rows per processor second"] = args.rows / found["processor [s]"]
            found["columns"] = _digest_of(columns_of(folder))
            result["ways"][way] = {k: float(f"{v:.4g}") if isinstance(v, float) else v
                                   for k, v in found.items()}  # fmt: skip
            print(way, result["ways"][way], flush=True)
            clean(folder)
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    if len({found["columns"] for found in result["ways"].values()}) > 1:
        raise SystemExit("the ways do not give the same bytes")


def _digest_of(columns: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(columns, sort_keys=True).encode()).hexdigest()[:20]


if __name__ == "__main__":
    main()
