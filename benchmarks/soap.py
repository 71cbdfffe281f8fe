"""SOAP (Vyas+2024, arXiv:2409.11321): Adam in the eigenbasis of Shampoo's preconditioner.

For a matrix G the running means of GGᵀ and GᵀG have eigenvectors Q_L and Q_R, followed by one step
of orthogonal iteration every ``every`` steps; Adam acts on Q_Lᵀ G Q_R. Other weights get Adam.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

B1, B2, EPS = 0.95, 0.95, 1e-8


class Matrix(NamedTuple):
    """State of one weight; ``left`` and ``right`` are (second moment, basis), None for vectors."""

    mean: Array
    square: Array
    left: tuple[Array, Array] | None
    right: tuple[Array, Array] | None


class SoapState(NamedTuple):
    """Steps taken and the state of every weight."""

    count: Array
    weights: Any


def soap(rate: optax.Schedule, every: int = 10) -> optax.GradientTransformation:
    """Return the optimiser."""
    return optax.chain(_scale_by_soap(every), optax.scale_by_learning_rate(rate))


def _scale_by_soap(every: int) -> optax.GradientTransformation:
    def init(params: Any) -> SoapState:
        return SoapState(jnp.zeros((), jnp.int32), jax.tree.map(_first, params))

    def update(grads: Any, state: SoapState, params: Any = None) -> tuple[Any, SoapState]:
        count = state.count + 1
        leaves, tree = jax.tree.flatten(grads)
        states = tree.flatten_up_to(state.weights)
        moved = [_step(g, s, count, every) for g, s in zip(leaves, states)]
        updates, new = zip(*moved)
        return tree.unflatten(updates), SoapState(count, tree.unflatten(new))

    return optax.GradientTransformation(init, update)


def _first(w: Array) -> Matrix:
    sides = [(jnp.zeros((n, n)), jnp.eye(n)) for n in w.shape] if _is_matrix(w) else [None, None]
    return Matrix(jnp.zeros_like(w), jnp.zeros_like(w), *sides)


def _is_matrix(w: Array) -> bool:
    return w.ndim == 2 and max(w.shape) <= 512


def _step(g: Array, s: Matrix, count: Array, every: int) -> tuple[Array, Matrix]:
    if s.left is None or s.right is None:
        rotated, back = g, lambda x: x
        left, right = None, None
    else:
        left = _followed(s.left, g @ g.T, count, every)
        right = _followed(s.right, g.T @ g, count, every)
        ql, qr = left[1], right[1]
        rotated, back = ql.T @ g @ qr, lambda x: ql @ x @ qr.T
    mean = B1 * s.mean + (1 - B1) * g
    square = B2 * s.square + (1 - B2) * rotated**2
    turned = mean if left is None else left[1].T @ mean @ right[1]
    correction = jnp.sqrt(1 - B2**count) / (1 - B1**count)
    return back(correction * turned / (jnp.sqrt(square) + EPS)), Matrix(mean, square, left, right)


def _followed(
    side: tuple[Array, Array], outer: Array, count: Array, every: int
) -> tuple[Array, Array]:
    second = B2 * side[0] + (1 - B2) * outer
    due = (count % every == 1) | (count == 1)
    basis = jax.lax.cond(due, lambda: jnp.linalg.qr(second @ side[1])[0], lambda: side[1])
    return second, basis
