"""From the dict of a call to a complete, checked dict: on the path of every single prediction.

Concrete values are handled as NumPy arrays and Python floats; no JAX operation runs unless a
value is traced. Shapes: ``()`` or the parameter's own in a single call, with a leading ``(n,)``
in a batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tengri.domain import Domain
from tengri.errors import ParameterError
from tengri.parameters.parse import Entry
from tengri.parameters.values import slackened
from tengri.quantities import is_plain, plain_values


class Slot(NamedTuple):
    """What a call needs to know about one parameter that has a value of its own.

    ``lo`` and ``hi`` are finite and a rounding error outside ``bounds``. ``fallback`` serves
    when the parameter is omitted, one array per dtype (None: the parameter must be given).
    """

    name: str
    lo: float
    hi: float
    bounds: tuple[float, float]
    unit: str
    shape: tuple[int, ...]
    fallback: dict[Any, np.ndarray] | None


def make_slots(entries: Iterable[Entry]) -> dict[str, Slot]:
    """Return the slots of active, unmirrored entries; a source obeys its mirrors' bounds too."""
    active = [e for e in entries if e.status != "inert"]
    slots = {}
    for entry in active:
        if entry.source is not None:
            continue
        followers = [e.param.bounds for e in active if e.source == entry.param.name]
        lows, highs = zip(entry.param.bounds, *followers)
        bounds = (max(lows), min(highs))
        slots[entry.param.name] = Slot(
            entry.param.name, *slackened(bounds), bounds, entry.param.unit, entry.shape,
            _fallback(entry),
        )  # fmt: skip
    return slots


def _fallback(entry: Entry) -> dict[Any, np.ndarray] | None:
    if entry.prior.default is None:
        return None
    return {dtype: _frozen(entry, dtype) for dtype in (np.float32, np.float64)}


def _frozen(entry: Entry, dtype: type[np.floating]) -> np.ndarray:
    array = np.full(entry.shape, entry.prior.default, dtype)
    array.flags.writeable = False
    return array


def default_float() -> type[np.floating]:
    """Return the process's default float."""
    return np.float64 if jax.config.jax_enable_x64 else np.float32  # type: ignore[attr-defined]


def resolve_one(slots: Mapping[str, Slot], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the complete dict of one galaxy; ``params`` holds names of slots only."""
    dtype = default_float()
    out: dict[str, Any] = {}
    missing = []
    for name, slot in slots.items():
        if name not in params:
            if slot.fallback is None:
                missing.append(name)
            else:
                out[name] = slot.fallback[dtype]
            continue
        value = params[name]
        if isinstance(value, float) and slot.lo <= value <= slot.hi and slot.shape == ():
            out[name] = np.asarray(value, dtype)
            continue
        array = as_array(slot, value, dtype)
        if array.shape != slot.shape:
            raise ParameterError(_wrong_shape(slot, array.shape))
        out[name] = array
    if missing:
        raise ParameterError(missing_message(missing))
    return out


def resolve_batch(slots: Mapping[str, Slot], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the complete dict of n galaxies: every value has a leading axis of length n."""
    dtype = default_float()
    missing = [n for n, slot in slots.items() if n not in params and slot.fallback is None]
    if missing:
        raise ParameterError(missing_message(missing))
    out: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    for name, slot in slots.items():
        array = (
            as_array(slot, params[name], dtype) if name in params else slot.fallback[dtype]  # type: ignore[index]
        )
        if array.shape[1:] == slot.shape and array.ndim == len(slot.shape) + 1:
            lengths[name] = array.shape[0]
        elif array.shape != slot.shape:
            raise ParameterError(_wrong_shape(slot, array.shape, batch=True))
        out[name] = array
    n = _common_length(lengths)
    return {
        name: array if name in lengths else _stretched(array, (n, *array.shape))
        for name, array in out.items()
    }


def within_bounds(slots: Mapping[str, Slot], params: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which galaxies (n,) have values inside the hard bounds; NaN is not."""
    asked = {name: slots[name] for name in params}
    vectors = frozenset(name for name, slot in asked.items() if slot.shape != ())
    low, high = ({n: getattr(slot, end) for n, slot in asked.items()} for end in ("lo", "hi"))
    return np.asarray(Domain(low, high, vectors).contains(params, np))


def _stretched(array: Any, shape: tuple[int, ...]) -> Any:
    return (jnp if isinstance(array, jax.Array) else np).broadcast_to(array, shape)


def _common_length(lengths: Mapping[str, int]) -> int:
    """Return the number of galaxies on which all arrays agree."""
    if not lengths:
        raise ParameterError(
            "A batch needs at least one array of shape (n,); all values are single numbers. "
            "Use the call for one galaxy, or give e.g. redshift=jnp.full(n, 0.1)."
        )
    counts = set(lengths.values())
    if len(counts) > 1:
        shown = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ParameterError(f"Batch lengths differ: {shown}. Scalars serve all galaxies.")
    return counts.pop()


def as_array(slot: Slot, value: Any, dtype: type[np.floating]) -> Any:
    """Return ``value`` as a float array; values of concrete ones are checked."""
    if isinstance(value, jax.core.Tracer):
        if not any(jnp.issubdtype(value.dtype, kind) for kind in (jnp.floating, jnp.integer)):
            raise ParameterError(_wrong_type(slot, f"an array of {value.dtype}"))
        return value.astype(dtype)
    array = _concrete(slot, value)
    low, high = _extremes(array)
    if not (slot.lo <= low and high <= slot.hi):
        raise ParameterError(_bad_value(slot, array))
    return array.astype(dtype, copy=False)


def _extremes(array: np.ndarray) -> tuple[float, float]:
    if array.ndim == 0:
        value = array.item()
        return value, value
    if array.size == 0:
        raise ParameterError("A batch of no galaxies: give arrays of at least one row.")
    return array.min(), array.max()


def _concrete(slot: Slot, value: Any) -> np.ndarray:
    """Return the numbers of ``value`` in the parameter's unit; nothing may be missing."""
    if type(value) is np.ndarray or isinstance(value, jax.Array | np.generic | float | int):
        array = np.asarray(value)
        if array.dtype.kind in "fiu":
            return array
    array, missing = without_unit(slot, value)
    if missing.any():
        raise ParameterError(_missing_value(slot, missing))
    return array


def without_unit(slot: Slot, value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers in the parameter's unit, NaN where missing, and where that is."""
    try:
        return plain_values(value, slot.unit, slot.name, linear=False)
    except jax.errors.TracerArrayConversionError:
        raise ParameterError(
            f"{slot.name} is a list with traced elements: use jnp.stack or jnp.asarray on it."
        ) from None


def in_own_unit(slot: Slot, value: Any) -> Any:
    """Return ``value`` for a transform: itself where it is plain or JAX's, else its numbers.

    Raises
    ------
    ParameterError
        A unit that cannot be converted, a masked value, no number.
    """
    if is_plain(value) or isinstance(value, jax.Array):
        return value
    return _concrete(slot, value)


def missing_message(names: Collection[str]) -> str:
    """Name the free parameters that a call left out."""
    return (
        f"Missing free parameter{'s' * (len(names) > 1)} {', '.join(names)}: give a value, fix "
        "it in the spec, or state a default in its prior (Uniform(lo, hi, default=…))."
    )


def _wrong_type(slot: Slot, got: str) -> str:
    return f"{slot.name} must be a real number or array, not {got[:80]}."


def _wrong_shape(slot: Slot, shape: tuple[int, ...], batch: bool = False) -> str:
    if batch:
        want = f"{slot.shape} or {('n', *slot.shape)}".replace("'", "")
        return f"{slot.name} has shape {shape}; a batch takes {want}."
    many = len(shape) == len(slot.shape) + 1
    hint = " Many galaxies go through predict_photometry_batch or jax.vmap." if many else ""
    return f"{slot.name} has shape {shape}; one galaxy takes {slot.shape}.{hint}"


def _bad_value(slot: Slot, array: np.ndarray) -> str:
    """Name the value, the bound and the first offending row."""
    bad = ~((array >= slot.lo) & (array <= slot.hi))
    first, where = _first(bad)
    value = array[first]
    if not np.isfinite(value):
        return f"{slot.name} is {value}{where}; it must be finite."
    lo, hi = slot.bounds
    unit = f" {slot.unit}" if slot.unit else ""
    return f"{slot.name} = {value:g}{where} lies outside its bounds [{lo:g}, {hi:g}]{unit}."


def _missing_value(slot: Slot, missing: np.ndarray) -> str:
    """Name the first row without a value."""
    return (
        f"{slot.name} must be a real number, and it must be finite; it is missing (masked, "
        f"null or NaN){_first(missing)[1]}."
    )


def _first(bad: np.ndarray) -> tuple[tuple[int, ...], str]:
    """Return the first bad place, and words for it and for how many there are."""
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f" at row {first[0] if len(first) == 1 else first}" if first else ""
    count = f" ({int(bad.sum())} of {bad.size} values)" if bad.sum() > 1 else ""
    return first, where + count
