"""Facts about a grid under one set of names, from its attributes and from its file's name.

Names follow ``ssp_<isochrones>_<library>_<imf>[_wNE_logGasU<logU>…]``, as DSPS and astro-tengri
give them; only words that are known are believed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Names of facts, and the attributes that state them, the first that is there.
FACTS = {
    "zsun": ("zsun", "z_sun", "solar_metallicity"),
    "imf": ("imf", "IMF"),
    "isochrones": ("isochrones", "isoc_type"),
    "library": ("library", "spec_library"),
    "source": ("source", "sps_name"),
    "citation": ("citation", "reference"),
    "logu": ("logu", "gas_logu"),
}
WORDS = {
    "isochrones": {"mist": "MIST", "prsc": "PARSEC", "pdva": "Padova", "bsti": "BaSTI",
                   "gnva": "Geneva", "bpss": "BPASS", "bpass": "BPASS"},
    "library": {"miles": "MILES", "c3k": "C3K", "basel": "BaSeL"},
    "imf": {"chabrier": "Chabrier", "chab": "Chabrier", "kroupa": "Kroupa", "salpeter": "Salpeter"},
}  # fmt: skip
_LOGU = re.compile(r"loggasu([+-]?\d+(?:\.\d+)?)", re.IGNORECASE)


def facts(attrs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what attributes and name say; what neither says is left out."""
    found = _by_name(name)
    for fact, keys in FACTS.items():
        stated = [attrs[key] for key in keys if attrs.get(key) not in (None, "")]
        if stated:
            found[fact] = stated[0]
    return {fact: found[fact] for fact in FACTS if fact in found}


def gas_by_name(name: str) -> bool | None:
    """Return whether a file's name says that nebular light is part of the grid, if it does."""
    if "_wNE" in name:
        return True
    return False if re.search(r"noneb|_noNE|bare", name) else None


def _by_name(name: str) -> dict[str, Any]:
    tokens = re.split(r"[_\-. ]+", name.lower())
    found: dict[str, Any] = {}
    for fact, words in WORDS.items():
        known = [words[token] for token in tokens if token in words]
        if known:
            found[fact] = f"{known[0]} (by the file's name)"
    if match := _LOGU.search(name):
        found["logu"] = float(match[1])
    return found
