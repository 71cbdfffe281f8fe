"""A trained surrogate as data: everything that its file holds."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from emulator import history
from emulator.conditional_errors import ConditionalErrors
from emulator.networks import Network, Weights
from emulator.scaling import InputScaling, OutputScaling
from emulator.targets import Target
from tengri.cosmology import Cosmology
from tengri.observation import Photometry
from tengri.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Artefact:
    """A trained surrogate as data.

    Attributes
    ----------
    spec : Parameters
        What it was trained on.
    photometry : Photometry
        Bands, in the order of the outputs.
    target, network, in_scaling, out_scaling
        The pieces of the map from parameters to band fluxes.
    params : nested dict of float32 arrays
        Weights of the network.
    cosmology : dict
        From `emulator.history.cosmology_to_dict`.
    ssp : dict
        ``name``, ``sha256``, ``age_edges`` (n_age + 1,) [Gyr], ``lgmet`` (n_met,) and
        ``mass_remaining`` (n_met, n_age) or None.
    accuracy : dict
        JSON-serialisable tables of errors against the exact model.
    error_bars : dict
        Level in per cent (``"68"``, ``"95"`` …) → (n_bands,) [mag].
    error_bars_z : dict
        The same where they are known by redshift: level → (n_z, n_bands), and ``edges``
        (n_z + 1,) of the intervals of redshift. Empty if not.
    covariance : ndarray, shape (n_bands, n_bands), or None
        Of the residuals [mag²].
    conditional : ConditionalErrors or None
        Error bars and covariance by colours and redshift.
    checks : dict
        ``params``: name → (n,); ``flux_surrogate`` and ``flux_exact``: (n, n_bands) [maggies].
    training : dict
        JSON-serialisable: seed, rows, seconds, hardware, command, versions …
    card : str
        Model card, Markdown.
    log10_mass_min : float
        Least log10 mass formed per unit amplitude over the prior; NaN: not yet known, or the
        mass is computed anyway.
    created : str
        Time in UTC, ISO format.
    sha256 : str
        Seal of the file it was read from.
    """

    spec: Parameters
    photometry: Photometry
    target: Target
    network: Network
    params: Weights
    in_scaling: InputScaling
    out_scaling: OutputScaling
    cosmology: dict[str, Any]
    ssp: dict[str, Any]
    accuracy: dict[str, Any] = field(default_factory=dict)
    error_bars: dict[str, np.ndarray] = field(default_factory=dict)
    error_bars_z: dict[str, np.ndarray] = field(default_factory=dict)
    covariance: np.ndarray | None = None
    conditional: ConditionalErrors | None = None
    checks: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    card: str = ""
    log10_mass_min: float = math.nan
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    sha256: str = ""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Bands in the order of the outputs."""
        return self.photometry.names

    def cosmology_object(self) -> Cosmology:
        """Return the cosmology as the model uses it."""
        return history.cosmology_from_dict(self.cosmology)

    def completed(self) -> Artefact:
        """Return the artefact with ``log10_mass_min`` known."""
        if not math.isnan(self.log10_mass_min):
            return self
        least = self.target.log10_mass_min(self.spec, self.cosmology_object())
        return dataclasses.replace(self, log10_mass_min=least)
