"""What is known exactly beside a network of stars: the dust that they heat, and a nucleus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jax import Array

from emulator.dust import DustLight
from emulator.nucleus import Nucleus
from emulator.targets import Emission, Target
from tengri.components.composition import Composition
from tengri.observation import FilterCurve


@dataclass(frozen=True, eq=False)
class Beside:
    """The exact terms of a surrogate's light; None where there is no such term."""

    dust: DustLight | None = None
    nucleus: Nucleus | None = None

    @classmethod
    def build(
        cls, target: Target, composition: Composition, filters: tuple[FilterCurve, ...],
        z_lo: float, z_hi: float,
    ) -> Beside:  # fmt: skip
        """Return the terms of a spec's components that the target leaves out."""
        if target.amplitude is not None:  # one star-formation history: all light was learnt
            return cls()
        emission, agn = composition.dust_emission, composition.agn
        exact = emission is not None and target.absorbs
        return cls(
            DustLight.build(emission, filters, z_lo, z_hi) if emission and exact else None,
            None if agn is None else Nucleus.build(composition, filters, z_lo, z_hi),
        )

    def arrays(self) -> tuple[Any, Any]:
        """Return the constants of the band integrals, in the process's default float."""
        dust = None if self.dust is None else self.dust.arrays()
        return dust, None if self.nucleus is None else self.nucleus.arrays()

    def added(self, light: Emission, arrays: tuple[Any, Any], p: Mapping[str, Array]) -> Emission:
        """Return the light of the stars with that of dust and nucleus."""
        matrix, projection = arrays
        if self.dust is not None:
            assert light.absorbed is not None
            more = light.absorbed * self.dust.bands(matrix, p)
            light = light._replace(flux=light.flux + more)
        return light if self.nucleus is None else self.nucleus.added(light, projection, p)
