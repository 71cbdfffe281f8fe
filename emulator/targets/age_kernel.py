"""Sums of an age kernel over the ages of stars: of many mixtures in training, of one in use.

Shapes: n_rows rows of a kernel, n_bins age bins; the first ``n_young`` lie in birth clouds.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.scaling import OutputScaling
from tengri.numerics.linalg import einsum, matmul

#: log10 of a typical L_ν [Lsun/Hz] of one solar mass formed.
LOG10_UNIT = -15.0
#: In these units: light that cannot be told from darkness.
DARK = 1e-30


def ln_mixed(u: Array, ages: Array, cloud: Array, diffuse: Array, n_young: int) -> Array:
    """Return ln F (n, n_mixtures, n_rows) of kernels ``u`` (n, n_rows, n_bins).

    ``ages`` (n, n_mixtures, n_bins) is the share of the mass in each bin; ``cloud`` and
    ``diffuse`` (n, n_rows) are ln of the light that birth clouds and diffuse dust let pass.
    """
    young = einsum("nja,nba->njb", ages[..., :n_young], u[..., :n_young])
    old = einsum("nja,nba->njb", ages[..., n_young:], u[..., n_young:])
    return diffuse[:, None] + jnp.log(jnp.exp(cloud)[:, None] * young + old + DARK)


def young_and_old(
    v: Array, scaling: OutputScaling, ages: Array, n_young: int
) -> tuple[Array, Array]:
    """Return the sums of a kernel over the young and the old ages of one galaxy, each (n_rows,).

    ``v`` is what the network gave, ``ages`` (n_bins,) the share of the mass in each bin. Block by
    block in a batch, for a processor's cache holds all ages of one band, not those of all bands;
    and as products, whose reverse is a product: slices would be padded there, one by one.
    """
    blocks, n_bins = scaling.blocks(), len(ages)
    parts = [block.exp_inverse(part) for block, part in zip(blocks, jnp.split(v, len(blocks)))]
    is_young = np.arange(n_bins) < n_young
    which = np.stack([is_young, ~is_young], axis=1).astype(v.dtype)
    sums = [matmul(part.reshape(-1, n_bins) * ages[None, :], which) for part in parts]
    young, old = jnp.concatenate(sums).T
    return young, old
