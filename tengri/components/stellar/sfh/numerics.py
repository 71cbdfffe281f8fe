"""Elementary functions that stay accurate where their textbook form cancels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import log_ndtr
from jax.typing import ArrayLike


def asinh(x: Array) -> Array:
    """Return ln(x + √(1 + x²)) to a few ulp of 1: as much as an exponent needs, for little."""
    return jnp.sign(x) * jnp.log(jnp.abs(x) + jnp.sqrt(1 + x**2))


def expm1_ratio(z: Array) -> Array:
    """Return (e^z - 1) / z, 1 at z = 0."""
    small = jnp.abs(z) < 1e-3
    safe = jnp.where(small, 1.0, z)
    return jnp.where(small, 1 + z / 2 + z**2 / 6, jnp.expm1(safe) / safe)


#: of (1 - e^-x) / x and of ∫ t e^-xt dt over 0 <= t <= 1 in powers of x
ZEROTH = tuple((-1.0) ** n / math.factorial(n + 1) for n in range(7))
FIRST = tuple((-1.0) ** n / math.factorial(n) / (n + 2) for n in range(6))


#: where they take over from quotients
NEAR = 0.3


def one_less_exp(x: Array, decay: Array) -> Array:
    """Return 1 - e^-x, where ``decay`` = e^-x is at hand."""
    small = jnp.abs(x) < NEAR
    return jnp.where(small, x * _series(jnp.where(small, x, 0.0), ZEROTH), 1 - decay)


def exp_moments(
    rate: ArrayLike, inverse: ArrayLike, span: Array, decay: Array
) -> tuple[Array, Array]:
    """Return ∫ e^-rt dt and ∫ t e^-rt dt over 0 <= t <= span, to 5e-9 and 2e-7 in float64.

    ``inverse`` is 1/r where r is not close to 0, and finite; ``decay`` is e^-r·span.
    """
    x = rate * span
    small = jnp.abs(x) < NEAR
    s = jnp.where(small, x, 0.0)
    zeroth = jnp.where(small, span * _series(s, ZEROTH), (1 - decay) * inverse)
    first = jnp.where(small, span**2 * _series(s, FIRST), (zeroth - span * decay) * inverse)
    return zeroth, first


def _series(x: Array, coefficients: Sequence[float]) -> Array:
    """Return Σ c_n x^n; a quotient would take ten times as long as a product."""
    total = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


#: of ∫ t^k e^-xt dt over 0 <= t <= 1, k = 0, 1, 2, in powers of x
UNIT_MOMENTS = tuple(
    tuple((-1.0) ** n / math.factorial(n) / (n + k + 1) for n in range(14)) for k in range(3)
)


def unit_exp_moments(x: Array) -> tuple[Array, Array, Array]:
    """Return ∫ t^k e^-xt dt over 0 <= t <= 1 for k = 0, 1 and 2, x >= 0, to 1e-11 in float64."""
    small = x < 1.0
    near, far = jnp.where(small, x, 0.0), jnp.where(small, 1.0, x)
    decay = jnp.exp(-far)
    zeroth = (1 - decay) / far
    first = (zeroth - decay) / far
    second = (2 * first - decay) / far
    zeroth, first, second = (
        jnp.where(small, _series(near, coefficients), beyond)
        for coefficients, beyond in zip(UNIT_MOMENTS, (zeroth, first, second))
    )
    return zeroth, first, second


def gamma2_lower(d: Array) -> Array:
    """Return the integral of y e^-y from 0 to d >= 0: 1 - (1 + d) e^-d."""
    return exp_moments(1.0, 1.0, d, jnp.exp(-d))[1]


def log_normal_mass(a: Array, width: Array) -> Array:
    """Return ln[Φ(a + width) - Φ(a)], width > 0: no cancellation, no underflow in the tails."""
    b = a + width
    narrow = width < 0.5
    middle = jnp.where(narrow, 0.5 * (a + b), 0.0)
    half = jnp.where(narrow, 0.5 * width, 1.0)
    step = jnp.sqrt(0.6) * half
    # three-node Gauss-Legendre around the middle; e^(-m^2/2) is kept apart
    spread = (8 + 10 * jnp.exp(-0.5 * step**2) * jnp.cosh(middle * step)) / 18
    close = -0.5 * middle**2 + jnp.log(2 * half * spread) - 0.5 * jnp.log(2 * jnp.pi)
    flip = a > 0  # the upper tail, seen from the lower
    low = jnp.where(narrow, -1.0, jnp.where(flip, -b, a))
    high = jnp.where(narrow, 0.0, jnp.where(flip, -a, b))
    ln_high = log_ndtr(high)
    far = ln_high + jnp.log1p(-jnp.exp(log_ndtr(low) - ln_high))
    return jnp.where(narrow, close, far)
