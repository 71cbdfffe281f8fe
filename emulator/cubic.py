"""Cubic interpolation of equidistant values."""

from __future__ import annotations

from jax import Array


def between(t: Array, a: Array, b: Array, c: Array, d: Array) -> Array:
    """Return the value at ``t``, 0 at ``b`` and 1 at ``c``, of four in a row.

    Catmull & Rom (1974): smooth to the first derivative.
    """
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
