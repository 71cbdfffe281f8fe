"""Interpolation: linear between the nodes of a table, held at its ends, and cubic.

The weights of the former are hat functions of the nodes at ``x``: they are not negative and sum to
1. At a node the derivative is that of the interval above it, at the last node of the one below.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.numerics.extremes import larger, smaller


def hat_weights(x: Array, nodes: np.ndarray) -> Array:
    """Return the weights (n_node,) at a parameter ``x``, scalar."""
    lower = jnp.asarray(nodes[:-1], float)
    passed = larger((x - lower) / jnp.asarray(np.diff(nodes), float), 0.0)
    last = np.arange(len(nodes) - 1) == len(nodes) - 2
    passed = jnp.where(last, smaller(passed, 1.0), smaller(1.0, passed))
    # at a node the quotient above may be 1 but for rounding: its slope is over there
    over = (x >= jnp.asarray(nodes[1:], float)) & ~last
    passed = jnp.where(over, 1.0, passed)
    return jnp.append(1.0, passed) - jnp.append(passed, 0.0)


def cell(x: Array, nodes: np.ndarray) -> tuple[Array, Array]:
    """Return which interval between nodes holds ``x``, scalar, and where in it, in [0, 1]."""
    table = jnp.asarray(nodes, float)
    i = jnp.sum(x >= table[1:-1], dtype=jnp.int32)
    return i, smaller(larger((x - table[i]) / (table[i + 1] - table[i]), 0.0), 1.0)


def fixed_hat_weights(x: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return the weights (..., n_node) at constants ``x`` (...)."""
    return np.stack([np.interp(x, nodes, hat) for hat in np.eye(len(nodes))], axis=-1)


def catmull_rom(t: Array, a: Array, b: Array, c: Array, d: Array) -> Array:
    """Return the value at ``t``, 0 at ``b`` and 1 at ``c``, of four in a row.

    Catmull & Rom (1974): smooth to the first derivative.
    """
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
