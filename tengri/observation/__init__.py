"""Observations: filter curves, sets of bands, instruments, and the exact band integral."""

from tengri.observation.bands import BandProjection, band_matrix, coverage, rest_window
from tengri.observation.filters import FilterCurve, filter_names, load_filter
from tengri.observation.instrument import INSTRUMENTS, Instrument
from tengri.observation.photometry import Observation, Photometry

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
