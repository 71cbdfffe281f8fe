"""Interface of a target: everything that training loop and surrogate need to know about it.

`Target` is abstract and gives the defaults: every free parameter is an input, all light is
learnt with one family of histories, and the mass formed is computed with the light. A target
overrides what it does otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from emulator.analytic.source import SourceBands
from emulator.analytic.terms import Terms
from emulator.networks import Weights
from emulator.scaling import InputScaling, OutputScaling
from emulator.sfh_times import SFHTimes
from emulator.targets.batch import Batch, Penalty, TargetRows
from emulator.targets.numpy_part import NumPyPart
from tengri.components.composition import DISTANCE, Composition
from tengri.cosmology import Cosmology
from tengri.errors import ConfigError
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import Stars
from tengri.observation import FilterCurve, Photometry
from tengri.parameters import Parameters

Params = Mapping[str, Array]


class Target(ABC):
    """A map from one galaxy's parameters to network outputs, and from those to fluxes.

    A frozen dataclass of plain values: hashable, and JSON through ``to_dict``.

    Attributes
    ----------
    name : str
        Its name among ``TARGETS``.
    free_settings : tuple of str
        Settings of a spec that need not be those of the training: what they choose is exact.
    mixes_ages : bool
        Whether training rows carry mixtures of ages.
    tabulated : bool
        Whether it is a table that `tabulate` makes, and nothing is trained.
    block : int
        Galaxies of a batch that a processor computes at a time, so that they fit its cache.
    input_names : tuple of str
        Parameters that the network sees.
    n_bands : int
        Number of bands.
    """

    name: ClassVar[str]
    mixes_ages: ClassVar[bool] = False
    tabulated: ClassVar[bool] = False
    block: ClassVar[int] = 1024

    if TYPE_CHECKING:  # fields of the dataclass, or properties

        @property
        def input_names(self) -> tuple[str, ...]: ...  # noqa: D102

        @property
        def n_bands(self) -> int: ...  # noqa: D102

    @classmethod
    @abstractmethod
    def build(cls, spec: Parameters, photometry: Photometry, age_edges: np.ndarray) -> Target:
        """Return the target for a spec, bands and the age bins of an SSP grid."""

    def rebuilt(self, spec: Parameters, photometry: Photometry, age_edges: np.ndarray) -> Target:
        """Return the target that a stored one must equal to be that of its spec and bands."""
        return self.build(spec, photometry, age_edges)

    def on_grid(self, exact: ExactEvaluator) -> Target:
        """Return the target with what it takes over from the exact model's grid: here nothing."""
        return self

    @property
    def free_settings(self) -> tuple[str, ...]:
        """Settings of a spec that need not be those of the training."""
        return ()

    # --- the network's side ---------------------------------------------------------------

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameter name of every network input, (n_in,)."""
        return self.input_names

    @property
    def n_in(self) -> int:
        """Number of network inputs."""
        return len(self.columns)

    @property
    def n_rows(self) -> int:
        """Number of parts of the outputs, equally long."""
        return 1

    @property
    @abstractmethod
    def n_out(self) -> int:
        """Number of outputs, before they are compressed."""

    def row_names(self, bands: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the parts of the truth, in words."""
        return bands

    def inputs(self, p: Params) -> Array:
        """Return the raw inputs (n_in,) of one galaxy."""
        return jnp.concatenate([jnp.reshape(jnp.asarray(p[n]), -1) for n in self.input_names])

    def in_scaling(self, spec: Parameters) -> InputScaling:
        """Return the scaling of the inputs over the box of ``spec``."""
        return InputScaling.from_spec(spec, self.input_names)

    def scaling_shapes(self, given: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
        """Return the shapes that arrays of the output scaling must have, by name.

        ``given`` are those that are stored: they decide how many components there are.
        """
        n_latent = np.shape(given["scale"])[0] if "rotation" in given else self.n_out
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("mean", "floor"), (self.n_out,))
        shapes |= {"scale": (n_latent,), "rotation": (self.n_out, n_latent)}
        rotation = given.get("rotation")
        if rotation is not None and rotation.ndim == 3:  # of each block of outputs by itself
            n = max(len(rotation), 1)
            shapes["rotation"] = (n, self.n_out // n, n_latent // n)
        return shapes

    # --- training -------------------------------------------------------------------------

    def tabulate(
        self,
        exact: ExactEvaluator,
        inputs: InputScaling,
        knots: int,
        eigenspectra: int,
        rounding: float = 1e-5,
    ) -> tuple[Weights, OutputScaling]:
        """Return the weights of a network ``table`` and the scaling of its outputs.

        ``exact`` computes in float64; ``knots`` and ``eigenspectra`` are sizes of the table, which
        is rounded to a share ``rounding`` of the light of a band.

        Raises
        ------
        ConfigError
            It is learnt, not tabulated; or the sizes cannot be had.
        """
        raise ConfigError(f"The target {self.name!r} is learnt from rows: it has no table.")

    @abstractmethod
    def truth(self, exact: ExactEvaluator, p: Params) -> Array:
        """Return what the exact model computes for one training row, (n_out,), not negative."""

    @abstractmethod
    def outputs(self, truth: Array, x: Array) -> Array:
        """Return what the network should give, (…, n_out), of truth and raw inputs (…, n_in)."""

    @abstractmethod
    def log10_unit_of(self, p: Params, log10_mass: Array) -> Array:
        """Return log10 of the unit [Lsun/Hz] of one galaxy's fluxes, the scale of `emission`."""

    def floor(self, y: ArrayLike) -> np.ndarray | None:
        """Return where outputs end (n_out,), if they are logarithms that do, of rows ``y``."""
        return None

    def fit_scaling(
        self, y: ArrayLike, pca: bool = False, components: int = 0, blocks: int = 1
    ) -> OutputScaling:
        """Return the scaling of the outputs, measured on rows ``y``; see `OutputScaling.fit`."""
        return OutputScaling.fit(
            np.asarray(y), pca=pca, components=components, floor=self.floor(y), blocks=blocks
        )

    def pca_truncation_error(
        self, rows: TargetRows, scaling: OutputScaling
    ) -> tuple[float, float] | None:
        """Return the truncation error |Δm| [mmag] of the kept components at 50 and 99 %.

        No network is better than that. None where it is not measured.
        """
        return None

    def batch(
        self, rows: TargetRows, inputs: InputScaling, outputs: OutputScaling, penalty: Penalty
    ) -> Batch:
        """Return rows in network units: here standardised outputs that count alike."""
        y = outputs.forward(rows.y)
        return Batch(inputs.forward(rows.inputs), y, jnp.ones_like(y))

    def loss(self, v: Array, batch: Batch, scaling: OutputScaling, inputs: InputScaling,
             penalty: Penalty) -> Array:  # fmt: skip
        """Return the loss of network outputs ``v`` (n, n_latent): here of ``y``, weighted."""
        return jnp.sum(batch.w * penalty(v - batch.y)) / jnp.sum(batch.w)

    def families(self, histories: tuple[str, ...]) -> tuple[str, ...]:
        """Return which other families of histories it is trained and judged on.

        Here all, if rows carry their ages, and else none.
        """
        return histories if self.mixes_ages else ()

    def other_laws(self, n: int) -> tuple[str, ...]:
        """Return the dust laws of ``n`` other families; empty names: those of the training."""
        return ("",) * n

    # --- which specs it serves ------------------------------------------------------------

    def guarded(self, spec: Parameters) -> tuple[str, ...]:
        """Return the parameters that have a trained range."""
        return tuple(n for n in spec.all_params if n not in spec.mirrors)

    def guarded_by_grid(self, composition: Composition) -> tuple[str, ...]:
        """Return the metallicities of a spec that are exact: they end where the grid of stars does.

        Here none: they are inputs of the network.
        """
        return ()

    def check_components(self, composition: Composition) -> None:  # noqa: B027 -- serves all
        """Raise ConfigError for a component that it can never serve."""

    def learnt_part(self, composition: Composition, trained: Composition) -> Composition:
        """Return a composition with the trained components in the place of exact ones.

        Here the distance alone is exact.
        """
        return replace(composition, by_distance=trained.by_distance)

    def sfh_times(self, spec: Parameters, trained: Parameters) -> SFHTimes:
        """Return which times of the spec stand for trained ones in another unit."""
        return SFHTimes.between(spec, trained)

    def in_physics_of(self, other: Target) -> Target:
        """Return the target with the versions of another: what is learnt is a start for both."""
        return self

    def emitting(self, spec: Parameters, trained: Parameters) -> Parameters:
        """Return the spec whose history `emission` asks for: here under the trained names."""
        return trained

    # --- one galaxy -----------------------------------------------------------------------

    @abstractmethod
    def emission(self, v: Array, scaling: OutputScaling, p: Params, stars: Stars) -> SourceBands:
        """Return the light of one galaxy from what the network gave for it."""

    def terms(
        self, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> Terms:
        """Return the exact terms added to the network's light."""
        return Terms()

    def log10_mass_min(self, spec: Parameters, cosmology: Cosmology) -> float:
        """Return the bound that the questions below are asked with; NaN: it needs none."""
        return np.nan

    def certain_stars(self, p: Params, spec: Parameters, log10_mass_min: float) -> bool:
        """Return whether stars are certain, so that the mass need not be integrated for that."""
        return True  # it is computed with the light

    def certain_ranges(self, log10_mass_min: float) -> dict[str, tuple[float, float]]:
        """Return ranges by parameter in which stars are certain, where the mass is not computed."""
        return {}

    def least_log10_mass(self, p: Params, log10_mass_min: float) -> Array:
        """Return a lower bound of log10 of the mass formed, where `emission` gives none."""
        raise ConfigError(
            f"The target {self.name!r} gives no mass in `emission`: give it, as "
            "stars.formed(p)[0], or a bound of it in `least_log10_mass`."
        )

    # --- words, files ---------------------------------------------------------------------

    def notes(self) -> tuple[str, ...]:
        """Return what a user must know beyond trained ranges, in sentences."""
        return ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description; `target_from_dict` reads it."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload]

    def numpy_part(
        self, spec: Parameters, photometry: Photometry, age_edges: np.ndarray
    ) -> NumPyPart:
        """Return what an exported file needs of the target; see `emulator.export`.

        Raises
        ------
        ConfigError
            The target, or a component of the spec, has no form in NumPy alone.
        """
        raise ConfigError(f"The target {self.name!r} has no form in NumPy alone: no export.")

    def numpy_arguments(self, p: Params, stars: Stars) -> dict[str, np.ndarray]:
        """Return arguments of the exported file that are no parameters, for a batch."""
        return {}


def check_no_distance(composition: Composition) -> None:
    """Raise ConfigError for a training with a distance: it is not learnt, but exact."""
    if composition.by_distance:
        raise ConfigError(
            f"{DISTANCE.name} is exact in every surrogate: train without it, and name it in the "
            "spec that loads the surrogate."
        )
