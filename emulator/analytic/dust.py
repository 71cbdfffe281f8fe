r"""The light of dust as an exact term: the network predicts only the luminosity absorbed.

Dust radiates what it absorbs, with a spectrum that depends on no star. In the bands that is

.. math:: F_b = L_{abs} \, D_b(z), \quad D_b = \langle L_\nu / L_{IR} \rangle_b .

On wavelengths equally spaced in ln λ a redshift shifts the spectrum against the bands: by whole
steps and half ones the integrals are products with one matrix, between them D is cubic.

Shapes: n_rest rest wavelengths, n_seen observed ones, all in steps of ``STEP``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import LOG10_PER_HZ
from tengri.components.dust.emission import DustEmission
from tengri.constants import LN10
from tengri.numerics.interpolation import catmull_rom
from tengri.numerics.linalg import matmul, scatter
from tengri.observation import FilterCurve
from tengri.observation.bands import band_matrix
from tengri.static_grid import StaticGrid

#: Nodes START_AA exp(k STEP): those of the templates of Draine & Li (2007).
START_AA, STEP = 1e4, LN10 / 250.0
#: No formula has dust that shines blueward of this [Å]; a table says it itself.
FIRST_AA = 7e3
#: Shifts per step.
FINE = 2


@dataclass(frozen=True, eq=False)
class DustIntegrals:
    """The band integrals of a spectrum of dust between two redshifts, in float64 NumPy.

    Attributes
    ----------
    band : ndarray of int, shape (n_seeing,)
        The bands that see it.
    rest : ndarray, shape (n_rest,)
        Rest wavelengths [Å].
    first : int
        Which of them is the first of `matrix` for a shift by no step, less one.
    matrix : ndarray, shape (FINE + 3, n_seeing, n_seen + 2)
        Weights of a window of the spectrum in every band, for shifts of −1 … FINE + 1 parts of a
        step.
    """

    band: np.ndarray
    rest: np.ndarray
    first: int
    matrix: np.ndarray

    @classmethod
    def build(
        cls, emission: DustEmission, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> DustIntegrals | None:
        """Return the integrals for bands and a range of redshifts; None if no band sees dust."""
        reddest = [f.wave[-1] / (1.0 + z_lo) for f in filters]
        band = np.flatnonzero(np.array(reddest) > _first(emission))
        if not band.size:
            return None
        seeing = [filters[i] for i in band]
        lo = _step(min(f.wave[0] for f in seeing)) - 1
        n_seen = _step(max(f.wave[-1] for f in seeing)) + 3 - lo
        most, least = (int(np.floor(np.log1p(z) / STEP)) for z in (z_hi, z_lo))
        begin = lo - most - 1
        n_rest = most - least + n_seen + 2
        nodes = START_AA * np.exp(STEP * np.arange(lo, lo + n_seen))
        parts = [band_matrix(nodes, seeing, np.expm1(i * STEP / FINE)) for i in range(FINE)]
        matrix = np.zeros((FINE + 3, len(band), n_seen + 2))
        for i, shift in enumerate(range(-1, FINE + 2)):
            whole, part = divmod(shift, FINE)
            matrix[i, :, 1 - whole : 1 - whole + n_seen] = parts[part]
        rest = START_AA * np.exp(STEP * np.arange(begin, begin + n_rest))
        return cls(band, rest, most, matrix)

    @property
    def steps(self) -> int:
        """Whole steps from the least shift that is needed to the largest."""
        return self.rest.size - self.matrix.shape[-1]

    def of_templates(self, shapes: np.ndarray) -> np.ndarray:
        """Return the bands of templates at every shift, (n_a, n_b, n_shift, n_kind, n_seeing).

        ``shapes`` (n_a, n_b, n_kind, n_rest) are their spectra. The first shift is one part less
        than the least that is needed.
        """
        n, steps = self.matrix.shape[-1], self.steps
        n_shift = FINE * (steps + 1) + 3
        table = np.empty((*shapes.shape[:2], n_shift, shapes.shape[2], self.band.size))
        for i in range(n_shift):
            whole = min(max(i - 1, 0) // FINE, steps)
            window = shapes[..., steps - whole : steps - whole + n]
            table[:, :, i] = window @ self.matrix[i - FINE * whole].T
        return table


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class DustLight:
    """The exact photometry of dust that absorbs one unit of light.

    Attributes
    ----------
    emission : DustEmission
        Its spectrum.
    n_bands : int
        Bands of the surrogate.
    band, rest : StaticGrid
        As of `DustIntegrals`.
    first, steps : int
    weights : array
        The matrix of the integrals; where the dust is a table of templates, their bands.
    """

    emission: DustEmission = field(metadata={"static": True})
    n_bands: int = field(metadata={"static": True})
    band: StaticGrid = field(metadata={"static": True})
    rest: StaticGrid = field(metadata={"static": True})
    first: int = field(metadata={"static": True})
    steps: int = field(metadata={"static": True})
    weights: Any

    @classmethod
    def build(
        cls, emission: DustEmission, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> DustLight | None:
        """Return the light for bands and a range of redshifts; None if no band sees it."""
        found = DustIntegrals.build(emission, filters, z_lo, z_hi)
        if found is None:
            return None
        weights = found.matrix
        if emission.grid is not None:
            weights = found.of_templates(emission.grid.shapes(found.rest) * 10.0**-LOG10_PER_HZ)
        grids = StaticGrid(found.band), StaticGrid(found.rest)
        return cls(emission, len(filters), *grids, found.first, found.steps, weights)

    def in_default_float(self) -> DustLight:
        """Return it with the constants of the band integrals in the default float."""
        return replace(self, weights=jnp.asarray(self.weights, float))

    def spectrum(self, p: Mapping[str, Array]) -> Array:
        """Return L_ν/L_IR at ``rest`` (n_rest,), in units of ``10**LOG10_PER_HZ`` per Hz."""
        rest = self.rest.values
        dark = int(np.searchsorted(rest, _first(self.emission)))
        lit = self.emission.spectrum(rest[dark:], p) * 10.0**-LOG10_PER_HZ
        return jnp.pad(lit, (dark, 0))

    def bands(self, p: Mapping[str, Array]) -> Array:
        """Return L_ν/L_IR in all bands (n_bands,), in these units."""
        shift = jnp.log1p(p["redshift"]) * (FINE / STEP)
        below = jnp.floor(shift).astype(jnp.int32)
        around = (self._integrated if self.emission.grid is None else self._looked_up)(below, p)
        flux = catmull_rom((shift - below.astype(shift.dtype)).astype(around.dtype), *around)
        return scatter(flux, self.band.values, self.n_bands)

    def _integrated(self, below: Array, p: Mapping[str, Array]) -> Array:
        """Return the bands that see it at the four shifts around, (4, n_seeing): by integrals."""
        whole, part = below // FINE, below % FINE
        n = self.weights.shape[-1]
        window = jax.lax.dynamic_slice(self.spectrum(p), (self.first - whole,), (n,))
        return jax.lax.dynamic_slice_in_dim(matmul(self.weights, window), part, 4)

    def _looked_up(self, below: Array, p: Mapping[str, Array]) -> Array:
        """Return the same from a table of the integrals, of which few templates are lit."""
        assert self.emission.grid is not None
        corner, weights = self.emission.grid.corner(p)
        least = FINE * (self.first - self.steps)
        start = (*corner, below - least, *jnp.zeros(2, jnp.int32))
        lit = jax.lax.dynamic_slice(self.weights, start, (2, 2, 4, *self.weights.shape[3:]))
        return jnp.sum(weights[:, :, None, :, None] * lit, axis=(0, 1, 3))


def _first(emission: DustEmission) -> float:
    """Return where dust begins to shine [Å]."""
    return FIRST_AA if emission.nodes is None else float(emission.nodes()[0])


def _step(wave_aa: float) -> int:
    return int(np.floor(np.log(wave_aa / START_AA) / STEP))
