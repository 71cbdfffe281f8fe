"""Standard symmetric densities (normal, Student t, Laplace) restricted to an interval.

A density symmetric about zero is known by its logarithm and by one tail:
``tail(z) = P(Z < z)`` for z <= 0 and its inverse. Everything truncated follows, and choosing
the smaller tail at each point keeps full relative precision on both sides, in float32 too.
All quantities are dimensionless; ``z`` is (x - mu) / sigma.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy import special
from jax.typing import ArrayLike

# Each of these is dozens of operations: outside jit they start faster compiled as one.
betainc, ndtr, ndtri = (jax.jit(f) for f in (special.betainc, special.ndtr, special.ndtri))

#: Smallest tail probability that is told from zero; float32 still holds it.
P_MIN = 1e-36


@dataclass(frozen=True)
class Kernel:
    """A standard density symmetric about zero.

    Attributes
    ----------
    log_pdf : callable
        log density at z.
    tail : callable
        P(Z < z) at z <= 0.
    tail_quantile : callable
        The z <= 0 at which ``tail`` is p, for 0 < p <= 1/2.
    tail64 : callable
        ``tail`` for Python floats in float64, for the constants of a truncation.
    extent : float
        Largest ``abs(z)`` that ``tail_quantile`` gives, at the probability ``P_MIN``.
    """

    log_pdf: Callable[[Array], Array]
    tail: Callable[[Array], Array]
    tail_quantile: Callable[[Array], Array]
    tail64: Callable[[float], float]
    extent: float


@dataclass(frozen=True)
class Truncated:
    """A symmetric density restricted to [a, b].

    ``below`` and ``above`` are the probabilities cut off, ``mass`` the one kept.
    """

    kernel: Kernel
    below: float
    above: float
    mass: float

    def log_pdf(self, z: Array) -> Array:
        """Return the normalised log density at z inside the interval."""
        return self.kernel.log_pdf(z) - math.log(self.mass)

    def tails(self, z: Array) -> tuple[Array, Array]:
        """Return P(Z <= z) and P(Z > z)."""
        tail = self.kernel.tail(-jnp.abs(z))
        lower = jnp.clip((tail - self.below) / self.mass, 0.0, 1.0)
        upper = jnp.clip((tail - self.above) / self.mass, 0.0, 1.0)
        left = z < 0
        return jnp.where(left, lower, 1.0 - upper), jnp.where(left, 1.0 - lower, upper)

    def quantile(self, u: Array, v: Array) -> Array:
        """Return z from its lower and upper tail probabilities (u + v = 1)."""
        lower = self.below + u * self.mass
        upper = self.above + v * self.mass
        left = lower < upper
        p = jnp.clip(jnp.where(left, lower, upper), P_MIN, 0.5)
        z = self.kernel.tail_quantile(p)
        return jnp.where(left, z, -z)


def truncate(kernel: Kernel, a: float, b: float) -> Truncated:
    """Restrict ``kernel`` to [a, b]; constants in float64, from the tail nearer to the interval."""
    below = kernel.tail64(a) if a < 0 else 1.0 - kernel.tail64(-a)
    above = kernel.tail64(-b) if b > 0 else 1.0 - kernel.tail64(b)
    if a > 0:
        mass = kernel.tail64(-a) - kernel.tail64(-b)
    elif b < 0:
        mass = kernel.tail64(b) - kernel.tail64(a)
    else:
        mass = 1.0 - below - above
    return Truncated(kernel, below, above, mass)


# --- normal ------------------------------------------------------------------------------------


def _normal_log_pdf(z: Array) -> Array:
    return -0.5 * z**2 - 0.5 * math.log(2.0 * math.pi)


def _normal_tail64(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


NORMAL = Kernel(_normal_log_pdf, ndtr, ndtri, _normal_tail64, -NormalDist().inv_cdf(P_MIN))


# --- Laplace -----------------------------------------------------------------------------------


def _laplace_log_pdf(z: Array) -> Array:
    return -jnp.abs(z) - math.log(2.0)


def _laplace_tail(z: Array) -> Array:
    return 0.5 * jnp.exp(z)


def _laplace_tail_quantile(p: Array) -> Array:
    return jnp.log(2.0 * p)


def _laplace_tail64(z: float) -> float:
    return 0.5 * math.exp(z)


LAPLACE = Kernel(
    _laplace_log_pdf,
    _laplace_tail,
    _laplace_tail_quantile,
    _laplace_tail64,
    -math.log(2.0 * P_MIN),
)


# --- Student t ---------------------------------------------------------------------------------


def _student_log_norm(df: float) -> float:
    half = 0.5 * df
    return math.lgamma(half + 0.5) - math.lgamma(half) - 0.5 * math.log(df * math.pi)


def _student_log_pdf(z: Array, df: float) -> Array:
    return _student_log_norm(df) - 0.5 * (df + 1.0) * jnp.log1p(z**2 / df)


def _student_tail(z: Array, df: float) -> Array:
    return 0.5 * betainc(0.5 * df, 0.5, df / (df + z**2))


@lru_cache(maxsize=64)
def _student_table(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Return log p (rising) and asinh z of the quantile at 512 tail probabilities."""
    from scipy.special import stdtrit  # a third of a second to import, and few priors need it

    log_p = np.linspace(math.log(P_MIN), math.log(0.5), 512)
    return log_p, np.arcsinh(stdtrit(df, np.exp(log_p)))


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _student_solve(p: Array, df: float) -> Array:
    """Invert the tail: a table in (log p, asinh z), then three Newton steps."""
    log_p, arc = (jnp.asarray(column, p.dtype) for column in _student_table(df))

    def step(_: int, z: Array) -> Array:
        tail = _student_tail(z, df)
        slope = jnp.exp(_student_log_pdf(z, df)) * jnp.sqrt(1.0 + z**2) / tail
        return jnp.sinh(jnp.arcsinh(z) - jnp.log(tail / p) / slope)

    start = jnp.sinh(jnp.interp(jnp.log(p), log_p, arc))
    return jnp.minimum(jax.lax.fori_loop(0, 3, step, start), 0.0)


@_student_solve.defjvp
def _student_solve_jvp(df: float, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    z = _student_solve(primals[0], df)
    return z, tangents[0] * jnp.exp(-_student_log_pdf(z, df))


_student_tail_quantile = jax.jit(_student_solve, static_argnums=1)  # compiled once per df


def student(df: float) -> Kernel:
    """Return Student's t of ``df`` >= 1 degrees of freedom; df = 2 in closed form."""
    return STUDENT_2 if df == 2.0 else _student(df)


@lru_cache(maxsize=64)
def _student(df: float) -> Kernel:
    from scipy.special import stdtrit

    return Kernel(
        partial(_student_log_pdf, df=df),
        partial(_student_tail, df=df),
        partial(_student_tail_quantile, df=df),
        partial(_student_tail64, df=df),
        -float(stdtrit(df, P_MIN)),
    )


def _student_tail64(z: float, df: float) -> float:
    from scipy.special import stdtr

    return float(stdtr(df, z))


def _student_two_tail(z: Any) -> Any:
    root = (2.0 + z**2) ** 0.5
    return 1.0 / (root * (root - z))


def _student_two_tail_quantile(p: Any) -> Any:
    return (2.0 * p - 1.0) / (2.0 * p * (1.0 - p)) ** 0.5


STUDENT_2 = Kernel(
    partial(_student_log_pdf, df=2.0),
    _student_two_tail,
    _student_two_tail_quantile,
    _student_two_tail,
    -_student_two_tail_quantile(P_MIN),
)


def probability(x: ArrayLike) -> Array:
    """Return ``x`` as a float array clipped to [0, 1]."""
    return jnp.clip(jnp.asarray(x, float), 0.0, 1.0)
