"""Conversion of numbers with masks, nulls and units to plain float64 arrays.

Read are: Python and NumPy numbers, lists, JAX arrays; NumPy masked arrays; astropy ``Quantity``,
``Column``, ``MaskedColumn`` and ``Masked``; pandas and pyarrow arrays with nulls; datasets of HDF5
and xarray with ``_FillValue``; pint and unyt; None. Units are recognised by what an object has,
never by its class, and converted by the unit's own ``to``: astropy is imported only when there is
a unit to convert.

Units of parameters are short texts: ``Gyr``, ``Msun/yr``, ``%``, ``log10 Msun`` for the logarithm
of a quantity, ``dex`` and ``log10`` for the logarithm of a ratio, ``any`` where only the shape of
a curve counts, and nothing for a plain number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from tengri.errors import ConfigError, ParameterError

_NUMBER = (float, int, np.floating, np.integer)
#: Spellings of "no unit is stated"; a redshift is a number by itself.
NO_UNIT = ("", "1", "none", "dimensionless", "-", "redshift")
#: ``log10 Msun``, ``log10(Msun)``, ``log(Msun)``, ``dex(Msun)``, ``[Msun]``: of base 10, all.
_LOGARITHM = re.compile(r"(?:log10|log|lg|dex)\s*[\[(]\s*(.+?)\s*[\])]|(?:log10|log|lg|dex)\s+(.+)"
                        r"|\[(.+)\]")  # fmt: skip


def is_plain(value: Any) -> bool:
    """Whether ``value`` is a number or array of numbers without mask, null or unit."""
    if isinstance(value, _NUMBER):
        return not isinstance(value, bool)
    return type(value) is np.ndarray and value.dtype.kind in "fiu"


def is_array(value: Any) -> bool:
    """Whether ``value`` holds more than one number, or could."""
    return isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0


def carries_more(value: Any) -> bool:
    """Whether ``value`` has a mask or a unit that ``asarray`` would drop."""
    if is_plain(value):
        return False
    masked = isinstance(value, np.ma.MaskedArray) or hasattr(value, "unmasked")
    return masked or unit_of(value) is not None


def plain_values(
    value: Any,
    unit: Any = "",
    name: str = "The value",
    stated_unit: Any = None,
    linear: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (values, missing): float64 numbers in ``unit``, and which were masked, null or NaN.

    Parameters
    ----------
    value : anything numeric
        See the top of the file. Numbers without a unit are in ``unit`` already; those of a list
        all have a unit, each its own, or none has.
    unit : str or astropy unit, optional
        The unit that is wanted; "" for a plain number, ``any`` for none in particular.
    name : str
        What is read, for messages.
    stated_unit : str or astropy unit, optional
        The unit that is stated apart from the numbers, as in the header of a file.
    linear : bool
        Whether a linear quantity is taken, too, where its logarithm is wanted.

    Returns
    -------
    values : (...) array of float64
        NaN where missing.
    missing : (...) array of bool

    Raises
    ------
    ParameterError
        Something that is no number; a unit that cannot be converted.
    ConfigError
        A conversion without astropy.
    """
    stated = None if _says_nothing(stated_unit) else stated_unit
    if is_plain(value) and stated is None:
        array = np.asarray(value, np.float64)
        return array, np.isnan(array)
    if stated is None:
        stated = _own_unit(value)
    read = partial(plain_values, unit=unit, name=name, stated_unit=stated, linear=linear)
    if isinstance(value, list | tuple) and not all(is_plain(v) and np.ndim(v) == 0 for v in value):
        parts = [(np.nan, True) if _is_null(v) else read(v) for v in value]
        there = [v for v, (_, missing) in zip(value, parts) if not np.all(missing)]
        _check_all_or_none(there, stated, name)
        return _stacked(parts, value, name)
    array, missing = _unmasked(value, name)
    if array.dtype.kind == "O":
        items = [None if gone else v for v, gone in zip(array.ravel(), missing.ravel())]
        values = np.array([_single(v, read, name) for v in items], np.float64)
        _check_all_or_none([v for v, gap in zip(items, np.isnan(values)) if not gap], stated, name)
        values = values.reshape(array.shape)
    else:
        values = np.where(missing, np.nan, np.asarray(array, np.float64))
        values = converted(values, stated, unit, name, linear)
    return values, np.isnan(values)


# --- containers -------------------------------------------------------------------------------


def unit_of(value: Any) -> Any:
    """Return the unit that ``value`` carries, an object of astropy or a text; None for none.

    Looked for in ``unit`` (astropy) and ``units`` (unyt, pint), of the object, of its dtype and
    of the attributes that xarray and HDF5 keep; of a list without, in its first element.
    """
    if is_plain(value) or isinstance(value, str | bytes):
        return None
    own = _own_unit(value)
    if own is None and isinstance(value, list | tuple):
        return next((u for u in map(unit_of, value) if u is not None), None)
    return own


def _own_unit(value: Any) -> Any:
    """Return the unit of a container itself, None for none."""
    attrs, dtype = getattr(value, "attrs", None), getattr(value, "dtype", None)
    for key in ("unit", "units"):
        kept = attrs.get(key) if isinstance(attrs, Mapping) else None
        for found in (kept, getattr(value, key, None), getattr(dtype, key, None)):
            if isinstance(found, bytes):
                found = found.decode(errors="replace")
            if not isinstance(found, str) and hasattr(found, "tolist"):
                continue  # a column of that name
            if hasattr(found, "to"):
                return found
            if not (_says_nothing(found) or callable(found) or _says_nothing(str(found))):
                return str(found)
    return None


def _says_nothing(unit: Any) -> bool:
    return unit is None or (isinstance(unit, str) and unit.strip().lower() in NO_UNIT)


def _unmasked(value: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what ``value`` holds, numbers in its own unit or objects, and what is masked."""
    try:
        held = _as_numpy(value)
        array = np.asarray(np.ma.getdata(held))
    except (TypeError, ValueError) as error:
        if "Tracer" in type(error).__name__:  # JAX has its own words, and callers theirs
            raise
        raise _no_number(value, name) from None
    kind = array.dtype
    if kind.kind not in "fiuO" and not kind.name.startswith(("bfloat", "float")):
        raise _no_number(value, name)
    return array, np.broadcast_to(np.ma.getmaskarray(held), array.shape)


def _as_numpy(value: Any) -> np.ndarray:
    """Return a container as an array of NumPy, masked where the container says so."""
    if isinstance(value, np.ma.MaskedArray):
        return value
    if hasattr(value, "unmasked") and hasattr(value, "mask"):  # astropy's Masked
        return np.ma.MaskedArray(np.asarray(value.unmasked), mask=value.mask)
    if hasattr(value, "magnitude"):  # pint
        return np.asarray(value.magnitude)
    if hasattr(value, "null_count") and type(value).__module__.startswith("pyarrow"):
        from tengri.arrow_arrays import as_masked  # pyarrow is loaded: these are its arrays

        return as_masked(value)
    if hasattr(value, "isna") and hasattr(value, "to_numpy"):  # pandas
        return _of_pandas(value)
    attrs = getattr(value, "attrs", None)
    if isinstance(attrs, Mapping):  # HDF5, xarray
        return masked_by(np.asarray(value), nulls_of(attrs))
    return np.asarray(value)


def _of_pandas(series: Any) -> np.ndarray:
    """Return a Series or an array of pandas; nullable integers stay so, not what lies under."""
    missing = np.asarray(series.isna(), bool)
    if getattr(getattr(series, "dtype", None), "kind", "O") in "iuf":
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = np.asarray(series.to_numpy())
    return np.ma.MaskedArray(values, mask=missing)


def nulls_of(attrs: Mapping[str, Any]) -> list[Any]:
    """Return the values that attributes call missing, as the CF conventions name them."""
    return [attrs[key] for key in ("_FillValue", "missing_value") if key in attrs]


def masked_by(values: np.ndarray, nulls: list[Any]) -> np.ndarray:
    """Mask the values that are one of ``nulls``; nothing where there are none."""
    if not nulls or values.dtype.kind not in "iufO":
        return values
    missing = np.zeros(values.shape, bool)
    for null in np.concatenate([np.ravel(null) for null in nulls]):
        missing |= values == null if null == null else values != values  # NaN
    return np.ma.MaskedArray(values, mask=missing)


def _is_null(item: Any) -> bool:
    """Whether an object stands for no value: None, ``pandas.NA``, ``numpy.ma.masked``."""
    return item is None or item is np.ma.masked or type(item).__name__ in ("NAType", "NaTType")


def _single(item: Any, read: Any, name: str) -> float:
    """Return the value of one element of an array of objects, NaN where there is none."""
    if hasattr(item, "as_py"):  # pyarrow's scalars
        item = item.as_py()
    if _is_null(item):
        return np.nan
    if isinstance(item, Real | Decimal) and not isinstance(item, bool):
        item = float(item)
    elif not _is_scalar(item):
        raise _no_number(item, name)
    return float(read(item)[0])


def _is_scalar(item: Any) -> bool:
    """Whether an object is one number of NumPy's kind, or of pint."""
    kind = getattr(getattr(item, "dtype", None), "kind", "O")
    return hasattr(item, "magnitude") or (kind in "iuf" and np.ndim(item) == 0)


def _check_all_or_none(items: Iterable[Any], stated: Any, name: str) -> None:
    """Raise where some elements, none of them missing, have a unit and others have none."""
    if stated is not None:
        return
    units = {_is_bare(v): unit_of(v) for v in items}
    if len(units) > 1:
        raise ParameterError(
            f"{name} is stated in {units[False]} and in no unit: give all numbers a unit, or none."
        )


def _is_bare(item: Any) -> bool:
    return is_plain(item) or str(unit_of(item) or "") == ""


def _stacked(parts: list, value: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        values, missing = (np.array(part) for part in zip(*parts))
    except ValueError:
        raise _no_number(value, name) from None
    return values, missing


def _no_number(value: Any, name: str) -> ParameterError:
    shown = " ".join(repr(value).split())[:80]
    return ParameterError(f"{name} must be a real number or array: {shown} holds no numbers.")


# --- units ------------------------------------------------------------------------------------


def converted(values: Any, stated: Any, unit: Any, name: str, linear: bool = True) -> np.ndarray:
    """Return numbers in units of ``stated`` (a text or an astropy unit) as numbers in ``unit``.

    A pure number is in ``unit`` already, unless that is a per cent. ``dex`` is the unit of any
    logarithm; a magnitude is one of its own quantity only.

    Raises
    ------
    ParameterError
        They are not of one kind; the logarithm of a ratio for a plain number; without
        ``linear``, a quantity for its logarithm.
    ConfigError
        A conversion without astropy.
    """
    values = np.asarray(values, np.float64)
    if _says_nothing(stated) or _is_same(stated, unit):
        return values
    try:
        source, target = _of_ratios(as_unit(stated)), as_unit(unit)
    except ImportError:
        raise ConfigError(
            f"{name} is stated in {str(stated)!r}; to convert it to {_shown(unit)} "
            "needs astropy: pip install astropy"
        ) from None
    except (ValueError, TypeError):
        if _spelled(str(stated)).lower() == _spelled(str(unit)).lower():  # gyr, MSUN
            return values
        raise _refused(stated, unit, name) from None
    number = as_unit("")
    if source == target or (source == number and not target.is_equivalent(number)):
        return values
    if str(source) == "dex" and _is_log(target):
        return values
    if _is_log(source) and (not hasattr(source, "physical_unit") or target.is_equivalent(number)):
        raise _refused(stated, unit, name)
    if _is_log(target) and not _is_log(source) and not linear:
        raise _linear(stated, unit, name, target)
    return _to(values, source, target, stated, unit, name)


def _is_same(stated: Any, unit: Any) -> bool:
    """Whether two units are one without a look at what they mean."""
    if isinstance(unit, str) and unit == "any":
        return True
    if isinstance(stated, str) and isinstance(unit, str):
        return _spelled(stated) == _spelled(unit)
    return stated is unit


def _to(
    values: np.ndarray, source: Any, target: Any, stated: Any, unit: Any, name: str
) -> np.ndarray:
    from astropy.units import UnitsError

    try:
        with np.errstate(invalid="ignore", divide="ignore"):  # no logarithm: NaN, missing
            return np.asarray(source.to(target, values), np.float64)
    except (UnitsError, ValueError, TypeError, AttributeError):
        raise _refused(stated, unit, name) from None


def as_unit(unit: Any) -> Any:
    """Return the astropy unit of a text such as ``log10 Msun/yr``.

    Raises
    ------
    ValueError
        A text that astropy does not know either.
    """
    if not isinstance(unit, str):
        return unit
    from astropy import units

    text = unit.strip()
    if text.lower() in NO_UNIT:
        return units.dimensionless_unscaled
    if text == "log10":
        return units.dex
    if logarithm := _LOGARITHM.fullmatch(text):
        inner = next(filter(None, logarithm.groups()))
        return units.dex(units.Unit(_one_slash(inner)))
    return units.Unit(_one_slash(text))


def _spelled(unit: str) -> str:
    """Return a unit in one spelling: ``dex(solMass / yr)`` as ``log10 Msun/yr``."""
    words = unit.replace("(", " ").replace(")", " ").replace("dex", "log10")
    return " ".join(words.split()).replace(" / ", "/").replace("solMass", "Msun")


def _one_slash(text: str) -> str:
    """Return ``a/b/c`` as ``a/(b c)``: astropy warns of the first."""
    over, *under = text.split("/")
    return f"{over}/({' '.join(under)})" if len(under) > 1 and "(" not in text else text


def spelt(unit: Any) -> str:
    """Return a unit as a text that `as_unit` reads; one that a user defined, by what it means.

    Raises
    ------
    ParameterError
        A logarithmic unit of a unit that a user defined.
    """
    for text in map(str, (unit, *([] if _is_log(unit) else [_decomposed(unit)]))):
        try:
            if as_unit(text) == unit:
                return text
        except (ValueError, TypeError):
            continue
    raise ParameterError(f"The unit {unit} cannot be written down; convert to a usual one first.")


def _decomposed(unit: Any) -> str:
    """Return a unit as a number, in full, times base units."""
    from astropy.units import CompositeUnit

    base = unit.decompose()
    return f"{float(base.scale)!r} {CompositeUnit(1.0, base.bases, base.powers)}"


def width_unit(unit: str) -> Any:
    """Return the unit of a difference of two values: dex for the logarithm of a quantity."""
    whole = as_unit(unit)
    return getattr(whole, "function_unit", whole)


def _of_ratios(unit: Any) -> Any:
    """Return mag for mag(1), dex for dex(1), and a plain number for astropy's redshift."""
    if str(unit) == "redshift":
        return as_unit("")
    physical = getattr(unit, "physical_unit", None)
    return unit.function_unit if physical is not None and physical == as_unit("") else unit


def _is_log(unit: Any) -> bool:
    """Whether a unit is logarithmic: dex and mag, alone or of a quantity."""
    return hasattr(unit, "physical_unit") or any(
        str(base) in ("dex", "mag", "dB") for base in getattr(unit, "bases", [])
    )


def _linear(stated: Any, unit: Any, name: str, target: Any) -> ParameterError:
    inner = getattr(target, "physical_unit", None)
    hint = f"log10({name} / {inner})" if inner is not None else f"log10({name})"
    return ParameterError(
        f"{name} is stated in {str(stated)!r}, and the model takes its logarithm [{unit}]: give "
        f"{hint}, a plain number."
    )


def _refused(stated: Any, unit: Any, name: str) -> ParameterError:
    return ParameterError(
        f"{name} is stated in {str(stated)!r}; the model takes {_shown(unit)}, and there is no "
        "conversion."
    )


def _shown(unit: Any) -> str:
    return str(unit) or "no unit"
