"""Values as people hand them over, as plain float64 in the unit of a parameter.

A mask, a null and a unit are part of a value: what is masked is missing, what carries a unit is
converted or refused, and what is no number is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from tengri.errors import ConfigError, ParameterError

#: Spellings of "no unit is stated"; a redshift is a number by itself.
NO_UNIT = ("", "1", "none", "dimensionless", "-", "redshift")
#: A parameter of this unit is relative: it takes any.
ANY = "any"
#: ``log10 Msun``, ``log10(Msun)``, ``log(Msun)``, ``dex(Msun)``, ``[Msun]``: of base 10, all.
_LOGARITHM = re.compile(r"(?:log10|log|lg|dex)\s*[\[(]\s*(.+?)\s*[\])]|(?:log10|log|lg|dex)\s+(.+)"
                        r"|\[(.+)\]")  # fmt: skip


class Stated(NamedTuple):
    """Values (n, …) without their container, which of them are missing, and their unit or ``""``.

    ``missing`` has the shape of ``values``; ``unit`` is text, or a unit of astropy.
    """

    values: np.ndarray
    missing: np.ndarray
    unit: Any


def plain_values(
    value: Any, unit: str, name: str, stated_unit: Any = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Return values as float64 in ``unit``, NaN where missing, and the mask of those.

    Parameters
    ----------
    value : array_like
        Numbers, plain or in a container that knows masks, nulls or units: ``numpy.ma``, astropy
        columns and quantities, pandas, pyarrow, ``h5py.Dataset``, ``unyt``, ``pint``.
    unit : str
        Of the parameter, as the registry has it: ``Gyr``, ``log10 Msun``.
    name : str
        For the messages.
    stated_unit : str or unit, optional
        Where the unit stands beside the values, as in the header of a file.

    Returns
    -------
    values : ndarray of float64
    missing : ndarray of bool, of the same shape

    Raises
    ------
    ParameterError
        No numbers, or a unit that cannot be converted.
    ConfigError
        A conversion without astropy.
    """
    found = stated(value, name)
    values = np.where(found.missing, np.nan, found.values)
    values = converted(values, stated_unit or found.unit, unit, name)
    return values, found.missing | np.isnan(values)


# --- containers -------------------------------------------------------------------------------


def stated(value: Any, name: str) -> Stated:
    """Return what a container says: see `Stated`. Raises as `plain_values` does."""
    unit = unit_of(value)
    if hasattr(value, "unmasked"):  # astropy's Masked
        value = np.ma.MaskedArray(np.asarray(value.unmasked), mask=value.mask)
    elif hasattr(value, "magnitude"):  # pint
        value = value.magnitude
    elif type(value).__module__.partition(".")[0] == "pyarrow":
        from tengri.catalogue.arrow import as_masked

        value = as_masked(value)
    elif hasattr(value, "isna") and hasattr(value, "to_numpy"):  # pandas
        value = _of_pandas(value)
    elif isinstance(getattr(value, "attrs", None), Mapping):  # h5py, xarray
        value = masked_by(np.asarray(value), nulls_of(value.attrs))
    if isinstance(value, (list, tuple)):
        return _of_elements(_objects(value), name, unit)
    array = value if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    if array.dtype.kind == "O":
        return _of_elements(array, name, unit)
    if array.dtype.kind not in "iuf":
        raise _no_numbers(name, array.dtype)
    missing = np.array(np.ma.getmaskarray(array))
    return Stated(np.asarray(np.ma.getdata(array), np.float64), missing, unit)


def unit_of(value: Any) -> Any:
    """Return the unit that a container states, or ``""``."""
    dtype, attrs = getattr(value, "dtype", None), getattr(value, "attrs", {})
    for key in ("unit", "units"):
        held = attrs.get(key) if isinstance(attrs, Mapping) else None
        for found in (held, getattr(value, key, None), getattr(dtype, key, None)):
            if isinstance(found, bytes):
                return found.decode(errors="replace")
            if isinstance(found, str) or not (found is None or hasattr(found, "tolist")):
                return found
    return ""


def _of_pandas(series: Any) -> np.ndarray:
    """Return a Series or an array of pandas; nullable integers stay so, not what lies under."""
    missing = np.asarray(series.isna(), bool)
    if getattr(series.dtype, "kind", "O") in "iuf":
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


def _objects(value: Any) -> np.ndarray:
    """Return a list as an array of its numbers, of whatever types, (n,) or (n, …)."""
    try:
        rows = [_objects(v) if isinstance(v, (list, tuple)) else v for v in value]
        nested = [isinstance(v, (list, tuple)) for v in value]
        if any(nested):
            return np.stack(rows)
        flat = np.empty(len(rows), object)
        flat[:] = rows
        return flat
    except ValueError:
        return np.array([value], object)  # ragged: no numbers


def _of_elements(array: np.ndarray, name: str, unit: Any) -> Stated:
    """Return an array of Python objects: numbers, missing ones, or quantities of one unit each."""
    missing = np.array(np.ma.getmaskarray(array))
    values = np.full(array.shape, np.nan)
    data, units = np.ma.getdata(array), set()
    for index in np.ndindex(array.shape):
        item = data[index]
        if missing[index] or _is_null(item):
            missing[index] = True
            continue
        if not _is_number(item):
            raise _no_numbers(name, type(item).__name__)
        units.add(str(unit_of(item)))
        values[index] = float(getattr(item, "value", item))
    if len(units) > 1:
        shown = " and ".join(unit or "no unit" for unit in sorted(units))
        raise ParameterError(f"{name} is stated in {shown}: use one unit.")
    return Stated(values, missing, unit or next(iter(units), ""))


def _is_number(item: Any) -> bool:
    """Whether an object is one real number, with or without a unit."""
    if isinstance(item, (Real, Decimal)):
        return not isinstance(item, bool)
    return np.ndim(item) == 0 and getattr(item, "dtype", np.dtype(object)).kind in "iuf"


def _is_null(item: Any) -> bool:
    """Whether an object stands for no value: None, ``pandas.NA``, ``numpy.ma.masked``."""
    return item is None or item is np.ma.masked or type(item).__name__ in ("NAType", "NaTType")


def _no_numbers(name: str, kind: Any) -> ParameterError:
    return ParameterError(f"Column {name!r} holds no numbers ({kind}).")


# --- units ------------------------------------------------------------------------------------


def converted(values: np.ndarray, stated_unit: Any, unit: str, name: str) -> np.ndarray:
    """Return values of a stated unit in the unit of a parameter.

    Where the parameter is a logarithm, ``dex`` is its own unit; ``dex(kg)`` and plain ``kg`` are
    converted. A unit that is not stated is taken to be the parameter's.

    Raises
    ------
    ParameterError
        Both units, where there is no conversion.
    ConfigError
        A conversion without astropy.
    """
    text = _spelled(str(stated_unit))
    nothing = isinstance(stated_unit, str) and text in NO_UNIT
    if nothing or unit == ANY or text == _spelled(unit):
        return values
    if text in ("log10", "log10 1") and unit.startswith(("log10", "dex")):
        return values
    try:
        from astropy import units as u
    except ImportError as error:
        raise ConfigError(
            f"{name} is stated in {str(stated_unit)!r}; to convert it to {unit or 'no unit'} "
            'needs astropy: pip install "tengri[fits]"'
        ) from error
    try:
        source, own = _parsed(stated_unit, u), _parsed(unit, u)
        return _through(source, own, values, u.dimensionless_unscaled)
    except (ValueError, TypeError, u.UnitsError):
        if text.lower() == _spelled(unit).lower():  # gyr, MSUN: no unit of astropy
            return values
        raise ParameterError(
            f"{name} is stated in {str(stated_unit)!r}; the model takes {unit or 'no unit'}, and "
            "there is no conversion."
        ) from None


def _through(source: Any, own: Any, values: np.ndarray, number: Any) -> np.ndarray:
    """Return values of one unit of astropy in another; raises UnitsError where it cannot be."""
    pure, both = source == number, own.is_equivalent(number)
    if pure and not both:
        return values
    if str(source) == "mag" or (hasattr(source, "physical_unit") and both):
        raise ValueError(f"{source} is a logarithm.")  # no optical depth, and no metallicity
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(source.to(own, values), np.float64)


def _parsed(unit: Any, u: Any) -> Any:
    """Return a unit of astropy; raises ValueError for text that is none."""
    if isinstance(unit, (u.UnitBase, u.function.FunctionUnitBase)):
        return unit
    text = str(unit).strip()
    if text == "log10":
        return u.dex
    if logarithm := _LOGARITHM.fullmatch(text):
        return u.dex(u.Unit(next(filter(None, logarithm.groups()))))
    return u.Unit(text)


def _spelled(unit: str) -> str:
    """Return a unit in one spelling: ``dex(solMass / yr)`` as ``log10 Msun/yr``."""
    words = unit.replace("(", " ").replace(")", " ").replace("dex", "log10")
    return " ".join(words.split()).replace(" / ", "/").replace("solMass", "Msun")
