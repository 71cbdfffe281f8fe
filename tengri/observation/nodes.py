"""Nodes of a rest-frame grid as bands see them: their observed wavelengths, and their windows.

Emission lines need care in float32, where an observed wavelength is no better than 0.001 Å:
wavelengths are measured from the middle of what is looked at, and the large product that gives
them is of numbers of 12 bits, thus exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri.errors import ConfigError
from tengri.observation.filters import FilterCurve

try:
    from jax.experimental.xla_metadata import set_xla_metadata
except ImportError:  # experimental: without it things are made anew
    set_xla_metadata = None  # type: ignore[assignment]

_HEAD = 2048.0  # heads of wavelengths are whole numbers of 1/2048 of their range
_STRETCH = 128.0  # the head of 1 + z counts in 1/128: 12 bits up to z = 31


def from_centre(head: jax.Array, rest: jax.Array, z: jax.Array, centre: Any) -> jax.Array:
    """Return λ (1 + z) − centre of nodes λ = head + rest; the large product is of heads, exact."""
    stretch = 1.0 + jnp.asarray(z)
    even = jax.lax.RoundingMethod.TO_NEAREST_EVEN
    stretch_head = jax.lax.round(stretch * _STRETCH, even) / _STRETCH
    return (head * stretch_head - centre) + (head * (stretch - stretch_head) + rest * stretch)


def head_of(wave: np.ndarray) -> np.ndarray:
    """Return each wavelength to 12 significant bits."""
    quantum = 2.0 ** (np.floor(np.log2(wave)) + 1.0) / (2.0 * _HEAD)
    return np.round(wave / quantum) * quantum


def take(table: np.ndarray | jax.Array, index: np.ndarray | jax.Array) -> jax.Array:
    """Return table[index] for indices known to be inside: no bounds are checked, none wrap."""
    values = jnp.asarray(table)
    return values.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def stored(values: jax.Array, scalar: jax.Array) -> jax.Array:
    """Return ``values`` (n,), twice, to be read from: made once and not anew at every reading.

    XLA would merge what makes them, exponentials of screens, into the loop that reads the windows
    of all bands. It keeps apart a division that is broadcast, here by a 1 that it does not know:
    on a processor 6 bands of LSST take 0.8 and 25 bands 0.4 of the time, gradients the same
    (`benchmarks/results/checkouts.json`).
    """
    one = jax.lax.stop_gradient(scalar / scalar)
    return jnp.broadcast_to(values / one, (2, values.size)).reshape(-1)


def computed_apart(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``fn``, arrays to arrays, which XLA makes once and not anew for each of its readers.

    On a processor XLA merges what is cheap into all loops that read it; a call that it is told not
    to write out it leaves alone. ``fn`` must not call compiled functions of its own.
    """
    compiled = jax.jit(fn)

    def call(*args: Any) -> Any:
        on_processor = jax.default_backend() == "cpu" and set_xla_metadata is not None
        with set_xla_metadata(inlineable="false") if on_processor else nullcontext():
            return compiled(*args)

    return call


# --- float64 preparation --------------------------------------------------------------------


def check_grid(wave_rest: np.ndarray) -> np.ndarray:
    """Return the grid in float64, or raise ConfigError."""
    wave = np.asarray(wave_rest, dtype=np.float64)
    if wave.ndim != 1 or wave.size < 2 or not (np.diff(wave) > 0).all() or not wave[0] > 0:
        raise ConfigError("The rest-frame grid must be one increasing axis of positive Å.")
    return wave


def check_range(filters: Sequence[FilterCurve], z_min: float, z_max: float) -> None:
    """Raise ConfigError for no band or an unusable range of redshifts."""
    if len(filters) == 0:
        raise ConfigError("No band to project on; give at least one filter.")
    if not -1.0 < z_min <= z_max < np.inf:
        raise ConfigError(f"Redshift range [{z_min}, {z_max}] must satisfy -1 < z_min <= z_max.")


def window_size(wave: np.ndarray, curve: FilterCurve, z_min: float, z_max: float) -> int:
    """Return the most nodes that the band needs at any redshift, both neighbours included."""
    lowest, highest = curve.wave[0] / (1.0 + z_max), curve.wave[0] / (1.0 + z_min)
    within = wave[(wave >= lowest) & (wave <= highest)]
    edges = np.concatenate([[lowest, highest], within])  # the count peaks with a node on an edge
    ratio = curve.wave[-1] / curve.wave[0] * (1.0 + 1e-6)
    count = np.searchsorted(wave, edges * ratio, "right") - np.searchsorted(wave, edges, "left")
    return int(min(count.max() + 2, wave.size))


def sums_from_the_end(parts: np.ndarray) -> np.ndarray:
    """Return the sum of each part and all that follow, and 0 after the last, (n + 1,)."""
    return np.append(np.cumsum(parts[::-1])[::-1], 0.0)
