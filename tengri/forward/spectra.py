"""The spectra of an exact model: dicts in, L_ν or f_ν out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array

from tengri.constants import LSUN_ERG_S
from tengri.errors import ParameterError
from tengri.forward.exact import ExactEvaluator
from tengri.forward.exact_evaluators import ExactEvaluators
from tengri.forward.exact_guard import ExactGuard, shown
from tengri.forward.no_stars import check_stars, warn_no_stars
from tengri.forward.packing import Packed, Packer, is_traced
from tengri.forward.small_call import compiled_quickly
from tengri.parameters import Parameters
from tengri.process import check_process
from tengri.quantities import plain_values


class SpectralFrame:
    """What a model answers in spectra.

    Parameters
    ----------
    spec, packer, evaluators, guard
        Of the model.
    """

    def __init__(
        self, spec: Parameters, packer: Packer, evaluators: ExactEvaluators, guard: ExactGuard
    ) -> None:
        self.spec, self.packer = spec, packer
        self.evaluators, self.guard = evaluators, guard

    def predict(self, frame: str, params: Mapping[str, Any] | None, batch: bool = False) -> Any:
        """Return spectra (n_wave,), of a batch (n, n_wave); see `_sed` for the frames."""
        check_process()
        p = self.spec.resolve({} if params is None else params, batch=batch)
        compiled = _spectra if batch else _spectrum
        packed, evaluator = self.packer.pack(p), self.evaluators.spectral()
        if is_traced(p):
            return compiled(evaluator, packed, frame)[0]
        self.guard.check(p, fluxes=frame == "observed", bands=False)
        sed, log10_mass = compiled(evaluator, packed, frame)
        if batch:
            warn_no_stars(np.asarray(log10_mass))
        else:
            check_stars(p, log10_mass)
        return sed


@partial(compiled_quickly, static_argnames="frame")
def _spectrum(evaluator: ExactEvaluator, packed: Packed, frame: str) -> tuple[Any, Array]:
    return _sed(evaluator, frame, packed.unpack())


@partial(jax.jit, static_argnames="frame")
def _spectra(evaluator: ExactEvaluator, packed: Packed, frame: str) -> tuple[Any, Array]:
    return jax.vmap(lambda one: _sed(evaluator, frame, one.unpack()))(packed)


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


def check_reach(wave: np.ndarray, spectrum: Array) -> None:
    """Raise ParameterError for wavelengths outside those of an observed ``spectrum`` [Å]."""
    if isinstance(spectrum, jax.core.Tracer):
        return
    lo, hi = float(spectrum[0]), float(spectrum[-1])
    if not (wave.size and np.all((wave >= lo) & (wave <= hi))):
        raise ParameterError(
            f"wave_obs must lie within {lo:.5g}–{hi:.5g} Å, the reach of the SSP grid at "
            f"this redshift; got {shown(wave)}."
        )
