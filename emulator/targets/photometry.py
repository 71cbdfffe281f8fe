r"""``photometry``: all parameters → bands.

Amplitude ``a`` (peak SFR or formed mass) and distance are known exactly, so that the network never
sees them,

.. math:: F_b = 10^{\log a}\, D(z)\, u\, f_b(\theta), \qquad y_b = \ln(f_b + δ \sum_b f_b),

with ``D`` the factor Lsun (1+z)/4πd² from luminosity to flux, ``u = 10**log10_unit`` a constant
that brings ``f`` near one, and ``θ`` the other parameters. The softening ``δ = 1e-6`` stands in
for the logarithm of zero: a band that drops out sits at its floor instead of at a sentinel. It is
undone exactly,

.. math:: S = \sum_b e^{y_b} / (1 + nδ), \qquad f_b = e^{y_b} - δ S.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from emulator.history import least_log10_mass
from emulator.scaling import InputScaling, OutputScaling
from emulator.targets.batch import Batch, Penalty, TargetRows
from emulator.targets.numpy_part import NumPyPart
from emulator.targets.target import Params, Target, check_no_distance
from tengri.analysis import accuracy
from tengri.cosmology import Cosmology, log10_luminosity_to_flux
from tengri.errors import ConfigError
from tengri.forward.exact import ExactEvaluator
from tengri.forward.galaxy import Stars
from tengri.observation import Photometry
from tengri.parameters import Parameters

SOFTENING = 1e-6
#: What the network cannot resolve below the softening is reported as this fraction of S, so
#: that magnitudes and their gradients stay finite.
FLOOR = 1e-9

#: log10 of a typical L_ν [Lsun/Hz] per unit of an amplitude, by what that is in.
LOG10_UNITS = {"log10 Msun/yr": -5.5, "log10 Msun": -15.0}


@dataclass(frozen=True)
class PhotometryTarget(Target):
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
        check_no_distance(spec.composition)
        amplitude = _amplitude(spec)
        names = tuple(n for n in spec.free_params if n != amplitude)
        if not names:
            raise ConfigError(
                "A surrogate needs a free parameter besides the amplitude: give one a range, "
                "e.g. Parameters(redshift=(0.01, 1.0))."
            )
        sizes = tuple(math.prod(spec.composition.params[n].shape) for n in names)
        unit = LOG10_UNITS[spec.composition.params[amplitude].unit]
        return cls(names, sizes, amplitude, len(photometry.names), unit)

    @property
    def n_out(self) -> int:
        """Number of network outputs: one per band."""
        return self.n_bands

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameter name of every input column, (n_in,)."""
        return tuple(n for n, size in zip(self.input_names, self.input_sizes) for _ in range(size))

    def truth(self, exact: ExactEvaluator, p: Params) -> Array:
        """Return ``f`` (n_bands,) of one galaxy from the exact model: a pure function."""
        bands = exact.bands(p)
        to_flux = log10_luminosity_to_flux(exact.galaxy.cosmology, p["redshift"])
        return bands.flux * 10.0 ** (bands.log10_scale - to_flux - self.log10_amplitude(p))

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

    def guarded(self, spec: Parameters) -> tuple[str, ...]:
        """Return the parameters that have a trained range: all but the amplitude."""
        follow = {*spec.mirrors, self.amplitude}
        return tuple(n for n in spec.all_params if n not in follow)

    # --- stars that are certain -----------------------------------------------------------

    def log10_mass_min(self, spec: Parameters, cosmology: Cosmology) -> float:
        """Return log10 of the least mass that the prior's histories form per unit amplitude."""
        return least_log10_mass(spec, cosmology, self.amplitude)

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

    # --- training -------------------------------------------------------------------------

    def batch(
        self, rows: TargetRows, inputs: InputScaling, outputs: OutputScaling, penalty: Penalty
    ) -> Batch:
        """Return standardised outputs; faint bands count less, components of bands all alike."""
        x, y = inputs.forward(rows.inputs), outputs.forward(rows.y)
        if outputs.rotation is not None:
            return Batch(x, y, jnp.ones_like(y))
        weight = penalty.weight(rows.truth / rows.truth.max(axis=1, keepdims=True))
        return Batch(x, y, jnp.asarray(weight.astype(np.float32)))

    def pca_truncation_error(self, rows: TargetRows, scaling: OutputScaling) -> tuple[float, float]:
        """Return the truncation error |Δm| [mmag] of the kept components at 50 and 99 %."""
        kept = scaling.inverse(scaling.forward(rows.y))
        true, ours = (np.asarray(self.flux(y), np.float64) for y in (rows.y, kept))
        return accuracy.percentile(true, ours, 50), accuracy.percentile(true, ours, 99)

    # --- export ---------------------------------------------------------------------------

    def numpy_part(
        self, spec: Parameters, photometry: Photometry, age_edges: np.ndarray
    ) -> NumPyPart:
        """Return the code that undoes the softened logarithm; it takes the amplitude, too."""
        code = Path(__file__).with_name("photometry_standalone.py")
        return NumPyPart(code, {}, {"floor": FLOOR}, (self.amplitude,))


def _amplitude(spec: Parameters) -> str:
    """Return the one amplitude in which all light is linear."""
    names = [p.name for p in spec.composition.sfh.params if p.role == "amplitude"]
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
