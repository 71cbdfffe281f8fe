"""Parts of rows put together on the device, in the memory of the whole and of one part."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def joined(parts: Iterable[Any], n: int) -> Any:
    """Return pytrees of rows (k, …), one after the other, as one of rows (n, …)."""
    whole, start = None, 0
    for part in parts:
        size = len(jax.tree.leaves(part)[0])
        if size == n:
            return part
        if whole is None:
            whole = jax.tree.map(lambda x: jnp.zeros((n, *x.shape[1:]), x.dtype), part)
        whole = _with(whole, part, start)
        start += size
    return whole


@partial(jax.jit, donate_argnums=0)
def _with(whole: Any, part: Any, start: Array | int) -> Any:
    put = jax.lax.dynamic_update_slice_in_dim
    return jax.tree.map(lambda x, y: put(x, y, start, 0), whole, part)
