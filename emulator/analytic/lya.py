r"""Lyα as an exact term: the profile of the line through the curves of the bands.

The share of Lyα that escapes lies behind neither dust nor the intergalactic medium
(`tengri.components.stellar.lyman_alpha`), so that its bands are those of one profile,

.. math:: F_b = f(z)\, L_{Ly\alpha} \, \frac{\int \phi(\lambda) \, T_b(\lambda (1 + z)) \,
          d\ln\lambda}{\int T_b \, d\ln\lambda} .

A band's leak, through which the line shines where dust takes all other light, is as rugged as its
curve, sampled at single Å. The integrals are therefore computed where a file is loaded, at steps
of ln(1 + z) that are short beside the line; cubic B-splines of positive coefficients join them, so
that in float32 a leak keeps its digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.numerics import splines
from tengri.numerics.linalg import scatter
from tengri.observation import FilterCurve
from tengri.observation.segments import integral_dlnwave
from tengri.static_grid import StaticGrid

#: Rest wavelengths [Å] and L_ν there over that of the peak, from blue to red.
Profile = tuple[tuple[float, float], ...]
#: Step of the splines in ln(1 + z), 24 km/s; points of the integrals in each.
STEP, FINE = 8e-5, 8
#: Steps before the first redshift and beyond the last one.
BEYOND = 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class LyaLight:
    """The bands of Lyα between two redshifts.

    Attributes
    ----------
    n_bands : int
        Bands of the surrogate.
    band : StaticGrid
        Those that see the line at some redshift.
    first_shift : float
        ln(1 + z) of the first coefficient.
    table : array (n_shift, n_seeing)
        Coefficients of splines: averages of the profile over these bands.
    """

    n_bands: int = field(metadata={"static": True})
    band: StaticGrid = field(metadata={"static": True})
    first_shift: float = field(metadata={"static": True})
    table: Array | np.ndarray

    @classmethod
    def build(
        cls, line: Profile, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> LyaLight | None:
        """Return the light for bands and a range of redshifts; None if no band sees it."""
        if not line:
            return None
        wave, profile = np.array(line).T
        first, last = np.log1p([z_lo, z_hi]) + BEYOND * STEP * np.array([-1.0, 1.0])
        bluest, reddest = wave[0] * np.exp(first), wave[-1] * np.exp(last)
        band = [i for i, f in enumerate(filters) if f.wave[0] < reddest and bluest < f.wave[-1]]
        if not band:
            return None
        n_shift = int(np.ceil((last - first) / STEP)) + 1
        values = [_averages(wave, profile, filters[i], first, n_shift) for i in band]
        table = _coefficients(np.stack(values, axis=1))
        return cls(len(filters), StaticGrid(np.array(band)), float(first), table)

    def in_default_float(self) -> LyaLight:
        """Return it with its table in the default float."""
        return replace(self, table=jnp.asarray(self.table, float))

    def bands(self, p: Mapping[str, Array]) -> Array:
        """Return the averages of the profile over all bands, (n_bands,)."""
        place = (jnp.log1p(p["redshift"]) - self.first_shift) / STEP - 1.0
        below = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, len(self.table) - 4)
        rows = jax.lax.dynamic_slice_in_dim(jnp.asarray(self.table), below, 4)
        weights = splines.weights((place - below.astype(place.dtype)).astype(rows.dtype))
        seen = sum(
            (w * row for w, row in zip(weights, rows)), jnp.zeros(rows.shape[1:], rows.dtype)
        )
        return scatter(seen, self.band.values, self.n_bands)


def _averages(
    wave: np.ndarray, profile: np.ndarray, curve: FilterCurve, first: float, n_shift: int
) -> np.ndarray:
    """Return the averages (n_shift,) of a profile over a band from ln(1 + z) = ``first`` on."""
    step = STEP / FINE
    ln_blue = np.log(wave[0])
    n_point = int(np.ceil((np.log(wave[-1]) - ln_blue) / step)) + 1
    weights = step * np.interp(np.exp(ln_blue + step * np.arange(n_point)), wave, profile)
    x = ln_blue + first + step * np.arange(FINE * (n_shift - 1) + n_point)
    trans = np.interp(np.exp(x), curve.wave, curve.trans, left=0.0, right=0.0)
    windows = np.lib.stride_tricks.sliding_window_view(trans, n_point)[::FINE]
    open_width = integral_dlnwave(curve.wave, curve.trans)
    return np.asarray(curve.scale * (windows @ weights) / open_width)


def _coefficients(values: np.ndarray) -> np.ndarray:
    """Return coefficients of splines close to ``values`` (n, …) at their knots, none negative.

    Quasi-interpolation, off by the fourth power of the step (de Boor 1978, chapter 12).
    """
    padded = np.concatenate([values[:1], values, values[-1:]])
    bend = padded[:-2] - 2.0 * values + padded[2:]
    return np.asarray(np.maximum(values - bend / 6.0, 0.0))
