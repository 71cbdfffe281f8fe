r"""Few eigenspectra that mix to every population of a grid: weighted least squares of low rank.

.. math:: S_{s\lambda} \approx \sum_r A_{sr} V_{r\lambda}, \quad
          \min \sum_{s\lambda} W_{s\lambda}^2 (S - A V)_{s\lambda}^2

with weights W of errors relative to the light of every population at every wavelength, so that the
young, the old, the metal-poor and the metal-rich count alike (Gabriel & Zamir 1979, Technometrics
21, 489: in turns for A and V). Each turn solves all wavelengths, or all populations, side by side:
`tengri.numerics.low_rank.solved`.

Shapes: n populations, n_wave wavelengths, n_r eigenspectra.
"""

from __future__ import annotations

import numpy as np

from tengri.numerics.low_rank import solved

Array = np.ndarray

#: Light fainter than this share of a population's largest λL_λ counts in proportion.
FAINT = 1e-4
#: Turns for A and V, steps of conjugate gradients in each, and of the last, in float64.
TURNS, STEPS, LAST = 10, 20, 30


def relative_weights(wave: Array, lnu: Array) -> Array:
    """Return how errors of L_ν (n, n_wave) count, of the same shape."""
    power = lnu / wave
    return np.asarray(1.0 / (wave * (power + FAINT * power.max(axis=1, keepdims=True))))


def factors(light: Array, weight: Array, n: int) -> tuple[Array, Array]:
    """Return A (n_population, n) and V (n, n_wave) of ``light``, in which errors count ``weight``.

    A is orthonormal.
    """
    brightest = light.max()  # single precision has too few powers of ten for L_ν of one star
    light, weight = light / brightest, weight * brightest
    rows, columns = _separable(weight)
    u, s, vt = np.linalg.svd(light * rows[:, None] * columns, full_matrices=False)
    a, v = u[:, :n] / rows[:, None], s[:n, None] * vt[:n] / columns
    few = light.astype(np.float32), weight.astype(np.float32)
    for _ in range(TURNS):
        # orthonormal as errors count on average: well-posed equations
        q, r = np.linalg.qr(a * rows[:, None])
        a, v = q / rows[:, None], r @ v
        v = solved(a, *few, v, STEPS)
        q, r = np.linalg.qr((v * columns).T)
        v, a = q.T / columns, a @ r.T
        a = solved(v.T, few[0].T, few[1].T, a.T, STEPS).T
    q, r = np.linalg.qr(a)
    return q, brightest * solved(q, light, weight, r @ v, LAST)


def _separable(weight: Array) -> tuple[Array, Array]:
    """Return factors of rows (n,) and columns (n_wave,) nearest to the logarithm of weights."""
    logs = np.log(weight)
    rows = logs.mean(axis=1)
    return np.exp(rows), np.exp((logs - rows[:, None]).mean(axis=0))
