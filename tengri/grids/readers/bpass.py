"""Text tables of BPASS v2, which hoki reads too: one file for each metallicity.

``spectra-bin-imf135_300.z020.dat``: the wavelength [Å] and 51 columns of L_λ [Lsun/Å per 1e6 Msun
formed, Lsun = 3.848e33 erg/s], of log10(age/yr) = 6.0, 6.1 … 11.0; older releases end at 10.0 (41
columns), coarser tables have 25 columns 0.2 dex apart. The name says the metallicity (``zem5`` =
1e-5, ``z020`` = 0.020), the IMF and whether there are binaries (``bin``, ``sin``), in v2.3 also
[α/Fe] (``a+02``).
``starmass-…dat`` beside it: log10 of the age, the mass in stars and the mass in remnants per 1e6
Msun. Layout: ``hoki/load.py`` of HeloiseS/hoki (bc9553b);
``src/synthesizer_grids/incident/sps/install_bpass2.2.1.py`` of synthesizer-project/grid-generation
(4561693); the releases at bpass.auckland.ac.nz. Solar luminosity: ``pyBPASS`` of cbyrohl/pyBPASS;
with it the photons below 912 Å are those of the release's own ``ionizing-…dat`` to half a per cent.
Stanway & Eldridge 2018, MNRAS 479, 75.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import DataError
from tengri.grids.contents import Contents, Planes
from tengri.grids.readers import siblings

Array = np.ndarray

TAKES: frozenset[str] = frozenset()
MASS_MSUN = 1e6
LSUN_BPASS = 3.848e33
METALLICITY = re.compile(r"\.z(?:em\d|\d{3})\.")
_NAME = re.compile(r"spectra-(bin|sin)-imf([\w]+?)(?:\.(a[+-]\d\d))?\.z(em\d|\d{3})\.(?:.*\.)?dat")
#: Ages of the columns by their number, log10(age/yr): first and step.
COLUMNS = {51: (6.0, 0.1), 41: (6.0, 0.1), 25: (6.0, 0.2)}
BINARIES = {"bin": "with binaries", "sin": "single stars"}


def can_read(path: Path) -> bool:
    """Return whether a file has the name of a table of spectra."""
    return _NAME.fullmatch(path.name) is not None


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of a table and of those beside it of other metallicities.

    Raises
    ------
    DataError
        A table of other columns, axes that differ between files.
    """
    files = siblings.of(path, METALLICITY)
    order = np.argsort([_metallicity(file) for file in files])
    files = [files[i] for i in order]
    tables = [_axes(file) for file in files]
    siblings.check_same([age for age, _ in tables], files, "ages")
    siblings.check_same([wave for _, wave in tables], files, "wavelengths")
    lg_age, wave = tables[0]
    per_hz = wave**2 / C_AA_PER_S / MASS_MSUN * (LSUN_BPASS / LSUN_ERG_S)
    binaries, imf, alpha, _ = _NAME.fullmatch(path.name).groups()  # type: ignore[union-attr]
    data = {
        "ssp_lgmet": np.log10([_metallicity(file) for file in files]),
        "ssp_lg_age_gyr": lg_age - 9.0,
        "ssp_wave": wave,
    }
    mass = _surviving(files, lg_age)
    if mass is not None:
        data["ssp_mass_remaining"] = mass
    attrs = {"imf": f"BPASS imf{imf}", "isochrones": f"BPASS v2, {BINARIES[binaries]}"}
    if alpha:
        attrs["afe"] = str(int(alpha[1:]) / 10)
    planes = Planes(
        (len(files), len(lg_age), len(wave)), lambda i: _table(files[i])[:, 1:].T * per_hz
    )
    paths = (path, *(file for file in files if file != path))
    return Contents("bpass", paths, data, planes, attrs, gas=False)


def _metallicity(path: Path) -> float:
    code = _NAME.fullmatch(path.name)[4]  # type: ignore[index]
    return 10.0 ** -int(code[2:]) if code.startswith("em") else int(code) / 1000.0


def _table(path: Path) -> Array:
    """Return the table of a file, (n_wave, 1 + n_age)."""
    return _parsed(siblings.stamp(path))


@lru_cache(maxsize=1)
def _parsed(stamp: tuple[Path, int, int]) -> Array:
    path = stamp[0]
    table = siblings.table(path)
    if table.shape[1] - 1 not in COLUMNS:
        raise DataError(
            f"{path}: has {table.shape[1]} columns; tables of BPASS v2 have a wavelength and "
            f"{', '.join(str(n) for n in COLUMNS)} ages."
        )
    return table


def _axes(path: Path) -> tuple[Array, Array]:
    """Return log10 of the ages [yr] and the wavelengths [Å]."""
    table = _table(path)
    first, step = COLUMNS[table.shape[1] - 1]
    return first + step * np.arange(table.shape[1] - 1), table[:, 0]


def _surviving(files: list[Path], lg_age: Array) -> Array | None:
    """Return the mass in stars and remnants (n_met, n_age), if every metallicity has its table."""
    tables = [file.with_name(file.name.replace("spectra-", "starmass-")) for file in files]
    if not all(table.is_file() for table in tables):
        return None
    rows = []
    for path in tables:
        values = siblings.numbers(siblings.text(path).split(), path)
        values = values.reshape(len(lg_age), -1)
        if values.shape[1] < 3 or not np.allclose(values[:, 0], lg_age, atol=1e-3):
            raise DataError(f"{path}: its ages are not those of the spectra.")
        rows.append(values[:, 1:3].sum(axis=1) / MASS_MSUN)
    return np.stack(rows)
