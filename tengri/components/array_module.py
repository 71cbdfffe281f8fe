"""One formula for NumPy and JAX: concrete arrays stay in float64 NumPy, traced ones in JAX."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

#: A float array of either.
Floats = Array | np.ndarray


def array_module(x: Any) -> Any:
    """Return ``numpy`` for a NumPy array or scalar, ``jax.numpy`` for a JAX array or tracer."""
    return np if isinstance(x, np.ndarray | np.generic) else jnp


def as_floats(x: ArrayLike) -> Floats:
    """Return ``x`` as floats: a JAX array in JAX's default precision, all else as float64 NumPy."""
    return jnp.asarray(x, float) if isinstance(x, Array) else np.asarray(x, dtype=np.float64)
