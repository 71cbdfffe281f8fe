r"""``photometry``: all parameters → bands.

Amplitude ``a`` (peak SFR or formed mass) and distance are known exactly, so that the network never
sees them,

.. math:: F_b = 10^{\log a}\, D(z)\, u\, f_b(\theta), \qquad y_b = \ln(f_b + δ \sum_b f_b),

with ``D`` the dilution Lsun (1+z)/4πd², ``u = 10**log10_unit`` a constant that brings ``f`` near
one, and ``θ`` the other parameters. The softening ``δ = 1e-6`` stands in for the logarithm of
zero: a band that drops out sits at its floor instead of at a sentinel. It is undone exactly,

.. math:: S = \sum_b e^{y_b} / (1 + nδ), \qquad f_b = e^{y_b} - δ S.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from emulator.analytic.terms import Terms
from emulator.scaling import InputScaling, OutputScaling
from emulator.sfh_times import SFHTimes
from emulator.targets.target import Batch, Params, Penalty
from tengri.components.composition import Composition
from tengri.cosmology import log10_luminosity_to_flux
from tengri.errors import ConfigError
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import Stars
from tengri.observation import FilterCurve, Photometry
from tengri.parameters import Parameters

SOFTENING = 1e-6
#: What the network cannot resolve below the softening is reported as this fraction of S, so
#: that magnitudes and their gradients stay finite.
FLOOR = 1e-9

#: log10 of a typical L_ν [Lsun/Hz] per unit of each amplitude.
AMPLITUDES = {"_log_peak_sfr": -5.5, "_log_total_mass": -15.0}


@dataclass(frozen=True)
class PhotometryTarget:
    """All free parameters but the amplitude → all bands; see the top of the file.

    Attributes
    ----------
    input_names : tuple of str
        Free parameters that the network sees, in the order of ``spec.free_params``.
    input_sizes : tuple of int
        How many numbers each holds: 1, or the length of a latent field.
    amplitude : str
        The log10 amplitude, factored out.
    n_bands : int
        Number of bands.
    log10_unit : float
        log10 of the constant ``u``.
    softening : float
        The ``δ`` of the softened logarithm.
    """

    name: ClassVar[str] = "photometry"
    #: all light is learnt, and one history with it
    free_settings: ClassVar[tuple[str, ...]] = ()

    input_names: tuple[str, ...]
    input_sizes: tuple[int, ...]
    amplitude: str
    n_bands: int
    log10_unit: float
    softening: float = SOFTENING

    @classmethod
    def build(
        cls, spec: Parameters, photometry: Photometry, age_edges: np.ndarray
    ) -> PhotometryTarget:
        """Return the target for a spec and bands; the age bins do not matter.

        Raises
        ------
        ConfigError
            Nothing left to learn, no amplitude or several, or a component with a luminosity
            of its own, which does not scale with the stars.
        """
        amplitude = _amplitude(spec)
        names = tuple(n for n in spec.free_params if n != amplitude)
        if not names:
            raise ConfigError(
                "A surrogate needs a free parameter besides the amplitude: give one a range, "
                "e.g. Parameters(redshift=(0.01, 1.0))."
            )
        shapes = [spec.composition.params[n].shape for n in names]
        sizes = tuple(_size(shape) for shape in shapes)
        unit = next(u for end, u in AMPLITUDES.items() if amplitude.endswith(end))
        return cls(names, sizes, amplitude, len(photometry.names), unit)

    @property
    def n_in(self) -> int:
        """Number of network inputs."""
        return sum(self.input_sizes)

    @property
    def n_rows(self) -> int:
        """Number of parts of the outputs: they are one."""
        return 1

    @property
    def n_out(self) -> int:
        """Number of network outputs: one per band."""
        return self.n_bands

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameter name of every input column, (n_in,)."""
        return tuple(n for n, size in zip(self.input_names, self.input_sizes) for _ in range(size))

    def guarded(self, spec: Parameters) -> tuple[str, ...]:
        """Return the parameters that have a trained range: all but the amplitude."""
        follow = {*spec.mirrors, self.amplitude}
        return tuple(n for n in spec.all_params if n not in follow)

    def row_names(self, bands: tuple[str, ...]) -> tuple[str, ...]:
        """Return the bands."""
        return bands

    # --- which specs it serves ------------------------------------------------------------

    def check_components(self, composition: Composition) -> None:
        """Nothing is refused by itself: all components must be those of the training."""

    def learnt_part(self, composition: Composition, trained: Composition) -> Composition:
        """Return the composition: every part of it was learnt."""
        return composition

    def sfh_times(self, spec: Parameters, trained: Parameters) -> SFHTimes:
        """Return which times of the spec stand for trained ones in another unit."""
        return SFHTimes.between(spec, trained)

    def emitting(self, spec: Parameters, trained: Parameters) -> Parameters:
        """Return the trained spec: the history is asked for under the names of the training."""
        return trained

    def certain_stars(self, p: Params, spec: Parameters, log10_mass_min: float) -> bool:
        """Return whether the least amplitude forms stars with every history of the prior."""
        amplitude = p[self.amplitude]
        if isinstance(amplitude, jax.core.Tracer):
            lowest = float(spec.get_distribution(self.amplitude).bounds[0])
        else:
            lowest = amplitude.item() if amplitude.ndim == 0 else float(np.min(amplitude))
        return lowest + log10_mass_min >= 0.0

    def certain_ranges(self, log10_mass_min: float) -> dict[str, tuple[float, float]]:
        """Return the amplitudes that form stars with every history of the prior."""
        return {self.amplitude: (-log10_mass_min, np.inf)}

    def least_log10_mass(self, p: Params, log10_mass_min: float) -> Array:
        """Return the least mass per unit amplitude, times the amplitude."""
        return p[self.amplitude] + log10_mass_min

    def terms(
        self, composition: Composition, filters: tuple[FilterCurve, ...], z_lo: float, z_hi: float
    ) -> Terms:
        """Return none: all light was learnt."""
        return Terms()

    # --- one galaxy -----------------------------------------------------------------------

    def inputs(self, p: Params) -> Array:
        """Return the raw parameter values of one galaxy, (n_in,)."""
        return jnp.concatenate([jnp.reshape(jnp.asarray(p[n]), -1) for n in self.input_names])

    def in_scaling(self, spec: Parameters) -> InputScaling:
        """Return the scaling of the inputs over the box of ``spec``."""
        return InputScaling.from_spec(spec, self.input_names)

    def truth(self, exact: ExactEvaluator, p: Params) -> Array:
        """Return ``f`` (n_bands,) of one galaxy from the exact model: a pure function."""
        bands = exact.bands(p)
        dilution = log10_luminosity_to_flux(exact.galaxy.cosmology, p["redshift"])
        return bands.flux * 10.0 ** (bands.log10_scale - dilution - self.log10_amplitude(p))

    def outputs(self, truth: Array, x: Array | None = None) -> Array:
        """Return the softened logarithm of fluxes (…, n_bands)."""
        return jnp.log(truth + self.softening * jnp.sum(truth, axis=-1, keepdims=True))

    def flux(self, y: Array) -> Array:
        """Return fluxes (…, n_bands) from softened logarithms; never below ``FLOOR``."""
        exp_y = jnp.exp(y)
        total = jnp.sum(exp_y, axis=-1, keepdims=True) / (1.0 + self.n_bands * self.softening)
        return jnp.maximum(exp_y - self.softening * total, FLOOR * total)

    def log10_amplitude(self, p: Params) -> Array:
        """Return log10 of the amplitude times the unit ``u``."""
        return p[self.amplitude] + self.log10_unit

    def log10_unit_of(self, p: Params, log10_mass: Array) -> Array:
        """Return log10 of the amplitude times the unit ``u``; the mass does not matter."""
        return self.log10_amplitude(p)

    def emission(self, v: Array, scaling: OutputScaling, p: Params, stars: Stars) -> SourceBands:
        """Return the light of one galaxy; its mass is left to the caller, who may not need it."""
        return SourceBands(self.log10_amplitude(p), self.flux(scaling.inverse(v)), None)

    def loss(
        self, v: Array, batch: Batch, scaling: OutputScaling, inputs: InputScaling, penalty: Penalty
    ) -> Array:
        """Return the mean penalty of the standardised outputs ``y``, weighted by ``w``."""
        return jnp.sum(batch.w * penalty(v - batch.y)) / jnp.sum(batch.w)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description; `target_from_dict` reads it."""
        return {"name": self.name, **asdict(self)}


def _amplitude(spec: Parameters) -> str:
    """Return the one amplitude in which all light is linear."""
    names = [n for n in spec.composition.params if n.endswith(tuple(AMPLITUDES))]
    if spec.composition.agn is not None:
        raise ConfigError(
            "The target 'photometry' factors out the amplitude of the stars; an AGN with its own "
            "luminosity does not scale with it. Train without agn_model."
        )
    if len(names) != 1:
        found = ", ".join(names) or "none"
        raise ConfigError(
            f"The target 'photometry' factors out one amplitude; this spec has {found}. Use one "
            "star-formation history family, or a mixture that shares one total mass."
        )
    return names[0]


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
