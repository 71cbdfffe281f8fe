r"""Attenuation that is factored out of an age kernel: that at each band's pivot wavelength.

.. math:: e^{-\tau_{diff} k_{diff,b} - [t_a < 10\,Myr]\, \tau_{bc} k_{bc,b}},
          \quad k_b = k(λ_b / (1 + z)),

with limits, so that what a network has to make up for stays bounded. For the light that dust
absorbs it is 1 minus this, with k at ``HEATING_AA``.

Shapes: n_rows is n_bands, and one more where the light that dust absorbs is learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.dust.attenuation import LAWS, DustLaw
from tengri.errors import ConfigError
from tengri.numerics.interpolation import catmull_rom

#: The largest optical depth that is factored out: beyond it float32 ends. And the largest beside
#: that of the clearest band: what lies deeper is seen by a band's red edge, if at all, and divided
#: by the light that would pass at its pivot that edge would be beyond all bounds.
DEEPEST, DEEPEST_BESIDE = 60.0, 16.0
#: Where the curve of attenuation stands for the light that dust absorbs [Å]; an optical depth
#: beside which others vanish.
HEATING_AA, THINNEST = 3000.0, 1e-6
#: Rest wavelengths [Å] between which curves of attenuation are interpolated, cubically.
LN_NODES = np.log(np.geomspace(400.0, 1e6, 80))


def laws_of(names: tuple[str, str], physics: tuple[int, int]) -> tuple[DustLaw, DustLaw]:
    """Return the laws of birth clouds and diffuse dust of the versions that a kernel was made with.

    Raises
    ------
    ConfigError
        A version that is of a newer release, or no longer at hand.
    """
    clouds, diffuse = (_law_at(name, version) for name, version in zip(names, physics))
    return clouds, diffuse


def _law_at(name: str, physics: int) -> DustLaw:
    law = LAWS[name].at(physics)
    if law is None:
        raise ConfigError(
            f"This surrogate factors out the dust law {name!r} of physics {physics}, which this "
            "release no longer has: train it anew, or use the release that it was trained with."
        )
    return law


def ln_factored_out(
    laws: tuple[DustLaw, DustLaw], pivots: tuple[float, ...], absorbs: bool, deepest_beside: float,
    p: Mapping[str, Array],
) -> tuple[Array, Array]:  # fmt: skip
    """Return ln of what is factored out for birth clouds and diffuse dust, each (n_rows,).

    ``laws`` are those of clouds and diffuse dust, ``pivots`` (n_bands,) wavelengths [Å];
    ``absorbs``: with the row of the light that is absorbed; ``deepest_beside`` is the limit of
    optical depths beside that of the clearest band.
    """
    cloud, diffuse = _optical_depths(laws, pivots, absorbs, p)
    n = len(pivots)
    passing = _ln_passing(cloud[:n], diffuse[:n], deepest_beside)
    if not absorbs:
        return passing
    old = _ln_absorbed(diffuse[-1])
    young = _ln_absorbed(diffuse[-1] + cloud[-1])
    return jnp.append(passing[0], young - old), jnp.append(passing[1], old)


def _optical_depths(
    laws: tuple[DustLaw, DustLaw], pivots: tuple[float, ...], absorbs: bool, p: Mapping[str, Array]
) -> tuple[Array, Array]:
    """Return optical depths of birth clouds and diffuse dust at the pivots, each (n_rows,)."""
    ln_wave = jnp.asarray(np.log(pivots), float) - jnp.log1p(p["redshift"])
    if absorbs:
        ln_wave = jnp.append(ln_wave, np.log(HEATING_AA))
    k_bc, k_diff = (_on_nodes(ln_wave, law.curve(np.exp(LN_NODES), p)) for law in laws)
    return p["dust_tau_bc"] * k_bc, p["dust_tau_diff"] * k_diff


def _ln_passing(cloud: Array, diffuse: Array, deepest_beside: float) -> tuple[Array, Array]:
    """Return ln of the light that passes optical depths (n_bands,) of clouds and diffuse dust."""
    clearest, thinnest = jnp.min(diffuse), jnp.min(cloud)
    extra, both = diffuse - clearest, diffuse - clearest + cloud - thinnest
    more = _limited(both, deepest_beside) - _limited(extra, deepest_beside)
    return (-jnp.minimum(thinnest + more, DEEPEST),
            -jnp.minimum(clearest + _limited(extra, deepest_beside), DEEPEST))  # fmt: skip


def _limited(depth: Array, deepest_beside: float) -> Array:
    """Return depths that end smoothly at a limit: a kink could not be learnt."""
    return depth / (1.0 + (depth / deepest_beside) ** 4) ** 0.25


def _ln_absorbed(depth: Array) -> Array:
    return jnp.log(-jnp.expm1(-(depth + THINNEST)))


def _on_nodes(x: Array, values: Any) -> Array:
    """Interpolate ``values`` on ``LN_NODES`` at ``x``: cubic, held outside."""
    step = float(LN_NODES[1] - LN_NODES[0])
    s = jnp.clip((x - LN_NODES[0]) / step, 1.0, len(LN_NODES) - 2.001)
    i = jnp.floor(s).astype(jnp.int32)
    t = s - i.astype(s.dtype)
    v = jnp.asarray(values, float)
    return catmull_rom(t, v[i - 1], v[i], v[i + 1], v[i + 2])
