"""Matrix products in the full precision of their type, on every device, and scatter without one.

An accelerator's default for float32 has 10 bits of mantissa: a part in a thousand, where exact
means 1e-6.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike


def matmul(a: ArrayLike, b: ArrayLike | np.ndarray) -> Array:
    """Return ``a @ b``."""
    return jnp.matmul(a, b, precision="highest")


def einsum(subscripts: str, *operands: ArrayLike) -> Array:
    """Return the sum of products that ``subscripts`` says."""
    return jnp.einsum(subscripts, *operands, precision="highest")


def scatter(values: Array, index: np.ndarray, n: int) -> Array:
    """Return zeros (n,) with ``values`` (n_index,) at ``index`` (n_index,), known at compile time.

    A gather, for a scatter cannot be compiled in one piece: see `tengri.forward.small_call`.
    """
    place = np.full(n, len(index))
    place[index] = np.arange(len(index))
    return jnp.concatenate([values, jnp.zeros(1, values.dtype)])[place]
