"""What a surrogate can answer: z > 0, and the box that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array

from emulator.domain import TrainedDomain
from emulator.sfh_times import SFHTimes
from tengri.cosmology import Cosmology
from tengri.errors import ParameterError


@dataclass(frozen=True, eq=False)
class EmulatedGuard:
    """Checks of concrete values.

    Attributes
    ----------
    domain : TrainedDomain
    times : SFHTimes
        Which times stand for trained ones in another unit.
    cosmology : Cosmology
        Turns one unit into the other.
    """

    domain: TrainedDomain
    times: SFHTimes
    cosmology: Cosmology

    def check(self, p: Mapping[str, Any]) -> None:
        """Raise or warn about values outside the trained box, as its mode says."""
        z = np.asarray(p["redshift"])
        if not (z > 0.0).all():
            raise ParameterError(
                f"Fluxes need redshift > 0, got {float(z.min()):g}: a galaxy at z = 0 has no "
                "luminosity distance."
            )
        self.domain.check(self._as_trained(p))

    def rows(self, p: Mapping[str, Any]) -> np.ndarray:
        """Return which galaxies of a batch have z > 0 and lie in the trained box, (n,)."""
        trained = {name: np.asarray(value) for name, value in self._as_trained(p).items()}
        inside = np.asarray(self.domain.limits.contains(trained, np))
        return inside & (np.asarray(p["redshift"]) > 0.0)

    def _as_trained(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return parameters under the names of the training."""
        if not self.times:
            return p
        named = self.times.apply(p, _age_gyr(self.cosmology, p["redshift"]))
        return {name: np.asarray(value) for name, value in named.items()}


@partial(jax.jit, static_argnames="cosmology")
def _age_gyr(cosmology: Cosmology, z: Array) -> Array:
    return cosmology.age_gyr(z)
