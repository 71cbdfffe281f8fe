r"""The amplitude of a galaxy, drawn from its distribution given all other parameters.

Fluxes are proportional to :math:`10^s` of an amplitude ``s``. Given the fluxes at one amplitude
those at any other follow without another call of the model, so that ``s`` is drawn on a grid of
cells that covers where the data leave it, and the thinnest direction of a posterior is out of the
way of whatever draws the others. The grid neglects correlations between bands: importance weights
put that right.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.composition import registered_params
from tengri.constants import LN_PER_MAG
from tengri.inference.likelihood import Density, measured_bands, own_variance
from tengri.inference.observations import Case

#: Cells of the grid, and how far it reaches on either side [σ].
CELLS, REACH = 32, 6.0
#: Least width of the grid [dex].
NARROWEST = 0.05
#: How far fluxes may be from proportional for a parameter to be an amplitude.
PROPORTIONAL = 3e-3
#: Prior draws on which that is looked at.
TRIED = 8


class AmplitudeDraw(NamedTuple):
    """Amplitudes, the factors of the fluxes that go with them, and log densities, each (n,)."""

    value: Array
    factor: Array
    log_density: Array


def find_amplitude(density: Density, case: Case) -> str | None:
    """Return the free parameter that multiplies all fluxes, if there is one alone.

    It is the one that its component calls the amplitude, after a look at prior draws: beside a
    nucleus or a second population it multiplies a part of the light only.
    """
    known = registered_params()
    space = density.space
    names = [name for name, shape in zip(space.names, space.shapes)
             if shape == () and known[name].role == "amplitude"]  # fmt: skip
    if len(names) != 1:
        return None
    place = space.starts[names[0]]
    draws = np.random.default_rng(0).normal(size=(TRIED, space.size)).clip(-2.0, 2.0)
    draws[:, place] = 0.0
    moved = draws.copy()
    moved[:, place] = 0.5
    prior = space.priors[space.names.index(names[0])]
    low, high = (float(prior.unstandardize(x)) for x in (0.0, 0.5))
    flux = jax.jit(jax.vmap(lambda xi: density.flux(xi, case)))
    before, after = (np.asarray(flux(jnp.asarray(x, float)), np.float64) for x in (draws, moved))
    ratio = after / before / 10.0 ** (high - low)
    ratio = ratio[np.isfinite(before) & (np.abs(before) > 1e-4 * np.nanmax(np.abs(before)))]
    found = ratio.size > 0 and bool(np.all(np.abs(ratio - 1.0) < PROPORTIONAL))
    return names[0] if found else None


def draw_amplitude(density: Density, flux: Array, case: Case, key: Array) -> AmplitudeDraw:
    """Draw an amplitude for each prediction.

    Parameters
    ----------
    density : Density
        With an amplitude.
    flux : Array, shape (n, n_bands)
        Predictions [nJy] at the median of the amplitude's prior.
    case : Case
        One galaxy.
    key : Array
    """
    flux = flux.T
    low, high = _interval(density, flux, case)
    width = (high - low) / CELLS
    middle = low[None] + width[None] * (jnp.arange(CELLS)[:, None] + 0.5)
    log_p = _log_density(density, flux, middle, case)
    log_p = log_p - jax.scipy.special.logsumexp(log_p, axis=0, keepdims=True)
    first, second = jax.random.split(key)
    cell = _chosen(jnp.exp(log_p), jax.random.uniform(first, low.shape))
    value = low + (cell + jax.random.uniform(second, low.shape)) * width
    log_q = jnp.take_along_axis(log_p, cell[None], axis=0)[0] - jnp.log(width)
    return AmplitudeDraw(value, 10.0 ** (value - reference(density)), log_q)


def reference(density: Density) -> Array:
    """Return the amplitude at which predictions are made: the median of its prior."""
    return _prior(density).unstandardize(jnp.zeros(()))


def log_amplitude_prior(density: Density, value: Array) -> Array:
    """Return the log prior density of amplitudes."""
    return _prior(density).log_prob(value)


def _prior(density: Density) -> Any:
    assert density.amplitude is not None
    return density.space.priors[density.space.names.index(density.amplitude)]


def _chosen(p: Array, u: Array) -> Array:
    """Return the cell in which each u falls, by cumulative probabilities of p (CELLS, n)."""
    total = jnp.tri(CELLS) @ p  # a product is much cheaper here than a cumulative sum
    below = total < (u * total[-1])[None]
    return jnp.minimum(jnp.sum(below, axis=0), CELLS - 1)


def _interval(density: Density, flux: Array, case: Case) -> tuple[Array, Array]:
    """Return where the amplitude lies, REACH σ about the best one, within its prior."""
    bounds = _prior(density).reach
    seen = jnp.asarray(measured_bands(case))
    lit = jnp.where(seen[:, None] & jnp.isfinite(flux), flux, 0.0)
    model = lit / case.error[:, None]
    data = jnp.where(seen, case.flux, 0.0) / case.error
    power = jnp.sum(model * model, axis=0)
    power = jnp.maximum(power, jnp.finfo(power.dtype).tiny)
    best, sigma = data @ model / power, 1.0 / jnp.sqrt(power)
    # errors of the surrogate are a share of the flux: beside them the data may say more than true
    share = _own_share(density, seen)
    widened = density.noise.factor**0.5 if density.noise.outliers else 1.0
    sigma = widened * jnp.sqrt(sigma**2 + (share * best) ** 2)
    low = jnp.log10(jnp.maximum(best - REACH * sigma, 1e-30)) + reference(density)
    high = jnp.log10(jnp.maximum(best + REACH * sigma, 1e-30)) + reference(density)
    low = jnp.clip(low, bounds[0], bounds[1] - NARROWEST)
    high = jnp.clip(high, bounds[0] + NARROWEST, bounds[1])
    return low, jnp.maximum(high, low + NARROWEST)


def _own_share(density: Density, seen: Array) -> Any:
    if density.covariance is None:
        return 0.0
    own = own_variance(jnp.ones(seen.shape), density.covariance)
    return jnp.sqrt(jnp.max(jnp.where(seen, own, 0.0)))


def _log_density(density: Density, flux: Array, value: Array, case: Case) -> Array:
    """Return likelihood times prior, bands taken as independent, (CELLS, n)."""
    factor = 10.0 ** (value - reference(density))
    total = log_amplitude_prior(density, value)
    for band in range(len(flux)):
        model = jnp.where(jnp.isfinite(flux[band]), flux[band], 0.0) / case.error[band]
        total = total + _log_band(density, factor * model[None], case, band)
    return total


def _log_band(density: Density, model: Array, case: Case, band: int) -> Array:
    """Return the log likelihood of one band at predictions over its error."""
    own = 0.0 if density.covariance is None else density.covariance[band, band]
    variance = 1.0 + LN_PER_MAG**2 * own * model * model
    apart = case.flux[band] / case.error[band] - model
    noise = density.noise
    measured = -0.5 * apart * apart / variance - 0.5 * jnp.log(variance)
    if noise.outliers > 0.0:
        wide = variance - 1.0 + noise.factor**2
        tail = -0.5 * apart * apart / wide - 0.5 * jnp.log(wide)
        measured = jnp.logaddexp(math.log(1.0 - noise.outliers) + measured,
                                 math.log(noise.outliers) + tail)  # fmt: skip
    if case.limit is not None:
        below = jax.scipy.stats.norm.logcdf(apart / jnp.sqrt(variance))
        measured = jnp.where(case.limit[band], below, measured)
    return jnp.where(case.seen[band], measured, 0.0)
