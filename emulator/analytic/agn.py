r"""The light of an AGN as an exact term, added to the network's light of the stars.

The nucleus is not reddened by the host, so that its bands follow from its own parameters alone,

.. math:: F_b = \langle L_\nu(\lambda) \, e^{-\tau_{IGM}} \rangle_b ,

integrated on wavelengths of its own. A spectrum that is a sum of templates has the bands of each in
a table, at steps of ln(1 + z) that are short beside the edge of any filter; between them it is
linear. Dust in front of some of the templates enters by the mean k of its curve over their light in
the band, and by the variance of k there, which hardly depends on the spectrum:

.. math:: \langle L_\nu e^{-\tau k} \rangle = \langle L_\nu \rangle
          e^{-\tau \bar k + \tau^2 \sigma_k^2 / 2}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from tengri.components.agn import FRACTION
from tengri.components.composition import Composition
from tengri.errors import ConfigError
from tengri.numerics.linalg import matmul
from tengri.observation import FilterCurve
from tengri.observation.bands import BandProjection, rest_window
from tengri.static_grid import StaticGrid

#: Step in ln λ, and where it must be finer: absorption by the intergalactic medium.
STEP, FINE_STEP, FINE_AA = 0.01, 0.0005, (700.0, 1250.0)
ENDS_AA = (20.0, 1e8)
#: log10 of a typical L_ν/L_bol [1/Hz].
LOG10_UNIT = -15.0
#: Step of the table in ln(1 + z).
SHIFT_STEP = 0.001
#: Templates that no band sees by more than this of the brightest are left out.
FAINTEST = 1e-4


class TemplateTable(NamedTuple):
    """The bands of templates at every shift.

    Attributes
    ----------
    bands : Array, shape (n_shift, n_row, n_band)
        Of the templates in the open, of the screened ones, and of these times k.
    variance : Array, shape (n_shift, n_band)
        Of k over the light in the band.
    """

    bands: Any
    variance: Any


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
    first_shift : float
        ln(1 + z) of the table's first row.
    n_open : int
        How many of the templates in the open are in the table: the first ones.
    projection : BandProjection
        From the wavelengths to the bands.
    table : TemplateTable or None
        The bands of the templates, where the spectrum is a sum of some.
    """

    composition: Composition = field(metadata={"static": True})
    wave: StaticGrid = field(metadata={"static": True})
    first_shift: float = field(metadata={"static": True})
    n_open: int = field(metadata={"static": True})
    projection: BandProjection
    table: TemplateTable | None = None

    @classmethod
    def build(
        cls, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> AGNLight:
        """Return the light in some bands over a range of redshifts."""
        agn = composition.agn
        assert agn is not None
        if agn.by_fraction:
            raise ConfigError(
                f"{FRACTION.name} is a share of starlight at 5100 Å, which a surrogate of bands "
                f"does not have: set {agn.amplitude}, or use the exact model."
            )
        if absorbers := composition.foreground_params:
            raise ConfigError(
                f"{', '.join(absorbers)}: an AGN added to a surrogate is seen through the mean "
                "intergalactic medium alone. Leave the parameter out, or use the exact model."
            )
        wave = wavelengths() if agn.nodes is None else np.union1d(wavelengths(), agn.nodes())
        beyond = np.expm1(np.log1p([z_lo, z_hi]) + 2.0 * SHIFT_STEP * np.array([-1.0, 1.0]))
        wave = wave[rest_window(wave, filters, *beyond)]
        projection = BandProjection.build(wave, filters, *beyond)
        grid = StaticGrid(wave)
        if agn.templates is None:
            return cls(composition, grid, 0.0, 0, projection)
        lo, hi = np.log1p(z_lo), np.log1p(z_hi)
        shifts = lo + SHIFT_STEP * np.arange(np.ceil((hi - lo) / SHIFT_STEP) + 2)
        table, n_open = _tabulated(composition, wave, projection, shifts)
        return cls(composition, grid, float(lo), n_open, projection, table)

    def in_default_float(self) -> AGNLight:
        """Return it with the constants of the band integrals in the default float."""
        if self.table is None:
            return replace(self, projection=self.projection.in_default_float())
        return replace(self, table=TemplateTable(*(jnp.asarray(a, float) for a in self.table)))

    def bands(self, p: Mapping[str, Array]) -> Array:
        """Return L_ν/L_bol in the bands (n_bands,), in units of ``10**LOG10_UNIT`` per Hz."""
        agn, igm, z = self.composition.agn, self.composition.igm, p["redshift"]
        assert agn is not None
        if self.table is not None:
            return self._looked_up(self.table, p)
        wave = self.wave.values
        spectrum = agn.spectrum(wave, p) * 10.0**-LOG10_UNIT
        return self.projection.project(spectrum * igm.transmission(wave, z), z)

    def _looked_up(self, table: TemplateTable, p: Mapping[str, Array]) -> Array:
        """Return the same from the table."""
        assert self.composition.agn is not None and self.composition.agn.templates is not None
        fixed, reddened, tau = self.composition.agn.templates.weights(p)
        n, m = self.n_open, reddened.size
        shift = (jnp.log1p(p["redshift"]) - self.first_shift) / SHIFT_STEP
        below = jnp.clip(jnp.floor(shift).astype(jnp.int32), 0, len(table.bands) - 2)
        low, high = jax.lax.dynamic_slice_in_dim(table.bands, below, 2)
        rows = low + (shift - below).astype(low.dtype) * (high - low)
        light, first = matmul(reddened, rows[n : n + m]), matmul(reddened, rows[n + m :])
        mean = first / jnp.where(light > 0.0, light, 1.0)
        seen = light * jnp.exp(-tau * mean + 0.5 * tau**2 * table.variance[below])
        return matmul(fixed[:n], rows[:n]) + seen

    def added(self, light: SourceBands, p: Mapping[str, Array]) -> SourceBands:
        """Return the light of stars and AGN, on the scale of the brighter of the two."""
        assert self.composition.agn is not None
        log10_agn = p[self.composition.agn.amplitude] + LOG10_UNIT
        scale = jax.lax.stop_gradient(jnp.maximum(light.log10_scale, log10_agn))
        flux = (light.flux * 10.0 ** (light.log10_scale - scale)
                + self.bands(p) * 10.0 ** (log10_agn - scale))  # fmt: skip
        return light._replace(log10_scale=scale, flux=flux)


def _tabulated(
    composition: Composition, wave: np.ndarray, projection: BandProjection, shifts: np.ndarray
) -> tuple[TemplateTable, int]:
    """Return the table at ``shifts`` ln(1 + z), and how many open templates are in it."""
    agn, igm = composition.agn, composition.igm
    assert agn is not None and agn.templates is not None
    t, scale, curve = agn.templates, 10.0**-LOG10_UNIT, agn.templates.curve(wave)
    unscreened, screened = t.open(wave) * scale, t.screened(wave) * scale
    # constants are made in float64, whatever the process computes in
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        typical = np.asarray(t.weights({q.name: jnp.asarray(q.default) for q in agn.params})[1])
        mean = typical @ screened
        moments = np.stack([mean, mean * curve, mean * curve**2])
        lit = np.concatenate([unscreened, screened, screened * curve, moments])

        @jax.jit
        def bands(projection: BandProjection, lit: Array, z: Array) -> Array:
            return matmul(lit, (projection.rows(z) * igm.transmission(wave, z)).T)

        exact = projection.in_default_float()
        made = np.stack([np.asarray(bands(exact, lit, z)) for z in np.expm1(shifts)])
    made, (m0, m1, m2) = made[:, :-3], np.moveaxis(made[:, -3:], 1, 0)
    m0 = np.where(m0 > 0.0, m0, 1.0)
    seen = made.max(axis=(0, 2))[: len(unscreened)] > FAINTEST * made.max()
    n_open = int(np.flatnonzero(seen).max(initial=-1)) + 1
    made = np.concatenate([made[:, :n_open], made[:, len(unscreened) :]], axis=1)
    return TemplateTable(made, np.maximum(m2 / m0 - (m1 / m0) ** 2, 0.0)), n_open


def wavelengths() -> np.ndarray:
    """Return rest wavelengths [Å], fine where hydrogen absorbs."""
    lo, hi = ENDS_AA
    blue, red = FINE_AA
    coarse = np.exp(np.arange(np.log(lo), np.log(hi), STEP))
    fine = np.exp(np.arange(np.log(blue), np.log(red), FINE_STEP))
    return np.union1d(coarse[(coarse < blue) | (coarse > red)], fine)
