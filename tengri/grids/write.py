"""Write HDF5 files of ours: compressed, with checksums, provenance and a seal, atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tengri.io import atomic, seal
from tengri.io.hdf5_writer import new_hdf5


def write_sealed(
    path: str | Path,
    datasets: Mapping[str, np.ndarray],
    units: Mapping[str, str],
    attrs: Mapping[str, object],
) -> str:
    """Write ``datasets`` with their ``units`` and the file's ``attrs``; return the seal's digest.

    Every dataset is shuffled, deflated and protected by fletcher32. The same input gives the
    same bytes. A file of that name is replaced only when the new one is complete.

    Raises
    ------
    DataError
        A full disk, a folder that cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.whole(path) as temporary:
        with new_hdf5(temporary, libver="earliest") as file:
            for name, values in datasets.items():
                item = file.create_dataset(
                    name,
                    data=values,
                    chunks=_chunks(values.shape),
                    compression="gzip",
                    compression_opts=9,
                    shuffle=True,
                    fletcher32=True,
                )
                item.attrs["unit"] = units[name]
            for key, value in attrs.items():
                file.attrs[key] = value
        sealed = seal.seal(temporary)
        seal.verify(temporary)
    return sealed


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return one chunk per entry of the first axis of a cube, else a single chunk."""
    return (1, *shape[1:]) if len(shape) > 2 else shape
