"""The emulated evaluator: from a galaxy's parameters to its bands, through a network."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.analytic.source import SourceBands
from emulator.analytic.terms import Terms
from emulator.artefact import Artefact
from emulator.domain import TrainedDomain
from emulator.networks import Network, Weights
from emulator.scaling import InputScaling, OutputScaling
from emulator.sfh_times import SFHTimes
from emulator.targets import Target
from tengri.components.composition import DISTANCE
from tengri.cosmology import log10_luminosity_to_flux
from tengri.domain import Domain
from tengri.forward.evaluator import Bands, FixedValues, Params
from tengri.forward.galaxy import Stars
from tengri.forward.packing import in_trace
from tengri.observation import FilterCurve
from tengri.parameters import Parameters
from tengri.parameters.validate import default_float


@dataclass(frozen=True)
class Rules:
    """Behaviour of an emulated evaluator outside its box.

    ``clip``: answer for the nearest point of the trained box. ``mask``: NaN outside. ``certain``:
    stars are certain, so that a bound stands for the mass formed: the integral over the history
    would cost more than the network.
    """

    clip: bool
    mask: bool
    certain: bool


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class NetworkLight:
    """The light of one galaxy in all trained bands: a network plus exact terms.

    Attributes
    ----------
    target, network : Target, Network
    stars : Stars
        When and with which metals the stars formed.
    weights, inputs, outputs
        Weights of the network and scalings of its inputs and outputs.
    terms : Terms
        The exact terms beside it.
    bands : tuple of int
        Which of the trained bands are wanted, in order.
    """

    target: Target = field(metadata={"static": True})
    network: Network = field(metadata={"static": True})
    stars: Stars = field(metadata={"static": True})
    bands: tuple[int, ...] = field(metadata={"static": True})
    weights: Weights
    inputs: InputScaling
    outputs: OutputScaling
    terms: Terms

    def __call__(self, p: Params) -> SourceBands:
        """Return the light at the source under the names of the training."""
        v = self.network.apply(self.weights, self.inputs.forward(self.target.inputs(p)))
        light = self.target.emission(v, self.outputs, p, self.stars)
        if self.bands != tuple(range(self.target.n_bands)):
            light = light._replace(flux=light.flux[np.array(self.bands)])
        return self.terms.added(light, p)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class EmulatedEvaluator:
    """A surrogate of one galaxy.

    Attributes
    ----------
    light : NetworkLight
    times : SFHTimes
        Which times stand for trained ones in another unit.
    rules : Rules
    limits, box : Domain
        The trained box, with its slack and without.
    log10_mass_min : array
        log10 of the least mass that forms per unit amplitude.
    fixed : FixedValues
        Parameters that may be left out.
    """

    times: SFHTimes = field(metadata={"static": True})
    rules: Rules = field(metadata={"static": True})
    light: NetworkLight
    limits: Domain
    box: Domain
    log10_mass_min: Any
    fixed: FixedValues

    def for_one_galaxy(self) -> EmulatedEvaluator:
        """Return it undivided: of one galaxy the cache holds all bands together."""
        outputs = replace(self.light.outputs, undivided=True)
        return replace(self, light=replace(self.light, outputs=outputs))

    def bands(self, p: Params) -> Bands:
        """Return the band fluxes of one galaxy: pure, NaN where there is no answer."""
        stars, p = self.light.stars, self.fixed.complete(p)
        if self.times:
            p = self.times.apply(p, stars.cosmology.age_gyr(p["redshift"]))
        q = self._clipped(p) if self.rules.clip else p
        light = self.light(q)
        z, distance = q["redshift"], q.get(DISTANCE.name)
        valid = z > 0.0 if distance is None else z >= 0.0
        if self.rules.mask:
            valid &= self.limits.contains(p, jnp)
        scale = log10_luminosity_to_flux(stars.cosmology, jnp.where(valid, z, 1.0), distance)
        flux = light.flux.astype(default_float())
        mass = self._log10_mass(q) if light.log10_mass is None else light.log10_mass
        return Bands(light.log10_scale + scale, jnp.where(valid, flux, jnp.nan), mass)

    def _clipped(self, p: Mapping[str, Array]) -> dict[str, Array]:
        low, high = self.box.low, self.box.high
        return {**p, **{name: jnp.clip(p[name], low[name], high[name]) for name in low}}

    def _log10_mass(self, p: Params) -> Array:
        if self.rules.certain:
            return self.light.target.least_log10_mass(p, self.log10_mass_min)
        return self.light.stars.formed(p)[0]


class EmulatedEvaluators:
    """The evaluators of one surrogate; each is made once and kept.

    Parameters
    ----------
    artefact : Artefact
    spec : Parameters
    domain : TrainedDomain
    stars : Stars
        Those that the target asks for.
    bands : tuple of int
        Which of the trained bands are wanted.
    filters : tuple of FilterCurve
        Their curves.
    """

    def __init__(
        self,
        artefact: Artefact,
        spec: Parameters,
        domain: TrainedDomain,
        stars: Stars,
        bands: tuple[int, ...],
        filters: tuple[FilterCurve, ...],
    ) -> None:
        self.artefact, self.spec, self.domain = artefact, spec, domain
        self.times = artefact.target.sfh_times(spec, artefact.spec)
        z = domain.by_name["redshift"]
        terms = artefact.target.terms(spec.composition, filters, float(z.lo), float(z.hi))
        weights = jax.tree.map(np.asarray, artefact.params)
        self._light = NetworkLight(
            artefact.target, artefact.network, stars, bands, weights, artefact.in_scaling,
            artefact.out_scaling, terms,
        )  # fmt: skip
        self._made: dict[Hashable, Any] = {}

    def over(self, z_range: tuple[float, float] | None = None) -> EmulatedEvaluator:
        """Return the evaluator for JAX transformations; it serves every trained redshift."""
        return self._with(traced=True, certain=False)

    def choose(self, p: Mapping[str, Any]) -> EmulatedEvaluator:
        """Return the evaluator that serves complete parameters, which may be tracers."""
        certain = self.artefact.target.certain_stars(p, self.spec, self.artefact.log10_mass_min)
        return self._with(in_trace(p), certain)

    def for_floats(self) -> tuple[EmulatedEvaluator, Mapping[str, tuple[float, float]] | None]:
        """Return the evaluator of Python floats inside the trained box, and their ranges."""
        target, least = self.artefact.target, self.artefact.log10_mass_min
        ranges = self.domain.limits.ranges() | target.certain_ranges(least)
        lo, hi = ranges["redshift"]
        ranges["redshift"] = max(lo, float(np.finfo(np.float32).tiny)), hi
        return self._with(traced=False, certain=True), None if self.times else ranges

    def _with(self, traced: bool, certain: bool) -> EmulatedEvaluator:
        mask = self.domain.masks(traced)
        rules = Rules(self.domain.mode == "clip", mask, certain)
        return self._once((rules, default_float()), lambda: replace(self._general(), rules=rules))

    def _general(self) -> EmulatedEvaluator:
        """Return an evaluator whose arrays all others share."""
        return self._once(("general", default_float()), self._build)

    def _build(self) -> EmulatedEvaluator:
        light = jax.tree.map(jnp.asarray, replace(self._light, terms=Terms()))
        light = replace(light, terms=self._light.terms.in_default_float())
        limits, box = jax.tree.map(
            lambda x: jnp.asarray(x, float), (self.domain.limits, self.domain.box)
        )
        least = jnp.asarray(self.artefact.log10_mass_min, float)
        fixed = FixedValues.of(self.spec)
        rules = Rules(clip=False, mask=False, certain=False)
        return EmulatedEvaluator(self.times, rules, light, limits, box, least, fixed)

    def _once(self, key: Hashable, make: Callable[[], EmulatedEvaluator]) -> EmulatedEvaluator:
        if key not in self._made:
            with jax.ensure_compile_time_eval(), jax.transfer_guard("allow"):
                self._made[key] = make()
        return self._made[key]
