"""What a user says of a grid of stellar populations where its file does not, or is wrong.

By keyword in Python, ``load_ssp_data("grid.h5", afe=0.2)``; in one word on a command line and in a
configuration, ``grid.h5,afe=0.2``.
"""

from __future__ import annotations

import hashlib
import json
import math
import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tengri.errors import ConfigError, unknown
from tengri.io.jsonable import jsonable
from tengri.literal import read_value


class Stated(TypedDict, total=False):
    """Keywords of ``load_ssp_data``.

    Attributes
    ----------
    nebular : bool
        Whether nebular light is part of the spectra.
    vacuum : bool
        Whether wavelengths are in vacuum; those in air are converted.
    imf : str
        Initial mass function, for the record.
    zsun : float
        Solar metallicity of a grid whose metallicities are relative to solar.
    metallicity : float
        Absolute metal fraction of a file that holds one and does not say which.
    mass_msun : float
        Mass formed of the population whose light the file holds.
    spectrum : str
        Which of several spectra, or their sum: ``"transmitted+nebular"``.
    axes : mapping
        Value at which each further axis of the grid is fixed, by its name.
    afe : float or "free"
        Value at which an axis [α/Fe] is fixed; ``"free"``: it is a parameter of the model.
    """

    nebular: bool
    vacuum: bool
    imf: str
    zsun: float
    metallicity: float
    mass_msun: float
    spectrum: str
    axes: Mapping[str, float]
    afe: float | str


#: Understood of every file, whatever its layout.
COMMON = frozenset({"nebular", "vacuum", "imf"})
POSITIVE = frozenset({"zsun", "metallicity", "mass_msun"})
YES_OR_NO = frozenset({"nebular", "vacuum"})
WORDS = frozenset({"imf", "spectrum"})
#: For the record only: the light is the same whatever they say.
RECORDS = frozenset({"imf"})
AXIS = "axes."
#: Of ``afe``: the axis stays.
FREE = "free"


def check_stated(stated: Mapping[str, Any], taken: frozenset[str], layout: str) -> None:
    """Raise for a keyword that no grid has, or that changes nothing for this layout.

    Raises
    ------
    ConfigError
        Names the keyword and those that the layout takes, or the value that it needs.
    """
    for name, value in stated.items():
        if name not in Stated.__annotations__:
            raise unknown("keyword of load_ssp_data", name, Stated.__annotations__)
        if name not in COMMON | taken:
            raise ConfigError(
                f"{name}= says nothing about a file of the layout {layout!r}, which takes "
                f"{', '.join(sorted(COMMON | taken))}: leave it out."
            )
        if wanted := _wanted(name, value):
            raise ConfigError(f"{name}={value!r}: expected {wanted}.")


def _wanted(name: str, value: Any) -> str:
    """Return what a keyword takes where ``value`` is something else, or ""."""
    if name in YES_OR_NO:
        return "" if isinstance(value, (bool, np.bool_)) else "True or False"
    if name in WORDS:
        return "" if isinstance(value, str) and value else "a word"
    if name == "axes":
        good = isinstance(value, Mapping) and all(map(_is_number, value.values()))
        return "" if good else "the value of each axis, {'name': number}"
    if name == "afe":
        return "" if _is_number(value) or value == FREE else f"a number, or {FREE!r}"
    if name in POSITIVE:
        return "" if _is_number(value) and value > 0 else "a number above zero"
    return "" if _is_number(value) else "a number"


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """Return the file and the keywords of ``FILE`` or ``FILE,KEYWORD=VALUE,…``.

    Further axes are ``axes.NAME=VALUE``. The name of a file that is there is taken whole.

    Raises
    ------
    ConfigError
        A part that is no keyword with a value.
    """
    if Path(text).expanduser().is_file():
        return text, {}
    path, *parts = text.split(",")
    stated: dict[str, Any] = {}
    for part in parts:
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (name and equals and value):
            raise ConfigError(
                f"{text!r}: write a grid as FILE,KEYWORD=VALUE, e.g. grid.h5,afe=0.2."
            )
        if name.startswith(AXIS):
            stated.setdefault("axes", {})[name.removeprefix(AXIS)] = read_value(value)
        else:
            stated[name] = value if name in WORDS else read_value(value)
    return path, stated


def digest(of_files: str, stated: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a grid: that of its files, and of what was said of them, if anything.

    The same file at two values of [α/Fe] is two grids.
    """
    counted = {name: value for name, value in stated.items() if name not in RECORDS}
    if not counted:
        return of_files
    text = json.dumps(jsonable([of_files, counted]), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
