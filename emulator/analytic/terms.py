"""The exact terms of a surrogate's light: the dust that the stars heat, and an AGN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
from jax import Array

from emulator.analytic.agn import AGNLight
from emulator.analytic.dust import DustLight
from emulator.analytic.source import SourceBands


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Terms:
    """Exact terms added to the light of a network; None where there is no such term."""

    dust: DustLight | None = None
    agn: AGNLight | None = None

    def in_default_float(self) -> Terms:
        """Return them with the constants of their band integrals in the default float."""
        dust = None if self.dust is None else self.dust.in_default_float()
        return Terms(dust, None if self.agn is None else self.agn.in_default_float())

    def added(self, light: SourceBands, p: Mapping[str, Array]) -> SourceBands:
        """Return the light of the stars with that of dust and AGN."""
        if self.dust is not None:
            assert light.absorbed is not None
            light = light._replace(flux=light.flux + light.absorbed * self.dust.bands(p))
        return light if self.agn is None else self.agn.added(light, p)
