"""Times in Gyr for a surrogate that learnt fractions of the age of the Universe, or the reverse.

``sfh_tsnorm_peak_lbt_gyr`` and ``sfh_tsnorm_peak_lbt_frac`` say the same thing at a known
redshift. A spec may use either, whichever the surrogate was trained with: the exact age of the
Universe turns one into the other at call time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tengri.cosmology import Cosmology
from tengri.parameters import Parameters

GYR, FRACTION = "_gyr", "_frac"


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
        return cls(
            tuple((n, t) for n in mine if n not in theirs and (t := other_unit(n)) in theirs)
        )

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
            out[trained] = p[name] / age_gyr if name.endswith(GYR) else p[name] * age_gyr
        return out


def other_unit(name: str) -> str:
    """Return the name of a time in its other unit, or the name itself."""
    if name.endswith(GYR):
        return name.removesuffix(GYR) + FRACTION
    return name.removesuffix(FRACTION) + GYR if name.endswith(FRACTION) else name


def fixed_age(spec: Parameters, cosmology: Cosmology) -> float | None:
    """Return the age of the Universe [Gyr] at a spec's redshift, None where that is free."""
    prior = spec.get_distribution("redshift")
    return float(cosmology.age_gyr(float(spec.fixed_value("redshift")))) if prior.is_fixed else None
