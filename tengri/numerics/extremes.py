"""The larger and the smaller of two numbers, with a whole derivative where they are equal.

``jnp.maximum`` and ``jnp.clip`` halve the derivative there. A parameter that rests on its bound, or
a node of a table on which it falls, is such a place: what is wanted is the derivative on one side,
and the order of the arguments says which.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array


@jax.custom_jvp
def larger(first: Array | float, second: Array | float) -> Array:
    """Return ``max(first, second)``; where both are equal the derivative is that of ``first``."""
    return jnp.maximum(first, second)


@jax.custom_jvp
def smaller(first: Array | float, second: Array | float) -> Array:
    """Return ``min(first, second)``; where both are equal the derivative is that of ``first``."""
    return jnp.minimum(first, second)


@larger.defjvp
def _larger_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    value = larger(*primals)
    return value, _chosen(primals[0] >= primals[1], tangents, value)


@smaller.defjvp
def _smaller_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    value = smaller(*primals)
    return value, _chosen(primals[0] <= primals[1], tangents, value)


def _chosen(first: Array, tangents: tuple, value: Array) -> Array:
    """Return the derivative of the first number where that is the result, else of the second."""
    by_first, by_second = tangents
    slope = jnp.where(first, by_first, by_second)
    return jnp.broadcast_to(slope, value.shape).astype(value.dtype)
