"""Which column of a catalogue is which parameter: matched by name, and nothing guessed.

A name that is nearly a parameter's is an error, not an ignored column: a typo must not become
a default value.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from tengri.components.composition import SETTINGS, registered_params
from tengri.errors import ConfigError, ParameterError, UnknownNameError, suggestion, unknown
from tengri.parameters import Parameters

#: How alike two names are that are taken for a misspelling of each other.
ALIKE = 0.85
#: Spellings of "no unit".
NO_UNIT = ("", "1", "none", "dimensionless", "-")


def parameter_columns(
    names: Collection[str], renamed: Mapping[str, str], ignored: Collection[str]
) -> dict[str, str]:
    """Return parameter name → column for all columns that carry a registered parameter's name.

    Parameters
    ----------
    names : collection of str
        Columns of the catalogue.
    renamed : mapping
        Parameter → column, as the user said.
    ignored : collection of str
        Columns that are no parameters, whatever their names.

    Raises
    ------
    UnknownNameError
        A column, or a parameter, that is not there; a column whose name is nearly a parameter's.
    """
    known = registered_params()
    for parameter, column in renamed.items():
        if parameter not in known:
            raise unknown("parameter", parameter, known)
        if column not in names:
            raise unknown("column", column, names)
    taken = {*renamed.values(), *ignored}
    found = {name: name for name in names
             if name in known and name not in taken and name not in renamed}  # fmt: skip
    for name in names:
        if name not in taken and name not in found and (near := _nearly(name, known)):
            raise UnknownNameError(
                f"Column {name!r} is no parameter, but nearly {near!r}: rename it, say "
                f"--column {near}={name}, or --ignore {name}."
            )
    return {**found, **renamed}


def _nearly(name: str, known: Collection[str]) -> str:
    """Return the parameter that ``name`` is a misspelling of, or nothing."""
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=ALIKE)
    return lower[near[0]] if near else ""


def check_complete(spec: Parameters, columns: Mapping[str, str], names: Iterable[str]) -> None:
    """Raise unless every column acts in the spec and every free parameter has a value.

    Raises
    ------
    ParameterError
        The parameter that is missing or without effect, and what to do.
    """
    for name in columns:
        if name in spec.mirrors:
            source = spec.mirrors[name]
            raise ParameterError(f"Column {name!r}: {name} follows {source}; --ignore {name}.")
        if name not in spec.all_params:
            raise ParameterError(
                f"Column {columns[name]!r}: {name} has no effect in this model. Its parameters: "
                f"{', '.join(spec.all_params)}. Leave the column out with --ignore {name}."
            )
    missing = [n for n in spec.free_params
               if n not in columns and spec.get_distribution(n).default is None]  # fmt: skip
    if missing:
        unused = [name for name in names if name not in columns.values()]
        near = suggestion(missing[0], unused).replace(" Known:", " Unused columns:")
        raise ParameterError(
            f"No column for {', '.join(missing)}.{near} Say --column {missing[0]}=COLUMN, or give "
            f"one value for all with --set {missing[0]}=VALUE."
        )


def check_free_of(columns: Iterable[str], given: Mapping[str, Any]) -> None:
    """Raise where a parameter comes from a column and from ``--set``."""
    both = [name for name in columns if name in given and name not in SETTINGS]
    if both:
        raise ConfigError(
            f"{both[0]} is a column and given by --set: leave one out (--ignore {both[0]})."
        )


def check_units(units: Mapping[str, str]) -> None:
    """Raise unless the units that a catalogue states (parameter → unit) are the parameters' own.

    Raises
    ------
    ParameterError
        Both units.
    """
    params = registered_params()
    for name, stated in units.items():
        if _plain(stated) in NO_UNIT or _plain(stated) == _plain(params[name].unit):
            continue
        own = params[name].unit or "no unit"
        raise ParameterError(
            f"{name} is stated in {stated!r}; the model takes {own}. Convert the column and its "
            "unit, or --ignore-units if the numbers are right."
        )


def _plain(unit: str) -> str:
    """Return a unit in one spelling: ``log10(Msun / yr)`` as ``log10 msun/yr``."""
    words = unit.lower().replace("(", " ").replace(")", " ").replace("dex", "log10")
    return " ".join(words.split()).replace(" / ", "/").replace("solmass", "msun")


def as_float(name: str, values: np.ndarray) -> np.ndarray:
    """Return a column as float64, masked or missing values as NaN.

    Raises
    ------
    ParameterError
        Text, or anything else that is no number.
    """
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(float), np.nan)
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"Column {name!r} holds no numbers ({values.dtype}).") from None
