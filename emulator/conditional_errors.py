r"""Error bars and covariance for the galaxy at hand: how large errors are by colours and redshift.

Errors of a surrogate follow the light: young stars, much dust and bands that are faint beside
others have larger ones, at some redshifts more than at others. The typical error of band b,

.. math::

    \ln \sigma_b = \sum_h H_h(z) \left[ a_{bh} + \sum_j b_{bhj} x_j \right] + \sum_j c_{bj} x_j^2 ,

is linear in hats H over ln(1 + z) times x: how much fainter the band is than the brightest, and
the colours of neighbouring bands [mag]. Error bars are σ times a factor that makes them hold
(normalised split-conformal intervals: Lei et al. 2018, JASA 113, 1094, section 5.2), one for each
interval of redshift; the covariance is that of residuals over σ, times both their σ.

Shapes: (…, n_bands) magnitudes and redshifts (…).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

#: Colours beyond this tell no more [mag].
MOST_COLOUR = 6.0
#: No error is said to be smaller or larger than this [mag].
LEAST_SIGMA, MOST_SIGMA = 1e-7, 10.0
#: Mean of ln|x| of a normal deviate: -(γ + ln 2)/2.
LN_NORMAL = -0.6351814227307391


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class ConditionalErrors:
    """What `fit` finds; every array in float64. A pytree: an argument of compiled functions.

    Attributes
    ----------
    shifts : array (n_hat,)
        ln(1 + z) at which hats are 1.
    weights : array (n_bands, n_feature)
    factors : dict
        Level in per cent → (n_hat - 1,), for redshifts between neighbouring hats.
    correlation : array (n_bands, n_bands)
        Second moments of residuals over σ.
    """

    shifts: np.ndarray
    weights: np.ndarray
    factors: dict[str, np.ndarray]
    correlation: np.ndarray

    def sigma(self, magnitudes: ArrayLike, redshift: ArrayLike, xp: Any = np) -> Any:
        """Return the typical errors (…, n_bands) [mag]; with ``xp=jax.numpy`` traceable."""
        own, colours = _own(magnitudes, xp)
        n_bands, by_z = own.shape[-2], 4 * len(self.shifts)
        weights = xp.asarray(self.weights)
        tables = xp.swapaxes(weights[:, :by_z].reshape(n_bands, -1, 4), 0, 1)
        squares, every = weights[:, by_z : by_z + 3], weights[:, by_z + 3 :]
        linear, quadratic = every[:, : n_bands - 1], every[:, n_bands - 1 :]
        # no features are put side by side: that takes longer than the fluxes of the galaxies
        ln_sigma = (
            xp.einsum("...bf,...bf->...b", own, _between(redshift, self.shifts, tables, xp))
            + xp.einsum("...bf,bf->...b", own[..., 1:] ** 2, squares)
            + xp.einsum("...c,bc->...b", colours, linear)
            + xp.einsum("...c,bc->...b", colours**2, quadratic)
        )
        return xp.exp(xp.clip(ln_sigma, np.log(LEAST_SIGMA), np.log(MOST_SIGMA)))

    def bars(self, magnitudes: ArrayLike, redshift: ArrayLike, level: int | str) -> np.ndarray:
        """Return the half widths (…, n_bands) [mag] of a level."""
        factor = self.factors[str(level)][_interval(redshift, self.shifts)]
        return np.asarray(factor[..., None] * self.sigma(magnitudes, redshift))

    def covariance(self, magnitudes: ArrayLike, redshift: ArrayLike, xp: Any = np) -> Any:
        """Return the covariance of the residuals (…, n_bands, n_bands) [mag²]."""
        sigma = self.sigma(magnitudes, redshift, xp)
        return sigma[..., :, None] * sigma[..., None, :] * xp.asarray(self.correlation)

    def to_arrays(self) -> dict[str, Any]:
        """Return the arrays by name, ``factors`` by level."""
        return {"shifts": self.shifts, "weights": self.weights, "factors": self.factors,
                "correlation": self.correlation}  # fmt: skip

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> ConditionalErrors:
        """Rebuild what `to_arrays` describes.

        Raises
        ------
        ValueError
            Arrays that do not fit together.
        """
        found = cls(stored["shifts"], stored["weights"], dict(stored["factors"]),
                    stored["correlation"])  # fmt: skip
        n_bands, n_hat = len(found.weights), len(found.shifts)
        fits = (
            n_hat >= 2
            and bool((np.diff(found.shifts) > 0.0).all())
            and found.weights.shape == (n_bands, _n_feature(n_bands, n_hat))
            and found.correlation.shape == (n_bands, n_bands)
            and all(f.shape == (n_hat - 1,) for f in found.factors.values())
            and all(np.isfinite(a).all() for a in (found.weights, found.correlation))
        )
        if not fits:
            raise ValueError("errors that depend on colours do not fit together")
        return found


def _hats(redshift: ArrayLike, shifts: np.ndarray, xp: Any) -> Any:
    """Return the hats (…, n_hat) at redshifts; beyond the ends those of the end."""
    place = xp.log1p(xp.asarray(redshift, float))
    place = xp.clip(place, shifts[0], shifts[-1])
    steps = xp.diff(xp.asarray(shifts, float))
    rising = (place[..., None] - shifts[:-1]) / steps
    left = xp.concatenate([xp.ones_like(rising[..., :1]), rising], axis=-1)
    right = xp.concatenate([1.0 - rising, xp.ones_like(rising[..., :1])], axis=-1)
    return xp.clip(xp.minimum(left, right), 0.0, 1.0)


def _interval(redshift: ArrayLike, shifts: np.ndarray) -> np.ndarray:
    place = np.searchsorted(shifts[1:-1], np.log1p(np.asarray(redshift, float)))
    return np.asarray(place)


def _between(redshift: ArrayLike, shifts: np.ndarray, tables: Any, xp: Any) -> Any:
    """Return tables (n_hat, n_bands, 4) at redshifts, linear in ln(1 + z), (…, n_bands, 4)."""
    place = xp.clip(xp.log1p(xp.asarray(redshift, float)), shifts[0], shifts[-1])
    i = xp.clip(xp.searchsorted(xp.asarray(shifts), place, side="right") - 1, 0, len(shifts) - 2)
    t = (place - xp.asarray(shifts)[i]) / xp.asarray(np.diff(shifts))[i]
    low, step = tables[:-1][i], (tables[1:] - tables[:-1])[i]
    return low + t[..., None, None] * step


def _own(magnitudes: ArrayLike, xp: Any) -> tuple[Any, Any]:
    """Return the features of each band, (…, n_bands, 4), and colours, (…, n_bands - 1)."""
    m = xp.asarray(magnitudes, float)
    limit = MOST_COLOUR
    faint = xp.clip(m - xp.min(m, axis=-1, keepdims=True), 0.0, 2.0 * limit)
    colours = xp.clip(m[..., :-1] - m[..., 1:], -limit, limit)
    end = xp.zeros_like(m[..., :1])
    bluer = xp.concatenate([end, colours], axis=-1)
    redder = xp.concatenate([colours, end], axis=-1)
    return xp.stack([xp.ones_like(m), faint, bluer, redder], axis=-1), colours


def _features(magnitudes: ArrayLike, redshift: ArrayLike, shifts: np.ndarray, xp: Any) -> Any:
    """Return what ln σ is linear in, (…, n_bands, n_feature)."""
    own, colours = _own(magnitudes, xp)
    hats = _hats(redshift, shifts, xp)[..., None, :, None]
    by_z = (own[..., None, :] * hats).reshape(*own.shape[:-1], -1)
    every = xp.broadcast_to(colours[..., None, :], (*own.shape[:-1], colours.shape[-1]))
    return xp.concatenate([by_z, own[..., 1:] ** 2, every, every**2], axis=-1)


def _n_feature(n_bands: int, n_hat: int) -> int:
    return 4 * n_hat + 3 + 2 * (n_bands - 1)


# --- fitting ----------------------------------------------------------------------------------

#: Intervals of redshift; what keeps the equations solvable; residuals of more than so many σ count
#: as so many in the covariance; residuals below this count as this [mag].
INTERVALS, RIDGE, MOST_SIGMAS, LEAST_RESIDUAL = 10, 1e-3, 4.0, 1e-6


def fit(
    magnitudes: np.ndarray,
    redshift: np.ndarray,
    residuals: np.ndarray,
    weight: np.ndarray,
    levels: tuple[int, ...],
) -> ConditionalErrors:
    """Return the errors that galaxies show, half of which calibrate the error bars.

    Parameters
    ----------
    magnitudes, residuals : array (n, n_bands) [mag]
        Residuals that are NaN do not count.
    redshift, weight : array (n,)
        ``weight`` says how much each galaxy counts.
    levels : tuple of int
        Coverages in per cent.
    """
    shift = np.log1p(redshift)
    shifts = np.linspace(shift.min(), shift.max(), INTERVALS + 1)
    features = _features(magnitudes, redshift, shifts, np)
    use = np.isfinite(residuals)
    y = np.log(np.maximum(np.abs(np.where(use, residuals, 1.0)), LEAST_RESIDUAL)) - LN_NORMAL
    learn = (np.arange(len(y)) % 2 == 0)[:, None] & use
    weights = np.stack([
        _ridge(features[learn[:, b], b], y[learn[:, b], b], weight[learn[:, b]])
        for b in range(y.shape[1])
    ])  # fmt: skip
    first = ConditionalErrors(shifts, weights, {}, np.eye(y.shape[1]))
    over = np.where(use, residuals / first.sigma(magnitudes, redshift), np.nan)
    place, test = _interval(redshift, shifts), np.arange(len(y)) % 2 == 1
    factors = {str(level): np.array([
        _quantile(np.abs(over[test & (place == i)]), weight[test & (place == i)], level / 100.0)
        for i in range(INTERVALS)
    ]) for level in levels}  # fmt: skip
    return ConditionalErrors(shifts, weights, factors, _moments(over, weight))


def _ridge(features: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if not len(y):
        return np.zeros(features.shape[1])
    weighted = features * (weight / weight.mean())[:, None]
    normal = weighted.T @ features
    mean = np.trace(normal) / len(normal)
    return np.asarray(np.linalg.solve(normal + RIDGE * mean * np.eye(len(normal)), weighted.T @ y))


def _quantile(sizes: np.ndarray, weight: np.ndarray, level: float) -> float:
    """Return the weighted quantile of all finite ``sizes`` (n, n_bands); NaN: none."""
    finite = np.isfinite(sizes)
    values, counts = sizes[finite], np.broadcast_to(weight[:, None], sizes.shape)[finite]
    if not len(values):
        return float("inf")
    order = np.argsort(values)
    share = np.cumsum(counts[order]) / counts.sum()
    return float(values[order][min(np.searchsorted(share, level), len(values) - 1)])


def _moments(over: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the second moments of residuals over σ (n, n_bands), over those that count."""
    seen = np.isfinite(over)
    clean = np.clip(np.where(seen, over, 0.0), -MOST_SIGMAS, MOST_SIGMAS)
    both = (seen * weight[:, None]).T @ seen.astype(float)
    moments = (clean * weight[:, None]).T @ clean / np.maximum(both, 1e-300)
    return np.asarray(np.where(both > 0.0, moments, np.eye(len(moments))))
