"""Matrix products in the full precision of their type, on every device.

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
