"""How a catalogue is fitted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from tengri.errors import ConfigError, unknown
from tengri.inference.importance import SamplingPlan
from tengri.inference.likelihood import Noise

METHODS = ("auto", "importance", "nuts", "map", "library")


@dataclass(frozen=True)
class FitSettings:
    """How a catalogue is fitted.

    Attributes
    ----------
    method : {"auto", "importance", "nuts", "map", "library"}
        ``auto``: importance sampling, then NUTS for what has not converged, where blackjax is
        installed. ``map``: the best mode and its Laplace approximation, not judged by draws.
        ``library``: draws of the prior that all galaxies share, for photometric redshifts.
    noise : Noise
    seed : int
    draws : int
        Draws with equal weights that are kept of each galaxy.
    derived : bool
        Whether masses, rates, ages and A_V are derived.
    certify : int
        Draws of each posterior that are weighted with the exact model; 0: none.
    refit : bool
        Whether what fails that is fitted again with the exact model.
    extra : int
        Further rounds of draws where the first do not suffice.
    plan : SamplingPlan
    library : int
        Draws of the library, a power of two.
    magnitude_prior : str
        The band by whose magnitude a free redshift is more or less likely
        (`tengri.inference.magnitude_prior`); none by default.
    """

    method: str = "auto"
    noise: Noise = field(default_factory=Noise)
    seed: int = 0
    draws: int = 0
    derived: bool = True
    certify: int = 0
    refit: bool = False
    extra: int = 4
    plan: SamplingPlan = field(default_factory=SamplingPlan)
    library: int = 2**18
    magnitude_prior: str = ""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown("method", str(self.method), METHODS)
        if self.refit and not self.certify:
            raise ConfigError("refit needs certify: how many draws the exact model is asked for.")
        if self.library < 2 or self.library & (self.library - 1):
            raise ConfigError(f"library is a power of two, such as {2**18}; got {self.library}.")

    def to_dict(self) -> dict[str, Any]:
        """Return what decides every posterior, JSON-serialisable."""
        return asdict(self)
