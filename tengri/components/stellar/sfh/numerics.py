"""Elementary functions that stay accurate where their textbook form cancels."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import log_ndtr


def asinh(x: Array) -> Array:
    """Return ln(x + √(1 + x²)) to a few ulp of 1: as much as an exponent needs, for little."""
    return jnp.sign(x) * jnp.log(jnp.abs(x) + jnp.sqrt(1 + x**2))


def expm1_ratio(z: Array) -> Array:
    """Return (e^z - 1) / z, 1 at z = 0."""
    small = jnp.abs(z) < 1e-3
    safe = jnp.where(small, 1.0, z)
    return jnp.where(small, 1 + z / 2 + z**2 / 6, jnp.expm1(safe) / safe)


def exp_moments(x: Array, decay: Array) -> tuple[Array, Array]:
    """Return ∫ e^-xt dt and ∫ t e^-xt dt over 0 <= t <= 1, where ``decay`` = e^-x is at hand.

    To 5e-9 and 2e-7 of them, in float64.
    """
    small = jnp.abs(x) < 0.3
    safe = jnp.where(small, 1.0, x)
    s = jnp.where(small, x, 0.0)
    zeroth = 1 - s / 2 * (1 - s / 3 * (1 - s / 4 * (1 - s / 5 * (1 - s / 6 * (1 - s / 7)))))
    first = 1 / 2 - s * (1 / 3 - s * (1 / 8 - s * (1 / 30 - s * (1 / 144 - s / 840))))
    far = (1 - decay) / safe
    return jnp.where(small, zeroth, far), jnp.where(small, first, (far - decay) / safe)


def gamma2_lower(d: Array) -> Array:
    """Return the integral of y e^-y from 0 to d >= 0: 1 - (1 + d) e^-d."""
    return d**2 * exp_moments(d, jnp.exp(-d))[1]


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
