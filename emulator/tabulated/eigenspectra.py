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
#: The inverse of the share of a band from which on errors in a part of it count relative to itself.
LEAST_PART = 30.0
#: Turns of the iteration, and what keeps its equations solvable.
TURNS, RIDGE = 6, 1e-13


def relative_weights(part: np.ndarray, flux: np.ndarray, brightest: np.ndarray) -> np.ndarray:
    """Return how errors count in a ``part`` of a band, of fluxes in it, in the band, in all: alike.

    An error counts relative to the band; in a part that is less than a thirtieth of it relative to
    thirty times that part, for a screen may leave nothing else of the band.
    """
    seen = np.minimum(np.abs(flux), LEAST_PART * np.abs(part))
    return np.asarray(1.0 / (seen + FAINT * brightest))


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


def coefficients(
    light: np.ndarray, weight: np.ndarray, v: np.ndarray, of: np.ndarray | None = None
) -> np.ndarray:
    """Return G (n_m, n) that mix ``v`` (n_s, n) to ``light`` (n_m, n_s), least squares.

    ``weight`` (n_m, n_s); or (n_w, n_s) for fewer different ones, ``of`` (n_m,) says which.
    """
    n = v.shape[1]
    of = np.arange(len(light)) if of is None else of
    square = weight**2
    pairs = (v[:, :, None] * v[:, None, :]).reshape(len(v), n * n)
    normal = (square @ pairs).reshape(-1, n, n)
    right = (square[of] * light) @ v
    scale = np.sqrt(np.einsum("mii->mi", normal))
    normal = normal / (scale[:, :, None] * scale[:, None, :]) + RIDGE * np.eye(n)
    found = np.linalg.solve(normal[of], (right / scale[of])[..., None])[..., 0]
    return np.asarray(found / scale[of])


def _separable(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return factors of rows (n_m,) and columns (n_s,) nearest to the logarithm of weights."""
    logs = np.log(weight)
    rows = logs.mean(axis=1)
    return np.exp(rows), np.exp((logs - rows[:, None]).mean(axis=0))
