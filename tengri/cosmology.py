"""Ages and distances as pure JAX functions of redshift.

Units: Gyr, Mpc, H0 in km/s/Mpc. ``z`` is a scalar or an array of any shape, z ≥ 0; the result
has its shape. Any astropy cosmology is accepted: it is tabulated from its own methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from numbers import Real
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.constants import C_KM_S, GYR_S, LSUN_ERG_S, MPC_CM
from tengri.errors import ConfigError, ParameterError
from tengri.numerics.linalg import matmul
from tengri.quantities import carries_more, plain_values

#: Where the default's H0 and Om0 come from.
REFERENCE = "Planck Collaboration 2020, A&A 641, A6"

#: 1/H0 [Gyr] for H0 = 1 km/s/Mpc.
HUBBLE_TIME_GYR = MPC_CM / 1e5 / GYR_S

#: Gauss–Legendre rule on [-1, 1]; 12 points give the distance to 1e-8 (see FlatLambdaCDM).
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


#: log10 of Lsun / (4π Mpc²) in erg/s/cm².
_LOG10_LSUN_AT_MPC = math.log10(LSUN_ERG_S / (4.0 * math.pi)) - 2.0 * math.log10(MPC_CM)


class Cosmology(Protocol):
    """Interface of cosmologies; hashable, comparable, usable as a static argument."""

    def age_gyr(self, z: ArrayLike) -> Array:
        """Return the age of the Universe at ``z`` [Gyr]."""
        ...

    def lookback_gyr(self, z: ArrayLike) -> Array:
        """Return the time from ``z`` to today [Gyr]."""
        ...

    def comoving_distance_mpc(self, z: ArrayLike) -> Array:
        """Return the distance that grows as D_L/(1+z) [Mpc]."""
        ...

    def luminosity_distance_mpc(self, z: ArrayLike) -> Array:
        """Return the luminosity distance [Mpc]."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what identifies this cosmology, as plain JSON values."""
        ...


def log10_luminosity_to_flux(
    cosmology: Cosmology, z: Array, distance_mpc: Array | None = None
) -> Array:
    """Return log10 of Lsun (1+z) / 4πd² in erg/s/cm²: L_ν [Lsun/Hz] → f_ν [erg/s/cm²/Hz].

    ``distance_mpc`` is a luminosity distance that takes the place of the cosmology's. A logarithm,
    because 1/(4πd²) underflows in float32.
    """
    d = cosmology.luminosity_distance_mpc(z) if distance_mpc is None else distance_mpc
    return _LOG10_LSUN_AT_MPC + jnp.log10(1.0 + z) - 2.0 * jnp.log10(d)


@dataclass(frozen=True)
class FlatLambdaCDM:
    r"""Flat universe of matter and a cosmological constant, without radiation.

    .. math:: E(z) = \sqrt{\Omega_m (1+z)^3 + 1 - \Omega_m}

    The defaults are the matter density and Hubble constant of Planck 2018 (A&A 641, A6); they
    agree with ``astropy.cosmology.FlatLambdaCDM(H0, Om0, Tcmb0=0)`` to 1e-8.

    Attributes
    ----------
    H0 : float
        Hubble constant [km/s/Mpc]; with a unit it is converted.
    Om0 : float
        Matter density today over the critical one, 0 < Om0 < 1.

    Raises
    ------
    ConfigError
        If H0 is not positive or Om0 not inside (0, 1), or a unit cannot be converted.
    """

    H0: float = 67.66
    Om0: float = 0.30966

    def __post_init__(self) -> None:
        for name, unit in (("H0", "km/s/Mpc"), ("Om0", "")):
            if carries_more(value := getattr(self, name)):
                object.__setattr__(self, name, _number(value, unit, f"FlatLambdaCDM {name}"))
        numbers = all(isinstance(v, Real) for v in (self.H0, self.Om0))
        if not (numbers and 0.0 < self.H0 < math.inf and 0.0 < self.Om0 < 1.0):
            raise ConfigError(
                f"FlatLambdaCDM needs H0 > 0 and 0 < Om0 < 1, got H0={self.H0!r}, Om0={self.Om0!r}."
            )

    @property
    def Ode0(self) -> float:
        """Dark-energy density today over the critical one."""
        return 1.0 - self.Om0

    def age_gyr(self, z: ArrayLike) -> Array:
        r"""Return the age at ``z``: :math:`2/(3H_0\sqrt{Ω_Λ})\,asinh\sqrt{Ω_Λ/Ω_m/(1+z)^3}`."""
        return self._time_unit * jnp.arcsinh(self._dark_to_matter(z))

    def lookback_gyr(self, z: ArrayLike) -> Array:
        """Return the lookback time to ``z``; no cancellation at small z."""
        # asinh(a) - asinh(b) = asinh(a √(1+b²) - b √(1+a²)), and that difference of products
        # is (a² - b²) over their sum, where 1 - (1+z)⁻³ is written without a difference.
        z = _redshift(z)
        a, b = self._dark_to_matter(0.0), self._dark_to_matter(z)
        a2_minus_b2 = self.Ode0 / self.Om0 * z * (3.0 + z * (3.0 + z)) / (1.0 + z) ** 3
        products = a * jnp.sqrt(1.0 + b * b) + b * jnp.sqrt(1.0 + a * a)
        return self._time_unit * jnp.arcsinh(a2_minus_b2 / products)

    def comoving_distance_mpc(self, z: ArrayLike) -> Array:
        r"""Return the comoving distance, :math:`(c/H_0) \int_0^z dz'/E(z')`.

        With :math:`u = (1+z)^{-1/2}` the integrand is :math:`2 / \sqrt{Ω_m + Ω_Λ u^6}`,
        smooth from today to the Big Bang, so that few points suffice at every z.
        """
        return C_KM_S / self.H0 * _comoving(jnp.asarray(_redshift(z), float), self.Om0)

    def luminosity_distance_mpc(self, z: ArrayLike) -> Array:
        """Return the luminosity distance (1+z) D_C."""
        z = _redshift(z)
        return (1.0 + z) * self.comoving_distance_mpc(z)

    def describe(self) -> dict[str, Any]:
        """Return name and parameters."""
        return {"name": "FlatLambdaCDM", "H0": self.H0, "Om0": self.Om0, "Tcmb0": 0.0}

    @property
    def _time_unit(self) -> float:
        return 2.0 / 3.0 * HUBBLE_TIME_GYR / self.H0 / math.sqrt(self.Ode0)

    def _dark_to_matter(self, z: ArrayLike) -> Array:
        return math.sqrt(self.Ode0 / self.Om0) * (1.0 + _redshift(z)) ** -1.5


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _comoving(z: Array, om0: float) -> Array:
    """Return the comoving distance in units of c/H0; see `FlatLambdaCDM`."""
    root = jnp.sqrt(1.0 + z)
    width = z / (root * (root + 1.0))  # 1 - u, exact for small z
    u = 1.0 - width[..., None] * jnp.asarray(0.5 * (1.0 + _NODES))
    integrand = 2.0 / jnp.sqrt(om0 + (1.0 - om0) * u**6)
    return width * matmul(integrand, 0.5 * _WEIGHTS)


@_comoving.defjvp
def _comoving_jvp(om0: float, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Say the derivative of an integral: 1/E."""
    (z,), (dz,) = primals, tangents
    return _comoving(z, om0), dz / jnp.sqrt(om0 * (1.0 + z) ** 3 + (1.0 - om0))


#: Range of redshift that a tabulated cosmology serves, and the accuracy that it must reach.
Z_MAX = 30.0
TABLE_RTOL = 3e-7
_Y_MAX = math.log1p(Z_MAX)
_DEGREES = (16, 24, 32, 48, 64)


@dataclass(frozen=True)
class TabulatedCosmology:
    """Another code's cosmology as two Chebyshev series in y = ln(1+z) on 0 ≤ z ≤ 30.

    ``ln(age)`` and ``ln(D_L/z)`` are smooth functions of y down to z = 0. Beyond z = 30 the
    result is NaN.

    Attributes
    ----------
    source : str
        The ``repr`` of the cosmology that was tabulated.
    log_age, log_distance : tuple of float
        Chebyshev coefficients over y mapped to [-1, 1]; of ln(age/Gyr) and ln(D_L/z/Mpc).
    """

    source: str
    log_age: tuple[float, ...] = field(repr=False)
    log_distance: tuple[float, ...] = field(repr=False)

    @classmethod
    def from_methods(
        cls,
        source: str,
        age_gyr: Callable[[np.ndarray], np.ndarray],
        luminosity_distance_mpc: Callable[[np.ndarray], np.ndarray],
    ) -> TabulatedCosmology:
        """Tabulate two functions of an array of redshifts, in float64.

        Raises
        ------
        ConfigError
            If a function is not positive and finite, or not smooth enough for 64 terms.
        """
        return cls(
            source,
            _chebyshev(lambda z: np.log(age_gyr(z)), f"age of {source}"),
            _chebyshev(lambda z: np.log(luminosity_distance_mpc(z) / z), f"distance of {source}"),
        )

    def age_gyr(self, z: ArrayLike) -> Array:
        """Return the age of the Universe at ``z`` [Gyr]."""
        return _exp_series(self.log_age, z)

    def lookback_gyr(self, z: ArrayLike) -> Array:
        """Return age(0) - age(z) [Gyr]; good to the rounding of the age itself."""
        return self.age_gyr(0.0) - self.age_gyr(z)

    def comoving_distance_mpc(self, z: ArrayLike) -> Array:
        """Return D_L/(1+z) [Mpc]: the transverse comoving distance if space is curved."""
        return self.luminosity_distance_mpc(z) / (1.0 + _redshift(z))

    def luminosity_distance_mpc(self, z: ArrayLike) -> Array:
        """Return the luminosity distance [Mpc]."""
        return _redshift(z) * _exp_series(self.log_distance, z)

    def describe(self) -> dict[str, Any]:
        """Return the source and its age and distance at z = 1, which tell tables apart."""
        return {"name": "TabulatedCosmology", "source": self.source, **self._at_z1}

    @cached_property
    def _at_z1(self) -> dict[str, float]:
        x = 2.0 * math.log(2.0) / _Y_MAX - 1.0
        age, distance = (
            float(np.exp(np.polynomial.chebyshev.chebval(x, c)))
            for c in (self.log_age, self.log_distance)
        )
        return {"age_gyr_z1": age, "luminosity_distance_mpc_z1": distance}


def _chebyshev(f: Callable[[np.ndarray], np.ndarray], what: str) -> tuple[float, ...]:
    """Return the shortest series of ``f(z)`` in ln(1+z) that holds to ``TABLE_RTOL``."""
    y_check = np.concatenate([np.log1p([1e-4, 1e-3, 1e-2]), np.linspace(0.02, 0.999, 67) * _Y_MAX])
    truth = f(np.expm1(y_check))
    error = math.inf
    for degree in _DEGREES:
        x = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
        value = f(np.expm1(0.5 * _Y_MAX * (x + 1.0)))
        series = np.polynomial.chebyshev.chebfit(x, value, degree)
        at_check = np.polynomial.chebyshev.chebval(2.0 * y_check / _Y_MAX - 1.0, series)
        error = float(np.max(np.abs(at_check - truth)))
        if error < TABLE_RTOL:
            return tuple(float(c) for c in series)
    raise ConfigError(
        f"Cannot tabulate the {what} over 0 < z < {Z_MAX:g}: relative error {error:.1e} with "
        f"{_DEGREES[-1]} terms, wanted {TABLE_RTOL:g}. It must be smooth, positive and finite."
    )


def _unit_interval(z: ArrayLike) -> Array:
    """Return ln(1+z) mapped to [-1, 1]; NaN beyond the table."""
    z = _redshift(z)
    return jnp.where(z <= Z_MAX, 2.0 / _Y_MAX * jnp.log1p(z) - 1.0, jnp.nan)


def _exp_series(series: tuple[float, ...], z: ArrayLike) -> Array:
    """Return exp of a Chebyshev series (Clenshaw's recurrence)."""
    x = _unit_interval(z)
    b1 = b2 = jnp.zeros_like(x)
    for c in series[:0:-1]:
        b1, b2 = c + 2.0 * x * b1 - b2, b1
    # The constant term is the largest: outside the exponential it costs float32 no digits.
    return math.exp(series[0]) * jnp.exp(x * b1 - b2)


def default_cosmology() -> FlatLambdaCDM:
    """Return flat ΛCDM with H0 = 67.66 km/s/Mpc and Om0 = 0.30966, without radiation."""
    return FlatLambdaCDM()


def as_cosmology(cosmology: Any = None) -> Cosmology:
    """Return ``cosmology`` as one that JAX can differentiate.

    Parameters
    ----------
    cosmology : None, FlatLambdaCDM, TabulatedCosmology or an astropy cosmology
        None is the default; an object with astropy's methods ``age`` and
        ``luminosity_distance`` is tabulated from them to 3e-7 over 0 < z < 30.

    Raises
    ------
    ConfigError
        If it is none of these, or cannot be tabulated.
    """
    if cosmology is None:
        return default_cosmology()
    if isinstance(cosmology, FlatLambdaCDM | TabulatedCosmology):
        return cosmology
    methods = [getattr(cosmology, name, None) for name in ("age", "luminosity_distance")]
    if isinstance(cosmology, type) or not all(map(callable, methods)):
        raise ConfigError(
            f"cosmology must be None, a tengri.cosmology object or an astropy cosmology (with "
            f"methods age and luminosity_distance), not {cosmology!r}."
        )
    age, distance = methods
    return TabulatedCosmology.from_methods(
        repr(cosmology), _in_unit(age, "Gyr"), _in_unit(distance, "Mpc")
    )


def _in_unit(method: Any, unit: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return ``method`` as a function of redshift that gives plain float64 in ``unit``."""

    def values(z: np.ndarray) -> np.ndarray:
        return _plain(method(z), unit, f"The cosmology's {getattr(method, '__name__', 'method')}")

    return values


def _plain(value: Any, unit: str, name: str) -> np.ndarray:
    """Return float64 numbers in ``unit``; raise ConfigError where they are not of that kind."""
    try:
        return plain_values(value, unit, name)[0]
    except ParameterError as error:
        raise ConfigError(str(error)) from None


def _number(value: Any, unit: str, name: str) -> Any:
    """Return one number in ``unit`` as a float; anything else as it is."""
    found = _plain(value, unit, name)
    return float(found) if found.ndim == 0 else value


def _redshift(z: ArrayLike) -> Array:
    """Return redshifts as an array of JAX, NaN where masked; raise for a unit of anything else."""
    return jnp.asarray(_plain(z, "", "The redshift") if carries_more(z) else z)
