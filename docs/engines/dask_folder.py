"""Partitions of a Dask DataFrame, to whose workers the model is pickled.

    python docs/engines/dask_folder.py IN OUT [--scheduler threads|processes] [--keep id]

The same lines serve a cluster: make a ``dask.distributed.Client`` first. There the model is
scattered once, and each worker compiles once.
"""

import argparse

import dask
import dask.dataframe as dd
import pandas as pd

import tengri
from tengri.catalogue import predict_table


def photometry(part: pd.DataFrame, model, kept: list[str]) -> pd.DataFrame:
    """Return the photometry of a partition, with the columns that are kept."""
    made = pd.DataFrame(predict_table(model, part.drop(columns=kept)), index=part.index)
    return pd.concat([part[kept], made], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--model", default="sdss")
    parser.add_argument("--scheduler", default="threads")
    parser.add_argument("--keep", action="append", default=[])
    args = parser.parse_args()
    model = tengri.load_model(args.model, units="nJy")
    frame = dd.read_parquet(args.source, columns=[*model.spec.free_params, *args.keep])
    meta = photometry(frame.partitions[0].head(1, npartitions=1, compute=True), model, args.keep)
    made = frame.map_partitions(photometry, model, args.keep, meta=meta[:0])
    # partitions take turns: the model itself is on all cores
    with dask.config.set(
        scheduler=args.scheduler, num_workers=2 if args.scheduler == "threads" else 1
    ):
        made.to_parquet(args.out, write_index=False)
    print(f"{args.out}: {len(dd.read_parquet(args.out))} rows")


if __name__ == "__main__":
    main()
