"""Draws from the prior of a spec: pseudo-random by name, and Sobol sequences.

Each parameter has its own random stream, named by a hash of its name, so that adding a
parameter leaves all other draws as they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.errors import ParameterError
from tengri.parameters.parse import Entry
from tengri.parameters.transforms import Layout


def fixed_values(entries: Mapping[str, Entry]) -> dict[str, Array]:
    """Return the values of fixed parameters (inert ones too, mirrors not)."""
    return {
        name: jnp.broadcast_to(jnp.asarray(e.prior.default, float), e.shape)
        for name, e in entries.items()
        if e.source is None and not e.is_free
    }


def draw(entries: Mapping[str, Entry], key: Array) -> dict[str, Array]:
    """Draw one value of every free parameter; fixed ones keep their value."""
    free = {n: e.prior.sample(_stream(key, n), e.shape) for n, e in entries.items() if e.is_free}
    return _ordered(entries, {**fixed_values(entries), **free})


def draw_batch(entries: Mapping[str, Entry], key: Array, n: int) -> dict[str, Array]:
    """Draw n galaxies; row i is ``draw(entries, fold_in(key, i))``, whatever n is."""
    keys = jax.vmap(lambda i: jax.random.fold_in(_checked(key), i))(jnp.arange(_count(n)))
    free = {name: e for name, e in entries.items() if e.is_free}
    drawn = jax.vmap(lambda k: draw(free, k))(keys) if free else {}
    return _ordered(entries, {**_stretched(entries, n), **drawn})


def draw_sobol(
    entries: Mapping[str, Entry], layout: Layout, n: int, seed: int, skip: int
) -> dict[str, Array]:
    """Draw rows ``skip`` … ``skip + n`` of the scrambled Sobol sequence of ``seed``."""
    free = layout.from_unit(_sobol(layout.size, _count(n), seed, skip)) if layout.size else {}
    return _ordered(entries, {**_stretched(entries, n), **free})


def _sobol(size: int, n: int, seed: int, skip: int) -> np.ndarray:
    """Return points (n, size) strictly inside the unit cube."""
    from scipy.stats import qmc  # half a second to import, and few programs draw from it

    if skip < 0:
        raise ParameterError(f"skip must be 0 or more, got {skip}.")
    engine = qmc.Sobol(size, rng=np.random.default_rng(seed))
    if skip + n > engine.maxn:
        raise ParameterError(f"The sequence ends after {engine.maxn} rows; choose another seed.")
    if skip:
        points = engine.fast_forward(skip).random(n)
    else:  # one row first: scipy warns of first requests that are no power of two
        points = np.concatenate([engine.random(1), engine.random(n - 1)])
    return points + 0.5 / engine.maxn  # cell centres


def _stretched(entries: Mapping[str, Entry], n: int) -> dict[str, Array]:
    return {k: jnp.broadcast_to(v, (n, *v.shape)) for k, v in fixed_values(entries).items()}


def _ordered(entries: Mapping[str, Entry], values: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values[name] for name in sorted(entries) if name in values}


def _stream(key: Array, name: str) -> Array:
    return jax.random.fold_in(_checked(key), np.uint32(zlib.crc32(name.encode())))


def _checked(key: Any) -> Array:
    if isinstance(key, (jax.Array, np.ndarray)):
        typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        if key.shape == () if typed else key.ndim == 1 and key.dtype == np.uint32:
            return jnp.asarray(key)
    raise ParameterError(f"Draws need one JAX key, e.g. jax.random.key(0), not {key!r}.")


def _count(n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ParameterError(f"The number of draws must be a positive integer, not {n!r}.")
    return int(n)
