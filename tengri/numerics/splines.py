r"""Cubic B-splines on equal steps: smooth to the second derivative (de Boor 1978).

Shapes: n_coefficient coefficients for n_coefficient - 3 intervals.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def weights(t: Any) -> tuple[Any, Any, Any, Any]:
    """Return what four coefficients in a row count at ``t`` in [0, 1] of their interval."""
    u = 1.0 - t
    return (u**3 / 6.0, (t**2 * (3.0 * t - 6.0) + 4.0) / 6.0,
            (u**2 * (3.0 * u - 6.0) + 4.0) / 6.0, t**3 / 6.0)  # fmt: skip


def fit(values: np.ndarray, n_coefficient: int) -> np.ndarray:
    """Return coefficients (n_coefficient, …) of the spline nearest to ``values`` (n, …).

    The values are at equal steps, both ends included; least squares.
    """
    from scipy.linalg import solveh_banded  # here: a surrogate that is used fits none

    design = _design(len(values), n_coefficient)
    normal = design.T @ design
    banded = np.zeros((4, n_coefficient))
    for i in range(4):
        banded[i, : n_coefficient - i] = np.diagonal(normal, -i)
    flat = design.T @ values.reshape(len(values), -1)
    return np.asarray(solveh_banded(banded, flat, lower=True).reshape(-1, *values.shape[1:]))


def values(coefficients: np.ndarray, n: int) -> np.ndarray:
    """Return the spline at ``n`` equal steps, both ends included: (n, …)."""
    return np.asarray(_design(n, len(coefficients)) @ coefficients)


def _design(n: int, n_coefficient: int) -> np.ndarray:
    """Return what each coefficient counts at equal steps, (n, n_coefficient)."""
    intervals = n_coefficient - 3
    place = np.linspace(0.0, intervals, n)
    first = np.minimum(place.astype(int), intervals - 1)
    w = np.stack(weights(place - first), axis=1)
    design = np.zeros((n, n_coefficient))
    for i in range(4):
        design[np.arange(n), first + i] = w[:, i]
    return design
