r"""The spectrum of one galaxy in the pixels of a spectrograph.

Stars and the continuum of their gas are spread by the stars' velocities and by the line-spread
function, less the resolution that the grid has already; lines of gas are Gaussians of the gas's
velocities and the line-spread function; dust and nucleus by the line-spread function alone (the
lines of a nucleus have their own widths):

.. math:: \sigma^2 = \sigma_{LSF}^2(\lambda_{obs}) + (\sigma_{stars}/c)^2
                     - \sigma_{grid}^2(\lambda_{rest}), \quad
          \sigma_{line}^2 = \sigma_{LSF}^2 + (\sigma_{gas}/c)^2

in ln λ at the edges of the pixels (`tengri.forward.pixels`). Where the first is negative, the grid
is less sharp than what is asked for: nothing is spread there, and the pixel is flagged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.dust.screen import behind
from tengri.components.stellar.library import fwhm_aa
from tengri.components.stellar.ssp_data import SSPData
from tengri.constants import C_AA_PER_S, C_KM_S, FWHM_PER_SIGMA
from tengri.forward.evaluator import FixedValues, Params
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import Light, Spectra
from tengri.forward.grid_spectra import GridSpectra
from tengri.forward.lines import LineEvaluator
from tengri.forward.pixels import PixelProjection
from tengri.observation.spectrograph import Spectrograph


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class PixelEvaluator:
    """The light of one galaxy in pixels as a pure function.

    Attributes
    ----------
    whole : ExactEvaluator
        Spectra on all wavelengths.
    dark : Spectra or None
        The same without lines of gas, where gas is a component.
    lines : LineEvaluator or None
        Its lines.
    projection : PixelProjection
    log_edges, spread : Array, shape (n_pixel + 1,)
        ln of the edges of the pixels [ln Å], and σ of the line-spread function in ln λ there.
    of_grid : Array, shape (n_cell,)
        σ² in ln λ that the grid has, for the cells of the projection.
    n_gas : int
        Lines of gas; those of the nucleus come after them.
    """

    whole: ExactEvaluator
    dark: Spectra | None
    lines: LineEvaluator | None
    projection: PixelProjection
    log_edges: Any
    spread: Any
    of_grid: Any
    n_gas: int = field(metadata={"static": True})

    @classmethod
    def build(
        cls,
        grid: GridSpectra,
        ssp: SSPData,
        parts: tuple[ExactEvaluator, LineEvaluator | None],
        pixels: Spectrograph,
        z: tuple[float, float],
        reach_kms: float,
    ) -> PixelEvaluator:
        """Return the evaluator of a spectrograph between two redshifts.

        ``parts`` are the evaluators of spectra and of lines of the same grid; ``reach_kms`` is the
        largest velocity dispersion.
        """
        whole, lines = parts
        wave, gas, dark = grid.galaxy.wave, grid.galaxy.gas, None
        if gas is not None:
            dark = grid.without_lines(wave[:, None])[1].in_default_float()
        projection = PixelProjection.build(wave, pixels, z, reach_kms / C_KM_S)
        cells = np.asarray(projection.wave, np.float64)
        of_grid = (fwhm_aa(ssp, cells) / FWHM_PER_SIGMA / cells) ** 2
        return cls(
            whole,
            dark,
            None if gas is None else lines,
            projection,
            jnp.asarray(np.log(pixels.edges), float),
            jnp.asarray(pixels.spread.values, float),
            jnp.asarray(of_grid, float),
            0 if gas is None else len(gas.table.line_list),
        )

    @property
    def fixed(self) -> FixedValues:
        """Parameters that may be left out."""
        return self.whole.fixed

    def spectrum(self, p: Params, stars_kms: Array, gas_kms: Array) -> tuple[Array, Array]:
        """Return f_ν [erg/s/cm²/Hz] in the pixels, and log10 of the mass formed: pure."""
        p = self.fixed.complete(p)
        light, z = self.whole.spectrum(p), p["redshift"]
        stars, others = self._stars(light, p), self._others(light)
        blur = self.spread**2
        moved = blur + (stars_kms / C_KM_S) ** 2 - self._grid_has(self.log_edges, z)
        flux = self.projection.project(self._seen(light, stars, p), moved, z)
        if others:
            flux = flux + self.projection.project(self._seen(light, others, p), blur, z)
        if self.lines is not None:
            flux = flux + self._of_lines(p, gas_kms, z)
        return jnp.where(light.log10_mass >= 0.0, flux, jnp.nan), light.log10_mass

    def too_sharp(self, z: Array, stars_kms: Array) -> Array:
        """Return in which pixels the grid is less sharp than what is asked for, (n_pixel,)."""
        middle = 0.5 * (self.log_edges[1:] + self.log_edges[:-1])
        asked = self._blur(middle) + (stars_kms / C_KM_S) ** 2
        return asked < self._grid_has(middle, z)

    def _stars(self, light: Light, p: Params) -> dict[str, Array]:
        """Return stars and gas behind the dust, without the lines that are known one by one."""
        galaxy = self.whole.galaxy
        if self.dark is None:
            return {"stars": light.parts["stars"]}
        formed = galaxy.ssp_weights(p)
        young, old = galaxy.stars(self.dark, formed.weights, p)
        scale = formed.log10_mass + galaxy.log10_flux_unit - light.log10_scale
        return {"stars": behind(p, galaxy.attenuation(p), young, old) * 10.0**scale}

    def _others(self, light: Light) -> dict[str, Array]:
        """Return the light that no velocity of stars spreads."""
        known = {"stars"} if self.dark is None else {"stars", "lya"}
        return {name: lnu for name, lnu in light.parts.items() if name not in known}

    def _seen(self, light: Light, parts: Mapping[str, Array], p: Params) -> Array:
        """Return f_ν of some parts on all wavelengths, as observed."""
        galaxy = self.whole.galaxy
        scale = light.log10_scale + galaxy.log10_luminosity_to_flux(p)
        return galaxy.seen(light._replace(parts=dict(parts)), p) * 10.0**scale

    def _blur(self, log_wave: Array) -> Array:
        """Return σ² of the line-spread function at observed wavelengths [ln Å]."""
        return jnp.interp(log_wave, self.log_edges, self.spread) ** 2

    def _grid_has(self, log_wave: Array, z: Array) -> Array:
        """Return σ² of the grid at observed wavelengths [ln Å]."""
        return jnp.interp(jnp.exp(log_wave) / (1.0 + z), self.projection.wave, self.of_grid)

    def _of_lines(self, p: Params, gas_kms: Array, z: Array) -> Array:
        assert self.lines is not None
        wave = np.array(self.lines.line_list.waves[: self.n_gas])
        flux = self.lines.lines(p)[0].flux[: self.n_gas]
        photons = flux * jnp.asarray(wave / C_AA_PER_S, float) * (1.0 + z)
        seen_at = jnp.asarray(np.log(wave), float) + jnp.log1p(z)
        variance = self._blur(seen_at) + (gas_kms / C_KM_S) ** 2
        return self.projection.lines(photons, wave, variance, z)
