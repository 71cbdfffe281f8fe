"""Figures: one style, one function per kind of sweep."""

from tengri.analysis.plotting.fans import sfh_fan, sweep_setting
from tengri.analysis.plotting.sweep import sweep_parameter
from tengri.analysis.style import SWEEP_CMAPS, SWEEP_VMAX, SWEEP_VMIN, colours, setup_style

__all__ = [
    "SWEEP_CMAPS",
    "SWEEP_VMAX",
    "SWEEP_VMIN",
    "colours",
    "setup_style",
    "sfh_fan",
    "sweep_parameter",
    "sweep_setting",
]
