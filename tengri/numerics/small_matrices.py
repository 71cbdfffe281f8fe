"""Cholesky factors and triangular inverses of many small matrices, as plain array operations.

XLA calls LAPACK once for each matrix, which costs more than the arithmetic, and its calls from
programs side by side may wait for one another for good. Here each step is one operation on the
whole batch; the number of steps is the size of a matrix.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array


def cholesky(matrix: Array) -> Array:
    """Return the lower Cholesky factor of symmetric matrices (…, d, d); NaN if not positive."""
    index = jnp.arange(matrix.shape[-1])

    def one_column(j: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, lower = state
        column = jnp.where(index >= j, rest[..., :, j], 0.0) / jnp.sqrt(rest[..., j, j])[..., None]
        rest = rest - column[..., :, None] * column[..., None, :]
        return rest, jnp.where(index == j, column[..., :, None], lower)

    state = matrix, jnp.zeros_like(matrix)
    return jax.lax.fori_loop(0, matrix.shape[-1], one_column, state)[1]


def inverse_lower(lower: Array) -> Array:
    """Return the inverse of lower triangular matrices (…, d, d)."""
    index = jnp.arange(lower.shape[-1])

    def one_row(i: Array, inverse: Array) -> Array:
        known = jnp.sum(lower[..., i, :, None] * inverse, axis=-2)
        row = ((index == i) - known) / lower[..., i, i, None]
        return jnp.where((index == i)[:, None], row[..., None, :], inverse)

    return jax.lax.fori_loop(0, lower.shape[-1], one_row, jnp.zeros_like(lower))


def solve_positive(matrix: Array, vector: Array) -> Array:
    """Return x of A x = b for symmetric positive definite A (…, d, d) and b (…, d)."""
    inverse = inverse_lower(cholesky(matrix))
    inner = jnp.sum(inverse * vector[..., None, :], axis=-1)
    return jnp.sum(inverse * inner[..., :, None], axis=-2)


def whitened(matrix: Array, vector: Array) -> tuple[Array, Array]:
    """Return (L⁻¹ b, ln det L) of matrices A = L Lᵀ (d, d, …) and vectors b (d, …).

    The batch comes last, so that each of the d steps runs along it; NaN if A is not positive.
    """
    white, log_det = [], jnp.zeros(vector.shape[1:], vector.dtype)
    while vector.shape[0]:
        pivot = jnp.sqrt(matrix[0, 0])
        column = matrix[1:, 0] / pivot[None]
        first = vector[0] / pivot
        white.append(first)
        log_det = log_det + jnp.log(pivot)
        vector = vector[1:] - column * first[None]
        matrix = matrix[1:, 1:] - column[:, None] * column[None, :]
    return jnp.stack(white), log_det
