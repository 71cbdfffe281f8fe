"""The non-neural rival: tables of SSP photometry over redshift, dust at one wavelength per band.

As in Zacharegkas+2025 (arXiv:2506.19919): every SSP without dust is integrated through every band
on a grid of redshifts; a galaxy is the weighted sum of the table's two neighbours, dimmed by the
attenuation at the band's pivot wavelength at rest. Any star-formation history, nothing trained.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri import SEDModel
from tengri.forward.exact_evaluators import redshift_range
from tengri.forward.grid_spectra import GridSpectra
from tengri.numerics.linalg import einsum
from tengri.observation.bands import band_matrix


class Lookup:
    """Tables for the bands and the grid of an exact model.

    Parameters
    ----------
    model : SEDModel
        Gives grid, bands, absorption by the intergalactic medium and the range of redshifts.
    knots : int
        Redshifts in the table, uniform in ln(1 + z).
    """

    def __init__(self, model: SEDModel, knots: int) -> None:
        self.model = model
        lo, hi = np.log1p(redshift_range(model.spec))
        self.ln_1pz = np.linspace(lo, hi, knots)
        galaxy, filters = model.galaxy, model.observation.photometry.filters
        grid = GridSpectra.build(model.spec.composition, model.ssp, model.cosmology).flux
        flux = grid[:, galaxy.bins.node].reshape(-1, len(galaxy.wave)).astype(np.float64)
        unit = 10.0**galaxy.log10_flux_unit
        igm = jax.jit(lambda z: galaxy.igm({"redshift": z}))
        tables = [band_matrix(galaxy.wave, filters, z) * np.asarray(igm(z)) @ flux.T / unit
                  for z in np.expm1(self.ln_1pz)]  # fmt: skip
        self.table = jnp.asarray(np.stack(tables), jnp.float32)  # (knots, n_bands, n_met · n_bin)
        self.pivots = np.array([f.pivot for f in filters])

    def unit_flux(self, table: Any, p: Any) -> Any:
        """Return fluxes (n_bands,) of one galaxy per solar mass formed."""
        formed = self.model.stars.ssp_weights(p)
        step = float(self.ln_1pz[1] - self.ln_1pz[0])
        place = (jnp.log1p(p["redshift"]) - self.ln_1pz[0]) / step
        below = jnp.clip(jnp.floor(place), 0, len(self.ln_1pz) - 2).astype(int)
        right = place - below
        ssp = (1.0 - right) * table[below] + right * table[below + 1]
        # a power law, written out
        k = (self.pivots / (1.0 + p["redshift"]) / 5500.0) ** p["dust_slope"]
        n = self.model.stars.bins.n_young
        ssp = ssp.reshape(len(self.pivots), *formed.weights.shape)
        young = einsum("ma,bma->b", formed.weights[:, :n], ssp[:, :, :n])
        old = einsum("ma,bma->b", formed.weights[:, n:], ssp[:, :, n:])
        cloud, diffuse = jnp.exp(-p["dust_tau_bc"] * k), jnp.exp(-p["dust_tau_diff"] * k)
        return diffuse * (cloud * young + old)

    @partial(jax.jit, static_argnums=0)
    def _rows(self, table: Any, rows: Any) -> Any:
        def one(row: Any) -> Any:
            return self.unit_flux(table, row.unpack())

        return jax.lax.map(one, rows, batch_size=128)

    def fluxes(self, packed: Any, chunk: int = 4096) -> np.ndarray:
        """Return fluxes (n, n_bands) per solar mass and the grid's unit, of packed parameters."""
        n, parts = len(packed.scalars), []
        for first in range(0, n, chunk):
            rows = np.minimum(np.arange(first, first + chunk), n - 1)
            taken = jax.tree.map(lambda a, r=rows: np.asarray(a)[r].astype(np.float32), packed)
            parts.append(np.asarray(self._rows(self.table, taken)))
        return np.concatenate(parts)[:n]
