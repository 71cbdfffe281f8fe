r"""The light of an active nucleus, exactly: a term beside what a network has learnt of the stars.

The nucleus is not reddened by the host, so that its bands follow from its own parameters alone,

.. math:: F_b = \langle L_\nu(\lambda) \, e^{-\tau_{IGM}} \rangle_b ,

integrated on wavelengths of its own: disc and torus are smooth, the Lyman forest is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.targets import Emission
from tengri.components.composition import Composition
from tengri.observation import FilterCurve
from tengri.observation.bands import BandProjection, rest_window

#: Step in ln λ, and where it must be finer: absorption by the intergalactic medium.
STEP, FINE_STEP, FINE_AA = 0.01, 0.0005, (700.0, 1250.0)
ENDS_AA = (20.0, 1e8)
#: log10 of a typical L_ν/L_bol [1/Hz].
LOG10_UNIT = -15.0


@dataclass(frozen=True, eq=False)
class Nucleus:
    """The exact photometry of an AGN between two redshifts.

    Attributes
    ----------
    composition : Composition
        Its ``agn`` and ``igm`` are used.
    wave : ndarray, shape (n_wave,)
        Rest wavelengths [Å].
    projection : BandProjection
        From there to the bands.
    """

    composition: Composition
    wave: np.ndarray
    projection: BandProjection

    @classmethod
    def build(
        cls, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> Nucleus:
        """Return the nucleus for bands and a range of redshifts."""
        wave = wavelengths()
        wave = wave[rest_window(wave, filters, z_lo, z_hi)]
        return cls(composition, wave, BandProjection.build(wave, filters, z_lo, z_hi))

    def arrays(self) -> BandProjection:
        """Return the constants of the band integrals, in the process's default float."""

        def convert(a: np.ndarray) -> Array:
            return jnp.asarray(a, float if np.issubdtype(a.dtype, np.floating) else None)

        return jax.tree.map(convert, self.projection)

    def bands(self, projection: BandProjection, p: Mapping[str, Array]) -> Array:
        """Return L_ν/L_bol in the bands (n_bands,), in units of ``10**LOG10_UNIT`` per Hz."""
        agn, igm, z = self.composition.agn, self.composition.igm, p["redshift"]
        assert agn is not None
        spectrum = agn.spectrum(self.wave, p) * 10.0**-LOG10_UNIT
        return projection.project(spectrum * igm.transmission(self.wave, z), z)

    def added(
        self, light: Emission, projection: BandProjection, p: Mapping[str, Array]
    ) -> Emission:
        """Return the light of stars and nucleus, on the scale of the brighter of the two."""
        nucleus = p["agn_log_lbol"] + LOG10_UNIT
        scale = jax.lax.stop_gradient(jnp.maximum(light.log10_scale, nucleus))
        flux = (light.flux * 10.0 ** (light.log10_scale - scale)
                + self.bands(projection, p) * 10.0 ** (nucleus - scale))  # fmt: skip
        return light._replace(log10_scale=scale, flux=flux)


def wavelengths() -> np.ndarray:
    """Return rest wavelengths [Å], fine where hydrogen absorbs."""
    lo, hi = ENDS_AA
    blue, red = FINE_AA
    coarse = np.exp(np.arange(np.log(lo), np.log(hi), STEP))
    fine = np.exp(np.arange(np.log(blue), np.log(red), FINE_STEP))
    return np.union1d(coarse[(coarse < blue) | (coarse > red)], fine)
