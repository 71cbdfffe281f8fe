"""Vectors of the free parameters: unit cube, unbounded space, and the log prior.

Shapes: a vector has shape (…, size), where size counts free numbers (a latent field counts each
of its points); the dict's values have shape (…) or (…, n_grid). Pure functions: they work in
jit, vmap and grad.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.errors import ParameterError
from tengri.parameters.parse import Entry
from tengri.parameters.validate import missing_message
from tengri.priors import Distribution, all_numbers
from tengri.quantities import carries_more


class Layout(NamedTuple):
    """Free parameters in the order of the vector: names, priors, shapes."""

    names: tuple[str, ...]
    priors: tuple[Distribution, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, entries: Mapping[str, Entry]) -> Layout:
        """Lay out the free entries, sorted by name."""
        free = {name: entries[name] for name in sorted(entries) if entries[name].is_free}
        priors = tuple(entry.prior for entry in free.values())
        return cls(tuple(free), priors, tuple(entry.shape for entry in free.values()))

    @property
    def size(self) -> int:
        """Number of free numbers."""
        return sum(math.prod(shape) for shape in self.shapes)

    def log_prior(self, params: Mapping[str, Any]) -> Array:
        """Return the summed log density of the free parameters, -inf outside."""
        total = jnp.zeros(())
        for prior, shape, value in self._values(params):
            total = total + jnp.sum(prior.log_prob(value), axis=_own_axes(shape))
        return total

    def to_unit(self, params: Mapping[str, Any]) -> Array:
        """Return the cumulative probabilities of the free parameters."""
        return self._vector(params, lambda prior, x: prior.to_unit(x))

    def from_unit(self, u: ArrayLike) -> dict[str, Array]:
        """Return the free parameters at a point of the unit cube."""
        u = jnp.asarray(self._checked(u), float)
        inside = jnp.clip(u, jnp.finfo(u.dtype).tiny, 1.0 - 0.5 * jnp.finfo(u.dtype).eps)
        return self._dict(inside, lambda prior, x: prior.from_unit(x))

    def to_unbounded(self, params: Mapping[str, Any]) -> Array:
        """Return the unbounded coordinates of the free parameters."""
        return self._vector(params, lambda prior, x: prior.to_unbounded(x))

    def from_unbounded(self, y: ArrayLike) -> dict[str, Array]:
        """Return the free parameters at a point of unbounded space."""
        return self._dict(
            jnp.asarray(self._checked(y), float), lambda prior, x: prior.from_unbounded(x)
        )

    def log_abs_det(self, y: ArrayLike) -> Array:
        """Return log |det d params / d y| at a point of unbounded space."""
        y = jnp.asarray(self._checked(y), float)
        parts = self._dict(y, lambda prior, x: prior.log_abs_det(x))
        total = jnp.zeros(y.shape[:-1])
        for name, shape in zip(self.names, self.shapes):
            total = total + jnp.sum(parts[name], axis=_own_axes(shape))
        return total

    def _values(self, params: Mapping[str, Any]) -> Iterator[tuple[Distribution, tuple, Any]]:
        missing = [name for name in self.names if name not in params]
        if missing:
            raise ParameterError(missing_message(missing))
        for name, prior, shape in zip(self.names, self.priors, self.shapes):
            yield prior, shape, params[name]

    def _vector(
        self, params: Mapping[str, Any], transform: Callable[[Distribution, Any], Array]
    ) -> Array:
        columns = []
        for prior, shape, value in self._values(params):
            x = transform(prior, value)
            columns.append(x.reshape(*x.shape[: x.ndim - len(shape)], -1))
        if not columns:
            return jnp.zeros((0,))
        lead = jnp.broadcast_shapes(*(c.shape[:-1] for c in columns))
        return jnp.concatenate(
            [jnp.broadcast_to(c, (*lead, c.shape[-1])) for c in columns], axis=-1
        )

    def _dict(
        self, vector: Array, transform: Callable[[Distribution, Array], Array]
    ) -> dict[str, Array]:
        out, start = {}, 0
        for name, prior, shape in zip(self.names, self.priors, self.shapes):
            stop = start + math.prod(shape)
            block = vector[..., start:stop].reshape(*vector.shape[:-1], *shape)
            out[name] = transform(prior, block)
            start = stop
        return out

    def _checked(self, vector: Any) -> Any:
        shape = np.shape(vector)
        if not shape or shape[-1] != self.size:
            raise ParameterError(
                f"The vector has shape {shape}; its last axis must hold the {self.size} free "
                f"numbers of {', '.join(self.names) or 'no parameter'}."
            )
        return all_numbers(vector, "The vector") if carries_more(vector) else vector


def _own_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(-len(shape), 0))
