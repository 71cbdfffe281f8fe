"""Readers of stellar populations: one module for each layout, tried in order.

A reader has ``TAKES``, the keywords of `tengri.grids.stated.Stated` that it understands beside
those of every layout; ``can_read(path)``, a cheap test; and ``read(path, stated) -> Contents``.
None invents what its file does not say: it asks for it by keyword. One whose layout knows an axis
[α/Fe] has ``alpha_nodes(path)``, its nodes or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from tengri.errors import DataError, TengriError
from tengri.grids.contents import Array, Contents
from tengri.grids.readers import (
    bagpipes,
    bpass,
    ceridwen,
    dsps,
    fsps,
    galaxev,
    pickled,
    starburst99,
    synthesizer,
)
from tengri.grids.stated import FREE, check_stated


class Reader(Protocol):
    """What a module of this package has."""

    TAKES: frozenset[str]

    def can_read(self, path: Path) -> bool:
        """Return whether a file is of the layout."""
        ...

    def read(self, path: Path, stated: Mapping[str, Any]) -> Contents:
        """Return what the file holds."""
        ...


#: The schema of DSPS comes last: it takes whatever else is HDF5.
READERS: dict[str, Reader] = {
    "bpass": bpass,
    "galaxev": galaxev,
    "starburst99": starburst99,
    "fsps": fsps,
    "pickled": pickled,
    "bagpipes": bagpipes,
    "ceridwen": ceridwen,
    "synthesizer": synthesizer,
    "dsps": dsps,
}
HDF5_ENDINGS = (".h5", ".hdf5")


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of a file by the first reader that knows its layout.

    Raises
    ------
    DataError
        No reader knows it; or as the reader says.
    ConfigError
        A keyword that says nothing about this layout.
    """
    layout = _layout(path)
    if layout is None:
        raise DataError(
            f"{path}: no known layout of stellar populations; those are {', '.join(READERS)} "
            "(HDF5, FITS, .npz of the FSPS recipe, spectra-…dat of BPASS, .ised_ASCII, spectrum1)."
        )
    reader = READERS[layout]
    check_stated(stated, reader.TAKES, layout)
    if stated.get("afe") == FREE:
        raise DataError(f"{path}: one value of [α/Fe] is looked at: say which, afe=0.")
    try:
        return reader.read(path, stated)
    except TengriError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: no sound file of the layout {layout!r} ({error}).") from error


def alpha_nodes(path: Path) -> Array:
    """Return [α/Fe] of the nodes of a grid that has this axis, ascending.

    Raises
    ------
    DataError
        The grid has no such axis.
    """
    reader = READERS.get(_layout(path) or "")
    read_nodes = getattr(reader, "alpha_nodes", None)
    nodes = None if read_nodes is None else read_nodes(path)
    if nodes is None or len(nodes) < 2:
        raise DataError(f"{path}: afe='free' was given, but the grid has no axis [α/Fe].")
    return nodes


def _layout(path: Path) -> str | None:
    known = (name for name, reader in READERS.items() if reader.can_read(path))
    # whatever else is HDF5 goes to the schema of DSPS, which says what is wrong with it
    return next(known, "dsps" if path.suffix in HDF5_ENDINGS else None)
