"""Band-averaged luminosities: the exact integral of a linear SED through a linear curve.

    ⟨L_ν⟩_b(z) = ∫ L_ν(λ/(1+z)) T_b(λ) dλ/λ  ÷  ∫ T_b(λ) dλ/λ          (photon counting)

L_ν is piecewise linear between the nodes λ_i of the rest-frame grid, T_b between the knots of the
filter's own curve; the integral is exact on the union of both grids. In observed wavelengths
x_i = λ_i (1+z) every SED interval of width Δ_i needs two moments of g = T/(λ ∫T dλ/λ),

    A_i = ∫ g dλ,    B_i = ∫ (λ − x_i)/Δ_i g dλ,    ⟨L_ν⟩ = Σ_i A_i L_i + B_i (L_{i+1} − L_i).

An interval is cut at the filter's knots into a first piece, whole filter segments, and a last
piece. Pieces have closed forms (``segments.moments``), whole segments come from cumulative tables.
Positions inside an interval are offsets from x_i, and the tables are kept as value + remainder,
because in float32 neither x_{i+1} − x_i nor the difference of two sums would resolve a line.

Shapes: n_wave nodes, n_band bands, n_slot = Σ_b size_b, where size_b is the largest number of
nodes that band b can see at any redshift in the range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tengri.errors import ConfigError
from tengri.observation.filters import FilterCurve
from tengri.observation.segments import moments, refine, segment_moments

_MOST_BINS = 65536  # of a band's lookup table; finer curves take a second step instead


def _static() -> tuple:
    return field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class CurveTables:
    """Every filter's knots, end to end, with the cumulative moments of g = T/(λ ∫T dλ/λ).

    ``sum0`` = ∫ g dλ and ``sum1`` = ∫ (λ − centre) g dλ from the band's first knot, each as a
    float32 number and its remainder. ``bins`` maps equal bins of wavelength to segments.
    """

    knot: np.ndarray
    trans: np.ndarray
    slope: np.ndarray
    sum0: np.ndarray
    sum0_rest: np.ndarray
    sum1: np.ndarray
    sum1_rest: np.ndarray
    bins: np.ndarray
    steps: int = _static()


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Slots:
    """Constants of each slot (n_slot,): which band, which node of its window, the band's numbers.

    ``inner`` is False in a band's last slot, which ends the last interval and starts none.
    """

    band: np.ndarray
    offset: np.ndarray
    inner: np.ndarray
    blue: np.ndarray
    red: np.ndarray
    centre: np.ndarray
    bins_per_aa: np.ndarray
    first_bin: np.ndarray
    last_bin: np.ndarray
    last_segment: np.ndarray


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class BandProjection:
    """Constants of the band integral for one rest-frame grid, a set of bands, a redshift range.

    Build with `BandProjection.build`; methods are written for one galaxy, ``vmap`` them.

    Attributes
    ----------
    filters : tuple of FilterCurve
        The bands.
    sizes : tuple of int
        Nodes in each band's window.
    covered : tuple of bool
        Whether the grid spans each band at every redshift of the range.
    """

    wave: np.ndarray
    width: np.ndarray
    blue: np.ndarray
    last_start: np.ndarray
    slots: Slots
    curves: CurveTables
    filters: tuple[FilterCurve, ...] = _static()
    sizes: tuple[int, ...] = _static()
    covered: tuple[bool, ...] = _static()

    @classmethod
    def build(
        cls, wave_rest: np.ndarray, filters: Sequence[FilterCurve], z_min: float, z_max: float
    ) -> BandProjection:
        """Prepare the constants in float64.

        Parameters
        ----------
        wave_rest : (n_wave,) array
            Rest-frame grid [Å], increasing.
        filters : sequence of FilterCurve
            The bands.
        z_min, z_max : float
            Range of redshifts that will be asked for; outside it a window may be too small.

        Raises
        ------
        ConfigError
            A grid that is not increasing, no band, or an unusable redshift range.
        """
        wave = _check_grid(wave_rest)
        _check_range(filters, z_min, z_max)
        sizes = tuple(_window_size(wave, f, z_min, z_max) for f in filters)
        curves, per_band = _tables(filters)
        band = np.repeat(np.arange(len(sizes)), sizes)
        offset = np.concatenate([np.arange(n) for n in sizes])
        inner = offset < np.repeat(sizes, sizes) - 1
        return cls(
            wave=wave,
            width=np.append(np.diff(wave), 1.0),
            blue=per_band["blue"],
            last_start=(wave.size - np.array(sizes)).astype(np.int32),
            slots=Slots(
                band=band.astype(np.int32),
                offset=offset.astype(np.int32),
                inner=inner,
                **{name: values[band] for name, values in per_band.items()},
            ),
            curves=curves,
            filters=tuple(filters),
            sizes=sizes,
            covered=tuple(coverage(wave[0], wave[-1], filters, z_min, z_max).tolist()),
        )

    @property
    def n_band(self) -> int:
        """Number of bands."""
        return len(self.sizes)

    def starts(self, z: jax.Array) -> jax.Array:
        """Return the first node of each band's window at redshift ``z``, (n_band,) integers."""
        wave, blue = jnp.asarray(self.wave), jnp.asarray(self.blue)
        below = jnp.searchsorted(wave, blue / (1.0 + z), side="right", method="scan_unrolled") - 1
        return jnp.clip(below, 0, self.last_start)

    def slot_weights(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return (node, weight) of every slot, (n_slot,) each: ⟨L_ν⟩_b = Σ weight L_ν[node]."""
        node = _take(self.starts(z), self.slots.band) + self.slots.offset
        x = _take(self.wave, node) * (1.0 + z)
        width = _take(self.width, node) * (1.0 + z)
        whole, tilt = _interval_moments(self.slots, x, width, _look_up(self.curves, self.slots, x))
        return node, jnp.pad(whole - tilt, (0, 1)) + jnp.pad(tilt, (1, 0))

    def weights(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the windows as one padded table.

        Returns
        -------
        start : (n_band,) integers
            First node of each window.
        weight : (n_band, n_win) array
            ⟨L_ν⟩_b = Σ_k weight[b, k] L_ν[start[b] + k]; zero beyond ``sizes[b]``, where
            ``start[b] + k`` may run past the grid.
        """
        _, flat = self.slot_weights(z)
        most = max(self.sizes)
        rows = [jnp.pad(w, (0, most - w.size)) for w in self._per_band(flat)]
        return self.starts(z), jnp.stack(rows)

    def project(self, lnu: jax.Array, z: jax.Array) -> jax.Array:
        """Return the band averages (n_band,) of ``lnu`` (n_wave,) at redshift ``z``, same unit."""
        node, weight = self.slot_weights(z)
        return jnp.stack([part.sum() for part in self._per_band(weight * _take(lnu, node))])

    def _per_band(self, flat: jax.Array) -> list[jax.Array]:
        """Split a (n_slot,) array into the bands' parts."""
        return jnp.split(flat, np.cumsum(self.sizes)[:-1])

    def matrix(self, z: float) -> np.ndarray:
        """Return the dense float64 weights (n_band, n_wave) at a fixed redshift (NumPy)."""
        return band_matrix(self.wave, self.filters, z)


def band_matrix(wave_rest: np.ndarray, filters: Sequence[FilterCurve], z: float) -> np.ndarray:
    """Return the exact weights at one redshift, in float64 NumPy on the explicit union grid.

    Parameters
    ----------
    wave_rest : (n_wave,) array
        Rest-frame grid [Å], increasing.
    filters : sequence of FilterCurve
        The bands.
    z : float
        Redshift.

    Returns
    -------
    (n_band, n_wave) array
        ⟨L_ν⟩ = matrix @ L_ν. A band that the grid does not span misses that part of its weight;
        ask `coverage` first.
    """
    wave = _check_grid(wave_rest)
    _check_range(filters, z, z)
    return np.stack([_matrix_row(wave * (1.0 + z), f) for f in filters])


def _matrix_row(x: np.ndarray, curve: FilterCurve) -> np.ndarray:
    knot, trans = refine(curve.wave, curve.trans)
    union = np.union1d(knot, x[(x > knot[0]) & (x < knot[-1])])
    union_trans = np.interp(union, knot, trans)
    m0, m1 = segment_moments(union, union_trans)
    mid = (union[1:] + union[:-1]) / 2.0
    left = np.searchsorted(x, mid, "right") - 1
    seen = (left >= 0) & (left < x.size - 1)
    left, mid, m0_seen, m1 = left[seen], mid[seen], m0[seen], m1[seen]
    tilt = ((mid - x[left]) * m0_seen + m1) / (x[left + 1] - x[left])
    row = np.bincount(left, m0_seen - tilt, x.size) + np.bincount(left + 1, tilt, x.size)
    return row / m0.sum()


def coverage(
    wave_min: float, wave_max: float, filters: Sequence[FilterCurve], z_min: float, z_max: float
) -> np.ndarray:
    """Return per band (n_band,) whether rest wavelengths [wave_min, wave_max] span it.

    True means at every redshift of [z_min, z_max]; elsewhere part of the weight has no SED.
    """
    blue = np.array([f.wave[0] for f in filters])
    red = np.array([f.wave[-1] for f in filters])
    return (wave_min * (1.0 + z_max) <= blue) & (red <= wave_max * (1.0 + z_min))


def rest_window(
    wave_rest: np.ndarray, filters: Sequence[FilterCurve], z_min: float, z_max: float
) -> slice:
    """Return the smallest slice of the rest-frame grid that the bands see in [z_min, z_max]."""
    wave = _check_grid(wave_rest)
    _check_range(filters, z_min, z_max)
    lowest = min(f.wave[0] for f in filters) / (1.0 + z_max) * (1.0 - 1e-6)
    highest = max(f.wave[-1] for f in filters) / (1.0 + z_min) * (1.0 + 1e-6)
    low = max(int(np.searchsorted(wave, lowest, "right")) - 1, 0)
    high = int(np.searchsorted(wave, highest, "left")) + 1
    return slice(low, min(high, wave.size))


def _take(table: np.ndarray | jax.Array, index: jax.Array) -> jax.Array:
    """Return table[index] for indices known to be inside: no bounds are checked, none wrap."""
    values = jnp.asarray(table)
    return values.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


class _AtNode(NamedTuple):
    """The curve around each node x; ``before`` and ``after`` sum up to the segment's two knots."""

    segment: jax.Array
    left: jax.Array  # offset of the segment's first knot from x, ≤ 0 inside the band
    right: jax.Array  # offset of its last knot
    trans: jax.Array  # at x, on the segment's straight line
    slope: jax.Array
    before: tuple[jax.Array, ...]  # sum0, its remainder, sum1, its remainder
    after: tuple[jax.Array, ...]


def _look_up(c: CurveTables, s: Slots, x: jax.Array) -> _AtNode:
    """Gather what the intervals on both sides of each node need."""
    segment = _locate(c, s, x)
    left, right = _take(c.knot, segment) - x, _take(c.knot, segment + 1) - x
    slope = _take(c.slope, segment)
    trans = _take(c.trans, segment) - slope * left
    sums = (c.sum0, c.sum0_rest, c.sum1, c.sum1_rest)
    before = tuple(_take(table, segment) for table in sums)
    after = tuple(_take(table, segment + 1) for table in sums)
    return _AtNode(segment, left, right, trans, slope, before, after)


def _locate(curves: CurveTables, s: Slots, x: jax.Array) -> jax.Array:
    """Return the filter segment that holds each ``x``; the first or last one outside the band."""
    place = ((x - s.blue) * s.bins_per_aa).astype(jnp.int32) + s.first_bin
    segment = _take(curves.bins, jnp.clip(place, s.first_bin, s.last_bin))
    for _ in range(curves.steps):
        segment = jnp.minimum(segment + (x >= _take(curves.knot, segment + 1)), s.last_segment)
    return segment


def _interval_moments(
    s: Slots, x: jax.Array, width: jax.Array, here: _AtNode
) -> tuple[jax.Array, jax.Array]:
    """Return A and B of the intervals [x, x + width] between each node and the next."""
    here, there = jax.tree.map(lambda v: v[:-1], here), jax.tree.map(lambda v: v[1:], here)
    s, x, width = jax.tree.map(lambda v: jnp.asarray(v)[:-1], (s, x, width))
    begin = jnp.clip(s.blue - x, 0.0, width)
    end = jnp.clip(s.red - x, 0.0, width)
    inside = s.inner & (end > begin)
    crossing = inside & (there.segment > here.segment)
    stop = jnp.where(inside, jnp.minimum(end, here.right), begin)
    resume = jnp.where(crossing, width + there.left, end)
    a0, a1 = _piece(x, begin, stop, here.trans, here.slope, 0.0)
    b0, b1 = _piece(x, resume, end, there.trans, there.slope, width)
    m0, m1 = _whole_segments(here.after, there.before, s.centre - x)
    m0, m1 = jnp.where(crossing, m0, 0.0), jnp.where(crossing, m1, 0.0)
    return a0 + m0 + b0, (a1 + m1 + b1) / width


def _piece(
    x: jax.Array,
    begin: jax.Array,
    end: jax.Array,
    trans: jax.Array,
    slope: jax.Array,
    at: jax.Array | float,
) -> tuple[jax.Array, jax.Array]:
    """Return ∫ g and ∫ (λ − x) g over offsets [begin, end] from x; T is ``trans`` at offset ``at``."""
    offset, half = (begin + end) / 2.0, (end - begin) / 2.0
    m0, m1 = moments(x + offset, half, trans + slope * (offset - at), slope)
    return m0, m1 + offset * m0


def _whole_segments(
    begin: tuple[jax.Array, ...], end: tuple[jax.Array, ...], centre: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return ∫ g and ∫ (λ − x) g between two knots; ``centre`` is an offset from x."""
    change = [e - b for b, e in zip(begin, end)]
    m0, m1 = change[0] + change[1], change[2] + change[3]
    return m0, m1 + centre * m0


# --- float64 preparation --------------------------------------------------------------------


def _check_grid(wave_rest: np.ndarray) -> np.ndarray:
    wave = np.asarray(wave_rest, dtype=np.float64)
    if wave.ndim != 1 or wave.size < 2 or not (np.diff(wave) > 0).all() or not wave[0] > 0:
        raise ConfigError("The rest-frame grid must be one increasing axis of positive Å.")
    return wave


def _check_range(filters: Sequence[FilterCurve], z_min: float, z_max: float) -> None:
    if len(filters) == 0:
        raise ConfigError("No band to project on; give at least one filter.")
    if not -1.0 < z_min <= z_max < np.inf:
        raise ConfigError(f"Redshift range [{z_min}, {z_max}] must satisfy -1 < z_min <= z_max.")


def _window_size(wave: np.ndarray, curve: FilterCurve, z_min: float, z_max: float) -> int:
    """Return the most nodes that the band needs at any redshift, both neighbours included."""
    lowest, highest = curve.wave[0] / (1.0 + z_max), curve.wave[0] / (1.0 + z_min)
    within = wave[(wave >= lowest) & (wave <= highest)]
    edges = np.concatenate([[lowest, highest], within])  # the count peaks with a node on an edge
    ratio = curve.wave[-1] / curve.wave[0] * (1.0 + 1e-6)
    count = np.searchsorted(wave, edges * ratio, "right") - np.searchsorted(wave, edges, "left")
    return int(min(count.max() + 2, wave.size))


def _tables(filters: Sequence[FilterCurve]) -> tuple[CurveTables, dict[str, np.ndarray]]:
    """Return the concatenated tables and, per band (n_band,), the numbers the slots carry."""
    made = [_one_table(f) for f in filters]
    knots = np.cumsum([0] + [t["knot"].size for t in made])
    bins = np.cumsum([0] + [t["bins"].size for t in made])
    joined = {name: np.concatenate([t[name] for t in made]) for name in made[0] if name != "bins"}
    lookup = np.concatenate([t["bins"] + first for t, first in zip(made, knots)])
    steps = max(_steps(t) for t in made)
    centre = joined.pop("centre")
    tables = CurveTables(bins=lookup.astype(np.int32), steps=steps, **joined)
    blue = np.array([t["knot"][0] for t in made])
    red = np.array([t["knot"][-1] for t in made])
    return tables, {
        "blue": blue,
        "red": red,
        "centre": centre,
        "bins_per_aa": np.diff(bins) / (red - blue),
        "first_bin": bins[:-1].astype(np.int32),
        "last_bin": (bins[1:] - 1).astype(np.int32),
        "last_segment": (knots[1:] - 2).astype(np.int32),
    }


def _one_table(curve: FilterCurve) -> dict[str, np.ndarray]:
    knot, trans = refine(curve.wave, curve.trans)
    trans = trans / segment_moments(knot, trans)[0].sum()
    m0, m1 = segment_moments(knot, trans)
    mid = (knot[1:] + knot[:-1]) / 2.0
    centre = (mid * m0).sum()
    sum0, sum0_rest = _split(np.cumsum(np.append(0.0, m0)))
    sum1, sum1_rest = _split(np.cumsum(np.append(0.0, m1 + (mid - centre) * m0)))
    slope = np.append(np.diff(trans) / np.diff(knot), 0.0)
    return {
        "knot": knot,
        "trans": trans,
        "slope": slope,
        "sum0": sum0,
        "sum0_rest": sum0_rest,
        "sum1": sum1,
        "sum1_rest": sum1_rest,
        "centre": np.array([centre]),
        "bins": _bins(knot),
    }


def _split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 numbers (held as float64) and what they leave over."""
    head = values.astype(np.float32).astype(np.float64)
    return head, values - head


def _bins(knot: np.ndarray) -> np.ndarray:
    """Return the segment in which each of n equal bins begins, fine enough for one step."""
    span = knot[-1] - knot[0]
    n = int(min(np.ceil(span / np.diff(knot).min()), _MOST_BINS))
    begins = knot[0] + span * np.arange(n) / n
    return np.clip(np.searchsorted(knot, begins, "right") - 1, 0, knot.size - 2)


def _steps(table: dict[str, np.ndarray]) -> int:
    """Return how many knots a bin can hold: the steps from its first segment to any other."""
    held = np.diff(np.append(table["bins"], table["knot"].size - 2))
    return int(max(held.max(), 1))
