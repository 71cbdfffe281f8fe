r"""Absolute magnitudes: the bands of a galaxy at rest, from 10 pc away.

.. math:: M_b = -2.5 \log_{10} \langle f_\nu \rangle_b - 48.60, \quad
          f_\nu(\lambda) = L_\nu(\lambda) / 4\pi (10\,pc)^2,

the AB magnitude in the band's own curve of the light that leaves the galaxy: stars and gas behind
the galaxy's dust, what that dust radiates, and the nucleus. Neither the intergalactic medium nor a
distance has a part in it; the redshift says how old the Universe is. Without dust: with both
optical depths at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.cosmology import log10_luminosity_to_flux
from tengri.errors import ConfigError
from tengri.forward.batching import Execution, RowMap, map_traced
from tengri.forward.evaluator import Bands, FixedValues, Params, flux_of
from tengri.forward.exact import ExactEvaluator
from tengri.forward.exact_evaluators import ExactEvaluators
from tengri.forward.exact_guard import ExactGuard
from tengri.forward.no_stars import check_stars, warn_no_stars
from tengri.forward.packing import Packed, Packer, in_trace
from tengri.observation import Instrument, Observation
from tengri.observation.filters import FilterCurve
from tengri.parameters import Parameters
from tengri.process import check_process

TEN_PC_MPC = 1e-5


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class RestEvaluator:
    """The light of one galaxy in bands at rest, from 10 pc.

    Attributes
    ----------
    exact : ExactEvaluator
        Of the same bands, at redshift 0.
    """

    exact: ExactEvaluator

    @property
    def fixed(self) -> FixedValues:
        """Parameters that may be left out."""
        return self.exact.fixed

    def for_one_galaxy(self) -> RestEvaluator:
        """Return the evaluator itself."""
        return self

    def bands(self, p: Params) -> Bands:
        """Return the band fluxes of one galaxy: pure."""
        exact = self.exact
        assert exact.projection is not None
        light, nowhere = exact.spectrum(p), jnp.zeros(())
        distance = jnp.asarray(TEN_PC_MPC, float)
        scale = log10_luminosity_to_flux(exact.galaxy.cosmology, nowhere, distance)
        flux = exact.projection.project(light.lnu, nowhere)
        return Bands(light.log10_scale + scale, flux, light.log10_mass)


class RestFrame:
    """What a model answers in bands at rest.

    Parameters
    ----------
    spec, packer, evaluators, guard, execution
        Of the model.
    """

    def __init__(
        self,
        spec: Parameters,
        packer: Packer,
        evaluators: ExactEvaluators,
        guard: ExactGuard,
        execution: Execution,
    ) -> None:
        self.spec, self.packer = spec, packer
        self.evaluators, self.guard, self.execution = evaluators, guard, execution
        self._checked: set[tuple[str, ...]] = set()

    def magnitudes(self, instrument: Any, params: Mapping[str, Any] | None, batch: bool) -> Array:
        """Return absolute AB magnitudes (n_bands,), of a batch (n, n_bands)."""
        check_process()
        filters = _filters(instrument)
        p = self.spec.resolve({} if params is None else params, batch=batch)
        evaluator, packed = self._evaluator(filters, in_trace(p)), self.packer.pack(p)
        if in_trace(p):
            return _in_trace(evaluator, packed, self.execution if batch else None)
        self.guard.check(p, fluxes=False, bands=False)
        if batch:
            found, log10_mass = _row_map()(evaluator, packed, self.execution.sizes)
            warn_no_stars(np.asarray(log10_mass))
            return found
        found, log10_mass = _one(evaluator, packed)
        check_stars(p, log10_mass)
        return found

    def colours(self, instrument: Any, params: Mapping[str, Any] | None, batch: bool) -> Array:
        """Return the differences (…, n_bands - 1) of neighbouring bands' magnitudes."""
        if len(filters := _filters(instrument)) < 2:
            raise ConfigError(f"A colour needs two bands; got {filters[0].name} alone.")
        found = self.magnitudes(instrument, params, batch)
        return found[..., :-1] - found[..., 1:]

    def _evaluator(self, filters: tuple[FilterCurve, ...], traced: bool) -> RestEvaluator:
        """Return the evaluator of some bands; raise where one leaves the spectrum."""
        bands = tuple(f.fingerprint for f in filters)
        if bands not in self._checked:
            self.guard.check_reach(0.0, 0.0, filters)
            self.guard.warn_infrared(0.0, filters)
            self._checked.add(bands)
        return RestEvaluator(self.evaluators.at_rest(filters, traced))


def _filters(instrument: Any) -> tuple[FilterCurve, ...]:
    """Return the curves of an instrument, or of an observation."""
    if isinstance(instrument, Instrument):
        instrument = instrument.observation()
    bare = " without bands" if isinstance(instrument, Observation) else ""
    if not isinstance(instrument, Observation) or not instrument.filters:
        raise ConfigError(
            f"The bands are those of an Instrument, e.g. Instrument.SDSS(), or of an Observation; "
            f"got {type(instrument).__name__}{bare}."
        )
    return instrument.filters


# Compiled once for all models of the same structure.


@jax.jit
def _one(evaluator: RestEvaluator, packed: Packed) -> tuple[Array, Array]:
    return flux_of(evaluator, "mag_ab", packed.unpack())


@partial(jax.jit, static_argnames="execution")
def _in_trace(evaluator: RestEvaluator, packed: Packed, execution: Execution | None) -> Array:
    if execution is None:
        return flux_of(evaluator, "mag_ab", packed.unpack())[0]
    return map_traced(lambda one: flux_of(evaluator, "mag_ab", one.unpack())[0], packed, execution)


@cache
def _row_map() -> RowMap:
    return RowMap(lambda evaluator, one: flux_of(evaluator, "mag_ab", one.unpack()))
