"""What the training loop and the surrogate ask of a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from emulator.analytic.terms import Terms
from emulator.scaling import InputScaling, OutputScaling
from emulator.sfh_times import SFHTimes
from tengri.components.composition import Composition
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import Stars
from tengri.observation import FilterCurve, Photometry
from tengri.parameters import Parameters

Params = Mapping[str, Array]
#: What one residual counts: its square, near zero.
Penalty = Callable[[Array], Array]


class Batch(NamedTuple):
    """Training rows: scaled inputs ``x`` (n, n_in); ``y`` and ``w`` as the target's loss asks.

    Where ages are mixed, ``light`` (n, n_mixtures, n_rows) is ln F of the mixtures. Where
    gradients are matched, ``slope`` (n, n_out) is how the network's target changes along the
    directions ``u`` (n, n_in).
    """

    x: Array
    y: Array
    w: Array
    light: Array | None = None
    u: Array | None = None
    slope: Array | None = None


class Target(Protocol):
    """A map from one galaxy's parameters to what a network gives, and from there to fluxes.

    A frozen dataclass of plain values: hashable, and JSON through ``to_dict``.
    """

    name: ClassVar[str]

    def __hash__(self) -> int: ...

    @property
    def input_names(self) -> tuple[str, ...]:
        """Parameters that the network sees."""
        ...

    @property
    def amplitude(self) -> str | None:
        """The log10 amplitude that is factored out, if a parameter is one."""
        ...

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        ...

    @property
    def free_settings(self) -> tuple[str, ...]:
        """Settings of a spec that need not be those of the training: what they choose is exact."""
        ...

    @classmethod
    def build(cls, spec: Parameters, photometry: Photometry, age_edges: np.ndarray) -> Target:
        """Return the target for a spec, bands and the age bins of an SSP grid."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameter name of every network input, (n_in,)."""
        ...

    @property
    def n_in(self) -> int:
        """Number of network inputs."""
        ...

    @property
    def n_rows(self) -> int:
        """Number of parts of the outputs, equally long."""
        ...

    @property
    def n_out(self) -> int:
        """Number of outputs, before they are compressed."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description."""
        ...

    def guarded(self, spec: Parameters) -> tuple[str, ...]:
        """Return the parameters that have a trained range."""
        ...

    def row_names(self, bands: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the parts of the outputs, (n_rows,), in words."""
        ...

    # --- which specs it serves ------------------------------------------------------------

    def check_components(self, composition: Composition) -> None:
        """Raise ConfigError for a component that it can never serve."""
        ...

    def learnt_part(self, composition: Composition, trained: Composition) -> Composition:
        """Return a composition with the trained components in the place of exact ones."""
        ...

    def sfh_times(self, spec: Parameters, trained: Parameters) -> SFHTimes:
        """Return which times of the spec stand for trained ones in another unit."""
        ...

    def emitting(self, spec: Parameters, trained: Parameters) -> Parameters:
        """Return the spec whose history `emission` asks for."""
        ...

    def certain_stars(self, p: Params, spec: Parameters, log10_mass_min: float) -> bool:
        """Return whether stars are certain, so that the mass need not be integrated for that."""
        ...

    def certain_ranges(self, log10_mass_min: float) -> dict[str, tuple[float, float]]:
        """Return ranges by parameter in which stars are certain, where the mass is not computed."""
        ...

    def least_log10_mass(self, p: Params, log10_mass_min: float) -> Array:
        """Return a lower bound of log10 of the mass formed, where `emission` gives none."""
        ...

    def terms(
        self, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> Terms:
        """Return the exact terms beside the network."""
        ...

    # --- one galaxy -----------------------------------------------------------------------

    def inputs(self, p: Params) -> Array:
        """Return the raw inputs (n_in,) of one galaxy."""
        ...

    def in_scaling(self, spec: Parameters) -> InputScaling:
        """Return the scaling of the inputs over the box of ``spec``."""
        ...

    def truth(self, exact: ExactEvaluator, p: Params) -> Array:
        """Return what the exact model computes for one training row, (n_out,)."""
        ...

    def outputs(self, truth: Array, x: Array) -> Array:
        """Return what the network should give, (…, n_out), of truth and raw inputs (…, n_in)."""
        ...

    def log10_unit_of(self, p: Params, log10_mass: Array) -> Array:
        """Return log10 of the unit [Lsun/Hz] of one galaxy's fluxes, the scale of `emission`."""
        ...

    def emission(self, v: Array, scaling: OutputScaling, p: Params, stars: Stars) -> SourceBands:
        """Return the light of one galaxy from what the network gave for it."""
        ...

    def loss(self, v: Array, batch: Batch, scaling: OutputScaling, inputs: InputScaling,
             penalty: Penalty) -> Array:  # fmt: skip
        """Return the loss of network outputs ``v`` (n, n_latent)."""
        ...
