"""Scalings of network inputs and outputs: pytrees of float32 arrays.

Inputs (…, n_in): ``(g(v) - centre) / half``, with g the identity or ``ln(v + shift)``; a bounded
prior fills [-1, 1], an unbounded one has its central 68 % there.
Outputs (…, n_out): ``(y - mean) / scale``, or whitened principal components, all or the first few;
logarithms may have a soft floor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.errors import ConfigError
from tengri.numerics.linalg import einsum
from tengri.parameters import Parameters
from tengri.priors import Distribution, LogUniform

F32 = np.float32
#: Rows that are measured together.
TOGETHER = 8192

#: Probability left out on either side of an unbounded prior: the box ends there.
TAIL = 1e-6
#: A standardised output, or a component, is never blown up by more than this.
LEAST_SCALE = 1e-3
#: What lies below a floor is given as this share of it, so that its gradient stays finite.
BELOW_FLOOR = 1e-3


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class InputScaling:
    """Raw parameter values to the network's inputs, each array (n_in,).

    Attributes
    ----------
    centre, half : array of float32
        Middle and half width of the box, in log x where ``log`` says so.
    log : tuple of bool
        Which inputs are taken as logarithms.
    shift : tuple of float
        What is added to each before its logarithm is taken.
    """

    centre: ArrayLike
    half: ArrayLike
    log: tuple[bool, ...] = field(metadata={"static": True})
    shift: tuple[float, ...] = field(metadata={"static": True})

    @classmethod
    def from_spec(
        cls, spec: Parameters, names: Sequence[str], shifted: Mapping[str, float] | None = None
    ) -> InputScaling:
        """Scale by the priors of the parameters ``names``; a latent field repeats its own.

        ``shifted`` names inputs that are taken as ``ln(v + shift)``.
        """
        rows = []
        for name in names:
            prior = spec.get_distribution(name)
            shift = (shifted or {}).get(name, 0.0)
            log = isinstance(prior, LogUniform) or shift > 0.0
            lo, hi = (math.log(b + shift) if log else b for b in _unit_range(prior))
            size = math.prod(spec.composition.params[name].shape)
            rows += [(0.5 * (lo + hi), 0.5 * (hi - lo), log, shift)] * size
        centre, half, logs, shifts = zip(*rows)
        return cls(np.array(centre, F32), np.array(half, F32), tuple(logs), tuple(shifts))

    def forward(self, v: ArrayLike) -> Array:
        """Return scaled inputs (…, n_in) in float32."""
        v = jnp.asarray(v).astype(F32)
        if any(self.log):
            log, shift = np.array(self.log), np.array(self.shift, F32)
            v = jnp.where(log, jnp.log(jnp.where(log, v + shift, 1.0)), v)
        return (v - jnp.asarray(self.centre)) / jnp.asarray(self.half)

    def inverse(self, x: ArrayLike) -> Array:
        """Return raw values (…, n_in) of scaled inputs."""
        v = jnp.asarray(x).astype(F32) * jnp.asarray(self.half) + jnp.asarray(self.centre)
        if not any(self.log):
            return v
        return jnp.where(np.array(self.log), jnp.exp(v) - np.array(self.shift, F32), v)

    def to_dict(self) -> dict[str, Any]:
        """Return arrays and flags by name."""
        return {"centre": np.asarray(self.centre), "half": np.asarray(self.half),
                "log": list(self.log), "shift": list(self.shift)}  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InputScaling:
        """Rebuild what `to_dict` describes."""
        log = tuple(bool(flag) for flag in data["log"])
        shift = tuple(float(v) for v in data["shift"])
        return cls(np.asarray(data["centre"], F32), np.asarray(data["half"], F32), log, shift)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class OutputScaling:
    """Targets to standardised outputs and back.

    Attributes
    ----------
    mean, scale : array of float32, (n_out,) and (n_latent,)
        Mean of each output; its unit, or that of each component.
    rotation : array of float32, (n_out, n_latent) or (n_blocks, n_out / n_blocks, r), or None
        Principal components in its columns; or r of each block of outputs, end to end.
    floor : array of float32, (n_out,), or None
        ``y`` is a logarithm that fades into this value: ``ln(e^y + e^floor)`` is what is scaled.
    undivided : bool
        Whether `blocks` leaves them together.
    """

    mean: ArrayLike
    scale: ArrayLike
    rotation: ArrayLike | None = None
    floor: ArrayLike | None = None
    undivided: bool = field(default=False, metadata={"static": True})

    @classmethod
    def fit(
        cls,
        y: ArrayLike,
        pca: bool = False,
        per_band: bool = False,
        components: int = 0,
        floor: ArrayLike | None = None,
        blocks: int = 1,
    ) -> OutputScaling:
        """Measure the scaling on rows ``y`` (n, n_out), in float64.

        Parameters
        ----------
        y : array, shape (n, n_out)
            Training targets, finite.
        pca : bool
            Whiten principal components.
        per_band : bool
            Give each output its own unit. By default all share one, so that the same error in
            magnitudes counts the same in every band.
        components : int
            Keep this many principal components; 0 keeps all.
        floor : array, shape (n_out,), optional
            Where logarithms end.
        blocks : int
            Rotate so many parts of the outputs, equally long, each by itself: ``components`` is
            how many each of them keeps.
        """
        rows = np.asarray(y)
        if rows.ndim != 2 or len(rows) < 2 or not np.isfinite(rows).all():
            raise ConfigError(
                f"Outputs are scaled by two or more finite rows (n, n_out); got shape {rows.shape}"
                f" with {np.count_nonzero(~np.isfinite(rows))} values that are not finite."
            )
        if pca and per_band:
            raise ConfigError("pca gives every component its own unit: leave per_band out.")
        floor = None if floor is None else np.asarray(floor, F32)
        mean = sum(part.sum(axis=0) for part in _in_float64(rows, floor)) / len(rows)
        if not pca:
            variance = sum(np.square(p - mean).sum(axis=0) for p in _in_float64(rows, floor))
            std = np.sqrt(variance / len(rows))
            common = np.full_like(std, math.sqrt(np.mean(std**2)))
            return cls(mean.astype(F32), _floored(std if per_band else common), None, floor)
        products = np.zeros((blocks, rows.shape[1] // blocks, rows.shape[1] // blocks))
        for part in _in_float64(rows, floor):
            for i, block in enumerate(np.split(part - mean, blocks, axis=1)):
                products[i] += block.T @ block
        parts = [_principal(p / (len(rows) - 1), components) for p in products]
        scale = np.concatenate([part[0] for part in parts])
        rotation = parts[0][1] if blocks == 1 else np.stack([part[1] for part in parts])
        return cls(mean.astype(F32), _floored(scale), rotation, floor)

    def floored(self, y: ArrayLike) -> Array:
        """Return targets with their floor."""
        y = jnp.asarray(y).astype(F32)
        return y if self.floor is None else jnp.logaddexp(y, jnp.asarray(self.floor))

    def forward(self, y: ArrayLike) -> Array:
        """Return standardised outputs (…, n_latent) in float32."""
        centred = self.floored(y) - jnp.asarray(self.mean)
        return self._rotated(centred, "b", "r") / jnp.asarray(self.scale)

    def inverse(self, v: ArrayLike) -> Array:
        """Return targets (…, n_out) of standardised outputs; above a floor, where there is one."""
        y = jnp.asarray(v).astype(F32) * jnp.asarray(self.scale)
        return self._rotated(y, "r", "b") + jnp.asarray(self.mean)

    def _rotated(self, values: Array, given: str, asked: str) -> Array:
        """Return ``values`` (…, n) turned from outputs "b" to components "r", or back."""
        if self.rotation is None:
            return values
        rotation = jnp.asarray(self.rotation)
        if rotation.ndim == 2:
            return einsum(f"...{given},br->...{asked}", values, rotation)
        parts = values.reshape(*values.shape[:-1], len(rotation), -1)
        turned = einsum(f"...n{given},nbr->...n{asked}", parts, rotation)
        return turned.reshape(*values.shape[:-1], -1)

    def linear(self, v: ArrayLike) -> Array:
        """Return `inverse` without its constant: how targets change with standardised outputs."""
        return self.inverse(v) - jnp.asarray(self.mean)

    def exp_inverse(self, v: ArrayLike) -> Array:
        """Return the exponentials of targets (…, n_out): the floor is taken off again."""
        values = jnp.exp(self.inverse(v))
        if self.floor is None:
            return values
        floor = jnp.exp(jnp.asarray(self.floor))
        return jnp.maximum(values - floor, BELOW_FLOOR * floor)

    def blocks(self) -> list[OutputScaling]:
        """Return the scalings of the parts that are rotated by themselves; of all, if none is."""
        together = self.undivided or self.rotation is None
        if together or (rotation := jnp.asarray(self.rotation)).ndim == 2:
            return [self]
        split = partial(jnp.split, indices_or_sections=len(rotation))
        floors = [None] * len(rotation) if self.floor is None else split(jnp.asarray(self.floor))
        return [OutputScaling(*part) for part in
                zip(split(jnp.asarray(self.mean)), split(jnp.asarray(self.scale)), rotation, floors)
                ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return arrays by name; those that are None are left out."""
        named = {"mean": self.mean, "scale": self.scale, "rotation": self.rotation,
                 "floor": self.floor}  # fmt: skip
        return {name: np.asarray(a) for name, a in named.items() if a is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OutputScaling:
        """Rebuild what `to_dict` describes."""
        arrays: dict[str, Any] = {name: np.asarray(a, F32) for name, a in data.items()}
        return cls(**arrays)


def trained_range(prior: Distribution) -> tuple[float, float]:
    """Return the box of a free parameter: its bounds, or its quantiles where it has none."""
    lo, hi = (float(b) for b in prior.bounds)
    if not math.isfinite(lo):
        lo = _quantile(prior, TAIL)
    if not math.isfinite(hi):
        hi = _quantile(prior, 1.0 - TAIL)
    return lo, hi


def _unit_range(prior: Distribution) -> tuple[float, float]:
    """Return the range that is mapped to [-1, 1]."""
    if all(math.isfinite(b) for b in prior.bounds):
        return trained_range(prior)
    return _quantile(prior, 0.16), _quantile(prior, 0.84)


def _quantile(prior: Distribution, u: float) -> float:
    return float(prior.from_unit(u))


def _in_float64(rows: np.ndarray, floor: Any) -> Iterator[np.ndarray]:
    """Yield rows (n, n_out) above their floor, part by part: all would take twice their memory."""
    for first in range(0, len(rows), TOGETHER):
        part = rows[first : first + TOGETHER].astype(np.float64)
        yield part if floor is None else np.logaddexp(part, floor)


def _principal(covariance: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Return spread (r,) and directions (n, r) of the first components of a covariance."""
    values, vectors = np.linalg.eigh(covariance)
    kept = kept or len(covariance)
    scale = np.sqrt(np.maximum(values[::-1][:kept], 0.0))
    return scale, np.ascontiguousarray(vectors[:, ::-1][:, :kept], F32)


def _floored(scale: np.ndarray) -> np.ndarray:
    """Keep constant outputs and empty components from dividing by zero."""
    largest = float(scale.max())
    return np.maximum(scale, LEAST_SCALE * largest if largest > 0.0 else 1.0).astype(F32)
