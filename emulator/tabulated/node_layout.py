"""Where the light of a band is held: nodes, the pieces and bands they are of, populations."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.lya import Profile
from emulator.tabulated import quadrature
from tengri.constants import LYMAN_ALPHA_AA


@dataclass(frozen=True)
class NodeLayout:
    """Nodes of all bands, and the populations whose light is known there.

    Attributes
    ----------
    nodes : tuple of float
        Observed wavelengths of the nodes of all bands [Å].
    sizes : tuple of int
        How many nodes each band has.
    n_bins, n_young : int
        Age bins, and how many of them are younger than 10 Myr.
    absorbs : bool
        Whether it is known what dust absorbs.
    own_lya : bool
        Whether Lyα is a term of its own.
    pieces : tuple of int
        How many nodes each piece of a band has; none in files whose light is not relative.
    firsts : tuple of float
        The bluest wavelength of each piece [Å].
    line : Profile
        The profile of Lyα on the wavelengths of the grid, where that is a term of its own.
    """

    nodes: tuple[float, ...]
    sizes: tuple[int, ...]
    n_bins: int
    n_young: int
    absorbs: bool = False
    own_lya: bool = False
    pieces: tuple[int, ...] = ()
    firsts: tuple[float, ...] = ()
    line: Profile = ()

    def fits(self, edges: list[tuple[float, float]]) -> bool:
        """Return whether nodes and pieces lie in the bands that begin and end at ``edges``.

        The profile of the line must be one, too.
        """
        counted = len(self.sizes) == len(edges) and sum(self.sizes) == len(self.nodes)
        if not counted or len(self.pieces) != len(self.firsts):
            return False
        if self.pieces and sum(self.pieces) != len(self.nodes):
            return False
        lo, hi = np.repeat(np.array(edges), self.sizes, axis=0).T
        starts = np.cumsum((0, *self.pieces))[:-1]
        inside = (lo <= self.nodes) & (self.nodes <= hi)
        wave, profile = np.array(self.line, float).reshape(-1, 2).T
        is_profile = (np.diff(wave) > 0.0).all() and np.isfinite(profile).all()
        return bool(inside.all() and (lo[starts] <= self.firsts).all() and is_profile)

    @property
    def by_band(self) -> tuple[tuple[quadrature.Piece, ...], ...]:
        """Pieces of each band."""
        ends = np.cumsum(self.pieces)
        pieces = [quadrature.Piece(first, self.nodes[end - n : end])
                  for first, n, end in zip(self.firsts, self.pieces, ends)]  # fmt: skip
        band = np.searchsorted(np.cumsum(self.sizes), ends)
        return tuple(tuple(p for p, of in zip(pieces, band) if of == b)
                     for b in range(self.n_bands))  # fmt: skip

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.sizes)

    @property
    def n_nodes(self) -> int:
        """Number of nodes of all bands."""
        return len(self.nodes)

    def n_eigenspectra(self, n_latent: int) -> int:
        """Return how many eigenspectra ``n_latent`` outputs hold."""
        return (n_latent - len(self.pieces)) // (2 * self.n_nodes)

    def wavelengths(self, z: Array) -> Array:
        """Return the rest wavelengths [Å] of the nodes, of absorbed light and of Lyα."""
        nodes = jnp.asarray(np.array(self.nodes), float) / (1.0 + z)
        at_rest = (*(quadrature.heat_nodes() if self.absorbs else ()), LYMAN_ALPHA_AA)
        return jnp.concatenate([nodes, jnp.asarray(at_rest, float)])

    def members(self) -> np.ndarray:
        """Return which band each node is of, (n_node, n_bands)."""
        band = np.repeat(np.arange(self.n_bands), self.sizes)
        return band[:, None] == np.arange(self.n_bands)
