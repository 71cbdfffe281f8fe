r"""The light of an active nucleus, exactly: a term beside what a network has learnt of the stars.

The nucleus is not reddened by the host, so that its bands follow from its own parameters alone,

.. math:: F_b = \langle L_\nu(\lambda) \, e^{-\tau_{IGM}} \rangle_b ,

integrated on wavelengths of its own: disc and torus are smooth, the Lyman forest is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from tengri.components.composition import Composition
from tengri.observation import FilterCurve
from tengri.observation.bands import BandProjection, rest_window
from tengri.static_grid import StaticGrid

#: Step in ln λ, and where it must be finer: absorption by the intergalactic medium.
STEP, FINE_STEP, FINE_AA = 0.01, 0.0005, (700.0, 1250.0)
ENDS_AA = (20.0, 1e8)
#: log10 of a typical L_ν/L_bol [1/Hz].
LOG10_UNIT = -15.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class AGNLight:
    """The exact photometry of an AGN between two redshifts.

    Attributes
    ----------
    composition : Composition
        Its ``agn`` and ``igm`` are used.
    wave : StaticGrid, shape (n_wave,)
        Rest wavelengths [Å].
    projection : BandProjection
        From there to the bands.
    """

    composition: Composition = field(metadata={"static": True})
    wave: StaticGrid = field(metadata={"static": True})
    projection: BandProjection

    @classmethod
    def build(
        cls, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> AGNLight:
        """Return the light in some bands over a range of redshifts."""
        wave = wavelengths()
        wave = wave[rest_window(wave, filters, z_lo, z_hi)]
        projection = BandProjection.build(wave, filters, z_lo, z_hi)
        return cls(composition, StaticGrid(wave), projection)

    def in_default_float(self) -> AGNLight:
        """Return it with the constants of the band integrals in the default float."""
        return replace(self, projection=self.projection.in_default_float())

    def bands(self, p: Mapping[str, Array]) -> Array:
        """Return L_ν/L_bol in the bands (n_bands,), in units of ``10**LOG10_UNIT`` per Hz."""
        agn, igm, z = self.composition.agn, self.composition.igm, p["redshift"]
        assert agn is not None
        wave = self.wave.values
        spectrum = agn.spectrum(wave, p) * 10.0**-LOG10_UNIT
        return self.projection.project(spectrum * igm.transmission(wave, z), z)

    def added(self, light: SourceBands, p: Mapping[str, Array]) -> SourceBands:
        """Return the light of stars and nucleus, on the scale of the brighter of the two."""
        nucleus = p["agn_log_lbol"] + LOG10_UNIT
        scale = jax.lax.stop_gradient(jnp.maximum(light.log10_scale, nucleus))
        flux = (light.flux * 10.0 ** (light.log10_scale - scale)
                + self.bands(p) * 10.0 ** (nucleus - scale))  # fmt: skip
        return light._replace(log10_scale=scale, flux=flux)


def wavelengths() -> np.ndarray:
    """Return rest wavelengths [Å], fine where hydrogen absorbs."""
    lo, hi = ENDS_AA
    blue, red = FINE_AA
    coarse = np.exp(np.arange(np.log(lo), np.log(hi), STEP))
    fine = np.exp(np.arange(np.log(blue), np.log(red), FINE_STEP))
    return np.union1d(coarse[(coarse < blue) | (coarse > red)], fine)
