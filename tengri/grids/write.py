"""Write our HDF5 files: compressed, with checksums, provenance and a seal, atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from tengri.grids.contents import Planes
from tengri.io import atomic, seal
from tengri.io.hdf5_writer import new_hdf5


def write_sealed(
    path: str | Path,
    datasets: Mapping[str, np.ndarray | Planes],
    units: Mapping[str, str],
    attrs: Mapping[str, object],
) -> str:
    """Write ``datasets`` with their ``units`` and the file's ``attrs``; return the seal's digest.

    Every dataset is shuffled, deflated and protected by fletcher32. The same input gives the
    same bytes. A file of that name is replaced only when the new one is complete. `Planes` are read
    and written one by one.

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
                _create(file, name, values).attrs["unit"] = units[name]
            for key, value in attrs.items():
                file.attrs[key] = value
        sealed = seal.seal(temporary)
        seal.verify(temporary)
    return sealed


def _create(file: h5py.File, name: str, values: np.ndarray | Planes) -> h5py.Dataset:
    told = {"chunks": _chunks(values.shape), "compression": "gzip", "compression_opts": 9,
            "shuffle": True, "fletcher32": True}  # fmt: skip
    if not isinstance(values, Planes):
        return file.create_dataset(name, data=values, **told)
    item = file.create_dataset(name, shape=values.shape, dtype=np.float32, **told)
    for i in range(values.shape[0]):
        item[i] = values.read(i)
    return item


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return one chunk per entry of the first axis of a cube, else a single chunk."""
    return (1, *shape[1:]) if len(shape) > 2 else shape
