"""A folder of Parquet files to another one with ``pyarrow.dataset``, here or in an object store.

    python docs/engines/arrow_folder.py IN OUT [--model sdss] [--keep id]

IN and OUT are folders, or addresses that fsspec knows (``s3://…``, ``gs://…``, ``abfs://…``, each
with its package). Arrow reads ahead and decodes in threads of its own; rows stay in order, and
memory is that of a few batches.
"""

import argparse
from collections.abc import Iterable, Iterator

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import FSSpecHandler, PyFileSystem

import tengri
from tengri.catalogue import predict_table

ROWS = 65536


def place(address: str) -> tuple[PyFileSystem, str]:
    """Return the filesystem of an address, as Arrow takes it, and the path there."""
    filesystem, path = fsspec.core.url_to_fs(address)
    return PyFileSystem(FSSpecHandler(filesystem)), path


def photometry(
    model, batches: Iterable[pa.RecordBatch], kept: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the photometry of batches of parameters, with the columns that are kept."""
    for batch in batches:
        made = predict_table(model, batch.drop_columns(kept) if kept else batch)
        columns = {name: batch[name] for name in kept} | made
        yield pa.RecordBatch.from_pydict(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--model", default="sdss")
    parser.add_argument("--keep", action="append", default=[])
    args = parser.parse_args()
    model = tengri.load_model(args.model, units="nJy")
    filesystem, path = place(args.source)
    dataset = ds.dataset(path, filesystem=filesystem, format="parquet")
    columns = [*model.spec.free_params, *args.keep]
    batches = dataset.to_batches(columns=columns, batch_size=ROWS, batch_readahead=2)
    made = photometry(model, batches, args.keep)
    first = next(made)
    filesystem, path = place(args.out)
    ds.write_dataset(
        (batch for group in ([first], made) for batch in group), path, schema=first.schema,
        filesystem=filesystem, format="parquet", max_rows_per_group=ROWS,
        max_rows_per_file=64 * ROWS, existing_data_behavior="overwrite_or_ignore",
    )  # fmt: skip
    print(f"{args.out}: {ds.dataset(path, filesystem=filesystem).count_rows()} rows")


if __name__ == "__main__":
    main()
