"""Common interface of exact and emulated evaluators: the bands of one galaxy, a pure function.

An evaluator is a frozen pytree. Its grids and equations are static, compared by a digest; its
spectra, projections, weights and fixed values are leaves: compiled functions take it as an
argument, and two models of equal structure share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.domain import Domain
from tengri.forward.units import to_units
from tengri.parameters import Parameters

Params = Mapping[str, Array]


class Bands(NamedTuple):
    """Band fluxes ``flux * 10**log10_scale`` [erg/s/cm²/Hz] of one galaxy.

    ``flux`` (n_bands,) is of order one; ``log10_mass`` is the mass formed [Msun], or a lower
    bound of it where stars are certain.
    """

    log10_scale: Array
    flux: Array
    log10_mass: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class FixedValues:
    """Values of the parameters of a spec that are not free, and where the others are answered.

    Attributes
    ----------
    values : dict
        Values by name, in the process's default float.
    follows : tuple of (str, str)
        Parameters that follow another one: (name, source).
    limits : Domain
        Parameters that are NaN outside, and with them the light.
    """

    values: dict[str, Any]
    follows: tuple[tuple[str, str], ...] = field(default=(), metadata={"static": True})
    limits: Domain = field(default_factory=lambda: Domain({}, {}))

    @classmethod
    def of(cls, spec: Parameters, limits: Domain | None = None) -> FixedValues:
        """Return the fixed values of a spec, and the limits of the others."""
        values = {n: jnp.asarray(spec.fixed_value(n), float) for n in spec.fixed_params}
        box = Domain({}, {}) if limits is None else limits
        box = jax.tree.map(lambda x: jnp.asarray(x, float), box)
        return cls(values, tuple(sorted(spec.mirrors.items())), box)

    def complete(self, p: Params) -> dict[str, Array]:
        """Return ``p`` with what it leaves out; what it gives stays, NaN outside the limits."""
        given = {**self.values, **p}
        whole = {**{name: given[source] for name, source in self.follows}, **given}
        outside = {name: jnp.where(self.limits.within(name, whole[name]), whole[name], jnp.nan)
                   for name in self.limits.low}  # fmt: skip
        return {**whole, **outside}


class Evaluator(Protocol):
    """The light of one galaxy in every band.

    ``jax.vmap(evaluator.bands)`` is a batch, ``jax.grad`` of it a slope.
    """

    @property
    def fixed(self) -> FixedValues:
        """Parameters that may be left out."""
        ...

    def bands(self, p: Params) -> Bands:
        """Return the band fluxes: pure, without checks, NaN where there is no answer."""
        ...

    def for_one_galaxy(self) -> Evaluator:
        """Return the evaluator as a call for one galaxy by itself wants it."""
        ...


class Evaluators(Protocol):
    """Where a model's evaluators come from; each is made once and kept."""

    def over(self, z_range: tuple[float, float] | None) -> Evaluator:
        """Return the one that serves an interval of redshift, by default that of the prior."""
        ...

    def choose(self, p: Mapping[str, Any]) -> Evaluator:
        """Return the one that serves complete parameters, which may be tracers."""
        ...

    def for_floats(self) -> tuple[Evaluator, Mapping[str, tuple[float, float]] | None]:
        """Return the one that serves Python floats, and where: None if there is no such place."""
        ...


class Guard(Protocol):
    """What a model can answer for."""

    def check(self, p: Mapping[str, Any]) -> None:
        """Raise or warn about concrete values that it cannot serve (``p`` is complete)."""
        ...

    def rows(self, p: Mapping[str, Any]) -> np.ndarray:
        """Return which galaxies of a batch it can answer for, (n,)."""
        ...


class AgeResponse(NamedTuple):
    """Light of 1 Msun of each stellar age, without an AGN.

    ``bands`` (n_bands, n_bin) is the light in the bands at the source, in units of
    ``10**log10_flux_unit`` Lsun/Hz of the evaluator; ``absorbed`` (n_bin,) what dust absorbs of
    it, in that unit times 1 Hz, where the spec has dust emission (without, the spectrum is cut).
    """

    bands: Array
    absorbed: Array


def flux_of(evaluator: Evaluator, units: str, p: Params) -> tuple[Array, Array]:
    """Return (fluxes (n_bands,) of one galaxy in ``units``, log10 of the mass formed).

    NaN where no star has formed.
    """
    bands = evaluator.bands(p)
    flux = to_units(bands.log10_scale, bands.flux, units)
    return jnp.where(bands.log10_mass >= 0.0, flux, jnp.nan), bands.log10_mass
