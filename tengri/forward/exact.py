"""The exact evaluator: from a galaxy's parameters to spectra and bands.

Cut to the wavelengths that the bands can see in an interval of redshift, ends included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.forward.evaluator import AgeResponse, Bands, FixedValues, Params
from tengri.forward.galaxy import Galaxy, Light, Spectra, SSPWeights
from tengri.forward.grid_spectra import GridSpectra
from tengri.numerics.linalg import matmul
from tengri.observation.bands import band_matrix, rest_window
from tengri.observation.filters import FilterCurve
from tengri.observation.projection import Projection, build_projection


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

    def rows(self, z: Array) -> Array:
        """Return the weights as a dense matrix (n_band, n_wave)."""
        return self.matrix


class Reach(NamedTuple):
    """Where bands are answered: redshifts in an interval, bands inside the spectrum.

    ``first`` and ``last`` (n_bands,) are the ends of the curves, ``bluest`` and ``reddest`` those
    of the spectrum at rest [Å].
    """

    z_lo: Any
    z_hi: Any
    first: Any
    last: Any
    bluest: Any
    reddest: Any

    @classmethod
    def of(
        cls,
        galaxy: Galaxy,
        filters: Sequence[FilterCurve],
        z: tuple[float, float],
    ) -> Reach:
        """Return the reach of a galaxy's spectrum, with a rounding error of slack in z.

        Redshift 0 has fluxes where a distance is given.
        """
        info, wave = jnp.finfo(jnp.zeros(()).dtype), galaxy.wave
        slack = 4.0 * float(info.eps)
        least = 0.0 if galaxy.composition.by_distance else float(info.tiny)
        ends = (np.array([f.wave[i] for f in filters]) for i in (0, -1))
        numbers = (max(z[0] * (1.0 - slack), least), z[1] * (1.0 + slack), *ends, wave[0], wave[-1])
        return cls(*(jnp.asarray(x, float) for x in numbers))

    def holds(self, z: Array) -> Array:
        """Return which bands are answered at redshift ``z``, (n_bands,)."""
        inside = (z >= self.z_lo) & (z <= self.z_hi)
        stretch = 1.0 + z
        return (inside & (self.first >= self.bluest * stretch)
                & (self.last <= self.reddest * stretch))  # fmt: skip


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class ExactEvaluator:
    """The exact model of one galaxy.

    Attributes
    ----------
    galaxy : Galaxy
        Equations and grids.
    spectra : Spectra
        The SSP grid on the galaxy's wavelengths.
    projection : Projection or FixedProjection, or None
        The band integrals; None for spectra alone.
    reach : Reach or None
        Where bands are answered.
    fixed : FixedValues
        Parameters that may be left out.
    """

    galaxy: Galaxy = field(metadata={"static": True})
    spectra: Spectra
    projection: Projection | FixedProjection | None
    reach: Reach | None
    fixed: FixedValues

    @classmethod
    def build(
        cls,
        grid: GridSpectra,
        filters: Sequence[FilterCurve],
        z_range: tuple[float, float],
        fixed: FixedValues,
    ) -> ExactEvaluator:
        """Return the evaluator of some bands between two redshifts.

        A single redshift has its band integrals in a matrix; no filters: spectra alone, on all
        wavelengths.
        """
        whole = grid.galaxy
        if not filters:
            galaxy, spectra = grid.cut()
            return cls(galaxy, spectra.in_default_float(), None, None, fixed)
        # Dust emission needs the whole absorbed luminosity, hence the whole spectrum; the share of
        # an AGN needs the stars at 5100 Å.
        agn, dust = whole.composition.agn, whole.composition.dust_emission
        everything = dust is not None or (agn is not None and agn.by_fraction)
        window = slice(None) if everything else rest_window(whole.wave, filters, *z_range)
        galaxy, spectra = grid.cut(window)
        projection = _projection(galaxy.wave, filters, z_range).in_default_float()
        reach = Reach.of(whole, filters, z_range)
        return cls(galaxy, spectra.in_default_float(), projection, reach, fixed)

    @property
    def log10_flux_unit(self) -> float:
        """Spectra and responses are in units of ten to this power, Lsun/Hz."""
        return self.galaxy.log10_flux_unit

    def for_one_galaxy(self) -> ExactEvaluator:
        """Return the evaluator itself."""
        return self

    def spectrum(self, p: Params) -> Light:
        """Return the rest-frame light on ``galaxy.wave``, without the IGM."""
        return self.galaxy.light(self.spectra, self.fixed.complete(p))

    def bands(self, p: Params) -> Bands:
        """Return the band fluxes of one galaxy: pure, NaN where there is no answer."""
        assert self.projection is not None and self.reach is not None
        p = self.fixed.complete(p)
        light, z = self.galaxy.light(self.spectra, p), p["redshift"]
        flux = self.projection.project(self.galaxy.seen(light, p), z)
        flux = jnp.where(self.reach.holds(z), flux, jnp.nan)
        scale = light.log10_scale + self.galaxy.log10_luminosity_to_flux(p)
        return Bands(scale, flux, light.log10_mass)

    def age_response(self, p: Params) -> AgeResponse:
        """Return the light of every stellar age in the bands, and what dust absorbs of it.

        Both are linear in the age weights: the response is their gradient.
        """
        assert self.projection is not None and self.reach is not None
        p = self.fixed.complete(p)
        galaxy, z = self.galaxy, p["redshift"]
        metals, n_bin = galaxy.metals(p), len(galaxy.bins.edges) - 1

        def stars(ages: Array) -> tuple[Array, Array]:
            formed = SSPWeights(jnp.zeros(()), metals * ages[None, :])
            light = galaxy.light_of(self.spectra, formed, p)
            names = [name for name in ("stars", "lya") if name in light.parts]
            seen = light._replace(parts={name: light.parts[name] for name in names})
            return galaxy.seen(seen, p), light.absorbed

        (lnu, absorbed), slope = jax.vjp(stars, jnp.full(n_bin, 1.0 / n_bin))
        rows, nothing = self.projection.rows(z), jnp.zeros_like(absorbed)
        (bands,) = jax.vmap(lambda row: slope((row, nothing)))(rows)
        (heat,) = slope((jnp.zeros_like(lnu), jnp.ones_like(absorbed)))
        return AgeResponse(jnp.where(self.reach.holds(z)[:, None], bands, jnp.nan), heat)


def _projection(
    wave: np.ndarray, filters: Sequence[FilterCurve], z: tuple[float, float]
) -> Projection | FixedProjection:
    if z[0] == z[1]:
        return FixedProjection(band_matrix(wave, filters, z[0]))
    return build_projection(wave, filters, *z)
