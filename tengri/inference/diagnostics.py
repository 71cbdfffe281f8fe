r"""How far draws may be trusted: of importance sampling, of chains, and of the fit itself.

- Pareto k̂ of importance weights and their smoothing (Vehtari et al. 2024, JMLR 25, 72; the fit of
  the tail by Zhang & Stephens 2009, Technometrics 51, 316): reliable below 0.7.
- Kish's effective number of weighted draws.
- Rank-normalised split R̂, bulk and tail effective sample size (Vehtari et al. 2021, Bayesian
  Anal. 16, 667), by blackjax.
- Posterior predictive p of χ² (Gelman, Meng & Stern 1996).
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaincc

#: What makes a posterior usable.
MIN_ESS, MAX_K, MAX_RHAT = 400.0, 0.7, 1.01
#: Fewest weights in a tail that is fitted.
MIN_TAIL = 5


def kish(weight: np.ndarray) -> np.ndarray:
    """Return the effective number of weights (n, m) that sum to one, (n,); 0 where there is none.

    (Kish 1965: the square of the sum over the sum of squares.)
    """
    squares = np.sum(weight * weight, axis=1)
    return np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0.0)


def smoothed(log_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (weights (n, m) that sum to one, k̂ (n,)) with Pareto-smoothed tails.

    Parameters
    ----------
    log_weight : ndarray, shape (n, m)
        Unnormalised; -inf for draws without weight. Rows without any weight give zeros and
        infinite k̂.
    """
    raw = np.asarray(log_weight, np.float64)
    best = raw.max(axis=1, keepdims=True)
    weight = np.exp(raw - np.where(np.isfinite(best), best, 0.0))
    k = np.array([_smooth_tail(row) for row in weight])
    total = weight.sum(axis=1, keepdims=True)
    return np.divide(weight, total, out=np.zeros_like(weight), where=total > 0.0), k


def _smooth_tail(weight: np.ndarray) -> float:
    """Replace the largest of the weights (m,) by quantiles of their Pareto fit; return k̂."""
    m = weight.size
    n_tail = int(min(0.2 * m, 3.0 * np.sqrt(m)))
    if n_tail < MIN_TAIL or not weight.any():
        return np.inf
    order = np.argpartition(weight, m - n_tail - 1)
    tail = order[m - n_tail :]
    tail = tail[np.argsort(weight[tail])]
    threshold = weight[order[m - n_tail - 1]]
    excess = weight[tail] - threshold
    if not excess[-1] > 1e-12 * weight[tail[-1]]:
        return 0.0  # all weights are alike
    k, sigma = pareto_fit(excess)
    quantile = (np.arange(n_tail) + 0.5) / n_tail
    lift = -np.log1p(-quantile) if abs(k) < 1e-10 else np.expm1(-k * np.log1p(-quantile)) / k
    weight[tail] = np.minimum(threshold + sigma * lift, weight[tail[-1]])
    return k


def pareto_fit(excess: np.ndarray) -> tuple[float, float]:
    """Return (shape, scale) of the generalised Pareto distribution of ascending excesses (m,).

    The posterior mean of Zhang & Stephens (2009), its shape drawn to 1/2 as by ten more values.
    """
    m = excess.size
    n_grid = 30 + int(np.sqrt(m))
    quartile = max(excess[int(m / 4 + 0.5) - 1], 1e-12 * excess[-1])
    b = 1.0 / excess[-1] + (1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))) / (
        3.0 * quartile
    )
    k = np.log1p(-b[:, None] * excess).mean(axis=1)
    profile = m * (np.log(-b / k) - k - 1.0)
    share = np.exp(profile - profile.max())
    mean_b = float(np.sum(b * share) / np.sum(share))
    shape = float(np.log1p(-mean_b * excess).mean())
    scale = -shape / mean_b
    return (m * shape + 10.0 * 0.5) / (m + 10.0), scale


def weighted_quantiles(values: np.ndarray, weight: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return quantiles (n, n_q) of values (n, m) with weights (n, m) that sum to one.

    Linear between the middles of the steps of the weighted distribution.
    """
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    share = np.take_along_axis(weight, order, axis=1)
    below = np.cumsum(share, axis=1) - 0.5 * share
    rows = zip(below, ordered)
    return np.array([np.interp(q, at, value) for at, value in rows]).reshape(len(values), len(q))


def predictive_p(chi2: np.ndarray, weight: np.ndarray, n_measured: np.ndarray) -> np.ndarray:
    """Return the posterior predictive p of χ², (n,): the mean chance of a larger one.

    Parameters
    ----------
    chi2, weight : ndarray, shape (n, m)
    n_measured : ndarray, shape (n,)
        Measured bands: the degrees of freedom of χ² of replicated data at given parameters.
    """
    known = np.where(np.isfinite(chi2), chi2, 1e30)
    return np.sum(weight * gammaincc(0.5 * np.maximum(n_measured, 1)[:, None], 0.5 * known), axis=1)


def resampled(weight: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return indices (rows, n) of draws with equal weights: systematic resampling by row."""
    offset = np.random.default_rng(seed).random()
    at = (np.arange(n) + offset) / n
    total = np.cumsum(weight, axis=1)
    return np.array([np.searchsorted(row, at * row[-1]) for row in total]).clip(
        0, weight.shape[1] - 1
    )
