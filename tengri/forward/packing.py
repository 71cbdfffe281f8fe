"""Parameter dicts packed for compiled functions: one array for all scalars is dispatched fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core import get_opaque_trace_state

from tengri.parameters import Parameters
from tengri.parameters.validate import default_float


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Packed:
    """A complete parameter dict as a pytree of few arrays.

    Attributes
    ----------
    scalars : array, shape (…, n_scalar)
        In the order of ``names``.
    arrays : dict
        Vector-valued parameters (latent fields, tabulated histories) by name.
    names : tuple of str
    """

    scalars: Any
    arrays: dict[str, Any]
    names: tuple[str, ...] = field(metadata={"static": True})

    def unpack(self) -> dict[str, Array]:
        """Return the dict of one galaxy."""
        return {n: self.scalars[i] for i, n in enumerate(self.names)} | self.arrays


@dataclass(frozen=True)
class Packer:
    """Packs the parameters of a spec, by name: ``scalars`` and ``arrays``."""

    scalars: tuple[str, ...]
    arrays: tuple[str, ...]

    @classmethod
    def of(cls, spec: Parameters) -> Packer:
        """Return the packer of the parameters that act."""
        params = spec.composition.params
        return cls(
            tuple(n for n, p in params.items() if p.shape == ()),
            tuple(n for n, p in params.items() if p.shape != ()),
        )

    def pack(self, p: Mapping[str, Any]) -> Packed:
        """Pack a complete dict, of one galaxy or of a batch."""
        scalars = [p[n] for n in self.scalars]
        arrays = {n: p[n] for n in self.arrays}
        if is_traced(p):
            columns = [jnp.asarray(s, float) for s in scalars]
            stacked = jnp.stack(jnp.broadcast_arrays(*columns), axis=-1)
            return Packed(stacked, arrays, self.scalars)
        dtype = default_float()
        if any(s.ndim for s in scalars):
            packed = np.stack(np.broadcast_arrays(*scalars), axis=-1).astype(dtype, copy=False)
        else:
            packed = np.array([s.item() for s in scalars], dtype)
        packed_arrays = {n: np.asarray(a, dtype) for n, a in arrays.items()}
        return handed_over(Packed(packed, packed_arrays, self.scalars))


def handed_over(tree: Any) -> Any:
    """Return host arrays, moved to the device explicitly where JAX refuses to do it by itself."""
    guard = jax.config.jax_transfer_guard_host_to_device  # type: ignore[attr-defined]
    return jax.device_put(tree) if guard in ("disallow", "disallow_explicit") else tree


#: JAX outside of all transformations.
_OUTSIDE = get_opaque_trace_state()


def is_traced(p: Mapping[str, Any]) -> bool:
    """Return whether any value is a tracer."""
    return any(isinstance(v, jax.core.Tracer) for v in p.values())


def in_trace(p: Mapping[str, Any]) -> bool:
    """Return whether what follows from parameters is traced: then checks are left out."""
    return is_traced(p) or in_jit()


def in_jit() -> bool:
    """Return whether all that is computed here, of plain numbers too, becomes part of a program."""
    if get_opaque_trace_state() == _OUTSIDE:
        return False
    return isinstance(jnp.zeros(()), jax.core.Tracer)  # not so inside vmap or grad alone
