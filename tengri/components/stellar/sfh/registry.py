"""Every star-formation history family by name, and which names belong to which."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from tengri.components.stellar.sfh.binned import CONTINUITY, DIRICHLET
from tengri.components.stellar.sfh.burst import BURST
from tengri.components.stellar.sfh.delta import DELTA
from tengri.components.stellar.sfh.double_power_law import DPL
from tengri.components.stellar.sfh.exponential import CONST, DELAYED, EXP, TAU
from tengri.components.stellar.sfh.family import SFHFamily
from tengri.components.stellar.sfh.gp_sfh import FIELD
from tengri.components.stellar.sfh.lognormal import LNORM
from tengri.components.stellar.sfh.psb import PSB
from tengri.components.stellar.sfh.skew_normal import NORM, SNORM, TSNORM
from tengri.components.stellar.sfh.table import TABLE
from tengri.errors import unknown
from tengri.registry import Param, Registry

SFH_FAMILIES: Registry[SFHFamily] = Registry(
    "SFH family", TSNORM, DPL, CONST, CONTINUITY, TABLE, SNORM, NORM, LNORM, TAU, DELAYED, EXP,
    DIRICHLET, PSB, DELTA, BURST, FIELD,
)  # fmt: skip

DEFAULT_FAMILY = "dpl"


def family_parameters(name: str) -> tuple[Param, ...]:
    """Return every parameter that a family may have: fractional times, amplitudes, more bins."""
    family = SFH_FAMILIES[name]
    return (*family.all_params, *family.more_params)


@cache
def _families(names: tuple[str, ...]) -> dict[str, str]:
    """Return the family of every parameter, the first of several; anew when there are more."""
    return {p.name: family for family in reversed(names) for p in family_parameters(family)}


@cache
def _other_times(families: tuple[str, ...]) -> dict[str, str]:
    times = [SFH_FAMILIES[name].fractional_times for name in families]
    pairs = [(gyr, fraction.name) for own in times for gyr, fraction in own.items()]
    return {**dict(pairs), **{fraction: gyr for gyr, fraction in pairs}}


def other_time(name: str) -> str | None:
    """Return the name of a time in Gyr as a fraction of the age of the Universe, or the reverse.

    None for a parameter that is no such time.
    """
    return _other_times(tuple(SFH_FAMILIES)).get(name)


def families_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the families whose parameters are among ``names``, in registry order.

    Without an additive one the default, ``dpl``, leads.

    Raises
    ------
    UnknownNameError
        A name that begins as those of histories do and is none: a misspelt one is not left out.
    """
    known = _families(tuple(SFH_FAMILIES))
    for name in names:
        if name not in known and name.startswith("sfh_"):
            raise unknown("SFH parameter", name, known)
    found = {known[name] for name in names if name in known}
    types = tuple(name for name in SFH_FAMILIES if name in found)
    additive = any(SFH_FAMILIES[name].kind == "additive" for name in types)
    return types if additive else (DEFAULT_FAMILY, *types)
