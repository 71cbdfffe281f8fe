"""What exact and emulated models have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from jax import Array

from tengri.observation import Observation
from tengri.parameters import Parameters


@runtime_checkable
class PhotometricModel(Protocol):
    """Parameters in, band fluxes out.

    Everything downstream (sweeps, grids, tracks, comparison, catalogues, samplers) takes one
    of these and never asks whether it is exact or emulated.
    """

    @property
    def spec(self) -> Parameters:
        """Names, priors and fixed values of the parameters."""
        ...

    @property
    def observation(self) -> Observation:
        """The bands."""
        ...

    @property
    def units(self) -> str:
        """Unit of ``predict_photometry``."""
        ...

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Bands in the order of the last axis."""
        ...

    def predict_photometry(self, params: Mapping[str, Any]) -> Array:
        """Band fluxes of one galaxy, shape (n_bands,)."""
        ...

    def predict_photometry_batch(self, params: Mapping[str, Any]) -> Array:
        """Band fluxes of n galaxies, shape (n, n_bands)."""
        ...

    def predict_magnitudes(self, params: Mapping[str, Any]) -> Array:
        """AB magnitudes of one galaxy, shape (n_bands,)."""
        ...
