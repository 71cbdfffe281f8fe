"""Numbers as people hold them, with masks, nulls and units, as plain float64 arrays.

Read are: Python and NumPy numbers, lists, JAX arrays; NumPy masked arrays; astropy ``Quantity``,
``Column``, ``MaskedColumn`` and ``Masked``; pandas and pyarrow arrays with nulls; None. Units are
recognised by what an object has, never by its class, and converted by the unit's own ``to``:
astropy is imported only when there is a unit to convert.

Units of parameters are short texts: ``Gyr``, ``Msun/yr``, ``%``, ``log10 Msun`` for the logarithm
of a quantity, ``dex`` and ``log10`` for the logarithm of a ratio, ``any`` where only the shape of
a curve counts, and nothing for a plain number.
"""

from __future__ import annotations

import decimal
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from tengri.errors import ParameterError

_NUMBER = (float, int, np.floating, np.integer)
_NO_UNIT = ("", "1", "none", "dimensionless", "-")


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
    return masked or stated_unit(value) is not None


def plain_values(
    value: Any, unit: Any = "", name: str = "The value"
) -> tuple[np.ndarray, np.ndarray]:
    """Return (values, missing): float64 numbers in ``unit``, and which were masked or null.

    Parameters
    ----------
    value : anything numeric
        See the top of the file. Numbers without a unit are in ``unit`` already.
    unit : str or astropy unit, optional
        The unit that is wanted; "" for a plain number, ``any`` for none in particular.
    name : str
        What is read, for messages.

    Returns
    -------
    values : (...) array of float64
        NaN where missing.
    missing : (...) array of bool

    Raises
    ------
    ParameterError
        Something that is no number; a unit that cannot be converted; a linear quantity where
        its logarithm is wanted.
    """
    if is_plain(value):
        array = np.asarray(value, np.float64)
        return array, np.zeros(array.shape, bool)
    if isinstance(value, list | tuple) and not all(is_plain(v) and np.ndim(v) == 0 for v in value):
        return _stacked([plain_values(v, unit, name) for v in value], value, name)
    stated = stated_unit(value)
    values, missing = _unmasked(value, unit, name)
    if stated is not None:
        values = converted(values, stated, unit, name)
    return np.where(missing, np.nan, values), missing


def stated_unit(value: Any) -> Any:
    """Return the unit that ``value`` carries, an object of astropy or a text; None for none.

    Looked for in ``unit`` (astropy), ``units`` (unyt, pint) and the attributes that xarray and
    HDF5 keep (``attrs["units"]``); of a list, in its first element.
    """
    if is_plain(value) or isinstance(value, str | bytes):
        return None
    if isinstance(value, list | tuple):
        return next((u for u in map(stated_unit, value) if u is not None), None)
    attrs = getattr(value, "attrs", None)
    attrs = attrs if isinstance(attrs, Mapping) else {}
    for found in (getattr(value, "unit", None), getattr(value, "units", None),
                  attrs.get("unit"), attrs.get("units")):  # fmt: skip
        text = found if isinstance(found, str) else None
        if found is None or (text is not None and text.strip().lower() in _NO_UNIT):
            continue
        if text is not None or hasattr(found, "to") or hasattr(found, "dimensions"):
            return found if hasattr(found, "to") else str(found)
    return None


def converted(values: Any, stated: Any, unit: Any, name: str) -> np.ndarray:
    """Return numbers in units of ``stated`` (a text or an astropy unit) as numbers in ``unit``.

    Raises
    ------
    ParameterError
        They are not of one kind, or one is the logarithm of the other.
    """
    values = np.asarray(values, np.float64)
    if isinstance(unit, str) and (unit == "any" or (isinstance(stated, str) and stated == unit)):
        return values
    source, target = _understood(stated, unit, name), as_unit(unit)
    source = _of_ratios(source)
    if source == target:
        return values
    if _is_log(target):
        return _to_log(values, source, target, unit, name)
    if _is_log(source) and (not hasattr(source, "physical_unit") or unit == ""):
        raise _refused(stated, unit, name)  # the logarithm of a ratio is no plain number
    return _to(values, source, target, unit, name)


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
    if text.lower() in _NO_UNIT:
        return units.dimensionless_unscaled
    if text.startswith("log10"):
        inner = text[len("log10") :].strip(" ()")
        return units.dex(units.Unit(_one_slash(inner))) if inner else units.dex
    return units.Unit(_one_slash(text))


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


def _understood(stated: Any, unit: Any, name: str) -> Any:
    """Return the stated unit as an object of astropy."""
    try:
        return as_unit(stated)
    except ImportError:
        why = "converting it needs astropy"
    except (ValueError, TypeError):
        why = "which is no unit that astropy knows"
    raise ParameterError(
        f"{name} is given in {stated}, {why}; give plain numbers{_in(unit)}."
    ) from None


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


def _to_log(values: np.ndarray, source: Any, target: Any, unit: Any, name: str) -> np.ndarray:
    """Convert between logarithms; a ratio's logarithm, which numpy makes a plain number, is one."""
    if source == as_unit(""):
        return values
    if not _is_log(source):
        inner = getattr(target, "physical_unit", None)
        hint = f"log10({name} / {inner})" if inner is not None else f"log10({name})"
        raise ParameterError(
            f"{name} is given in {source}, and the model takes its logarithm "
            f"[{unit}]: give {hint}, a plain number."
        )
    return _to(values, source, target, unit, name)


def _to(values: np.ndarray, source: Any, target: Any, unit: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(source.to(target, values), np.float64)
    except (ValueError, TypeError, AttributeError):
        raise _refused(source, unit, name) from None


def _refused(stated: Any, unit: Any, name: str) -> ParameterError:
    return ParameterError(
        f"{name} is given in {stated}, which cannot be converted: the model takes "
        f"{unit if str(unit) else 'a plain number'}. Give it so, or plain numbers{_in(unit)}."
    )


def _in(unit: Any) -> str:
    return f" in {unit}" if str(unit) else " without a unit"


def _unmasked(value: Any, unit: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers that ``value`` holds, in its own unit, and which are missing."""
    mask: Any = False
    if isinstance(value, np.ma.MaskedArray):
        value, mask = np.ma.getdata(value), np.ma.getmaskarray(value)
    elif hasattr(value, "unmasked") and hasattr(value, "mask"):  # astropy's Masked
        value, mask = value.unmasked, value.mask
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        if "Tracer" in type(error).__name__:  # JAX has its own words, and callers theirs
            raise
        raise _no_number(value, name) from None
    if array.dtype.kind == "O":
        parts = [_single(item, unit, name) for item in array.ravel()]
        values = np.array([v for v, _ in parts], np.float64).reshape(array.shape)
        nulls = np.array([m for _, m in parts], bool).reshape(array.shape)
    elif array.dtype.kind in "fiu" or array.dtype.name.startswith(("bfloat", "float")):
        values, nulls = array.astype(np.float64), np.zeros(array.shape, bool)
    else:
        raise _no_number(value, name)
    return values, nulls | np.asarray(mask, bool)


def _single(item: Any, unit: Any, name: str) -> tuple[float, bool]:
    """Return (value, missing) of one element of an array of objects."""
    if hasattr(item, "as_py"):  # pyarrow's scalars
        item = item.as_py()
    if item is None or type(item).__name__ == "NAType":  # pandas is not imported for it
        return np.nan, True
    if isinstance(item, numbers.Real | decimal.Decimal) and not isinstance(item, bool):
        return float(item), False
    if isinstance(item, np.ndarray) and item.ndim == 0 and item.dtype.kind != "O":
        value, missing = plain_values(item, unit, name)
        return float(value), bool(missing)
    raise _no_number(item, name)


def _stacked(parts: list, value: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        values, missing = (np.array(part) for part in zip(*parts))
    except ValueError:
        raise _no_number(value, name) from None
    return values, missing


def _no_number(value: Any, name: str) -> ParameterError:
    return ParameterError(f"{name} must be a real number or array, not {repr(value)[:80]}.")
