"""Which column of a catalogue is which parameter: matched by name, and nothing guessed.

A name that is nearly a parameter's is an error, not an ignored column: a typo must not become
a default value.
"""

from __future__ import annotations

import difflib
import numbers
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tengri.catalogue.table import Table
from tengri.catalogue.words import ARGUMENTS, OPTIONS, Words
from tengri.components.composition import SETTINGS, registered_params
from tengri.components.stellar.sfh import SFH_FAMILIES
from tengri.errors import (
    ConfigError,
    DataError,
    ParameterError,
    TengriError,
    UnknownNameError,
    suggestion,
    unknown,
)
from tengri.parameters import Parameters
from tengri.quantities import converted

#: How many rows are looked at for what a column holds, and kinds of NumPy that are no real numbers.
LOOKED_AT = 1000
KINDS = {"U": "text, no numbers", "S": "text, no numbers", "c": "complex numbers, no real ones",
         "M": "dates, no numbers", "m": "spans of time, no numbers", "b": "truth, no numbers",
         "V": "records, no numbers"}  # fmt: skip
#: How alike two names are that are taken for a misspelling of each other.
ALIKE = 0.85
#: Names that catalogues have for what no galaxy is without.
REDSHIFTS = re.compile(
    r"z|z[_-]?(phot|spec|best|peak|ml|map|med|mean|true|cosmo|final|grism|red|[ab0-9]$).*"
    r"|(phot|spec|photo)[_-]?z.*|.*redshift.*|.*[_-]z", re.IGNORECASE
)  # fmt: skip
#: And for amplitudes, by their units.
AMPLITUDES = {
    "log10 Msun": re.compile(r".*mass.*|.*m_?star.*|.*log_?m.*", re.IGNORECASE),
    "log10 Msun/yr": re.compile(r".*sfr.*", re.IGNORECASE),
}


def parameter_columns(
    names: Collection[str],
    renamed: Mapping[str, str],
    ignored: Collection[str],
    words: Words = ARGUMENTS,
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
    words : Words
        How the messages name options.

    Raises
    ------
    UnknownNameError
        A column, or a parameter, that is not there; a column whose name is nearly a parameter's.
    ParameterError
        No column is a parameter.
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
                f"{words.renaming(near, name)}, or {words.ignoring(name)}."
            )
    if not (found or renamed):
        shown = ", ".join(list(names)[:20]) + (" …" if len(names) > 20 else "") or "none"
        redshift = next((name for _, name in _meant(["redshift"], names)), "COLUMN")
        raise ParameterError(
            f"No column is a parameter; there are: {shown}. Say which is which, e.g. "
            f"{words.renaming('redshift', redshift)} (names: tengri list parameters)."
        )
    return {**found, **renamed}


def _nearly(name: str, known: Collection[str]) -> str:
    """Return the parameter that ``name`` is a misspelling of, or nothing."""
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=ALIKE)
    return lower[near[0]] if near else ""


def check_complete(
    spec: Parameters, columns: Mapping[str, str], names: Iterable[str], words: Words = ARGUMENTS
) -> None:
    """Raise unless every column acts in the spec and every free parameter has a value.

    Redshift and amplitude differ from galaxy to galaxy: a default never stands in for them.

    Raises
    ------
    ParameterError
        The parameter that is missing or without effect, and what to do.
    """
    for name in columns:
        if name in spec.mirrors:
            source = spec.mirrors[name]
            raise ParameterError(
                f"Column {name!r}: {name} follows {source}; say {words.ignoring(name)}."
            )
        if name not in spec.all_params:
            raise ParameterError(
                f"Column {columns[name]!r}: {name} has no effect in this model. Its parameters: "
                f"{', '.join(spec.all_params)}. Say {words.ignoring(columns[name])}."
            )
    missing = [name for name in needed(spec) if name not in columns]
    if missing:
        unused = [name for name in names if name not in columns.values()]
        raise ParameterError(_missing(spec, missing, unused, words))


def _missing(spec: Parameters, missing: list[str], unused: list[str], words: Words) -> str:
    """Return what is missing, the columns that may be meant, and what to do."""
    either = _alternatives(spec, missing[0])
    near = _meant(either, unused)
    hint = suggestion(missing[0], unused).replace(" Known:", " Unused columns:")
    if near:
        hint = f" Did you mean {', '.join(dict.fromkeys(column for _, column in near[:4]))}?"
    shown = ", ".join([" or ".join(either), *missing[1:]])
    renamed = words.renaming(*near[0]) if near else words.renaming(missing[0])
    return (
        f"No column for {shown}.{hint} Say {renamed}, or give one value for all with "
        f"{words.giving(missing[0])}."
    )


def _alternatives(spec: Parameters, name: str) -> list[str]:
    """Return the names for one thing: both amplitudes of a star-formation history, else one."""
    for family in spec.composition.sfh.types:
        both = [p.name for p in SFH_FAMILIES[family].amplitudes.values()]
        if name in both:
            return sorted(both, key=lambda other: other != name)
    return [name]


def needed(spec: Parameters) -> list[str]:
    """Return the required columns: free parameters, the redshift and an amplitude.

    A fixed value that the user gave is said; one that was filled in is not.
    """
    kinds = [p.name for family in spec.composition.sfh.types
             for p in SFH_FAMILIES[family].amplitudes.values()]  # fmt: skip
    agn = spec.composition.agn
    if not kinds and agn is not None:  # an AGN without stars
        kinds = [agn.amplitude]
    essential = ["redshift", *(name for name in kinds if name in spec.all_params)]
    said = {name for name in spec.fixed_params if name not in spec.filled_in} | set(spec.mirrors)
    free = [n for n in spec.free_params if spec.get_distribution(n).default is None]
    return list(dict.fromkeys([n for n in essential if n not in said] + free))


def _meant(parameters: Iterable[str], names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (parameter, column) for the columns whose author may have meant one of them."""
    found = []
    for parameter in parameters:
        param = registered_params()[parameter]
        known = AMPLITUDES.get(param.unit) if param.role == "amplitude" else None
        known = REDSHIFTS if parameter == "redshift" else known
        if known is not None:
            found += [(parameter, name) for name in names if known.fullmatch(name)]
    return sorted(found, key=lambda pair: len(pair[1]))


def check_free_of(columns: Iterable[str], given: Mapping[str, Any]) -> None:
    """Raise where a parameter comes from a column and from ``--set``."""
    both = [name for name in columns if name in given and name not in SETTINGS]
    if both:
        raise ConfigError(
            f"{both[0]} is a column and given by --set: leave one out (--ignore {both[0]})."
        )


def check_numbers(path: Path, table: Table, columns: Mapping[str, str]) -> None:
    """Raise DataError, with file and column, where a parameter's column holds no real numbers.

    The first rows are looked at; 2-D columns are for parameters that are arrays.
    """
    params = registered_params()
    rows = table.read(sorted(set(columns.values())), 0, min(LOOKED_AT, table.n_rows))
    for name, column in columns.items():
        values = np.ma.getdata(rows[column])
        if values.ndim > 1 and not params[name].shape:
            found = (
                f"{' × '.join(map(str, values.shape[1:]))} values in a row, {name} is one number"
            )
        elif values.dtype.kind == "O":
            found = _strange([v for v in values if v is not None])
        else:
            found = KINDS.get(values.dtype.kind, "")
        if found:
            raise DataError(f"{path}: column {column!r} holds {found}.")


def _strange(values: list[Any]) -> str:
    """Return what objects are that are no numbers, or nothing."""
    for value in values:
        if isinstance(value, (str, bytes)):
            return KINDS["U"]
        if not np.isscalar(value) and not isinstance(value, numbers.Number):
            return f"values of type {type(value).__name__}, no numbers"
    return ""


def check_units(units: Mapping[str, Any], words: Words = OPTIONS) -> None:
    """Raise unless the units that a catalogue states (parameter → unit) can be converted.

    Raises
    ------
    ParameterError
        Both units.
    ConfigError
        A conversion without astropy.
    """
    params = registered_params()
    for name, stated in units.items():
        try:
            converted(np.ones(1), stated, params[name].unit, name)
        except TengriError as error:
            raise type(error)(
                f"{error} Convert the column and its unit, or say {words.as_they_are} if the "
                "numbers are right."
            ) from None
