"""Which band integral serves which bands: by band, or on one lattice for those that share one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri.observation.bands import BandProjection
from tengri.observation.filters import FilterCurve
from tengri.observation.lattice import LatticeProjection, pays
from tengri.observation.nodes import check_grid, check_range


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class JoinedProjection:
    """Several band integrals one after the other.

    Attributes
    ----------
    parts : tuple of BandProjection or LatticeProjection
    order : tuple of int
        Place of each band among those of all parts.
    """

    parts: tuple[Any, ...]
    order: tuple[int, ...] = field(metadata={"static": True})

    def in_default_float(self) -> JoinedProjection:
        """Return the constants as JAX arrays of the process's default float."""
        return JoinedProjection(tuple(p.in_default_float() for p in self.parts), self.order)

    def project(self, lnu: jax.Array, z: jax.Array) -> jax.Array:
        """Return the band averages (n_band,) of ``lnu`` (n_wave,) at redshift ``z``, same unit."""
        return jnp.concatenate([p.project(lnu, z) for p in self.parts])[np.array(self.order)]

    def rows(self, z: jax.Array) -> jax.Array:
        """Return the weights as a dense matrix (n_band, n_wave): ⟨L_ν⟩ = rows @ L_ν."""
        return jnp.concatenate([p.rows(z) for p in self.parts])[np.array(self.order)]


Projection = BandProjection | LatticeProjection | JoinedProjection


def build_projection(
    wave_rest: np.ndarray, filters: Sequence[FilterCurve], z_min: float, z_max: float
) -> Projection:
    """Prepare the integrals of bands between two redshifts, in float64.

    Parameters
    ----------
    wave_rest : (n_wave,) array
        Rest-frame grid [Å], increasing.
    filters : sequence of FilterCurve
        The bands.
    z_min, z_max : float
        Range of redshifts that will be asked for.

    Raises
    ------
    ConfigError
        A grid that is not increasing, no band, or an unusable redshift range.
    """
    wave = check_grid(wave_rest)
    check_range(filters, z_min, z_max)
    steps: dict[float, list[int]] = {}
    for i, curve in enumerate(filters):
        steps.setdefault(float(curve.wave[1] - curve.wave[0]), []).append(i)
    shared = [places for places in steps.values()
              if pays(wave, [filters[i] for i in places], z_min, z_max)]  # fmt: skip
    alone = sorted(set(range(len(filters))) - {i for places in shared for i in places})
    parts = [LatticeProjection.build(wave, [filters[i] for i in places], z_min, z_max)
             for places in shared]  # fmt: skip
    if not alone and len(parts) == 1:
        return parts[0]
    by_band = (
        [BandProjection.build(wave, [filters[i] for i in alone], z_min, z_max)] if alone else []
    )
    if not parts:
        return by_band[0]
    places = [i for group in shared for i in group] + alone
    return JoinedProjection((*parts, *by_band), tuple(np.argsort(places).tolist()))
