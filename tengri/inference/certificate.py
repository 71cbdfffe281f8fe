r"""Is the posterior of a surrogate that of the exact model? Its own draws, weighted, say so.

With weights :math:`w = L_{exact} / L_{surrogate}` the draws of the surrogate's posterior are draws
of the exact one. Where the weights are alike the surrogate was exact enough; where few of them
count, or their tail is heavy, it was not.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from tengri.forward.batching import Execution, RowMap, Sizes
from tengri.inference.diagnostics import MAX_K, kish, smoothed
from tengri.inference.likelihood import Density
from tengri.inference.observations import Case
from tengri.parameters.validate import default_float

#: Least share of the draws that must count after weighting.
EFFECTIVE_SHARE = 0.5
EXECUTION = Execution(Sizes(1, 16), Sizes(16, 16))


class Certificate(NamedTuple):
    """What the exact model says of the posteriors of n galaxies.

    Attributes
    ----------
    ess : ndarray, shape (n,)
        Effective number of the draws after weighting.
    pareto_k : ndarray, shape (n,)
    shift : ndarray, shape (n,)
        Largest shift of a parameter's mean in the exact posterior [σ].
    good : ndarray of bool, shape (n,)
    """

    ess: np.ndarray
    pareto_k: np.ndarray
    shift: np.ndarray
    good: np.ndarray


def certificate(
    emulated: Density, exact: Density, cases: Case, xi: np.ndarray, values: np.ndarray
) -> Certificate:
    """Weight draws of a surrogate's posterior with the exact model.

    Parameters
    ----------
    emulated, exact : Density
        Of the same space.
    cases : Case
        Of n galaxies.
    xi, values : ndarray, shape (n, m, size)
        Draws with equal weights, and in the units of the parameters.
    """
    weight, k = exact_weights(emulated, exact, cases, xi)
    ess = kish(weight)
    mean, sigma = values.mean(axis=1), values.std(axis=1)
    moved = np.einsum("nm,nms->ns", weight, values) - mean
    shift = np.max(np.abs(moved) / np.where(sigma > 0.0, sigma, np.inf), axis=1)
    good = (ess >= EFFECTIVE_SHARE * xi.shape[1]) & (k < MAX_K)
    return Certificate(ess, k, shift, good)


def exact_weights(
    emulated: Density, exact: Density, cases: Case, xi: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (weights (n, m) that sum to one, k̂ (n,)) of draws xi (n, m, size)."""
    rows = cases, np.asarray(xi, default_float())
    each = [np.asarray(_likelihoods()(d, rows, EXECUTION.sizes)) for d in (exact, emulated)]
    with np.errstate(invalid="ignore"):
        log_weight = each[0].astype(np.float64) - each[1]
    return smoothed(np.where(np.isfinite(log_weight), log_weight, -np.inf))


@cache
def _likelihoods() -> RowMap:
    def one(density: Density, row: tuple[Case, Array]) -> Array:
        case, xi = row
        flux = jax.vmap(lambda v: density.flux(v, case))(xi)
        return density.fitness(flux.T, xi, case).log_likelihood

    return RowMap(one)
