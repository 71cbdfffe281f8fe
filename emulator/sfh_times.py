"""Times in Gyr for a surrogate that learnt fractions of the age of the Universe, or the reverse.

``sfh_tsnorm_peak_lbt_gyr`` and ``sfh_tsnorm_peak_lbt_frac`` say the same thing at a known
redshift. A spec may use either, whichever the surrogate was trained with: the exact age of the
Universe turns one into the other at call time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tengri.components.composition import registered_params
from tengri.components.stellar.sfh import other_time
from tengri.cosmology import Cosmology
from tengri.parameters import Parameters


@dataclass(frozen=True)
class SFHTimes:
    """Which names of a spec stand for which trained names.

    Attributes
    ----------
    pairs : tuple of (str, str)
        Name in the spec, trained name.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def between(cls, spec: Parameters, trained: Parameters) -> SFHTimes:
        """Return the pairs in which a spec and the trained one differ."""
        mine, theirs = spec.composition.params, trained.composition.params
        others = {name: other for name in mine if (other := other_time(name)) in theirs}
        return cls(tuple((n, t) for n, t in others.items() if t is not None and n not in theirs))

    @property
    def trained(self) -> dict[str, str]:
        """Name in the spec to the trained name."""
        return dict(self.pairs)

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def apply(self, p: Mapping[str, Any], age_gyr: Any) -> dict[str, Any]:
        """Return parameters under trained names; ``age_gyr`` is the age of the Universe at z."""
        out = {n: v for n, v in p.items() if n not in self.trained}
        for name, trained in self.pairs:
            out[trained] = in_other_unit(name, p[name], age_gyr)
        return out


def in_other_unit(name: str, value: Any, age_gyr: Any) -> Any:
    """Return a time in Gyr as a fraction of the age of the Universe, or the reverse."""
    fraction = registered_params()[name].is_fraction_of_age
    return value * age_gyr if fraction else value / age_gyr


def fixed_age(spec: Parameters, cosmology: Cosmology) -> float | None:
    """Return the age of the Universe [Gyr] at a spec's redshift, None where that is free."""
    prior = spec.get_distribution("redshift")
    return float(cosmology.age_gyr(float(spec.fixed_value("redshift")))) if prior.is_fixed else None
