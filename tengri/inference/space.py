"""Coordinates in which every prior is a standard normal distribution.

A vector ``xi`` (size,) holds the sampled parameters one after the other; a latent field has many
entries. Edges of uniform priors lie at infinity, and the curvature of the log prior is the unit
matrix: a Gauss-Newton matrix of any data is positive definite.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from tengri.errors import ParameterError
from tengri.parameters import Parameters
from tengri.priors import Distribution

LN_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Space:
    """The sampled parameters.

    Attributes
    ----------
    names : tuple of str
    priors : tuple of Distribution
    shapes : tuple of tuple of int
        ``()`` for a scalar.
    """

    names: tuple[str, ...]
    priors: tuple[Distribution, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, spec: Parameters, known: Collection[str] = ()) -> Space:
        """Return the space of the free parameters of a spec, without the ``known`` ones.

        Raises
        ------
        ParameterError
            Nothing is free.
        """
        names = tuple(name for name in spec.free_params if name not in known)
        if not names:
            raise ParameterError("Nothing is free in this spec: give a parameter a prior.")
        shapes = tuple(spec.composition.params[name].shape for name in names)
        return cls(names, tuple(spec.get_distribution(name) for name in names), shapes)

    @property
    def size(self) -> int:
        """Number of sampled numbers."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def starts(self) -> dict[str, int]:
        """Place of the first entry of each parameter."""
        lengths = [math.prod(shape) for shape in self.shapes]
        return {name: sum(lengths[:i]) for i, name in enumerate(self.names)}

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each entry: ``met_logzsol``, ``sfh_field_xi_0`` …"""
        made: list[str] = []
        for name, shape in zip(self.names, self.shapes):
            n = math.prod(shape)
            made += [name] if shape == () else [f"{name}_{i}" for i in range(n)]
        return tuple(made)

    def params(self, xi: Array) -> dict[str, Array]:
        """Return the sampled parameters at ``xi`` (…, size)."""
        found, start = {}, 0
        for name, prior, shape in zip(self.names, self.priors, self.shapes):
            stop = start + math.prod(shape)
            block = xi[..., start:stop].reshape(*xi.shape[:-1], *shape)
            found[name] = prior.unstandardize(block)
            start = stop
        return found

    def named(self, values: Any) -> dict[str, Any]:
        """Return entries (…, size), in the parameters' own units, by parameter."""
        found, start = {}, 0
        for name, shape in zip(self.names, self.shapes):
            stop = start + math.prod(shape)
            found[name] = values[..., start:stop].reshape(*values.shape[:-1], *shape)
            start = stop
        return found

    def vector(self, params: Mapping[str, Any]) -> Array:
        """Return the coordinates (…, size) of parameters: the inverse of `params`."""
        parts = []
        for name, prior, shape in zip(self.names, self.priors, self.shapes):
            x = prior.standardize(params[name])
            parts.append(x.reshape(*x.shape[: x.ndim - len(shape)], -1))
        return jnp.concatenate(parts, axis=-1)

    def values(self, xi: Array) -> Array:
        """Return the entries of the sampled parameters in their own units, (…, size)."""
        params = self.params(xi)
        flat = [params[name].reshape(*xi.shape[:-1], -1) for name in self.names]
        return jnp.concatenate(flat, axis=-1)

    def log_prior(self, xi: Array) -> Array:
        """Return the log prior density in the parameters' own units at ``xi`` (…, size)."""
        params, total = self.params(xi), jnp.zeros(xi.shape[:-1])
        for name, prior, shape in zip(self.names, self.priors, self.shapes):
            own = tuple(range(-len(shape), 0))
            total = total + jnp.sum(prior.log_prob(params[name]), axis=own)
        return total


def log_normal(x: Array) -> Array:
    """Return the log density of a standard normal vector ``x`` (…, size)."""
    return -0.5 * jnp.sum(x * x, axis=-1) - 0.5 * x.shape[-1] * LN_2PI
