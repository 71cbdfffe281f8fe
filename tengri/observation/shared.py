"""Band averages of curves that see the same nodes: walked once for all bands.

The curves of one survey, with what leaks outside their bands, may see nearly all of the same
wavelengths each. The formulas are those of `tengri.observation.bands`; but the segments are those
between the knots of all curves together, a node is looked up once for all bands, and what it needs
of them lies in one place of the memory.

Shapes: n_wave nodes, n_window of them seen at one redshift, n_band bands, n_step segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri.numerics.linalg import matmul
from tengri.observation.bands import FINE, averages, bins_of
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
from tengri.observation.segments import refine, segment_moments

#: What a band's own node costs, and a node of all bands: a part of its own, and one for each [ns].
#: Measured in batches on a processor: 6 bands of LSST, 5 of VISTA (`benchmarks/checkouts.py`).
OF_ONE, OF_ALL, OF_EACH = 9.0, 6.0, 1.7
#: What is gained at least [ns]: every part is one more to compile.
LEAST = 3000.0


def cost(wave: np.ndarray, filters: Sequence[FilterCurve], z_min: float, z_max: float) -> float:
    """Return what one galaxy's integrals of some bands cost together [ns]."""
    if len(filters) == 1:
        return OF_ONE * window_size(wave, filters[0], z_min, z_max)
    return (OF_ALL + OF_EACH * len(filters)) * window_size(wave, _whole(filters), z_min, z_max)


def _whole(filters: Sequence[FilterCurve]) -> FilterCurve:
    """Return a curve that sees all wavelengths of some others."""
    ends = [min(f.wave[0] for f in filters), max(f.wave[-1] for f in filters)]
    return FilterCurve("whole", np.array(ends), np.ones(2))


def _knots(filters: Sequence[FilterCurve]) -> np.ndarray:
    """Return the knots of all curves (n_step + 1,), as close as what is left out needs.

    What an expansion leaves out is then lost in rounding.
    """
    knots = np.unique(np.concatenate([f.wave for f in filters]))
    return refine(knots, np.zeros(knots.size), FINE)[0]


def _static() -> Any:
    return field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class SharedProjection:
    """Constants of the band integral; the methods of `tengri.observation.bands.BandProjection`.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Rest-frame grid [Å].
    heads, rests : ndarray, shape (n_wave + n_window,)
        Its nodes to 12 bits and what is left; the last one again, so that windows are whole.
    blue : ndarray, shape (n_band,)
        Where each curve begins [Å].
    knots : ndarray, shape (n_step + 2,)
        Where each segment begins [Å]; the first is all that lies blueward of all curves, the last
        one all that lies redward.
    table : ndarray, shape (n_step + 2, 5, n_band)
        H of each segment: head + rest + q (g0 + q (g1 + q g2 (1 − q/2λ))), q from its knot at λ.
    first, split : ndarray, shape (n_bin,)
        The segment at the beginning of each equal bin of wavelength, and where the next begins.
    bins_per_aa : float
    n_window : int
    more_steps : int
        How many segments beyond those two a bin may hold.
    scales : tuple of float
        The flux density that is quoted over the band average.
    """

    wave: Any
    heads: Any
    rests: Any
    blue: Any
    knots: Any
    table: Any
    first: Any
    split: Any
    bins_per_aa: Any
    n_window: int = _static()
    more_steps: int = _static()
    scales: tuple[float, ...] = _static()

    @classmethod
    def build(
        cls, wave_rest: np.ndarray, filters: Sequence[FilterCurve], z_min: float, z_max: float
    ) -> SharedProjection:
        """Prepare the constants in float64; see `BandProjection.build`.

        Raises
        ------
        ConfigError
            See `BandProjection.build`.
        """
        wave = check_grid(wave_rest)
        check_range(filters, z_min, z_max)
        n_window = window_size(wave, _whole(filters), z_min, z_max)
        head, last = head_of(wave), np.full(n_window, wave[-1])
        longer = np.append(wave, last)
        heads = np.append(head, np.full(n_window, head[-1]))
        knots = _knots(filters)
        first, split = bins_of(knots)
        return cls(
            wave=wave,
            heads=heads,
            rests=longer - heads,
            blue=np.array([f.wave[0] for f in filters]),
            knots=np.append(knots[0], knots),
            table=np.stack([_rows(knots, f) for f in filters], axis=-1),
            first=first.astype(np.int32),
            split=split,
            bins_per_aa=np.asarray((first.size - 2) / (knots[-1] - knots[0])),
            n_window=n_window,
            more_steps=int(np.diff(first).max()) - 1,
            scales=tuple(f.scale for f in filters),
        )

    def in_default_float(self) -> SharedProjection:
        """Return the constants as JAX arrays of the process's default float."""
        knots = np.asarray(self.knots, jnp.zeros(()).dtype).astype(np.float64)
        around = replace(self, knots=knots, table=_around(self.table, knots - self.knots))
        return jax.tree.map(
            lambda a: jnp.asarray(a, float if np.issubdtype(a.dtype, np.floating) else None), around
        )

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
        segment = self._locate((heads + rests) * (1.0 + z))
        knot, row = take(self.knots, segment), take(self.table, segment)
        head, rest, g0, g1, g2 = (row[:, k] for k in range(5))
        q = from_centre(heads, rests, z, knot)
        d, bend = q[:, None], (q / knot)[:, None]  # bend: of 1/λ
        h = rest + d * (g0 + d * (g1 + d * g2 * (1.0 - bend / 2.0)))
        return knot, q, head, h, g0 + d * (2.0 * g1 + d * g2 * (3.0 - 2.0 * bend))

    def _locate(self, x: jax.Array) -> jax.Array:
        """Return the segment that holds each ``x``, or its neighbour where rounding decides."""
        place = ((x - self.knots[0]) * self.bins_per_aa + 1.0).astype(jnp.int32)
        place = jnp.clip(place, 0, len(self.first) - 1)
        segment = take(self.first, place) + (x >= take(self.split, place)).astype(jnp.int32)
        for _ in range(self.more_steps):
            further = jnp.minimum(segment + 1, len(self.knots) - 1)
            segment = jnp.where(x >= take(self.knots, further), further, segment)
        return segment

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


def _rows(knots: np.ndarray, curve: FilterCurve) -> np.ndarray:
    """Return head, rest, g0, g1, g2 of one curve in every segment, (n_step + 2, 5)."""
    left, right = _ends(knots, curve)
    m0, m1 = segment_moments(knots, left, right)
    total = m0.sum()
    left, right, m0, m1 = (a / total for a in (left, right, m0, m1))
    width, begin = np.diff(knots), knots[:-1]
    g = -sums_from_the_end(m0)
    h = sums_from_the_end(width / 2.0 * m0 + m1 - g[1:] * width)
    t0 = left / begin  # T/λ = t0 + t1 q + … in q = λ − begin
    t1 = ((right - left) / width - t0) / begin
    quantum = 2.0 ** np.ceil(np.log2(h[0]) - 22.0)
    head = np.round(h / quantum) * quantum
    columns = (head, h - head, g, np.append(t0 / 2.0, 0.0), np.append(t1 / 6.0, 0.0))
    before = [head[0], h[0] - head[0], -1.0, 0.0, 0.0]
    return np.vstack([before, np.stack(columns, axis=1)])


def _ends(knots: np.ndarray, curve: FilterCurve) -> tuple[np.ndarray, np.ndarray]:
    """Return T at the beginning and at the end of every segment (n_step,): 0 outside the curve."""
    inside = (knots[:-1] >= curve.wave[0]) & (knots[1:] <= curve.wave[-1])
    trans = np.interp(knots, curve.wave, curve.trans)
    return np.where(inside, trans[:-1], 0.0), np.where(inside, trans[1:], 0.0)


def _around(table: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return the same H, expanded around knots nearby (where a shorter float can be)."""
    head, rest, g0, g1, g2 = table.swapaxes(0, 1)
    q = shift[:, None]
    return np.stack([head, rest + q * (g0 + q * g1), g0 + 2.0 * q * g1, g1, g2], axis=1)
