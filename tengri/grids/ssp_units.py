"""Units that an SSP file states: obeyed or refused, never ignored.

Looked for in the attributes ``unit`` and ``units`` of each dataset, and in those of the file named
after it (``ssp_wave_unit``). A file that states none is in the units of the schema:

=====================  =======================================
``ssp_wave``           Å, in vacuum
``ssp_flux``           Lsun/Hz, per Msun formed
``ssp_lg_age_gyr``     log10(age/Gyr)
``ssp_age_edges_gyr``  Gyr
``ssp_lgmet``          log10 of the absolute metal fraction
=====================  =======================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tengri.constants import GYR_S
from tengri.errors import ConfigError, DataError, ParameterError
from tengri.quantities import as_unit, converted

Array = np.ndarray
SAYS_NOTHING = ("", "unit", "units", "none", "unknown", "n/a", "-")


def stated(name: str, attrs: Mapping[str, Any], of_file: Mapping[str, Any]) -> str:
    """Return the unit that a dataset's or the file's attributes state for ``name``, or ""."""
    for place, key in ((attrs, "unit"), (attrs, "units"),
                       (of_file, f"{name}_unit"), (of_file, f"{name}_units")):  # fmt: skip
        value = place.get(key, "")
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        if text.strip().lower() not in SAYS_NOTHING:
            return text.strip()
    return ""


def in_schema(name: str, values: Array, text: str, path: Path) -> Array:
    """Return a dataset in the unit of the schema, from the unit ``text`` that the file states.

    Raises
    ------
    DataError
        Another quantity, or a unit that is not understood.
    """
    if not text or name not in _READERS:
        return values
    try:
        return _READERS[name](values, text)
    except (ParameterError, ConfigError, ValueError, TypeError, ImportError, KeyError) as error:
        raise DataError(
            f"{path}: dataset {name} is stated in {text!r}; it must be {SCHEMA[name]}. Convert "
            f"it, or correct its attribute. ({error})"
        ) from None


SCHEMA = {
    "ssp_wave": "Å in vacuum",
    "ssp_flux": "L_ν in Lsun/Hz per Msun formed",
    "ssp_lg_age_gyr": "log10 of the age in Gyr",
    "ssp_age_edges_gyr": "Gyr",
    "ssp_lgmet": "log10 of the absolute metal fraction Z",
}


def counts_in_suns(text: str) -> bool:
    """Whether a flux is in solar luminosities, whose value the file may state."""
    return not text or bool(re.search(r"l_?sun|sollum|l_?☉|l⊙", text, re.I))


def _bare(text: str) -> str:
    """Return a unit without remarks: ``Angstrom, vacuum`` and ``Lsun/Hz per Msun formed``."""
    head = re.sub(r"\((?:vacuum|rest)[^)]*\)|\bformed\b|\brest[- ]frame\b", " ", text.split(",")[0])
    return re.sub(r"\s*\bper\b\s*", "/", head).strip()


def _wave(values: Array, text: str) -> Array:
    if re.search(r"\bair\b", text, re.I):
        raise ValueError("wavelengths in air")
    bare = _bare(text)
    if bare.lower() in ("angstrom", "angstroms", "å", "aa"):
        return values
    return converted(values, bare, "Angstrom", "ssp_wave")


def _flux(values: Array, text: str) -> Array:
    bare = _bare(text).replace(" ", "").lower()
    if bare in ("lsun/hz/msun", "lsun/hz"):
        return values
    unit = as_unit(re.sub(r"/+", "/", _bare(text)))
    if hasattr(unit, "physical_unit"):
        raise ValueError("a logarithm")
    per_mass = unit if unit.is_equivalent(as_unit("Lsun/(Hz Msun)")) else unit / as_unit("Msun")
    factor = float(per_mass.to(as_unit("Lsun/(Hz Msun)")))
    return values if factor == 1.0 else (values.astype(np.float64) * factor).astype(values.dtype)


def _lg_age(values: Array, text: str) -> Array:
    match = re.fullmatch(
        r"(?:log_?10|log|dex)\W*(?:of\b)?\W*(?:the\b)?\W*(?:age|t)?(?:\W|\bin\b)*"
        r"(g?yr|myr|gyr|s)s?\W*",
        text.split(",")[0].strip(), re.I,
    )  # fmt: skip
    if match is None:
        raise ValueError("no logarithm of a time")
    in_gyr = {"yr": 1e-9, "myr": 1e-3, "gyr": 1.0, "s": 1.0 / GYR_S}[match[1].lower()]
    return values if in_gyr == 1.0 else values.astype(np.float64) + math.log10(in_gyr)


def _edges(values: Array, text: str) -> Array:
    bare = _bare(text)
    return values if bare == "Gyr" else converted(values, bare, "Gyr", "ssp_age_edges_gyr")


def _lgmet(values: Array, text: str) -> Array:
    if re.search(r"sun|solar|☉|⊙|/\s*H\b", text, re.I):
        raise ValueError("relative to solar: add log10 of the grid's solar Z")
    if not re.match(r"(?:log|dex)", text, re.I):
        raise ValueError("no logarithm")
    return values


_READERS: dict[str, Callable[[Array, str], Array]] = {
    "ssp_wave": _wave,
    "ssp_flux": _flux,
    "ssp_lg_age_gyr": _lg_age,
    "ssp_age_edges_gyr": _edges,
    "ssp_lgmet": _lgmet,
}
