"""What a configuration of spectra asks for: galaxies, grids, and bands to be judged in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emulator.description import SPECTRUM
from emulator.spectral.artefact import SpectralArtefact
from emulator.spectral.compressed_grid import CompressedGrid
from tengri import Parameters, load_ssp_data
from tengri.components.stellar.nebular_table import cloudy_table
from tengri.components.stellar.ssp_data import SSPData
from tengri.cosmology import as_cosmology
from tengri.errors import ConfigError
from tengri.factory import build_observation, build_spec
from tengri.grids import compact
from tengri.observation import Observation
from train.config import Config
from train.specs import spec_of_family, todays_physics


def is_spectral(config: Config) -> bool:
    """Return whether a configuration asks for spectra."""
    return config.network.target == SPECTRUM


@dataclass(frozen=True)
class SpectralProblem:
    """Everything that follows from a configuration of spectra.

    Attributes
    ----------
    config : Config
    spec : Parameters
    observation : Observation
    grids : tuple of SSPData
        The first serves specs without gas around the stars, one of stars alone those with it.
    """

    config: Config
    spec: Parameters
    observation: Observation
    grids: tuple[SSPData, ...]

    @classmethod
    def build(cls, config: Config) -> SpectralProblem:
        """Read the grids, and check what can be checked at once.

        Raises
        ------
        TengriError
            An unknown parameter, band, instrument or grid; a network that is to learn.
        """
        if config.network.name != "table":
            raise ConfigError("The target 'spectrum' is tabulated: set network.name = 'table'.")
        physics = {**todays_physics(replace(config.model, physics={})), **config.model.physics}
        config = replace(config, model=replace(config.model, physics=physics))
        spec = build_spec(config.model.parameters, physics)
        observation = build_observation(config.model.instruments, config.model.bands)
        names = [config.model.ssp or None]
        names += [config.model.ssp_stars] if config.model.ssp_stars else []
        return cls(config, spec, observation, tuple(load_ssp_data(name) for name in names))

    def compressed(self) -> tuple[CompressedGrid, ...]:
        """Return the grids in few eigenspectra."""
        network = self.config.network
        n, young, span = network.eigenspectra, network.young_eigenspectra, network.span
        return tuple(CompressedGrid.of(ssp, n, span, young, self._beyond(ssp))
                     for ssp in self.grids)  # fmt: skip

    def _beyond(self, ssp: SSPData) -> np.ndarray | None:
        """Return the wavelengths that are kept outside of the span [Å], if any are."""
        if self.config.network.beyond == "none":
            return None
        return compact.nodes(ssp.ssp_wave, cloudy_table().line_wave)

    def bare(self, grids: tuple[CompressedGrid, ...]) -> SpectralArtefact:
        """Return an artefact of grids without tables and words."""
        from emulator.history import cosmology_to_dict

        cosmology = cosmology_to_dict(as_cosmology(None))
        return SpectralArtefact(self.spec, self.observation.photometry, grids, cosmology)

    @property
    def families(self) -> dict[str, Parameters]:
        """The spec itself and those of other histories, each behind another law of dust."""
        from tengri.components.dust.attenuation import LAWS

        laws = tuple(LAWS)
        specs = {"prior": self.spec}
        for i, family in enumerate(self.config.model.histories):
            law = laws[(i + 1) % len(laws)]
            specs[f"{family}, {law}"] = spec_of_family(self.config.model, family.split("+"), law)
        return specs

    @property
    def words(self) -> list[str]:
        """What is made, line by line."""
        n = self.config.network.eigenspectra
        young = self.config.network.young_eigenspectra or n
        shown = ", ".join(f"{ssp.name} {ssp.shape}" for ssp in self.grids)
        return [f"grids: {shown}", f"eigenspectra: {young} of the young, {n} of the old"]
