"""A HATS catalogue through LSDB: ``map_partitions`` over the pixels of the sky.

    python docs/engines/lsdb_hats.py demo FOLDER [--rows 100000]     # a catalogue of mock galaxies
    python docs/engines/lsdb_hats.py predict FOLDER/galaxies OUT [--model sdss]

The result is a HATS catalogue with the same pixels: cross-match it, cut cones from it, or map over
it as over any other. Needs lsdb (``docs/engines/requirements-lsdb.txt``).
"""

import argparse
from pathlib import Path

import lsdb
import numpy as np
import pandas as pd

import tengri
from tengri.catalogue import predict_table

PLACE = ["id", "ra", "dec"]


def photometry(part: pd.DataFrame, model) -> pd.DataFrame:
    """Return the photometry of a partition beside its identifiers and places on the sky."""
    parameters = part[list(model.spec.free_params)]
    made = pd.DataFrame(predict_table(model, parameters), index=part.index)
    return pd.concat([part[PLACE], made], axis=1)


def demo(folder: Path, rows: int) -> None:
    """Write mock galaxies, spread over the sky, as a HATS catalogue."""
    spec = tengri.load_model("sdss").spec
    drawn = spec.sample_sobol(rows, seed=3)
    sky = np.random.default_rng(3)
    frame = pd.DataFrame({name: np.asarray(drawn[name], np.float32) for name in spec.free_params})
    frame.insert(0, "id", np.arange(rows))
    frame["ra"] = sky.uniform(0.0, 360.0, rows)
    frame["dec"] = np.degrees(np.arcsin(sky.uniform(-1.0, 1.0, rows)))
    catalogue = lsdb.from_dataframe(
        frame, catalog_name="galaxies", partition_rows=max(1, rows // 8)
    )
    catalogue.write_catalog(folder / "galaxies", overwrite=True)


def predict(source: Path, out: Path, name: str) -> None:
    """Write the photometry of a HATS catalogue as another."""
    model = tengri.load_model(name, units="nJy")
    catalogue = lsdb.open_catalog(source, columns=[*PLACE, *model.spec.free_params])
    meta = photometry(catalogue.head(1), model)[:0]
    made = catalogue.map_partitions(photometry, model, meta=meta)
    made.write_catalog(out, catalog_name="photometry", overwrite=True)
    written = lsdb.open_catalog(out)
    print(f"{out}: {len(written)} rows in {len(written.get_healpix_pixels())} pixels")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["demo", "predict"])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--model", default="sdss")
    parser.add_argument("--rows", type=int, default=100_000)
    args = parser.parse_args()
    if args.task == "demo":
        demo(args.source, args.rows)
    else:
        predict(args.source, args.out, args.model)


if __name__ == "__main__":
    main()
