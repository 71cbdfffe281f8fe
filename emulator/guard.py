"""Checks of a surrogate's inputs: a distance, and the box of its training."""

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
from tengri.components.composition import DISTANCE
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
        if not _has_distance(p).all():
            raise ParameterError(
                f"Fluxes need redshift > 0, got {float(z.min()):g}: a galaxy at z = 0 has no "
                "luminosity distance."
            )
        self.domain.check(self._as_trained(p))

    def rows(self, p: Mapping[str, Any]) -> np.ndarray:
        """Return which galaxies of a batch have a distance and lie in the trained box, (n,)."""
        trained = {name: np.asarray(value) for name, value in self._as_trained(p).items()}
        inside = np.asarray(self.domain.limits.contains(trained, np))
        return inside & _has_distance(p)

    def _as_trained(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return parameters under the names of the training."""
        if not self.times:
            return p
        named = self.times.apply(p, _age_gyr(self.cosmology, p["redshift"]))
        return {name: np.asarray(value) for name, value in named.items()}


def _has_distance(p: Mapping[str, Any]) -> np.ndarray:
    """Return which redshifts are above zero, or from zero where a distance is given."""
    z = np.asarray(p["redshift"])
    return z >= 0.0 if DISTANCE.name in p else z > 0.0


@partial(jax.jit, static_argnames="cosmology")
def _age_gyr(cosmology: Cosmology, z: Array) -> Array:
    return cosmology.age_gyr(z)
