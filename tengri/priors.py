"""Prior distributions of one parameter: frozen, hashable, differentiable in jit and vmap.

Shapes follow the argument; dtype is the process's default float. ``u`` is a probability,
``xi`` a standard-normal coordinate and ``y`` an unbounded coordinate of the parameter ``x``.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.errors import ParameterError, unknown
from tengri.quantities import (
    carries_more,
    converted,
    is_array,
    plain_values,
    spelt,
    unit_of,
    width_unit,
)
from tengri.truncated import (
    LAPLACE,
    NORMAL,
    P_MIN,
    Truncated,
    ndtr,
    ndtri,
    probability,
    student,
    truncate,
)

INF = math.inf

#: A truncation that keeps less than this cannot be sampled faithfully in float32.
MIN_MASS = 1e-30


def as_number(value: Any, what: str, unit: str = "") -> float:
    """Return ``value`` as a Python float in ``unit``, or raise naming ``what``."""
    if isinstance(value, (bool, np.bool_, str, bytes, complex, np.complexfloating)):
        raise ParameterError(f"{what} must be a number, not {value!r}.")
    if not isinstance(value, (float, int)):
        value = all_numbers(value, what, unit)
        if np.ndim(value) != 0:
            raise ParameterError(f"{what} must be a number, not an array of {value.shape}.")
    if math.isnan(number := float(value)):
        raise ParameterError(f"{what} is NaN; give a number.")
    return number


def all_numbers(value: Any, what: str, unit: str = "") -> np.ndarray:
    """Return ``value`` as float64 numbers in ``unit``, none of them masked or null.

    Raises
    ------
    ParameterError
        Traced by JAX, no number, missing, or in a unit that cannot be converted.
    """
    if isinstance(value, jax.core.Tracer):
        raise ParameterError(_traced(what))
    try:
        numbers, missing = plain_values(value, unit, what, linear=False)
    except jax.errors.TracerArrayConversionError:
        raise ParameterError(_traced(what)) from None
    if missing.any():
        raise ParameterError(f"{what} is missing (masked, null or NaN); give a number.")
    return numbers


def _traced(what: str) -> str:
    return (
        f"{what} is traced by JAX. Priors are static: declare the parameter in the spec "
        "and pass the traced value in the parameter dict."
    )


class Distribution(ABC):
    """A prior of one scalar parameter on ``[lo, hi]``.

    Subclasses are frozen dataclasses with the fields ``lo``, ``hi``, ``description``, ``units``
    and ``default`` (the value of an omitted free parameter; None means that it must be given).
    Numbers are in the unit of the parameter, or in ``units`` where that is stated; quantities of
    astropy state it by themselves (``Uniform(5 * u.Myr, 1 * u.Gyr)``: both in Myr), and a spec
    converts the prior to the parameter's unit.
    """

    lo: float
    hi: float
    description: str
    units: str
    default: Any  # a float or None; a Fixed has its value here

    is_fixed: ClassVar[bool] = False
    #: fields that are values of the parameter, and those that are differences of two values
    _places: ClassVar[tuple[str, ...]] = ("lo", "hi", "default")
    _widths: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def _log_pdf(self, x: Array) -> Array:
        """Return the log density inside the bounds."""

    @abstractmethod
    def _tails(self, x: Array) -> tuple[Array, Array]:
        """Return P(X <= x) and P(X > x) inside the bounds."""

    @abstractmethod
    def _quantile(self, u: Array, v: Array) -> Array:
        """Return x from its lower and upper tail probabilities."""

    @property
    @abstractmethod
    def _inside(self) -> float:
        """A point well inside the bounds, where the density is finite."""

    @property
    def bounds(self) -> tuple[float, float]:
        """``(lo, hi)``, inclusive."""
        return self.lo, self.hi

    @property
    def reach(self) -> tuple[float, float]:
        """The interval that draws stay in: the bounds, or where a tail falls below 1e-36."""
        return self.bounds

    def sample(self, key: Array, shape: tuple[int, ...] = ()) -> Array:
        """Draw values of ``shape`` by inversion of uniform draws."""
        u = jax.random.uniform(key, shape)
        return self.from_unit(u + 0.5 * jnp.finfo(u.dtype).eps)  # cell centres: never 0, never 1

    def log_prob(self, x: ArrayLike) -> Array:
        """Return the normalised log density, -inf outside the bounds."""
        x = self._floats(x)
        inside = (x >= self.lo) & (x <= self.hi)
        return jnp.where(inside, self._log_pdf(jnp.where(inside, x, self._inside)), -jnp.inf)

    def to_unit(self, x: ArrayLike) -> Array:
        """Return the cumulative probability of x."""
        return self._tails(jnp.clip(self._floats(x), self.lo, self.hi))[0]

    def from_unit(self, u: ArrayLike) -> Array:
        """Return the quantile at probability u."""
        u = probability(u)
        return jnp.clip(self._quantile(u, 1.0 - u), self.lo, self.hi)

    def standardize(self, x: ArrayLike) -> Array:
        """Return the standard-normal coordinate xi of x: Phi(xi) is its probability."""
        u, v = self._tails(jnp.clip(self._floats(x), self.lo, self.hi))
        left = u < v
        xi = ndtri(jnp.clip(jnp.where(left, u, v), P_MIN, 0.5))
        return jnp.where(left, xi, -xi)

    def unstandardize(self, xi: ArrayLike) -> Array:
        """Return x at the standard-normal coordinate xi; xi ~ N(0, 1) gives x ~ prior."""
        xi = jnp.asarray(xi, float)
        return jnp.clip(self._quantile(ndtr(xi), ndtr(-xi)), self.lo, self.hi)

    def to_unbounded(self, x: ArrayLike) -> Array:
        """Map the bounds to the real line: logit, log distance to the one bound, or identity."""
        x = self._floats(x)
        low, high = math.isfinite(self.lo), math.isfinite(self.hi)
        if low and high:
            return jnp.log(x - self.lo) - jnp.log(self.hi - x)
        if low:
            return jnp.log(x - self.lo)
        return -jnp.log(self.hi - x) if high else x

    def from_unbounded(self, y: ArrayLike) -> Array:
        """Invert :meth:`to_unbounded`."""
        y = jnp.asarray(y, float)
        low, high = math.isfinite(self.lo), math.isfinite(self.hi)
        if low and high:
            width = self.hi - self.lo
            rise = self.lo + width * jax.nn.sigmoid(y)
            fall = self.hi - width * jax.nn.sigmoid(-y)
            return jnp.where(y < 0, rise, fall)
        if low:
            return self.lo + jnp.exp(y)
        return self.hi - jnp.exp(-y) if high else y

    def log_abs_det(self, y: ArrayLike) -> Array:
        """Return log |dx/dy| of :meth:`from_unbounded` at y."""
        y = jnp.asarray(y, float)
        low, high = math.isfinite(self.lo), math.isfinite(self.hi)
        if low and high:
            logistic = jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y)
            return math.log(self.hi - self.lo) + logistic
        if low:
            return y
        return -y if high else jnp.zeros_like(y)

    def in_unit(self, unit: str, name: str) -> Distribution:
        """Return the prior of the same quantity in another unit.

        Parameters
        ----------
        unit : str
            The unit of the parameter; a prior that states none is in it already.
        name : str
            The parameter, for messages.

        Raises
        ------
        ParameterError
            ``units`` is no unit, of another kind, or linear where the other is a logarithm.
        """
        if self.units in ("", unit):
            return self
        there = partial(converted, stated=self.units, unit=unit, name=name, linear=False)
        if not self.is_fixed:
            _check_affine(there, name, self.units, unit)
        changed = {f: _moved(there, getattr(self, f)) for f in self._places}
        for f in self._widths:
            ends = width_unit(self.units), width_unit(unit)
            changed[f] = float(converted(getattr(self, f), *ends, name))
        return dataclasses.replace(self, **changed, units=unit)  # type: ignore[type-var]

    def _read_units(self) -> None:
        """Take quantities as numbers in ``units``, or in the unit of the first of them."""
        fields = (*self._places, *self._widths)
        given = {f: getattr(self, f) for f in fields if getattr(self, f) is not None}
        stated = {f: unit for f, v in given.items() if (unit := unit_of(v)) is not None}
        if not stated:
            return
        bare = [f for f in given if f not in stated and not _is_infinite(given[f])]
        if bare and not self.units:
            raise ParameterError(
                f"{self._name(bare[0])} has no unit and {next(iter(stated))} has: give all a unit."
            )
        unit = self.units or spelt(next(stated[f] for f in fields if f in stated))
        for f in stated:
            own = width_unit(unit) if f in self._widths else unit
            value = all_numbers(given[f], self._name(f), own)
            object.__setattr__(self, f, value if value.ndim else float(value))
        object.__setattr__(self, "units", unit)

    def _floats(self, x: ArrayLike) -> Array:
        """Return values of the parameter in the unit of the prior, none masked."""
        what = f"The value of {type(self).__name__}"
        return jnp.asarray(all_numbers(x, what, self.units) if carries_more(x) else x, float)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description: the class and the fields off their defaults."""
        return {"kind": type(self).__name__, **self._given()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Distribution:
        """Rebuild the distribution that :meth:`to_dict` describes."""
        fields = dict(data)
        kind = fields.pop("kind", None)
        if kind not in KINDS:
            raise unknown("prior", str(kind), KINDS)
        try:
            return KINDS[kind](**fields)
        except TypeError as error:
            raise ParameterError(f"{kind} cannot be rebuilt from {fields}: {error}.") from None

    def _given(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, required ones always."""
        values = {f.name: (getattr(self, f.name), f) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {name: value for name, (value, f) in values.items() if value != f.default}

    def __repr__(self) -> str:
        given = self._given()
        required = [
            f.name
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
            if f.default is dataclasses.MISSING
        ]
        shown = [repr(given.pop(name)) for name in required]
        shown += [f"{name}={value!r}" for name, value in given.items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _check(self, *numbers: str) -> None:
        """Convert the named fields to floats and check bounds and default."""
        self._read_units()
        for name in (*numbers, "lo", "hi"):
            object.__setattr__(self, name, as_number(getattr(self, name), self._name(name)))
        if not self.lo < self.hi:
            raise ParameterError(
                f"{type(self).__name__} needs lo < hi, got lo={self.lo:g} and hi={self.hi:g}."
                + (" Use Fixed for a single value." if self.lo == self.hi else " Swap them?")
            )
        if self.default is not None:
            default = as_number(self.default, self._name("default"))
            if not self.lo <= default <= self.hi:
                raise ParameterError(
                    f"{type(self).__name__} default={default:g} lies outside its bounds "
                    f"[{self.lo:g}, {self.hi:g}]; move the default or widen the bounds."
                )
            object.__setattr__(self, "default", default)

    def _check_positive(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not 0.0 < value < INF:
                raise ParameterError(f"{self._name(name)} must be positive, got {value:g}.")

    def _check_finite(self, *names: str) -> None:
        for name in names:
            if not math.isfinite(getattr(self, name)):
                raise ParameterError(f"{self._name(name)} must be finite.")

    def _check_mass(self, law: Truncated) -> None:
        if not law.mass > MIN_MASS:
            raise ParameterError(
                f"{self!r}: the bounds keep almost none of the distribution "
                f"(probability {law.mass:.1g}). Widen them, or use Uniform({self.lo:g}, "
                f"{self.hi:g}) there."
            )

    def _name(self, name: str) -> str:
        return f"{type(self).__name__} {name}"


def _moved(there: Callable[..., np.ndarray], value: Any) -> Any:
    """Return a value, an array or a bound, converted; infinite bounds and None stay."""
    if value is None or _is_infinite(value):
        return value
    moved = there(np.asarray(value, np.float64))
    return moved if moved.ndim else float(moved)


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)


def _check_affine(there: Callable[..., np.ndarray], name: str, stated: str, unit: str) -> None:
    """Raise where the shape of a density would not survive: only factors and shifts keep it."""
    first, second, third = there(np.array([1.0, 2.0, 3.0]))
    if not math.isclose(third - second, second - first, rel_tol=1e-9):
        raise ParameterError(
            f"The prior of {name} is given in {stated}, the parameter in {unit}, and one is the "
            "logarithm of the other: give the prior in the parameter's unit."
        )


def _fixed_value(value: Any) -> float | tuple:
    """Return a float, or nested tuples of floats for an array."""
    if not is_array(value):
        number = as_number(value, "Fixed value")
        if not math.isfinite(number):
            raise ParameterError(f"Fixed value must be finite, got {number}.")
        return number
    return tuple(_fixed_value(item) for item in all_numbers(value, "Fixed value"))


@dataclass(frozen=True, repr=False)
class Fixed(Distribution):
    """A parameter held at ``value`` (a number, or an array for array-valued parameters).

    Its coordinates carry no information: every transform returns the value, every inverse 0
    (1/2 in the unit interval), and ``log_prob`` is 0.
    """

    value: Any
    description: str = ""
    units: str = field(default="", kw_only=True)

    is_fixed: ClassVar[bool] = True
    _places: ClassVar[tuple[str, ...]] = ("value",)

    def __post_init__(self) -> None:
        self._read_units()
        object.__setattr__(self, "value", _fixed_value(self.value))

    @property
    def lo(self) -> Any:  # type: ignore[override]
        """The value."""
        return self.value

    @property
    def hi(self) -> Any:  # type: ignore[override]
        """The value."""
        return self.value

    @property
    def default(self) -> Any:  # type: ignore[override]
        """The value."""
        return self.value

    @property
    def _inside(self) -> float:
        return self.value

    def _log_pdf(self, x: Array) -> Array:
        return jnp.zeros_like(x)

    def _tails(self, x: Array) -> tuple[Array, Array]:
        return jnp.full_like(x, 0.5), jnp.full_like(x, 0.5)

    def _quantile(self, u: Array, v: Array) -> Array:
        value = jnp.asarray(self.value, float)
        return jnp.broadcast_to(value, jnp.shape(u) + value.shape)

    def log_prob(self, x: ArrayLike) -> Array:
        """Return 0: a fixed parameter adds nothing to a prior."""
        return jnp.zeros_like(self._floats(x))

    def from_unit(self, u: ArrayLike) -> Array:
        """Return the value."""
        return self._quantile(probability(u), probability(u))

    def to_unit(self, x: ArrayLike) -> Array:
        """Return 1/2."""
        return self._tails(self._floats(x))[0]

    def standardize(self, x: ArrayLike) -> Array:
        """Return 0."""
        return jnp.zeros_like(self._floats(x))

    def unstandardize(self, xi: ArrayLike) -> Array:
        """Return the value."""
        return self.from_unit(xi)

    def to_unbounded(self, x: ArrayLike) -> Array:
        """Return 0."""
        return self.standardize(x)

    def from_unbounded(self, y: ArrayLike) -> Array:
        """Return the value."""
        return self.from_unit(y)

    def log_abs_det(self, y: ArrayLike) -> Array:
        """Return 0."""
        return self.standardize(y)


@dataclass(frozen=True, repr=False)
class Uniform(Distribution):
    """Equal density on [lo, hi]."""

    lo: float
    hi: float
    description: str = ""
    units: str = field(default="", kw_only=True)
    default: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._check()
        self._check_finite("lo", "hi")

    @property
    def _inside(self) -> float:
        return 0.5 * (self.lo + self.hi)

    def _log_pdf(self, x: Array) -> Array:
        return jnp.full_like(x, -math.log(self.hi - self.lo))

    def _tails(self, x: Array) -> tuple[Array, Array]:
        width = self.hi - self.lo
        return (x - self.lo) / width, (self.hi - x) / width

    def _quantile(self, u: Array, v: Array) -> Array:
        width = self.hi - self.lo
        return jnp.where(u < v, self.lo + width * u, self.hi - width * v)


@dataclass(frozen=True, repr=False)
class LogUniform(Distribution):
    """Equal density in log x on [lo, hi], lo > 0 (Jeffreys)."""

    lo: float
    hi: float
    description: str = ""
    units: str = field(default="", kw_only=True)
    default: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._check()
        self._check_finite("hi")
        self._check_positive("lo")

    @property
    def _span(self) -> float:
        return math.log(self.hi) - math.log(self.lo)

    @property
    def _inside(self) -> float:
        return math.sqrt(self.lo) * math.sqrt(self.hi)

    def _log_pdf(self, x: Array) -> Array:
        return -jnp.log(x) - math.log(self._span)

    def _tails(self, x: Array) -> tuple[Array, Array]:
        log_x = jnp.log(x)
        return (log_x - math.log(self.lo)) / self._span, (math.log(self.hi) - log_x) / self._span

    def _quantile(self, u: Array, v: Array) -> Array:
        rise, fall = self.lo * jnp.exp(self._span * u), self.hi * jnp.exp(-self._span * v)
        return jnp.where(u < v, rise, fall)


class _LocationScale(Distribution):
    """A truncated symmetric density with centre ``mu`` and scale ``sigma``."""

    mu: float
    sigma: float
    _places: ClassVar[tuple[str, ...]] = ("mu", "lo", "hi", "default")
    _widths: ClassVar[tuple[str, ...]] = ("sigma",)

    @property
    @abstractmethod
    def _law(self) -> Truncated:
        """The standard density on the standardised bounds."""

    @property
    def _inside(self) -> float:
        return min(max(self.mu, self.lo), self.hi)

    @property
    def reach(self) -> tuple[float, float]:
        """The interval that draws stay in: the bounds, or where a tail falls below 1e-36."""
        half = self.sigma * self._law.kernel.extent
        return max(self.lo, self.mu - half), min(self.hi, self.mu + half)

    @property
    def _cut(self) -> tuple[float, float]:
        return (self.lo - self.mu) / self.sigma, (self.hi - self.mu) / self.sigma

    def _check_shape(self, *more: str) -> None:
        self._check("mu", "sigma", *more)
        self._check_finite("mu")
        self._check_positive("sigma")
        self._check_mass(self._law)

    def _log_pdf(self, x: Array) -> Array:
        return self._law.log_pdf((x - self.mu) / self.sigma) - math.log(self.sigma)

    def _tails(self, x: Array) -> tuple[Array, Array]:
        return self._law.tails((x - self.mu) / self.sigma)

    def _quantile(self, u: Array, v: Array) -> Array:
        return self.mu + self.sigma * self._law.quantile(u, v)


@dataclass(frozen=True, repr=False)
class Normal(_LocationScale):
    """Normal of mean ``mu`` and width ``sigma`` before truncation to [lo, hi]."""

    mu: float
    sigma: float
    lo: float = -INF
    hi: float = INF
    description: str = ""
    units: str = field(default="", kw_only=True)
    default: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._check_shape()

    @property
    def _law(self) -> Truncated:
        return _normal(*self._cut)


Gaussian = Normal


@dataclass(frozen=True, repr=False)
class StudentT(_LocationScale):
    """Student's t of ``df`` >= 1 degrees of freedom, truncated to [lo, hi]."""

    mu: float = 0.0
    sigma: float = 1.0
    df: float = 3.0
    lo: float = -INF
    hi: float = INF
    description: str = ""
    units: str = field(default="", kw_only=True)
    default: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        df = as_number(self.df, "StudentT df")
        if not 1.0 <= df <= 1e4:
            raise ParameterError(
                f"StudentT df must lie in [1, 10000], got {df:g}. Use Normal for larger ones."
            )
        self._check_shape("df")

    @property
    def _law(self) -> Truncated:
        return _student(self.df, *self._cut)


@dataclass(frozen=True, repr=False)
class Laplace(_LocationScale):
    """Double exponential about ``mu`` with scale ``sigma``, truncated to [lo, hi]."""

    mu: float = 0.0
    sigma: float = 1.0
    lo: float = -INF
    hi: float = INF
    description: str = ""
    units: str = field(default="", kw_only=True)
    default: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._check_shape()

    @property
    def _law(self) -> Truncated:
        return _laplace(*self._cut)


@dataclass(frozen=True, repr=False)
class LogNormal(Distribution):
    """Natural log of x is normal (``mu``, ``sigma``), truncated to [lo, hi] in x."""

    mu: float = 0.0
    sigma: float = 1.0
    lo: float = 0.0
    hi: float = INF
    description: str = ""
    units: str = field(default="", kw_only=True)
    default: float | None = field(default=None, kw_only=True)
    _places: ClassVar[tuple[str, ...]] = ()  # ln(x / unit) would not say which unit

    def __post_init__(self) -> None:
        self._check("mu", "sigma")
        self._check_finite("mu")
        self._check_positive("sigma")
        if self.lo < 0.0:
            raise ParameterError(f"LogNormal lo must be 0 or more, got {self.lo:g}.")
        self._check_mass(self._law)

    def in_unit(self, unit: str, name: str) -> Distribution:
        """Return the prior in another unit: of a factor k, ln x moves by ln k."""
        if self.units in ("", unit):
            return self
        there = partial(converted, stated=self.units, unit=unit, name=name, linear=False)
        _check_affine(there, name, self.units, unit)
        places = {f: _moved(there, getattr(self, f)) for f in ("lo", "hi", "default")}
        shift = math.log(float(there(np.array(1.0))))
        return dataclasses.replace(self, mu=self.mu + shift, **places, units=unit)

    @property
    def _law(self) -> Truncated:
        logs = (math.log(self.lo) if self.lo > 0 else -INF, math.log(self.hi))
        return _normal(*((edge - self.mu) / self.sigma for edge in logs))

    @property
    def reach(self) -> tuple[float, float]:
        """The interval that draws stay in: the bounds, or where a tail falls below 1e-36."""
        half = self.sigma * self._law.kernel.extent
        low, high = (math.exp(min(self.mu + side, 700.0)) for side in (-half, half))
        return max(self.lo, low), min(self.hi, high)

    @property
    def _inside(self) -> float:
        return min(max(math.exp(self.mu), self.lo), self.hi)

    def _log_pdf(self, x: Array) -> Array:
        zero = x <= 0  # the density tends to 0 there; only reachable at lo = 0
        log_x = jnp.log(jnp.where(zero, 1.0, x))
        z = (log_x - self.mu) / self.sigma
        return jnp.where(zero, -jnp.inf, self._law.log_pdf(z) - log_x - math.log(self.sigma))

    def _tails(self, x: Array) -> tuple[Array, Array]:
        positive = jnp.maximum(x, jnp.finfo(x.dtype).tiny)
        return self._law.tails((jnp.log(positive) - self.mu) / self.sigma)

    def _quantile(self, u: Array, v: Array) -> Array:
        return jnp.exp(self.mu + self.sigma * self._law.quantile(u, v))


@lru_cache(maxsize=1024)
def _normal(a: float, b: float) -> Truncated:
    return truncate(NORMAL, a, b)


@lru_cache(maxsize=1024)
def _laplace(a: float, b: float) -> Truncated:
    return truncate(LAPLACE, a, b)


@lru_cache(maxsize=1024)
def _student(df: float, a: float, b: float) -> Truncated:
    return truncate(student(df), a, b)


KINDS: dict[str, type[Distribution]] = {
    kind.__name__: kind
    for kind in (Fixed, Uniform, LogUniform, Normal, LogNormal, StudentT, Laplace)
}
