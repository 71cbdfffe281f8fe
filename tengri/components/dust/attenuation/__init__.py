"""Attenuation laws by name: ``LAWS["calzetti"].curve(wave_aa, {})``.

A law is one entry: a function ``k(λ)`` that reads like its paper, and the parameters that it
has. ``k(5500 Å) = 1`` exactly, so that what multiplies it is a V-band optical depth. Below the
Lyman limit every law is constant: `DustLaw` sees to it, also for a law that is added.
"""

from __future__ import annotations

from tengri.components.dust.attenuation.bump import KRIEK_CONROY, NOLL09, SALIM18
from tengri.components.dust.attenuation.extinction import CARDELLI, LMC, MW, SMC
from tengri.components.dust.attenuation.fitzpatrick import FITZPATRICK99
from tengri.components.dust.attenuation.law import DustLaw
from tengri.components.dust.attenuation.power_law import POWER_LAW
from tengri.components.dust.attenuation.starburst import CALZETTI, LEITHERER02, REDDY15
from tengri.registry import Registry

__all__ = ["LAWS", "DustLaw"]

LAWS: Registry[DustLaw] = Registry(
    "dust law",
    POWER_LAW,
    CALZETTI,
    NOLL09,
    CARDELLI,
    FITZPATRICK99,
    SMC,
    LMC,
    LEITHERER02,
    KRIEK_CONROY,
    SALIM18,
    MW,
    REDDY15,
)
