"""Cubic B-splines on equal steps."""

from __future__ import annotations

import numpy as np

from tengri.numerics import splines


def values(coefficients: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the spline at places in units of steps."""
    first = np.minimum(place.astype(int), len(coefficients) - 4)
    weights = splines.weights(place - first)
    return sum(w * coefficients[first + i] for i, w in enumerate(weights))


def test_cubics_are_reproduced_between_the_samples():
    def cubic(x):
        return 2.0 - x + 0.3 * x**2 - 0.02 * x**3

    samples, intervals = np.linspace(0.0, 9.0, 41), 9
    coefficients = splines.fit(np.stack([cubic(samples), samples], axis=1), intervals + 3)
    x = np.linspace(0.0, 9.0, 300)
    np.testing.assert_allclose(values(coefficients[:, 0], x), cubic(x), atol=1e-12)
    np.testing.assert_allclose(values(coefficients[:, 1], x), x, atol=1e-12)


def test_two_derivatives_have_no_steps_at_knots():
    coefficients, h = np.random.default_rng(0).normal(size=12), 1e-4
    for knot in range(1, 9):
        below, above = (
            [values(coefficients, np.array([knot + side * i * h]))[0] for i in range(3)]
            for side in (-1, 1)
        )
        slopes = [(f[1] - f[0]) / (side * h) for side, f in ((-1, below), (1, above))]
        bends = [(f[2] - 2.0 * f[1] + f[0]) / h**2 for f in (below, above)]
        np.testing.assert_allclose(slopes[0], slopes[1], atol=20 * h)
        np.testing.assert_allclose(bends[0], bends[1], atol=40 * h)
