"""Columns that are only copied, such as identifiers: they stay what they are.

Integers keep all their digits, text its length, and what is missing stays missing. Formats that
know no missing values get one that no row has (`Field.null`), so all rows are looked at before any
is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tengri.catalogue.table import Field, Table
from tengri.errors import ConfigError

#: Text that may stand for a missing one, the first that no row has.
NULL_TEXTS = ("", "null", "missing", "\\N", "<null>")
#: How many integers are tried from either end of their type.
TRIED = 300


def as_kept(name: str, values: np.ndarray) -> np.ndarray:
    """Return a column as numbers of NumPy or objects of ``str``; what is missing is masked.

    Raises
    ------
    ConfigError
        Dates, lists, or anything else that not every format can hold.
    """
    missing, data = np.ma.getmaskarray(values), np.ma.getdata(values)
    if data.dtype.kind in "biuf":
        return np.ma.MaskedArray(data, mask=missing) if missing.any() else data
    if data.dtype.kind not in "SUO" or data.ndim != 1:
        raise _not_copied(name, data.dtype)
    text = np.array([*(_as_text(name, v) for v in data), None], object)[:-1]
    missing = missing | np.array([v is None for v in text], bool)
    return np.ma.MaskedArray(np.where(missing, "", text), mask=missing) if missing.any() else text


def _as_text(name: str, value: Any) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"--keep {name}: {value!r} is no text of UTF-8.") from None
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    raise _not_copied(name, type(value).__name__)


def _not_copied(name: str, kind: Any) -> ConfigError:
    return ConfigError(
        f"--keep {name}: only numbers and text can be copied, not {kind}. Write it as text."
    )


def survey(table: Table, names: Iterable[str], chunk: int) -> dict[str, Field]:
    """Return the type, unit and null of columns, after a look at all of their rows."""
    return {name: _field(name, _chunks(table, name, chunk), table.unit(name)) for name in names}


def _chunks(table: Table, name: str, chunk: int) -> Iterator[np.ndarray]:
    for start in range(0, max(1, table.n_rows), chunk):
        yield as_kept(name, table.read([name], start, min(start + chunk, table.n_rows))[name])


def _field(name: str, chunks: Iterator[np.ndarray], unit: str) -> Field:
    first = next(chunks)
    dtype = np.dtype((first.dtype, first.shape[1:]))
    free, missing, longest, in_ascii = _candidates(dtype.base), False, 1, True
    for values in itertools.chain([first], chunks):
        gaps = np.ma.getmaskarray(values)
        there = np.ma.getdata(values)[~gaps]
        missing |= bool(gaps.any())
        free = _unused(free, there)
        if dtype.base.kind == "O":
            longest = max([longest, *map(len, there)])
            in_ascii &= all(map(str.isascii, there))
    if missing and not free:
        raise ConfigError(f"--keep {name}: every {dtype} occurs in it, so none can mean missing.")
    if dtype.base.kind == "O":
        dtype = np.dtype(f"{'S' if in_ascii else 'U'}{longest}")
    return Field(dtype, unit, free[0] if missing else None)


def _candidates(dtype: np.dtype) -> list[Any]:
    """Return values that may stand for a missing one, the best first."""
    if dtype.kind == "f":
        return [np.nan, -np.inf, np.inf, np.finfo(dtype).min]
    if dtype.kind == "b":
        return [-1]  # it is stored as an integer
    if dtype.kind == "O":
        return list(NULL_TEXTS)
    lo, hi = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    ends = range(lo, min(lo + TRIED, hi + 1)), range(hi, max(hi - TRIED, lo - 1), -1)
    return [*ends[0], *ends[1]] if lo < 0 else [*ends[1], *ends[0]]


def _unused(candidates: list[Any], values: np.ndarray) -> list[Any]:
    """Return the candidates that no value equals."""
    if values.dtype.kind == "O":
        found = set(values)
        return [c for c in candidates if c not in found]
    if values.dtype.kind == "f":
        has_nan = bool(np.isnan(values).any())
        return [c for c in candidates if not (has_nan if np.isnan(c) else (values == c).any())]
    if values.dtype.kind == "b" or not values.size:
        return candidates
    near = set(np.unique(values[_extreme(values)]).tolist())
    return [c for c in candidates if c not in near]


def _extreme(values: np.ndarray) -> np.ndarray:
    """Return which integers may be among the candidates."""
    kind = np.iinfo(values.dtype)
    width = min(TRIED, int(kind.max))
    return (values <= kind.min + width) | (values >= kind.max - width)
