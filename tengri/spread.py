"""Values put where they belong, without a scatter."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array


def spread(values: Array, index: np.ndarray, n: int) -> Array:
    """Return zeros (n,) with ``values`` (n_index,) at ``index`` (n_index,), known at compile time.

    A gather, for a scatter cannot be compiled in one piece: see `tengri.forward.small_call`.
    """
    place = np.full(n, len(index))
    place[index] = np.arange(len(index))
    return jnp.concatenate([values, jnp.zeros(1, values.dtype)])[place]
