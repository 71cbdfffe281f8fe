"""Every star-formation history family by name, and which names belong to which."""

from __future__ import annotations

from collections.abc import Iterable

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
    """Return every parameter that a family may have: ``_frac`` twins, amplitudes, more bins."""
    family = SFH_FAMILIES[name]
    return (*family.all_params, *family.more_params)


def family_of(parameter: str) -> str:
    """Return the family whose prefix ``parameter`` carries.

    Raises
    ------
    UnknownNameError
        Where no family's does.
    """
    for item in SFH_FAMILIES.values():
        if parameter.startswith(item.prefix):
            return item.name
    known = [p.name for item in SFH_FAMILIES.values() for p in item.all_params]
    raise unknown("SFH parameter", parameter, known)


def families_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the families that the ``sfh_…`` names among ``names`` speak of, in registry order.

    Without an additive one the default, ``dpl``, leads.
    """
    found = {family_of(name) for name in names if name.startswith("sfh_")}
    types = tuple(name for name in SFH_FAMILIES if name in found)
    additive = any(SFH_FAMILIES[name].kind == "additive" for name in types)
    return types if additive else (DEFAULT_FAMILY, *types)
