"""Fits of catalogues: one call from fluxes to posteriors, for exact and emulated models alike."""

from tengri.inference.fitter import fit
from tengri.inference.likelihood import Noise
from tengri.inference.observations import Observations
from tengri.inference.results import Fit
from tengri.inference.settings import FitSettings
from tengri.inference.zero_points import ZeroPoints, solve_zero_points

__all__ = [
    "Fit",
    "FitSettings",
    "Noise",
    "Observations",
    "ZeroPoints",
    "fit",
    "solve_zero_points",
]
