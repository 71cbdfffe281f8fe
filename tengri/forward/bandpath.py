"""From a galaxy's parameters to its bands, cut to the redshifts that are asked for.

A path is named by its interval of redshifts (z_lo, z_hi), ends included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.composition import Composition
from tengri.components.stellar.ssp import SSPData
from tengri.cosmology import Cosmology
from tengri.forward.galaxy import Galaxy, Params, SSPFlux
from tengri.observation.bands import BandProjection, band_matrix, rest_window
from tengri.observation.filters import FilterCurve
from tengri.products import matmul


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class FixedProjection:
    """The exact band integral at one redshift: a matrix (n_band, n_wave)."""

    matrix: Any

    def in_default_float(self) -> FixedProjection:
        """Return the matrix as a JAX array of the process's default float."""
        return FixedProjection(jnp.asarray(self.matrix, float))

    def project(self, lnu: Array, z: Array) -> Array:
        """Return the band averages of ``lnu``; ``z`` is the redshift it was made for."""
        return matmul(self.matrix, lnu)


class BandPath:
    """The exact model cut to the wavelengths that the bands can see between two redshifts.

    Parameters
    ----------
    composition, ssp, cosmology
        As of `Galaxy`.
    wave : ndarray, shape (n_wave,)
        All rest wavelengths of the model [Å].
    filters : sequence of FilterCurve
        The bands.
    z_lo, z_hi : float
        The redshifts to serve; a single one has its band integrals in a matrix.
    """

    galaxy: Galaxy
    projection: BandProjection | FixedProjection

    def __init__(
        self,
        composition: Composition,
        ssp: SSPData,
        cosmology: Cosmology,
        wave: np.ndarray,
        filters: Sequence[FilterCurve],
        z_lo: float,
        z_hi: float,
    ) -> None:
        # Dust emission needs the whole absorbed luminosity, hence the whole spectrum; the share of
        # a nucleus needs the stars at 5100 Å.
        by_fraction = composition.agn is not None and composition.agn.by_fraction
        whole = composition.dust_emission is not None or by_fraction
        window = slice(None) if whole else rest_window(wave, filters, z_lo, z_hi)
        self.galaxy = Galaxy(composition, ssp, cosmology, window)
        if z_lo == z_hi:
            self.projection = FixedProjection(band_matrix(wave[window], filters, z_lo))
        else:
            self.projection = BandProjection.build(wave[window], filters, z_lo, z_hi)

    def arrays(self) -> tuple[SSPFlux, Any]:
        """Return what the compiled functions take as arguments, in the default float."""
        return self.galaxy.flux(), self.projection.in_default_float()

    def serves(self, p: Params) -> Array | bool:
        """Say whether the path is exact for these parameters, which may be traced."""
        return True
