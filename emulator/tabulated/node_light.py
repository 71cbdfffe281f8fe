"""The light of one galaxy from its eigenspectra at the nodes of bands: see `band_nodes`.

Shapes: n_node nodes of all bands, n_heat wavelengths of absorbed light, n_column of loadings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from emulator.scaling import OutputScaling
from emulator.tabulated import quadrature
from emulator.tabulated.node_layout import NodeLayout
from emulator.tabulated.tabulate import LOG10_UNIT
from tengri.components.composition import Composition
from tengri.components.dust.attenuation import DustLaw
from tengri.components.dust.screen import CLEAR, behind, transmissions
from tengri.constants import LYMAN_ALPHA_AA
from tengri.forward.galaxy import Stars
from tengri.numerics.linalg import einsum, matmul

Params = Mapping[str, Array]

#: No band is given fainter than this share of the brightest: polynomials can miss zero.
FLOOR = 1e-9


def emission(
    layout: NodeLayout, v: Array, scaling: OutputScaling, p: Params, stars: Stars
) -> SourceBands:
    """Return the light of one galaxy behind its dust."""
    log10_mass, young, old = _mixed(layout, scaling, p, stars)
    v = v * jnp.asarray(scaling.scale)
    n = layout.n_eigenspectra(len(v))
    last = 2 * layout.n_nodes * n
    both = v[:last].reshape(2, layout.n_nodes, n)
    at_nodes = einsum("gqr,gr->gq", both, jnp.stack([young[:n], old[:n]]))
    if layout.pieces:
        typical = jnp.exp(v[last : last + len(layout.pieces)])
        at_nodes = at_nodes * typical[np.repeat(np.arange(len(typical)), layout.pieces)]
    screens = _Screens.of(stars.composition, layout.wavelengths(p["redshift"]), p)
    seen = _seen(layout, at_nodes, screens, p, stars.composition)
    flux = matmul(seen, layout.members().astype(seen.dtype))
    flux = jnp.maximum(flux, FLOOR * jnp.max(flux))
    absorbed = _absorbed(layout, young[n:], old[n:], screens, p, stars) if layout.absorbs else None
    lya = _lya_share(stars.composition, p) * young[n] if layout.own_lya else None
    return SourceBands(log10_mass + LOG10_UNIT, flux, log10_mass, absorbed, lya)


def _mixed(
    layout: NodeLayout, scaling: OutputScaling, p: Params, stars: Stars
) -> tuple[Array, Array, Array]:
    """Return log10 of the mass formed, and what young and old stars count, (n_column,)."""
    loadings = jnp.asarray(scaling.rotation)
    log10_mass, ages = stars.formed(p)
    metals, ages = (a.astype(loadings.dtype) for a in (stars.metals(p), ages))
    n = layout.n_young
    first, varies = len(metals) * n, metals.shape[1] > 1
    young = _summed(metals[:, :n] if varies else metals, ages[:n], loadings[:first])
    old = _summed(metals[:, n:] if varies else metals, ages[n:], loadings[first:])
    return log10_mass, young, old


def _seen(
    layout: NodeLayout, at_nodes: Array, screens: _Screens, p: Params, composition: Composition
) -> Array:
    """Return the light at the nodes behind all dust, (n_node,)."""
    n = layout.n_nodes
    young, old = (light.astype(screens.bc.dtype) for light in at_nodes)
    seen = behind(p, transmissions(p, screens.bc[:n], screens.diffuse[:n]), young, old)
    milky_way = composition.milky_way
    return seen if milky_way is None else seen * milky_way.transmission(screens.wave[:n], p)


def _absorbed(
    layout: NodeLayout, young: Array, old: Array, screens: _Screens, p: Params, stars: Stars
) -> Array:
    """Return what dust absorbs; ``young`` and ``old`` hold Lyα, then light at the nodes."""
    n_heat, first = len(quadrature.heat_nodes()), int(layout.own_lya)
    lya, young = young[: 2 * first], young[2 * first :]
    heat = slice(layout.n_nodes, layout.n_nodes + n_heat)
    depth_old = p["dust_tau_diff"] * screens.diffuse[heat]
    depth_young = depth_old + p["dust_tau_bc"] * screens.bc[heat]
    taken = -(young * jnp.expm1(-depth_young) + old[2 * first :] * jnp.expm1(-depth_old))
    screened = 1.0 - p[CLEAR.name] if CLEAR.name in p else 1.0
    absorbed = screened * jnp.sum(taken)
    if not layout.own_lya:
        return absorbed
    depth = p["dust_tau_diff"] * screens.diffuse[-1] + p["dust_tau_bc"] * screens.bc[-1]
    lost = jnp.minimum(1.0 - _lya_share(stars.composition, p, in_front=False),
                       -screened * jnp.expm1(-depth))  # fmt: skip
    return absorbed + lya[1] * lost


@dataclass(frozen=True)
class _Screens:
    """Curves k of birth clouds and diffuse dust at rest wavelengths ``wave`` [Å], each (n,)."""

    wave: Array
    bc: Array
    diffuse: Array

    @classmethod
    def of(cls, composition: Composition, wave: Array, p: Params) -> _Screens:
        """Return the curves of a composition's laws."""
        diffuse = _curve(composition.dust_diff, wave, p)
        same = composition.dust_bc == composition.dust_diff
        return cls(wave, diffuse if same else _curve(composition.dust_bc, wave, p), diffuse)


def _summed(metals: Array, ages: Array, loadings: Array) -> Array:
    """Return the sums over populations (n_column,) of ``loadings`` (n_met · n_age, n_column).

    ``metals`` (n_met, n_age), or (n_met, 1) for the same at all ages, share out ``ages`` (n_age,).
    """
    by_metal = loadings.reshape(len(metals), len(ages), -1)
    if metals.shape[1] == 1:  # summed over ages first: the smaller product
        return einsum("m,mr->r", metals[:, 0], einsum("a,mar->mr", ages, by_metal))
    return einsum("ma,mar->r", metals * ages, by_metal)


def _curve(law: DustLaw, wave: Array, p: Params) -> Array:
    return jnp.asarray(law.curve(wave, p), float)


def _lya_share(composition: Composition, p: Params, in_front: bool = True) -> Array:
    """Return the share of Lyα that escapes, behind the dust of the Milky Way or not."""
    assert composition.lya_escape is not None and composition.lya_escape.share is not None
    share = composition.lya_escape.share(p)
    if composition.milky_way is None or not in_front:
        return share
    return share * composition.milky_way.transmission(np.array([LYMAN_ALPHA_AA]), p)[0]
