"""Galaxies on which a surrogate is judged: prior draws through the exact model, in float64.

A surrogate of all parameters is judged on its own prior; one that serves any star-formation
history on a mixture of families, in equal parts.

Shapes: ``flux`` (n, n_bands) in units of ``10**log10_scale`` [Lsun/Hz], log10_scale (n,).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.evaluator import NetworkLight
from emulator.networks import Network
from emulator.scaling import InputScaling, OutputScaling
from emulator.targets import Target
from tengri import Parameters, SEDModel
from tengri.cosmology import log10_luminosity_to_flux
from tengri.forward.batching import RowMap, Sizes
from tengri.forward.exact import ExactEvaluator
from tengri.forward.exact_evaluators import redshift_range
from tengri.forward.packing import Packed
from tengri.forward.units import LOG10_UNIT

#: Galaxies per compiled call of a surrogate, and of a part of it.
CHUNK, BLOCK = 2048, 1024


class Galaxies(NamedTuple):
    """Galaxies of one family: free parameters by name (n, …), packed parameters, exact light."""

    params: dict[str, np.ndarray]
    packed: Packed
    flux: np.ndarray
    log10_scale: np.ndarray
    log10_luminosity_to_flux: np.ndarray

    @property
    def maggies(self) -> np.ndarray:
        """Exact observed fluxes (n, n_bands)."""
        log10_unit = self.log10_scale + self.log10_luminosity_to_flux - LOG10_UNIT["maggies"]
        return self.flux * 10.0 ** log10_unit[:, None]


@dataclass(frozen=True)
class HeldOutFamily:
    """One family of galaxies: a spec, its exact model, and the surrogate's network for it."""

    name: str
    spec: Parameters
    model: SEDModel
    target: Target
    network: Network
    in_scaling: InputScaling

    @cached_property
    def _draw(self) -> Any:
        sample = self.spec.sample
        return jax.jit(jax.vmap(lambda key, i: sample(jax.random.fold_in(key, i)), (None, 0)))

    def draw(self, seed: int, start: int, n: int) -> dict[str, np.ndarray]:
        """Return free parameters of ``n`` prior draws, each a function of (seed, number)."""
        drawn = self._draw(jax.random.key(seed), start + np.arange(n))
        return {name: np.asarray(drawn[name]) for name in self.spec.free_params}

    def galaxies(self, seed: int, start: int, n: int) -> Galaxies:
        """Return prior draws with their exact light in float64; those without stars are left out.

        The parameters are drawn in float32, so that both precisions see the same numbers.
        """
        with jax.enable_x64(False):
            drawn = self.draw(seed, start, n)
        with jax.enable_x64(True):
            packed = self.model.pack(drawn, batch=True)
            made = self._exact(self.model.evaluator(), packed, self.model.execution.sizes)
        flux, scale, to_flux, mass = (np.asarray(a, np.float64) for a in made)
        good = np.isfinite(flux).all(axis=1) & (flux.max(axis=1) > 0.0) & (mass >= 0.0)
        kept = {name: values[good] for name, values in drawn.items()}
        return Galaxies(kept, jax.tree.map(lambda a: np.asarray(a)[good], packed),
                        flux[good], scale[good], to_flux[good])  # fmt: skip

    @cached_property
    def _exact(self) -> RowMap:
        def one(exact: ExactEvaluator, row: Packed) -> tuple[Array, ...]:
            p = row.unpack()
            bands = exact.bands(p)
            to_flux = log10_luminosity_to_flux(exact.galaxy.cosmology, p["redshift"])
            scale = self.target.log10_unit_of(p, bands.log10_mass)
            flux = bands.flux * 10.0 ** (bands.log10_scale - to_flux - scale)
            return flux, scale, to_flux, bands.log10_mass

        return RowMap(one)

    def light(self, params: Any, scaling: OutputScaling) -> NetworkLight:
        """Return the surrogate's light with given weights, in the process's default float."""
        filters = self.model.observation.photometry.filters
        z_lo, z_hi = redshift_range(self.spec)
        terms = self.target.terms(self.spec.composition, filters, z_lo, z_hi)
        return NetworkLight(
            self.target, self.network, self.model.stars, tuple(range(self.target.n_bands)), params,
            self.in_scaling, scaling, terms.in_default_float(),
        )  # fmt: skip

    def emulated(self, params: Any, scaling: OutputScaling, galaxies: Galaxies) -> np.ndarray:
        """Return what the surrogate says of galaxies, (n, n_bands) in their units."""
        with jax.enable_x64(False):
            packed = jax.tree.map(lambda a: np.asarray(a, np.float32), galaxies.packed)
            light = jax.tree.map(jnp.asarray, self.light(params, scaling))
            made = self._emulated(light, packed, Sizes(BLOCK, CHUNK))
        flux, scale = (np.asarray(a, np.float64) for a in made)
        # the scale holds the mass formed, which is exact: only its float32 rounding differs
        return np.asarray(flux * 10.0 ** (scale - galaxies.log10_scale)[:, None])

    @cached_property
    def _emulated(self) -> RowMap:
        def one(light: NetworkLight, row: Packed) -> tuple[Array, Array]:
            source = light(row.unpack())
            return source.flux, source.log10_scale

        return RowMap(one)


@dataclass(frozen=True)
class HeldOut:
    """Held-out galaxies of every family."""

    families: tuple[HeldOutFamily, ...]
    parts: tuple[Galaxies, ...]

    @classmethod
    def draw(cls, families: tuple[HeldOutFamily, ...], seed: int, n: int) -> HeldOut:
        """Draw ``n`` galaxies, in equal parts from the families.

        Raises
        ------
        ArithmeticError
            The exact model itself gives no finite flux anywhere.
        """
        each = -(-n // len(families))
        parts = tuple(t.galaxies(seed + i, 0, each) for i, t in enumerate(families))
        if not all(len(part.flux) for part in parts):
            raise ArithmeticError("the exact model gives no finite flux anywhere in the prior.")
        return cls(families, parts)

    @cached_property
    def flux(self) -> np.ndarray:
        """Exact fluxes (n, n_bands), float64."""
        return np.concatenate([part.flux for part in self.parts])

    @cached_property
    def params(self) -> dict[str, np.ndarray]:
        """Free parameters by name (n, …) that all families have in common."""
        common = [n for n in self.parts[0].params if all(n in p.params for p in self.parts)]
        return {n: np.concatenate([part.params[n] for part in self.parts]) for n in common}

    @cached_property
    def family(self) -> np.ndarray:
        """Which family each galaxy belongs to, (n,)."""
        return np.repeat(np.arange(len(self.parts)), [len(p.flux) for p in self.parts])

    def emulated(self, params: Any, scaling: OutputScaling) -> np.ndarray:
        """Return the surrogate's fluxes (n, n_bands), in the units of ``flux``."""
        said = [t.emulated(params, scaling, g) for t, g in zip(self.families, self.parts)]
        return np.concatenate(said)
