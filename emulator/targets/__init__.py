"""Targets of a network by name: one file each, one entry here.

``photometry`` learns band fluxes from all parameters; ``ssp_photometry`` those of every stellar
age, which serve any star-formation history; ``band_nodes`` tabulates light at a few wavelengths of
each band, which serves any dust too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.targets.band_nodes import BandNodesTarget
from emulator.targets.photometry import PhotometryTarget
from emulator.targets.ssp_photometry import SSPPhotometryTarget
from emulator.targets.target import Target
from tengri.errors import unknown

__all__ = ["TARGETS", "BandNodesTarget", "PhotometryTarget", "SSPPhotometryTarget", "Target",
           "target_from_dict"]  # fmt: skip

TARGETS: dict[str, type[Target]] = {
    t.name: t for t in (PhotometryTarget, SSPPhotometryTarget, BandNodesTarget)
}


def target_from_dict(data: Mapping[str, Any]) -> Target:
    """Rebuild the target that ``to_dict`` describes."""
    fields: dict[str, Any] = {k: _tuples(v) for k, v in data.items()}
    name = fields.pop("name")
    if name not in TARGETS:
        raise unknown("surrogate target", str(name), TARGETS)
    return TARGETS[name](**fields)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
