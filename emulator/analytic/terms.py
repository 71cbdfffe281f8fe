"""The exact terms of a surrogate's light: dust that the stars heat, Lyα of their gas, an AGN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
from jax import Array

from emulator.analytic.agn import AGNLight
from emulator.analytic.dust import DustLight
from emulator.analytic.lya import LyaLight, Profile
from emulator.analytic.source import SourceBands
from tengri.components.composition import Composition
from tengri.observation.filters import FilterCurve


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Terms:
    """Exact terms added to the light of a network; None where there is no such term."""

    dust: DustLight | None = None
    agn: AGNLight | None = None
    lya: LyaLight | None = None

    @classmethod
    def build(
        cls,
        composition: Composition,
        filters: tuple[FilterCurve, ...],
        z_lo: float,
        z_hi: float,
        absorbs: bool,
        line: Profile = (),
    ) -> Terms:
        """Return the terms of a composition; that of dust where absorbed light is known.

        ``line`` is the profile of Lyα where the light at the source says its peak.
        """
        dust, agn = composition.dust_emission, composition.agn
        return cls(
            DustLight.build(dust, filters, z_lo, z_hi) if dust and absorbs else None,
            AGNLight.build(composition, filters, z_lo, z_hi) if agn else None,
            LyaLight.build(line, filters, z_lo, z_hi),
        )

    def in_default_float(self) -> Terms:
        """Return them with the constants of their band integrals in the default float."""
        return Terms(
            None if self.dust is None else self.dust.in_default_float(),
            None if self.agn is None else self.agn.in_default_float(),
            None if self.lya is None else self.lya.in_default_float(),
        )

    def added(self, light: SourceBands, p: Mapping[str, Array]) -> SourceBands:
        """Return the light of the stars with that of gas, dust and AGN."""
        if self.lya is not None:
            assert light.lya is not None
            light = light._replace(flux=light.flux + light.lya * self.lya.bands(p))
        if self.dust is not None:
            assert light.absorbed is not None
            light = light._replace(flux=light.flux + light.absorbed * self.dust.bands(p))
        return light if self.agn is None else self.agn.added(light, p)
