"""Band averages of curves that are tabulated on one lattice of wavelengths and see the same nodes.

Survey curves that are published at every ångström, with what leaks outside their bands, see nearly
all of the optical each. The formulas are those of `tengri.observation.bands`; but the nodes are
walked once for all bands, the steps of the lattice are the segments, found without a search, and
what a node needs of all bands lies in one place of the memory.

Shapes: n_wave nodes, n_window of them seen at one redshift, n_band bands, n_step steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri.numerics.linalg import matmul
from tengri.observation.bands import FINE, averages
from tengri.observation.filters import FilterCurve
from tengri.observation.nodes import (
    check_grid,
    check_range,
    computed_apart,
    from_centre,
    head_of,
    stored,
    sums_from_the_end,
    take,
    window_size,
)
from tengri.observation.segments import segment_moments

#: Nodes in the windows of all bands over those in one that holds them all, from where it pays.
MIN_OVERLAP = 2.0


def lattice_of(filters: Sequence[FilterCurve]) -> np.ndarray | None:
    """Return the equal steps (n_step + 1,) on which all curves are tabulated; None: there are none.

    They must be so short that what is left out of an expansion is lost in rounding, and float32
    must hold their ends.
    """
    step = np.diff(filters[0].wave[:2])[0]
    low, high = min(f.wave[0] for f in filters), max(f.wave[-1] for f in filters)
    even = all(np.array_equal(f.wave, f.wave[0] + step * np.arange(f.wave.size))
               and (f.wave[0] - low) % step == 0.0 for f in filters)  # fmt: skip
    if not even or step > 2.0 * FINE * low:
        return None
    lattice = low + step * np.arange(round((high - low) / step) + 1)
    return lattice if np.array_equal(lattice, lattice.astype(np.float32)) else None


def pays(wave: np.ndarray, filters: Sequence[FilterCurve], z_min: float, z_max: float) -> bool:
    """Return whether the curves are on one lattice and their windows overlap enough."""
    lattice = lattice_of(filters)
    if lattice is None or len(filters) < 2:
        return False
    by_band = sum(window_size(wave, f, z_min, z_max) for f in filters)
    return by_band > MIN_OVERLAP * window_size(wave, _whole(lattice), z_min, z_max)


def _whole(lattice: np.ndarray) -> FilterCurve:
    """Return a curve that sees all of the lattice."""
    return FilterCurve("whole", lattice, np.ones(lattice.size))


def _static() -> Any:
    return field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class LatticeProjection:
    """Constants of the band integral; the methods of `tengri.observation.bands.BandProjection`.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Rest-frame grid [Å].
    heads, rests : ndarray, shape (n_wave + n_window,)
        Its nodes to 12 bits and what is left; the last one again, so that windows are whole.
    blue : ndarray, shape (n_band,)
        Where each curve begins [Å].
    low, step : float
        The first wavelength of the lattice and its step [Å].
    table : ndarray, shape (n_step + 2, 5, n_band)
        H of each step: head + rest + q (g0 + q (g1 + q g2 (1 − q/2λ))), q from its beginning at
        λ; the first is all that lies blueward of the lattice, the last one all that lies redward.
    n_window : int
    scales : tuple of float
        The flux density that is quoted over the band average.
    """

    wave: Any
    heads: Any
    rests: Any
    blue: Any
    low: Any
    step: Any
    table: Any
    n_window: int = _static()
    scales: tuple[float, ...] = _static()

    @classmethod
    def build(
        cls, wave_rest: np.ndarray, filters: Sequence[FilterCurve], z_min: float, z_max: float
    ) -> LatticeProjection:
        """Prepare the constants in float64; see `BandProjection.build`.

        Raises
        ------
        ConfigError
            See `BandProjection.build`.
        """
        wave = check_grid(wave_rest)
        check_range(filters, z_min, z_max)
        lattice = lattice_of(filters)
        assert lattice is not None
        n_window = window_size(wave, _whole(lattice), z_min, z_max)
        head, last = head_of(wave), np.full(n_window, wave[-1])
        longer = np.append(wave, last)
        heads = np.append(head, np.full(n_window, head[-1]))
        return cls(
            wave=wave,
            heads=heads,
            rests=longer - heads,
            blue=np.array([f.wave[0] for f in filters]),
            low=lattice[0],
            step=lattice[1] - lattice[0],
            table=np.stack([_rows(lattice, f) for f in filters], axis=-1),
            n_window=n_window,
            scales=tuple(f.scale for f in filters),
        )

    def in_default_float(self) -> LatticeProjection:
        """Return the constants as JAX arrays of the process's default float."""
        return jax.tree.map(lambda a: jnp.asarray(a, float), self)

    def starts(self, z: jax.Array) -> jax.Array:
        """Return the first node of each band's window at redshift ``z``, (n_band,) integers."""
        wave, blue = jnp.asarray(self.wave), jnp.asarray(self.blue)
        below = jnp.searchsorted(wave, blue / (1.0 + z), side="right", method="scan_unrolled") - 1
        return jnp.maximum(below, 0)

    def means(self, z: jax.Array, start: jax.Array) -> jax.Array:
        """Return Ḡ between each node and the next, (n_window − 1, n_band).

        It is 0 before a band's own first node: its average starts there.
        """
        knot, q, head, rest = computed_apart(self._integrals)(z, start.min())
        mean = ((head[1:] - head[:-1]) + (rest[1:] - rest[:-1])) / _widths(knot, q)
        return jnp.where(self._before(start), 0.0, mean)

    def slopes(self, z: jax.Array, start: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return Ḡ and dḠ/dz between each node and the next, (n_window − 1, n_band)."""
        knot, q, head, rest, g = computed_apart(self._integrals_and_g)(z, start.min())
        width = _widths(knot, q)
        mean = ((head[1:] - head[:-1]) + (rest[1:] - rest[:-1])) / width
        slope = (knot + q)[:-1, None] * (g[1:] - g[:-1]) / width + g[1:] - mean
        before = self._before(start)
        return jnp.where(before, 0.0, mean), jnp.where(before, 0.0, slope / (1.0 + z))

    def _before(self, start: jax.Array) -> jax.Array:
        return jnp.arange(self.n_window - 1)[:, None] < start - start.min()

    def _integrals(self, z: jax.Array, first: jax.Array) -> tuple[jax.Array, ...]:
        """Return the nodes and H (n_window, n_band) as a head, of which differences are exact.

        And a rest. A node is at λ + q, both (n_window,), with λ the beginning of its step.
        """
        return self._integrals_and_g(z, first)[:4]

    def _integrals_and_g(self, z: jax.Array, first: jax.Array) -> tuple[jax.Array, ...]:
        heads, rests = (self._window(jnp.asarray(a), first) for a in (self.heads, self.rests))
        steps = jax.lax.floor(from_centre(heads, rests, z, self.low) / self.step)
        low, last = jnp.full_like(steps, -1.0), jnp.full_like(steps, len(self.table) - 2)
        steps = jax.lax.clamp(low, steps, last)
        knot = self.low + self.step * jax.lax.max(steps, jnp.zeros_like(steps))
        row = take(self.table, steps.astype(jnp.int32) + 1)
        head, rest, g0, g1, g2 = (row[:, k] for k in range(5))
        q = from_centre(heads, rests, z, knot)
        d, bend = q[:, None], (q / knot)[:, None]  # bend: of 1/λ
        h = rest + d * (g0 + d * (g1 + d * g2 * (1.0 - bend / 2.0)))
        return knot, q, head, h, g0 + d * (2.0 * g1 + d * g2 * (3.0 - 2.0 * bend))

    def _window(self, values: jax.Array, first: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(values, (first,), (self.n_window,))

    def windows(self, values: jax.Array, start: jax.Array, z: jax.Array) -> jax.Array:
        """Return the values (n_wave,) in the window that all bands share, (n_window + n_band,).

        Behind them follow those at each band's own first node.
        """
        longer = jnp.append(values, jnp.broadcast_to(values[-1:], (self.n_window,)))
        longer = stored(longer, 1.0 + z)
        return jnp.append(self._window(longer, start.min()), take(longer, start))

    def integrated(self, level: jax.Array, mean: jax.Array) -> jax.Array:
        """Return L_first − Σ_i (L_{i+1} − L_i) Ḡ_i of each band."""
        return self.scaled(level[self.n_window :] - self.rises(level, mean))

    def rises(self, level: jax.Array, mean: jax.Array) -> jax.Array:
        """Return Σ_i (L_{i+1} − L_i) Ḡ_i of each band."""
        inside = level[: self.n_window]
        return matmul(inside[1:] - inside[:-1], mean)

    def project(self, lnu: jax.Array, z: jax.Array) -> jax.Array:
        """Return the band averages (n_band,) of ``lnu`` (n_wave,) at redshift ``z``, same unit."""
        return averages(self, lnu, jnp.asarray(z, lnu.dtype))

    def scaled(self, averages: jax.Array) -> jax.Array:
        """Return band averages (n_band,) as flux densities that catalogues quote."""
        return averages * np.array(self.scales, averages.dtype)

    def rows(self, z: jax.Array) -> jax.Array:
        """Return the weights as a dense matrix (n_band, n_wave): ⟨L_ν⟩ = rows @ L_ν."""
        start = self.starts(z)
        mean = self.means(z, start).T
        inside = jnp.pad(mean, ((0, 0), (0, 1))) - jnp.pad(mean, ((0, 0), (1, 0)))
        begins = np.arange(self.n_window) == (start - start.min())[:, None]
        weights = self.scaled((inside + begins).T).T
        whole = jnp.zeros((len(self.scales), self.heads.size), weights.dtype)
        whole = jax.lax.dynamic_update_slice_in_dim(whole, weights, start.min(), axis=1)
        return whole[:, : self.wave.size]


def _widths(knot: jax.Array, q: jax.Array) -> jax.Array:
    """Return the widths of intervals (n − 1, 1); 1 behind the end of the grid."""
    width = (knot[1:] - knot[:-1]) + (q[1:] - q[:-1])
    return jnp.where(width > 0.0, width, 1.0)[:, None]


def _rows(lattice: np.ndarray, curve: FilterCurve) -> np.ndarray:
    """Return head, rest, g0, g1, g2 of one curve in every step, (n_step + 2, 5)."""
    left, right = _ends(lattice, curve)
    m0, m1 = segment_moments(lattice, left, right)
    total = m0.sum()
    left, right, m0, m1 = (a / total for a in (left, right, m0, m1))
    width, begin = np.diff(lattice), lattice[:-1]
    g = -sums_from_the_end(m0)
    h = sums_from_the_end(width / 2.0 * m0 + m1 - g[1:] * width)
    t0 = left / begin  # T/λ = t0 + t1 q + … in q = λ − begin
    t1 = ((right - left) / width - t0) / begin
    quantum = 2.0 ** np.ceil(np.log2(h[0]) - 22.0)
    head = np.round(h / quantum) * quantum
    columns = (head, h - head, g, np.append(t0 / 2.0, 0.0), np.append(t1 / 6.0, 0.0))
    before = [head[0], h[0] - head[0], -1.0, 0.0, 0.0]
    return np.vstack([before, np.stack(columns, axis=1)])


def _ends(lattice: np.ndarray, curve: FilterCurve) -> tuple[np.ndarray, np.ndarray]:
    """Return T at the beginning and at the end of every step (n_step,): 0 outside the curve."""
    left, right = np.zeros(lattice.size - 1), np.zeros(lattice.size - 1)
    first = int(np.searchsorted(lattice, curve.wave[0]))
    inside = slice(first, first + curve.wave.size - 1)
    left[inside], right[inside] = curve.trans[:-1], curve.trans[1:]
    return left, right
