"""Files of Parquet through processes of ``concurrent.futures``, to which the model is pickled.

    python docs/engines/futures_folder.py IN OUT [--workers 2] [--model sdss] [--keep id]

A pickled model holds no machine code: each process compiles once, or takes it from the folder of
compiled code (``tengri.enable_compilation_cache``). Start processes afresh (``spawn``): JAX has
threads, which a fork does not copy. Where processes share cores, each keeps to its own.
"""

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import tengri
from tengri.catalogue import predict_table


def begin(cores: list[int], turn) -> None:
    """Keep a process to some cores, and let it find what others have compiled."""
    with turn.get_lock():
        mine = cores[turn.value % len(cores)]
        turn.value += 1
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {mine})
    tengri.enable_compilation_cache()


def predict_file(model, kept: list[str], out: Path, path: Path) -> int:
    """Write the photometry of one file and return its number of rows."""
    table = pq.read_table(path)
    made = predict_table(model, table.drop_columns(kept) if kept else table)
    pq.write_table(pa.table({name: table[name] for name in kept} | made), out / path.name)
    return table.num_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="sdss")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--keep", action="append", default=[])
    args = parser.parse_args()
    model = tengri.load_model(args.model, units="nJy")
    args.out.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    with ProcessPoolExecutor(
        args.workers, spawn, initializer=begin, initargs=(cores, spawn.Value("i", 0))
    ) as pool:
        work = partial(predict_file, model, args.keep, args.out)
        rows = sum(pool.map(work, sorted(args.source.glob("*.parquet"))))
    print(f"{args.out}: {rows} rows")


if __name__ == "__main__":
    main()
