"""Absorption by the intergalactic medium, by name: ``IGM_MODELS["inoue"].transmission(...)``.

Beside the mean: the damping wing of neutral gas, and a damped absorber at the galaxy's redshift.
"""

from __future__ import annotations

from tengri.components.igm.absorber import ABSORBER, Absorber
from tengri.components.igm.damping_wing import DAMPING_WING, DampingWing
from tengri.components.igm.inoue14 import INOUE
from tengri.components.igm.madau95 import MADAU
from tengri.components.igm.model import IGMModel
from tengri.registry import Registry

__all__ = ["ABSORBER", "DAMPING_WING", "IGM_MODELS", "Absorber", "DampingWing", "IGMModel"]

NONE = IGMModel("none", None, "no intergalactic absorption")

IGM_MODELS: Registry[IGMModel] = Registry("IGM model", INOUE, MADAU, NONE)
