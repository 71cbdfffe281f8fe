"""The lookback bins that the ages of a grid stand for."""

from __future__ import annotations

import numpy as np

OLDEST_GYR = 20.0


def log_midpoint_edges(lg_age_gyr: np.ndarray) -> np.ndarray:
    """Return the edges (n_age + 1,) in Gyr of the lookback bins around each age.

    The first is 0, the inner ones lie midway in log age, and the last is 20 Gyr or later, so
    that no history reaches beyond it.
    """
    if len(lg_age_gyr) == 1:
        return np.array([0.0, max(OLDEST_GYR, 2.0 * 10.0 ** float(lg_age_gyr[0]))])
    middle = 0.5 * (lg_age_gyr[1:] + lg_age_gyr[:-1])
    last = max(OLDEST_GYR, float(10.0 ** (2.0 * lg_age_gyr[-1] - middle[-1])))
    return np.concatenate([[0.0], 10.0**middle, [last]]).astype(np.float64)
