"""Observations: filter curves, sets of bands, instruments, and the exact band integral."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tengri.observation.filters import FilterCurve, filter_names, load_filter
from tengri.observation.instrument import INSTRUMENTS, Instrument
from tengri.observation.photometry import Observation, Photometry

if TYPE_CHECKING:
    from tengri.observation.bands import BandProjection, band_matrix, coverage, rest_window

__all__ = [
    "INSTRUMENTS",
    "BandProjection",
    "FilterCurve",
    "Instrument",
    "Observation",
    "Photometry",
    "band_matrix",
    "coverage",
    "filter_names",
    "load_filter",
    "rest_window",
]


def __getattr__(name: str) -> Any:
    if name in __all__:  # the band integral needs JAX; names and curves do not
        return getattr(import_module("tengri.observation.bands"), name)
    raise AttributeError(f"module 'tengri.observation' has no attribute {name!r}")
