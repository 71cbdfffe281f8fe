r"""Few spectra whose mixtures are every population: a low-rank table of light.

.. math:: W_{ms} \approx \sum_r G_{mr} V_{sr}

for the light W of populations s (metallicity and age) in measurements m (node, redshift), such that
errors count relative to the light of the band: the weighted least squares of Gabriel & Zamir (1979,
Technometrics 21, 489), in turns for G and V.

Shapes: n_m measurements, n_s populations, n_r eigenspectra.
"""

from __future__ import annotations

import numpy as np

#: A band fainter than this share of a population's brightest counts in proportion to its light.
FAINT = 1e-4
#: Turns of the iteration, and what keeps its equations solvable.
TURNS, RIDGE = 12, 1e-13


def relative_weights(flux: np.ndarray) -> np.ndarray:
    """Return how errors in bands count, of their flux (…, n_band, n_s), of the same shape."""
    return np.asarray(1.0 / (np.abs(flux) + FAINT * flux.max(axis=-2, keepdims=True)))


def loadings(light: np.ndarray, weight: np.ndarray, n: int) -> np.ndarray:
    """Return V (n_s, n) of ``light`` (n_m, n_s), in which errors count ``weight`` (n_m, n_s)."""
    rows, columns = _separable(weight)
    scaled = light * rows[:, None] * columns
    _, _, vt = np.linalg.svd(scaled, full_matrices=False)
    v = vt[:n].T / columns[:, None]
    for _ in range(TURNS):
        g = coefficients(light, weight, v)
        # orthonormal in the measurements as they count on average: well-posed equations
        basis = np.linalg.qr(g * rows[:, None])[0] / rows[:, None]
        v = coefficients(light.T, weight.T, basis)
    return v


def coefficients(light: np.ndarray, weight: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return G (n_m, n) that mix ``v`` (n_s, n) to ``light`` (n_m, n_s), least squares."""
    n = v.shape[1]
    square = weight**2
    pairs = (v[:, :, None] * v[:, None, :]).reshape(len(v), n * n)
    normal = (square @ pairs).reshape(-1, n, n)
    right = (square * light) @ v
    scale = np.sqrt(np.einsum("mii->mi", normal))
    normal = normal / (scale[:, :, None] * scale[:, None, :]) + RIDGE * np.eye(n)
    return np.asarray(np.linalg.solve(normal, (right / scale)[..., None])[..., 0] / scale)


def _separable(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return factors of rows (n_m,) and columns (n_s,) nearest to the logarithm of weights."""
    logs = np.log(weight)
    rows = logs.mean(axis=1)
    return np.exp(rows), np.exp((logs - rows[:, None]).mean(axis=0))
