"""The spectra of an exact model: dicts in, L_ν or f_ν out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.ssp_data import SSPData
from tengri.constants import LSUN_ERG_S
from tengri.errors import ConfigError, ParameterError
from tengri.forward.batching import Execution, RowMap, Sizes, map_traced
from tengri.forward.exact import ExactEvaluator
from tengri.forward.exact_evaluators import ExactEvaluators
from tengri.forward.exact_guard import ExactGuard, shown
from tengri.forward.no_stars import check_stars, warn_no_stars
from tengri.forward.packing import Packed, Packer, in_trace
from tengri.forward.pixel_spectra import PixelEvaluator
from tengri.forward.small_call import compiled_quickly
from tengri.grids.compact import LINE_SIGMA_KMS
from tengri.observation.spectrograph import Spectrograph
from tengri.parameters import Parameters
from tengri.process import check_process
from tengri.quantities import plain_values

#: Blocks of spectra, so that batches of any size fit into memory: products of matrices with so many
#: rows are as fast as they get.
EXECUTION = Execution(Sizes(1024, 1024), Sizes(4096, 65536))
#: The same of spectra in pixels: what one galaxy needs of thousands of them fills a cache.
PIXEL_EXECUTION = Execution(Sizes(4, 256), Sizes(64, 4096))
#: Bounds to which velocity dispersions are followed [km/s]: the next one is compiled for.
REACHES_KMS = (0.0, 100.0, 200.0, 300.0, 400.0, 600.0, 1000.0)


class SpectralFrame:
    """What a model answers in spectra.

    Parameters
    ----------
    spec, ssp, packer, evaluators, guard
        Of the model.
    """

    def __init__(
        self,
        spec: Parameters,
        ssp: SSPData,
        packer: Packer,
        evaluators: ExactEvaluators,
        guard: ExactGuard,
    ) -> None:
        self.spec, self.ssp, self.packer = spec, ssp, packer
        self.evaluators, self.guard = evaluators, guard

    def predict(self, frame: str, params: Mapping[str, Any] | None, batch: bool = False) -> Any:
        """Return spectra (n_wave,), of a batch (n, n_wave); see `_sed` for the frames."""
        check_process()
        p = self.spec.resolve({} if params is None else params, batch=batch)
        compiled = _spectra if batch else _spectrum
        packed, evaluator = self.packer.pack(p), self.evaluators.spectral(in_trace(p))
        if in_trace(p):
            return compiled(evaluator, packed, frame)[0]
        self.guard.check(p, fluxes=frame == "observed", bands=False)
        sed, log10_mass = compiled(evaluator, packed, frame)
        if batch:
            warn_no_stars(np.asarray(log10_mass))
        else:
            check_stars(p, log10_mass)
        return sed

    def pixels(
        self,
        spectrograph: Any,
        params: Mapping[str, Any] | None,
        vel_sigma_kms: Any = 0.0,
        gas_sigma_kms: Any = None,
        max_sigma_kms: float = REACHES_KMS[-1],
        batch: bool = False,
    ) -> Array:
        """Return f_ν in the pixels of a spectrograph, (n_pixel,), of a batch (n, n_pixel)."""
        check_process()
        if not isinstance(spectrograph, Spectrograph):
            raise ConfigError(
                "Velocities spread the light over pixels: give Spectrograph.of(wave, resolution) "
                "in the place of wavelengths."
            )
        if gas_sigma_kms is not None and self.spec.composition.nebular is None:
            raise ConfigError(
                "gas_sigma_kms has no effect: the lines of this model are not known one by one. "
                "Set nebular='cloudy' on a grid of stars alone."
            )
        stars_kms = vel_sigma_kms
        gas_kms = LINE_SIGMA_KMS if gas_sigma_kms is None else gas_sigma_kms
        p = self.spec.resolve({} if params is None else params, batch=batch)
        evaluator, stars, gas = self._pixels(spectrograph, p, stars_kms, gas_kms, max_sigma_kms)
        constants, packed = (evaluator, stars, gas), self.packer.pack(p)
        if in_trace({**p, "stars": stars, "gas": gas}):
            return _in_pixels(constants, packed, batch)[0]
        self.guard.check(p, fluxes=True, bands=False)
        for z in {float(np.min(p["redshift"])), float(np.max(p["redshift"]))}:
            check_reach(spectrograph.edges, self.evaluators.grid.galaxy.wave * (1.0 + z))
        if batch:
            flux, log10_mass = _pixel_map()(constants, packed, PIXEL_EXECUTION.sizes)
            warn_no_stars(np.asarray(log10_mass))
        else:
            flux, log10_mass = _in_pixels(constants, packed, batch)
            check_stars(p, log10_mass)
        return flux

    def too_sharp(
        self, spectrograph: Spectrograph, params: Mapping[str, Any] | None, stars_kms: Any = 0.0
    ) -> np.ndarray:
        """Return in which pixels the grid is less sharp than what is asked for, (n_pixel,)."""
        p = self.spec.resolve({} if params is None else params)
        evaluator, stars, _ = self._pixels(spectrograph, p, stars_kms, LINE_SIGMA_KMS)
        return np.asarray(evaluator.too_sharp(jnp.asarray(p["redshift"], float), stars))

    def _pixels(
        self,
        spectrograph: Spectrograph,
        p: Mapping[str, Any],
        stars_kms: Any,
        gas_kms: Any,
        most: float = REACHES_KMS[-1],
    ) -> tuple[PixelEvaluator, Array, Array]:
        """Return the evaluator of a spectrograph, and checked velocity dispersions."""
        stars, reach = _dispersion("vel_sigma_kms", stars_kms, most)
        gas, _ = _dispersion("gas_sigma_kms", gas_kms, REACHES_KMS[-1])
        return self.evaluators.pixels(self.ssp, spectrograph, p, reach), stars, gas


def _dispersion(name: str, value: Any, most: float) -> tuple[Array, float]:
    """Return a velocity dispersion and the bound to which its light is followed [km/s]."""
    if not 0.0 <= most <= REACHES_KMS[-1]:
        raise ParameterError(
            f"max_sigma_kms is a number of 0 to {REACHES_KMS[-1]:g}, got {most!r}."
        )
    if isinstance(value, jax.core.Tracer):
        return jnp.where((value >= 0.0) & (value <= most), value, jnp.nan), _reach(most)
    number, _ = plain_values(value, "km/s", name)
    if number.ndim or not 0.0 <= number <= REACHES_KMS[-1]:
        raise ParameterError(f"{name} is a number of 0 to {REACHES_KMS[-1]:g} km/s, got {value!r}.")
    return jnp.asarray(number, float), _reach(float(number))


def _reach(number: float) -> float:
    return next(bound for bound in REACHES_KMS if number <= bound)


#: Evaluator, and velocity dispersions of stars and gas.
PixelConstants = tuple[PixelEvaluator, Array, Array]


@partial(jax.jit, static_argnames="batch")
def _in_pixels(constants: PixelConstants, packed: Packed, batch: bool) -> tuple[Array, Array]:
    if batch:
        return map_traced(lambda one: _one_in_pixels(constants, one), packed, PIXEL_EXECUTION)
    return _one_in_pixels(constants, packed)


def _one_in_pixels(constants: PixelConstants, packed: Packed) -> tuple[Array, Array]:
    evaluator, stars_kms, gas_kms = constants
    return evaluator.spectrum(packed.unpack(), stars_kms, gas_kms)


@cache
def _pixel_map() -> RowMap:
    return RowMap(_one_in_pixels)


@partial(compiled_quickly, static_argnames="frame")
def _spectrum(evaluator: ExactEvaluator, packed: Packed, frame: str) -> tuple[Any, Array]:
    return _sed(evaluator, frame, packed.unpack())


@partial(jax.jit, static_argnames="frame")
def _spectra(evaluator: ExactEvaluator, packed: Packed, frame: str) -> tuple[Any, Array]:
    return map_traced(lambda one: _sed(evaluator, frame, one.unpack()), packed, EXECUTION)


def _sed(evaluator: ExactEvaluator, frame: str, p: Mapping[str, Array]) -> tuple[Any, Array]:
    """Return L_ν [erg/s/Hz] (``rest``, or its ``parts``) or f_ν (``observed``); log10 mass."""
    light, galaxy = evaluator.spectrum(p), evaluator.galaxy
    rest_scale = 10.0 ** (light.log10_scale + math.log10(LSUN_ERG_S))
    if frame == "parts":
        sed: Any = {name: lnu * rest_scale for name, lnu in light.parts.items()}
    elif frame == "rest":
        sed = light.lnu * rest_scale
    else:
        to_flux = galaxy.log10_luminosity_to_flux(p)
        sed = galaxy.seen(light, p) * 10.0 ** (light.log10_scale + to_flux)
    return sed, light.log10_mass


def as_wavelengths(wave: Any) -> np.ndarray:
    """Return wavelengths [Å] as float64, converted where they have a unit, all finite."""
    try:
        values, _ = plain_values(wave, "Angstrom", "wave_obs")
    except jax.errors.TracerArrayConversionError:
        raise ParameterError("wave_obs is traced by JAX: give wavelengths in Å.") from None
    except ParameterError as error:
        raise ParameterError(f"{error} Give wavelengths in Å.") from None
    if not (good := np.isfinite(values)).all():
        raise ParameterError(
            f"wave_obs must be finite; {(~good).sum()} of {good.size} are masked, null or not "
            "finite. Leave them out."
        )
    return values


def check_reach(wave: np.ndarray, spectrum: Array | np.ndarray) -> None:
    """Raise ParameterError for wavelengths outside those of an observed ``spectrum`` [Å]."""
    if isinstance(spectrum, jax.core.Tracer):
        return
    lo, hi = float(spectrum[0]), float(spectrum[-1])
    if not (wave.size and np.all((wave >= lo) & (wave <= hi))):
        raise ParameterError(
            f"wave_obs must lie within {lo:.5g}–{hi:.5g} Å, the reach of the SSP grid at "
            f"this redshift; got {shown(wave)}."
        )
