r"""Mixtures of multivariate t distributions: proposals that adapt to a posterior.

Component k has a centre and a matrix ``white`` W that whitens its scatter,
:math:`\Sigma^{-1} = W^T W`; all have ``DOF`` degrees of freedom, so that their tails are above
those of the standard normal prior. Two have fixed weights: one as wide as all others together, so
that no gap between them goes unseen, and the last, the prior.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import logsumexp

from tengri.numerics.small_matrices import cholesky, inverse_lower

#: Degrees of freedom; even, so that a chi-square is a product of uniform numbers.
DOF = 8
#: Weights of the component that is as wide as all others together, and of the prior.
WIDE, DEFENSIVE = 0.1, 0.02
#: Log weight of components that are there for the shape of arrays alone.
NOTHING = -60.0
#: Number of components with fixed weights.
FIXED = 2
#: How much wider than the covariance of all others the first of them is.
STRETCH = 1.3


class Mixture(NamedTuple):
    """Components (k, …) of a mixture in d dimensions; the last two are the wide one and the prior.

    Attributes
    ----------
    log_weight : Array, shape (k,)
    centre : Array, shape (k, d)
    white, root : Array, shape (k, d, d)
        W, and its inverse.
    """

    log_weight: Array
    centre: Array
    white: Array
    root: Array


def with_fixed(
    log_weight: Array, centre: Array, white: Array, root: Array, mean: Array, covariance: Array
) -> Mixture:
    """Return a mixture of components, normalised, of a wide one and of the prior.

    Parameters
    ----------
    mean, covariance : Array, shape (d,) and (d, d)
        Of all components, or of the points that they are to cover.
    """
    size = centre.shape[-1]
    own = log_weight - logsumexp(log_weight) + math.log1p(-WIDE - DEFENSIVE)
    wide = whitening(STRETCH * covariance + 1e-6 * jnp.eye(size))
    good = jnp.isfinite(wide[0]).all() & jnp.isfinite(mean).all()
    unit = jnp.eye(size)
    wide_white, wide_root = (jnp.where(good, matrix, unit)[None] for matrix in wide)
    mean = jnp.where(good, mean, 0.0)[None]
    return Mixture(
        jnp.concatenate([own, jnp.log(jnp.array([WIDE, DEFENSIVE], own.dtype))]),
        jnp.concatenate([centre, mean, jnp.zeros((1, size))]),
        jnp.concatenate([white, wide_white, unit[None]]),
        jnp.concatenate([root, wide_root, unit[None]]),
    )


def first_mixture(log_weight: Array, centre: Array, white: Array, root: Array) -> Mixture:
    """Return the mixture of components as they are, and the fixed ones."""
    share = jnp.exp(log_weight - logsumexp(log_weight))
    mean = share @ centre
    apart = centre - mean
    own = jnp.einsum("k,kij,klj->il", share, root, root)
    covariance = own + jnp.einsum("k,ki,kj->ij", share, apart, apart)
    return with_fixed(log_weight, centre, white, root, mean, covariance)


def mixture_at(centre: Array, white: Array, root: Array, x: Array, weight: Array) -> Mixture:
    """Return the mixture of components of one weight, and the fixed ones.

    Parameters
    ----------
    centre, white, root : Array, shape (k, d), (k, d, d), (k, d, d)
    x, weight : Array, shape (n, d) and (n,)
        Points that it is to cover; weights sum to one.
    """
    mean = weight @ x
    apart = x - mean
    covariance = _product((apart * weight[:, None]).T, apart)
    return with_fixed(jnp.zeros(len(centre)), centre, white, root, mean, covariance)


def padded(mixture: Mixture, n: int) -> Mixture:
    """Return the mixture with components that count for nothing: n beside the fixed ones."""
    k, d = mixture.centre.shape
    more = n + FIXED - k

    def put(parts: Array, value: Any) -> Array:
        made = jnp.broadcast_to(jnp.asarray(value, parts.dtype), (more, *parts.shape[1:]))
        return jnp.concatenate([made, parts])

    unit = jnp.eye(d)
    return Mixture(put(mixture.log_weight, NOTHING), put(mixture.centre, 0.0),
                   put(mixture.white, unit), put(mixture.root, unit))  # fmt: skip


def component_densities(mixture: Mixture, x: Array) -> Array:
    """Return the weighted log density of each component at ``x`` (n, d), as (k, n)."""
    k, d = mixture.centre.shape
    shift = jnp.sum(mixture.white * mixture.centre[:, None, :], axis=-1)
    apart = _product(mixture.white.reshape(k * d, d), x.T) - shift.reshape(k * d, 1)
    square = jnp.sum((apart * apart).reshape(k, d, -1), axis=1)
    log_det = jnp.sum(jnp.log(jnp.abs(jnp.diagonal(mixture.white, axis1=1, axis2=2))), axis=1)
    constant = math.lgamma(0.5 * (DOF + d)) - math.lgamma(0.5 * DOF)
    constant -= 0.5 * d * math.log(DOF * math.pi)
    level = mixture.log_weight + log_det + constant
    return level[:, None] - 0.5 * (DOF + d) * jnp.log1p(square / DOF)


def log_density(mixture: Mixture, x: Array) -> Array:
    """Return the log density at ``x`` (n, d), (n,)."""
    return logsumexp(component_densities(mixture, x), axis=0)


def draw(mixture: Mixture, key: Array, n: int) -> Array:
    """Draw ``n`` points (n, d); components in proportion to their weights, by strata."""
    first, second, third = jax.random.split(key, 3)
    k, d = mixture.centre.shape
    position = (jnp.arange(n) + jax.random.uniform(first, (n,))) / n
    share = jnp.cumsum(jnp.exp(mixture.log_weight))
    which = jnp.sum((share / share[-1])[:, None] < position[None], axis=0).clip(max=k - 1)
    normal = jax.random.normal(second, (d, n))
    uniform = jax.random.uniform(third, (DOF // 2, n), minval=1e-9)
    chi2 = -2.0 * jnp.log(jnp.prod(uniform, axis=0))
    scaled = normal * jnp.sqrt(DOF / chi2)[None]
    # a point of every component costs less than a matrix for every point
    points = _product(mixture.root.reshape(k * d, d), scaled).reshape(k, d, n)
    points = points + mixture.centre[:, :, None]
    return jnp.take_along_axis(points, which[None, None], axis=0)[0].T


def _product(a: Array, b: Array) -> Array:
    """Return the matrix product, on accelerators too in full precision."""
    return jnp.matmul(a, b, precision="highest")


def whitening(covariance: Array) -> tuple[Array, Array]:
    """Return (W, its inverse) of covariances (…, d, d)."""
    d = covariance.shape[-1]
    scale = jnp.sqrt(jnp.diagonal(covariance, axis1=-2, axis2=-1))
    correlation = covariance / scale[..., :, None] / scale[..., None, :]
    lift = 10.0 * d * jnp.finfo(covariance.dtype).eps
    lower = cholesky(correlation + lift * jnp.eye(d))
    return inverse_lower(lower) / scale[..., None, :], scale[..., :, None] * lower


def whitening_of_precision(precision: Array) -> tuple[Array, Array]:
    """Return (W, its inverse) of the inverse of covariances (…, d, d)."""
    lower = cholesky(precision)
    return jnp.swapaxes(lower, -1, -2), jnp.swapaxes(inverse_lower(lower), -1, -2)
