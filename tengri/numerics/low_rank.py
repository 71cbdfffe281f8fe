r"""Matrices of low rank: rows that are mixtures of few.

.. math:: M = A V, \quad \sum_s w_s M_s = (w A) V

A sum over n rows of m columns costs r (n + m) products in the place of n m.

Shapes: A (n, r), V (r, m).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.numerics.linalg import matmul


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class LowRank:
    """A matrix in two factors.

    Attributes
    ----------
    loadings : Array, shape (n, r)
        How much of each of few rows is in every row.
    few : Array, shape (r, m)
        The few rows.
    """

    loadings: Any
    few: Any

    @classmethod
    def of(cls, loadings: np.ndarray, rows: np.ndarray, matrix: np.ndarray) -> LowRank:
        """Return a matrix (n, m) whose rows are mixtures by ``loadings``.

        The few rows are solved for where ``rows`` (n,) of bool say, least squares of errors
        relative to the largest number of each row.
        """
        size = np.abs(matrix[rows]).max(axis=1, keepdims=True)
        weight = 1.0 / np.maximum(size, np.finfo(float).tiny)
        scale = np.linalg.norm(loadings[rows] * weight, axis=0)
        scale = np.where(scale > 0.0, scale, 1.0)
        few = np.linalg.lstsq(loadings[rows] * weight / scale, matrix[rows] * weight, rcond=None)[0]
        return cls(loadings, few / scale[:, None])

    def in_default_float(self) -> LowRank:
        """Return it as JAX arrays of the process's default float."""
        return LowRank(jnp.asarray(self.loadings, float), jnp.asarray(self.few, float))

    def __matmul__(self, other: np.ndarray) -> np.ndarray:
        """Return the product with a matrix (m, k), which is not of low rank: (n, k)."""
        return np.asarray(self.loadings) @ (np.asarray(self.few) @ other)


Matrix = Array | np.ndarray | LowRank


def in_default_float(matrix: Matrix) -> Array | LowRank:
    """Return a matrix as JAX arrays of the process's default float."""
    if isinstance(matrix, LowRank):
        return matrix.in_default_float()
    return jnp.asarray(matrix, float)


def sum_of_rows(weights: Array, matrix: Matrix) -> Array:
    """Return the sum of the rows (n, m) of a matrix times ``weights`` (n,), shape (m,)."""
    if isinstance(matrix, LowRank):
        return matmul(matmul(weights, matrix.loadings), matrix.few)
    return matmul(weights, jnp.asarray(matrix))


def solved(
    a: np.ndarray, matrix: np.ndarray, weight: np.ndarray, v: np.ndarray, steps: int
) -> np.ndarray:
    """Return V (r, m) such that A V is near a matrix (n, m) in which errors count ``weight``.

    All columns side by side by conjugate gradients (Hestenes & Stiefel 1952, J. Res. NBS 49, 409),
    from ``v`` on: products of matrices, where the normal equations of every column would take
    minutes. In the precision of the matrix.
    """
    a, v, square = a.astype(matrix.dtype), v.astype(matrix.dtype), weight**2
    scale = 1.0 / np.sqrt((a**2).T @ square)
    x = v / scale
    gradient = scale * (a.T @ (square * (matrix - a @ v)))
    direction, size = gradient, np.sum(gradient**2, axis=0)
    for _ in range(steps):
        image = a @ (scale * direction)
        curvature = np.sum(square * image**2, axis=0)
        step = size / np.maximum(curvature, np.finfo(matrix.dtype).tiny)
        x = x + step * direction
        gradient = gradient - step * scale * (a.T @ (square * image))
        before, size = size, np.sum(gradient**2, axis=0)
        direction = gradient + size / np.maximum(before, np.finfo(matrix.dtype).tiny) * direction
    return (scale * x).astype(np.float64)
