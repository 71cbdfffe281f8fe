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
import numpy as np
from jax import Array

from emulator.beside import Beside
from emulator.networks import Network
from emulator.scaling import InputScaling, OutputScaling
from emulator.targets import Target
from tengri import Parameters, SEDModel
from tengri.forward.shell import Vector
from tengri.forward.units import LOG10_UNIT

#: Galaxies per compiled call.
CHUNK = 2048


class Galaxies(NamedTuple):
    """Galaxies of one trial: free parameters by name (n, …), packed parameters, exact light."""

    params: dict[str, np.ndarray]
    packed: Vector
    flux: np.ndarray
    log10_scale: np.ndarray
    log10_dilution: np.ndarray

    @property
    def maggies(self) -> np.ndarray:
        """Exact observed fluxes (n, n_bands)."""
        log10_unit = self.log10_scale + self.log10_dilution - LOG10_UNIT["maggies"]
        return self.flux * 10.0 ** log10_unit[:, None]


@dataclass(frozen=True)
class Trial:
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
            packed = self.model._pack(self.spec.resolve(drawn, batch=True))
            constants = self.model._constants(self.model._prior_z)
            flux, scale, dilution, mass = _chunked(self._exact, (constants,), packed)
        good = np.isfinite(flux).all(axis=1) & (flux.max(axis=1) > 0.0) & (mass >= 0.0)
        kept = {name: values[good] for name, values in drawn.items()}
        return Galaxies(kept, jax.tree.map(lambda a: np.asarray(a)[good], packed),
                        flux[good], scale[good], dilution[good])  # fmt: skip

    @cached_property
    def _exact(self) -> Any:
        model, path = self.model, self.model._prior_z

        def one(constants: Any, row: Vector) -> tuple[Array, ...]:
            p = model._unpack(row)
            bands = model._bands(path, constants, p)
            dilution = model._log10_dilution(p["redshift"])
            scale = self.target.log10_unit_of(p, bands.log10_mass)
            flux = bands.flux * 10.0 ** (bands.log10_scale - dilution - scale)
            return flux, scale, dilution, bands.log10_mass

        def chunk(constants: Any, rows: Vector) -> tuple[Array, ...]:
            return jax.lax.map(lambda r: one(constants, r), rows, batch_size=model.sizes.block)

        return jax.jit(chunk)

    def emulated(self, params: Any, scaling: OutputScaling, galaxies: Galaxies) -> np.ndarray:
        """Return what the surrogate says of galaxies, (n, n_bands) in their units."""
        with jax.enable_x64(False):
            packed = jax.tree.map(lambda a: np.asarray(a, np.float32), galaxies.packed)
            flux, scale = _chunked(self._emulated, (params, scaling), packed)
        # the scale holds the mass formed, which is exact: only its float32 rounding differs
        return np.asarray(flux * 10.0 ** (scale - galaxies.log10_scale)[:, None])

    @cached_property
    def beside(self) -> Beside:
        """What is exact beside the network."""
        filters, (z_lo, z_hi, *_) = self.model.observation.photometry.filters, self.model._prior_z
        return Beside.build(self.target, self.spec.composition, filters, z_lo, z_hi)

    @cached_property
    def _emulated(self) -> Any:
        arrays = self.beside.arrays()

        def one(params: Any, scaling: OutputScaling, row: Vector) -> tuple[Array, Array]:
            p = self.model._unpack(row)
            v = self.network.apply(params, self.in_scaling.forward(self.target.inputs(p)))
            stars = self.target.emission(v, scaling, p, self.model.galaxy)
            light = self.beside.added(stars, arrays, p)
            return light.flux, light.log10_scale

        return jax.jit(jax.vmap(one, (None, None, 0)))


def _chunked(fn: Any, constants: tuple[Any, ...], packed: Vector) -> tuple[np.ndarray, ...]:
    """Run ``fn`` over chunks of rows, the last one padded; return float64 arrays."""
    n = len(packed.scalars)
    size = min(CHUNK, n)
    parts = []
    for first in range(0, n, size):
        rows = np.minimum(np.arange(first, first + size), n - 1)
        parts.append(fn(*constants, jax.tree.map(lambda a, r=rows: a[r], packed)))
    return tuple(np.concatenate([np.asarray(a, np.float64) for a in column])[:n]
                 for column in zip(*parts))  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """Held-out galaxies of every trial."""

    trials: tuple[Trial, ...]
    parts: tuple[Galaxies, ...]

    @classmethod
    def draw(cls, trials: tuple[Trial, ...], seed: int, n: int) -> Truth:
        """Draw ``n`` galaxies, in equal parts from the trials.

        Raises
        ------
        ArithmeticError
            The exact model itself gives no finite flux anywhere.
        """
        each = -(-n // len(trials))
        parts = tuple(t.galaxies(seed + i, 0, each) for i, t in enumerate(trials))
        if not all(len(part.flux) for part in parts):
            raise ArithmeticError("the exact model gives no finite flux anywhere in the prior.")
        return cls(trials, parts)

    @cached_property
    def flux(self) -> np.ndarray:
        """Exact fluxes (n, n_bands), float64."""
        return np.concatenate([part.flux for part in self.parts])

    @cached_property
    def params(self) -> dict[str, np.ndarray]:
        """Free parameters by name (n, …) that all trials have in common."""
        common = [n for n in self.parts[0].params if all(n in p.params for p in self.parts)]
        return {n: np.concatenate([part.params[n] for part in self.parts]) for n in common}

    @cached_property
    def family(self) -> np.ndarray:
        """Which trial each galaxy belongs to, (n,)."""
        return np.repeat(np.arange(len(self.parts)), [len(p.flux) for p in self.parts])

    def emulated(self, params: Any, scaling: OutputScaling) -> np.ndarray:
        """Return the surrogate's fluxes (n, n_bands), in the units of ``flux``."""
        said = [t.emulated(params, scaling, g) for t, g in zip(self.trials, self.parts)]
        return np.concatenate(said)
