"""A parameter that changes the shape of a spectrum, as a mixture of fixed spectra.

The weights are quadratic B-splines of equidistant nodes: not negative, with a continuous
derivative, and they sum to 1. A spectrum at the parameter's value is then a mean of those at
the three nodes around it.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import Array


def log_nodes(bounds: tuple[float, float], step: float) -> np.ndarray:
    """Return equidistant nodes in ln x that reach one beyond the bounds of x."""
    lo, hi = math.log(bounds[0]), math.log(bounds[1])
    n = math.ceil((hi - lo) / step)
    step = (hi - lo) / n
    return lo + step * np.arange(-1, n + 2)


def weights(x: Array, at: np.ndarray) -> Array:
    """Return the weights (n_node,) of the nodes ``at`` for the scalar ``x``, held at the ends."""
    step = at[1] - at[0]
    inside = jnp.clip(x, at[1], at[-2])
    t = jnp.abs((inside - jnp.asarray(at, float)) / step)
    return jnp.where(t < 0.5, 0.75 - t**2, 0.5 * jnp.maximum(1.5 - t, 0.0) ** 2)
