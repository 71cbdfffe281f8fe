"""Which band integral serves which bands: by band, or shared by those that see the same nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri.observation.bands import BandProjection
from tengri.observation.filters import FilterCurve
from tengri.observation.nodes import check_grid, check_range
from tengri.observation.shared import LEAST, SharedProjection, cost


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class JoinedProjection:
    """Several band integrals one after the other.

    Attributes
    ----------
    parts : tuple of BandProjection or SharedProjection
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


Projection = BandProjection | SharedProjection | JoinedProjection


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
    groups = _groups(wave, filters, z_min, z_max)
    shared = [group for group in groups if len(group) > 1]
    alone = sorted(i for group in groups if len(group) == 1 for i in group)
    parts: list[Any] = [SharedProjection.build(wave, [filters[i] for i in group], z_min, z_max)
                        for group in shared]  # fmt: skip
    if alone:
        parts.append(BandProjection.build(wave, [filters[i] for i in alone], z_min, z_max))
    if len(parts) == 1:
        return parts[0]
    places = [i for group in shared for i in group] + alone
    return JoinedProjection(tuple(parts), tuple(np.argsort(places).tolist()))


def _groups(
    wave: np.ndarray, filters: Sequence[FilterCurve], z_min: float, z_max: float
) -> list[list[int]]:
    """Return which bands share their nodes: groups are joined as long as that pays."""

    known: dict[tuple[int, ...], float] = {}

    def cost_of(group: list[int]) -> float:
        key = tuple(group)
        if key not in known:
            known[key] = cost(wave, [filters[i] for i in group], z_min, z_max)
        return known[key]

    def meet(a: list[int], b: list[int]) -> bool:
        (low, high), (lower, higher) = (
            (min(filters[i].wave[0] for i in g), max(filters[i].wave[-1] for i in g))
            for g in (a, b)
        )
        return bool(low < higher and lower < high)

    groups = [[i] for i in range(len(filters))]
    while len(groups) > 1:
        pairs = [(a, b) for k, a in enumerate(groups) for b in groups[:k] if meet(a, b)]
        if not pairs:
            break
        gains = [cost_of(a) + cost_of(b) - cost_of(sorted(a + b)) for a, b in pairs]
        if max(gains) <= 0.0:
            break
        a, b = pairs[int(np.argmax(gains))]
        groups = [g for g in groups if g not in (a, b)] + [sorted(a + b)]
    alone = [[i] for group in groups if _gain(group, cost_of) < LEAST for i in group]
    return [group for group in groups if _gain(group, cost_of) >= LEAST] + alone


def _gain(group: list[int], cost_of: Callable[[list[int]], float]) -> float:
    """Return what it gains that bands share their nodes [ns]."""
    return sum(cost_of([i]) for i in group) - cost_of(group)
