"""Spectra of Starburst99: the output ``spectrum1``, one metallicity.

Six lines of header, of which the last names the columns ``TIME [YR]``, ``WAVELENGTH [A]``,
``LOG TOTAL``, ``LOG STELLAR``, ``LOG NEBULAR`` in log10 of erg/s/Å, then a line for each
wavelength of each time; −15 and less stand for nothing. Nebular light is a continuum without lines.
Layout: the statements ``write(92, …)`` of the subroutine ``specsyn`` of Starburst99
(massivestars.stsci.edu/starburst99); Leitherer et al. 1999, ApJS 123, 3. Mass, metallicity, IMF
and whether stars formed at once stand in other files of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids.contents import Contents, Planes, needed
from tengri.grids.readers import siblings

TAKES = frozenset({"metallicity", "mass_msun", "spectrum"})
TITLE = "COMPUTED SYNTHETIC SPECTRUM"
SPECTRA = {"total": 2, "stellar": 3}
DARK = -14.9


def can_read(path: Path) -> bool:
    """Return whether the header of a text file is that of the layout."""
    with open(path, "rb") as file:
        return TITLE.encode() in file.read(1000)


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of one output; ``stated``: metallicity, mass_msun and spectrum.

    Raises
    ------
    DataError
        One of them was not given, or a file that is cut.
    """
    mass = needed(stated, "mass_msun", path, "the mass of the burst is not in this file", "1e6")
    z = needed(stated, "metallicity", path, "the metallicity is not in this file", "0.014")
    kind = needed(stated, "spectrum", path, "holds stars alone and with nebular continuum",
                  '"stellar" or "total"')  # fmt: skip
    if kind not in SPECTRA:
        raise DataError(f"{path}: spectrum={kind!r}: known are {', '.join(SPECTRA)}.")
    lines = siblings.text(path).split("\n")
    first = next((n for n, line in enumerate(lines) if "WAVELENGTH" in line), len(lines)) + 1
    rows = siblings.numbers(" ".join(lines[first:]).split(), path)
    if not len(rows) or len(rows) % 5:
        raise DataError(f"{path}: lines of five columns expected after the header.")
    table = rows.reshape(-1, 5)
    n_wave = int(np.argmax(table[:, 0] != table[0, 0])) or len(table)
    if len(table) % n_wave:
        raise DataError(f"{path}: its last time is cut: get a fresh copy.")
    cube = table.reshape(-1, n_wave, 5)
    wave, age = cube[0, :, 1], cube[:, 0, 0]
    if (cube[..., 1] != wave).any() or (cube[..., 0] != age[:, None]).any():
        raise DataError(f"{path}: times and wavelengths do not make a table.")
    log_light = cube[..., SPECTRA[kind]]
    per_aa = np.where(log_light > DARK, 10.0**log_light, 0.0) / mass
    flux = per_aa * wave**2 / C_AA_PER_S / LSUN_ERG_S
    data = {
        "ssp_lgmet": np.log10([float(z)]),
        "ssp_lg_age_gyr": np.log10(age / 1e9),
        "ssp_wave": wave,
    }
    attrs = {"spectrum": kind}
    return Contents("starburst99", (path,), data, Planes.of(flux[None]), attrs, gas=kind == "total")
