"""Absorption by the intergalactic medium, by name: ``IGM_MODELS["inoue"].transmission(...)``."""

from __future__ import annotations

from tengri.components.igm.inoue14 import INOUE
from tengri.components.igm.madau95 import MADAU
from tengri.components.igm.model import IGMModel
from tengri.registry import Registry

__all__ = ["IGM_MODELS", "IGMModel"]

NONE = IGMModel("none", None, "no intergalactic absorption")

IGM_MODELS: Registry[IGMModel] = Registry("IGM model", INOUE, MADAU, NONE)
