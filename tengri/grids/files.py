"""Where data files live, and how a name becomes a path.

Searched in this order: the folder in ``TENGRI_DATA_DIR``, ``tengri/_data`` of an installed
package, ``data/`` of a clone; in each also its subfolder ``local/``, where downloads land.
"""

from __future__ import annotations

import os
from pathlib import Path

from tengri.errors import DataError

ENVIRONMENT = "TENGRI_DATA_DIR"
LOCAL = "local"
SUFFIXES = (".h5", ".hdf5")

DEFAULT_SSP = "ssp_bc03_miles_kroupa_wNE_logGasU-3.0.h5"
STELLAR_SSP = "ssp_bc03_miles_kroupa_noneb.h5"
DUST_DL07 = "dl07.h5"
NEBULAR = "nebular_bc03_miles.h5"
TORUS_NENKOVA08 = "nenkova08.h5"
EMBEDDED = (DEFAULT_SSP, STELLAR_SSP, DUST_DL07, NEBULAR, TORUS_NENKOVA08)

_PACKAGE = Path(__file__).resolve().parents[1]


def data_roots() -> list[Path]:
    """Return the existing data folders, first to be searched first."""
    named = os.environ.get(ENVIRONMENT)
    candidates = [Path(named)] if named else []
    candidates += [_PACKAGE / "_data", _PACKAGE.parent / "data"]
    return [path for path in candidates if path.is_dir()]


def download_folder() -> Path:
    """Return the folder for downloads and builds: ``local/`` of the data folder in use.

    An installed package is not written to: without ``TENGRI_DATA_DIR`` and outside a clone it
    is ``data/local`` of the current folder.
    """
    writable = [root for root in data_roots() if root.name != "_data"]
    return (writable[0] if writable else Path("data")) / LOCAL


def available() -> list[Path]:
    """Return every HDF5 file in the data folders."""
    folders = [folder for root in data_roots() for folder in (root, root / LOCAL)]
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix in SUFFIXES
    ]


def resolve(path: str | Path) -> Path:
    """Return the file that ``path`` means: itself, else the one of that name in a data folder.

    Raises
    ------
    DataError
        If there is none; the message lists the files that are there and how to get more.
    """
    given = Path(path).expanduser()
    if given.is_file():
        return given
    if not given.is_absolute():
        for root in data_roots():
            for found in (root / given.name, root / LOCAL / given.name):
                if found.is_file():
                    return found
    raise DataError(_missing(given))


def is_embedded(path: Path) -> bool:
    """Return whether ``path`` is one of the files that come with the package."""
    return path.name in EMBEDDED and path.resolve().parent in [r.resolve() for r in data_roots()]


def _missing(path: Path) -> str:
    have = [str(file) for file in available()]
    found = "\n  ".join(have) if have else "(no HDF5 file in any data folder)"
    return (
        f"{path}: no such file. Files that are there:\n  {found}\n"
        f"load_ssp_data() without a path takes {DEFAULT_SSP}. To get another grid: "
        f"`tengri data build bc03-miles` builds one from public files, "
        f"`tengri data fetch URL` downloads any file of the DSPS schema (for example those "
        f"made with FSPS) into {download_folder()}, or copy the file to {path}."
    )
