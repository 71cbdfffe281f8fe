"""What the training loop and the surrogate ask of a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from jax import Array

from emulator.scaling import InputScaling, OutputScaling
from tengri.forward.galaxy import Stars
from tengri.observation import Photometry
from tengri.parameters import Parameters

Params = Mapping[str, Array]
#: What one residual counts: its square, near zero.
Penalty = Callable[[Array], Array]


class Emission(NamedTuple):
    """Band fluxes ``flux * 10**log10_scale`` [Lsun/Hz at the source] of one galaxy.

    ``flux`` (n_bands,) is of order one; ``log10_mass`` is the mass formed [Msun], None where the
    target does not need it; ``absorbed`` what dust absorbs, in the unit of flux per 1e-15 Hz⁻¹,
    None where all light is in ``flux``.
    """

    log10_scale: Array
    flux: Array
    log10_mass: Array | None
    absorbed: Array | None = None


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
    def absorbs(self) -> bool:
        """Whether it gives the light that dust absorbs, for an exact spectrum of the dust."""
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

    def inputs(self, p: Params) -> Array:
        """Return the raw inputs (n_in,) of one galaxy."""
        ...

    def in_scaling(self, spec: Parameters) -> InputScaling:
        """Return the scaling of the inputs over the box of ``spec``."""
        ...

    def truth(self, model: Any, path: Any, constants: Any, p: Params) -> Array:
        """Return what the exact model computes for one training row, (n_out,)."""
        ...

    def outputs(self, truth: Array, x: Array) -> Array:
        """Return what the network should give, (…, n_out), of truth and raw inputs (…, n_in)."""
        ...

    def log10_unit_of(self, p: Params, log10_mass: Array) -> Array:
        """Return log10 of the unit [Lsun/Hz] of one galaxy's fluxes, the scale of `emission`."""
        ...

    def emission(self, v: Array, scaling: OutputScaling, p: Params, stars: Stars) -> Emission:
        """Return the light of one galaxy from what the network gave for it."""
        ...

    def loss(self, v: Array, batch: Batch, scaling: OutputScaling, inputs: InputScaling,
             penalty: Penalty) -> Array:  # fmt: skip
        """Return the loss of network outputs ``v`` (n, n_latent)."""
        ...
