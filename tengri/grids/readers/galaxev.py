"""GALAXEV's ``.ised_ASCII``: one file for each metallicity, as its program ``ascii_ised`` has them.

Records of a count and as many numbers, across lines: the ages [yr]; five lines of text and
parameters, among which ``Z=…``; the wavelengths [Å]; then for each age the spectrum in Lsun/Å of a
population of 1 Msun, Lsun = 3.826e33 erg/s, and a record of a fitting function, not needed. Layout:
``src/synthesizer_grids/incident/sps/install_bc03.py`` of synthesizer-project/grid-generation
(0a4ff50), which reads the files of bruzual.org; Bruzual & Charlot 2003, MNRAS 344, 1000.
An age of zero is left out, the next bin starts there. Files of the same name but for ``m22``,
``m32`` … ``m72`` (Padova 1994) or ``m122`` … ``m172`` (Padova 2000) are read together.
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
LSUN_GALAXEV = 3.826e33
METALLICITY = re.compile(r"_m1?[2-8]2_")
LINES_OF_TEXT = 5


def can_read(path: Path) -> bool:
    """Return whether a file has the ending of the layout."""
    return path.name.endswith(".ised_ASCII")


def read(path: Path, stated: Mapping[str, Any]) -> Contents:
    """Return the contents of a file and of those beside it of other metallicities.

    Raises
    ------
    DataError
        A record that is cut, a metallicity that is not there, axes that differ between files.
    """
    files = siblings.of(path, METALLICITY)
    heads = [_head(file) for file in files]
    order = np.argsort([z for z, _, _ in heads])
    files, heads = [files[i] for i in order], [heads[i] for i in order]
    siblings.check_same([age for _, age, _ in heads], files, "ages")
    siblings.check_same([wave for _, _, wave in heads], files, "wavelengths")
    metals, ages, waves = zip(*heads)
    kept, wave = ages[0] > 0.0, waves[0]
    per_hz = wave**2 / C_AA_PER_S * (LSUN_GALAXEV / LSUN_ERG_S)
    data = {
        "ssp_lgmet": np.log10(metals),
        "ssp_lg_age_gyr": np.log10(ages[0][kept] / 1e9),
        "ssp_wave": wave,
    }
    planes = Planes(
        (len(files), int(kept.sum()), len(wave)), lambda i: _spectra(files[i])[kept] * per_hz
    )
    paths = (path, *(file for file in files if file != path))
    return Contents("galaxev", paths, data, planes)


def _records(path: Path) -> tuple[float, list[Array]]:
    """Return the metallicity and the records of a file."""
    return _parsed(siblings.stamp(path))


@lru_cache(maxsize=1)
def _parsed(stamp: tuple[Path, int, int]) -> tuple[float, list[Array]]:
    path = stamp[0]
    lines = siblings.text(path).split("\n")
    ages, at = _first_record(lines, path)
    header = "\n".join(lines[at : at + LINES_OF_TEXT])
    match = re.search(r"Z=\s*([0-9.]+)", header)
    if match is None:
        raise DataError(f"{path}: the lines after the ages do not say Z=…; is it of GALAXEV?")
    left = siblings.numbers(" ".join(lines[at + LINES_OF_TEXT :]).split(), path)
    records, here = [ages], 0
    while here < len(left):
        stated = left[here]
        if not 1 <= stated <= len(left) - here - 1:
            raise DataError(f"{path}: a record of {stated:g} numbers is cut: get a fresh copy.")
        count = int(stated)
        record = left[here + 1 : here + 1 + count]
        records.append(record)
        here += 1 + count
    return float(match[1]), records


def _first_record(lines: list[str], path: Path) -> tuple[Array, int]:
    """Return the ages and the number of the line after them."""
    words: list[str] = []
    for n, line in enumerate(lines):
        words += line.split()
        is_count = words and words[0].isdecimal() and len(words[0]) < 9
        if is_count and len(words) > int(words[0]):
            return siblings.numbers(words[1 : 1 + int(words[0])], path), n + 1
    raise DataError(f"{path}: does not begin with a count and as many ages: is it of GALAXEV?")


def _head(path: Path) -> tuple[float, Array, Array]:
    """Return metallicity, ages [yr] and wavelengths [Å], after a look at all records."""
    z, records = _records(path)
    ages, n_spectra = records[0], len(records) - 2
    if n_spectra not in (len(ages), 2 * len(ages)) or len({len(r) for r in _lights(records)}) != 1:
        raise DataError(f"{path}: {len(ages)} ages, but {n_spectra} records of spectra.")
    if len(records[2]) != len(records[1]):
        raise DataError(
            f"{path}: {len(records[1])} wavelengths, but spectra of {len(records[2])} numbers."
        )
    return z, ages, records[1]


def _lights(records: list[Array]) -> list[Array]:
    """Return the spectra without the fitting functions between them."""
    between = (len(records) - 2) // len(records[0])
    return records[2::between]


def _spectra(path: Path) -> Array:
    return np.stack(_lights(_records(path)[1]))
