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
class Twins:
    """Which names of a spec stand for which trained names.

    Attributes
    ----------
    trained : dict of str to str
        Name in the spec to the trained name.
    """

    trained: dict[str, str]

    @classmethod
    def between(cls, spec: Parameters, trained: Parameters) -> Twins:
        """Return the pairs in which a spec and the trained one differ."""
        mine, theirs = spec.composition.params, trained.composition.params
        return cls({n: t for n in mine if n not in theirs and (t := twin(n)) in theirs})

    def __bool__(self) -> bool:
        return bool(self.trained)

    def apply(self, p: Mapping[str, Any], age_gyr: Any) -> dict[str, Any]:
        """Return parameters under trained names; ``age_gyr`` is the age of the Universe at z."""
        out = {n: v for n, v in p.items() if n not in self.trained}
        for name, trained in self.trained.items():
            out[trained] = p[name] / age_gyr if name.endswith(GYR) else p[name] * age_gyr
        return out


def twin(name: str) -> str:
    """Return the other name of a time, or the name itself."""
    if name.endswith(GYR):
        return name.removesuffix(GYR) + FRACTION
    return name.removesuffix(FRACTION) + GYR if name.endswith(FRACTION) else name


def fixed_age(spec: Parameters, cosmology: Cosmology) -> float | None:
    """Return the age of the Universe [Gyr] at a spec's redshift, None where that is free."""
    prior = spec.get_distribution("redshift")
    return float(cosmology.age_gyr(float(spec.fixed_value("redshift")))) if prior.is_fixed else None
