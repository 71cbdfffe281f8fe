"""Band-averaged luminosities: the exact integral of a linear SED through a linear curve.

    ⟨L_ν⟩_b(z) = ∫ L_ν(λ/(1+z)) T_b(λ) dλ/λ  ÷  ∫ T_b(λ) dλ/λ          (photon counting)

L_ν is piecewise linear between the nodes λ_i of the rest-frame grid, T_b between the knots of the
filter's own curve; the integral is exact on the union of both grids. In observed wavelengths
x_i = λ_i (1+z) every SED interval of width Δ_i needs two moments of g = T/(λ ∫T dλ/λ),

    A_i = ∫ g dλ,    B_i = ∫ (λ − x_i)/Δ_i g dλ,    ⟨L_ν⟩ = Σ_i A_i L_i + B_i (L_{i+1} − L_i).

An interval is cut at the filter's knots into a first piece, whole filter segments, and a last
piece. Pieces have closed forms (``segments.moments``), whole segments come from cumulative tables.

Emission lines need care in float32, where x_i is no better than 0.001 Å: wavelengths are measured
from the band's centre, positions inside an interval from x_i, and every number that enters a
difference is kept as a head of 12 bits, whose products and differences are exact, and a rest.

Shapes: n_wave nodes, n_band bands, n_slot = Σ_b size_b, where size_b is the largest number of
nodes that band b can see at any redshift in the range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tengri.errors import ConfigError
from tengri.observation.filters import FilterCurve
from tengri.observation.segments import moments, refine, segment_moments

_HEAD = 2048.0  # heads are whole numbers of 1/2048 of their range
_STRETCH = 128.0  # the head of 1 + z counts in 1/128: 12 bits up to z = 31
_MOST_JOINED = 16  # bands; see BandProjection._spread
_MOST_BINS = 65536  # of a band's lookup table; finer curves take a second step instead


def _static() -> Any:
    return field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class CurveTables:
    """Every filter's knots, end to end, with the cumulative moments of g = T/(λ ∫T dλ/λ).

    ``knot`` and ``split`` are measured from the band's centre; ``sum0`` = ∫ g dλ and ``sum1`` =
    ∫ (λ − centre) g dλ run from the band's first knot, each as a head and a rest. Equal bins of
    wavelength lead to segments: ``bins`` holds two per bin, before and after ``split``, the first
    knot in it; a curve with knots closer than its bins takes ``more_steps``.
    """

    knot: np.ndarray
    trans: np.ndarray
    slope: np.ndarray
    sum0: np.ndarray
    sum0_rest: np.ndarray
    sum1: np.ndarray
    sum1_rest: np.ndarray
    bins: np.ndarray
    split: np.ndarray
    more_steps: int = _static()


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Slots:
    """Constants of each slot (n_slot,): which node of its window, and its band's numbers.

    ``inner`` is False in a band's last slot, which ends the last interval and starts none. The
    band's edges ``blue`` and ``red`` are measured from its ``centre`` [Å]; ``quantum`` is the
    spacing of heads of wavelengths in it.
    """

    offset: np.ndarray
    inner: np.ndarray
    blue: np.ndarray
    red: np.ndarray
    centre: np.ndarray
    quantum: np.ndarray
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
    wave_head: np.ndarray
    wave_rest: np.ndarray
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
        head = _head(wave)
        return cls(
            wave=wave,
            wave_head=head,
            wave_rest=wave - head,
            width=np.append(np.diff(wave), 1.0),
            blue=np.array([f.wave[0] for f in filters]),
            last_start=(wave.size - np.array(sizes)).astype(np.int32),
            slots=Slots(
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

    def intervals(self, z: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return (node, A, B): the node of each slot (n_slot,), the moments between neighbours.

        A and B have n_slot − 1 entries; those between the last slot of a band and the first of
        the next one are zero.
        """
        node = self._spread(self.starts(z)) + self.slots.offset
        x = self._from_centre(node, z)
        width = _take(self.width, node) * (1.0 + z)
        return node, *_interval_moments(self.slots, x, width, _look_up(self.curves, self.slots, x))

    def _from_centre(self, node: jax.Array, z: jax.Array) -> jax.Array:
        """Return λ (1 + z) − centre of the nodes; the large product is of heads, thus exact."""
        stretch = 1.0 + z
        head = jnp.round(stretch * _STRETCH) / _STRETCH
        wave, rest = _take(self.wave_head, node), _take(self.wave_rest, node)
        return (wave * head - self.slots.centre) + (wave * (stretch - head) + rest * stretch)

    def project(self, lnu: jax.Array, z: jax.Array) -> jax.Array:
        """Return the band averages (n_band,) of ``lnu`` (n_wave,) at redshift ``z``, same unit."""
        node, whole, tilt = self.intervals(z)
        level = _take(lnu, node)
        terms = whole * level[:-1] + tilt * (level[1:] - level[:-1])
        members = (self._band_of_slot()[:-1, None] == np.arange(self.n_band)).astype(terms.dtype)
        return jnp.matmul(terms, members, precision="highest")  # in batches, one matrix product

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
        _, whole, tilt = self.intervals(z)
        flat = jnp.pad(whole - tilt, (0, 1)) + jnp.pad(tilt, (1, 0))
        slot = np.arange(max(self.sizes)) + (np.cumsum(self.sizes) - self.sizes)[:, None]
        held = np.arange(max(self.sizes)) < np.array(self.sizes)[:, None]
        return self.starts(z), _take(jnp.pad(flat, (0, 1)), np.where(held, slot, flat.size))

    def _band_of_slot(self) -> np.ndarray:
        return np.repeat(np.arange(self.n_band), self.sizes)

    def _spread(self, values: jax.Array) -> jax.Array:
        """Return (n_slot,) copies of one value per band.

        Joined runs are faster at run time; with many bands a gather compiles much faster.
        """
        if self.n_band > _MOST_JOINED:
            return _take(values, self._band_of_slot())
        runs = [jnp.broadcast_to(values[b], (size,)) for b, size in enumerate(self.sizes)]
        return jnp.concatenate(runs)

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


def _take(table: np.ndarray | jax.Array, index: np.ndarray | jax.Array) -> jax.Array:
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
    before: tuple[jax.Array, ...]  # sum0 and its rest, sum1 and its rest
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
    place = jnp.clip(place, s.first_bin, s.last_bin)
    beyond = (x >= _take(curves.split, place)).astype(jnp.int32)
    segment = _take(curves.bins, 2 * place + beyond)
    for _ in range(curves.more_steps):
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
    wave = jnp.asarray(s.centre) + x
    a0, a1 = _piece(wave, begin, stop, here.trans, here.slope, 0.0)
    b0, b1 = _piece(wave, resume, end, there.trans, there.slope, width)
    m0, m1 = _whole_segments(here.after, there.before, x, jnp.asarray(s.quantum))
    m0, m1 = jnp.where(crossing, m0, 0.0), jnp.where(crossing, m1, 0.0)
    return a0 + m0 + b0, (a1 + m1 + b1) / width


def _piece(
    wave: jax.Array,
    begin: jax.Array,
    end: jax.Array,
    trans: jax.Array,
    slope: jax.Array,
    at: jax.Array | float,
) -> tuple[jax.Array, jax.Array]:
    """Return ∫ g and ∫ (λ − x) g over offsets [begin, end] from x; T(x + at) is ``trans``."""
    offset, half = (begin + end) / 2.0, (end - begin) / 2.0
    m0, m1 = moments(wave + offset, half, trans + slope * (offset - at), slope)
    return m0, m1 + offset * m0


def _whole_segments(
    begin: tuple[jax.Array, ...], end: tuple[jax.Array, ...], x: jax.Array, quantum: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return ∫ g and ∫ (λ − x) g = Σ1 − x Σ0 between two knots, x from the band's centre."""
    sum0, rest0, sum1, rest1 = (e - b for b, e in zip(begin, end))
    head = jnp.round(x / quantum) * quantum
    m0 = sum0 + rest0
    return m0, (sum1 - head * sum0) + (rest1 - head * rest0 - (x - head) * m0)


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
    centres = [float(np.float32(f.pivot)) for f in filters]
    quanta = [_quantum(f.wave - centre) for f, centre in zip(filters, centres)]
    made = [_one_table(*one) for one in zip(filters, centres, quanta)]
    knots = np.cumsum([0] + [t["knot"].size for t in made])
    bins = np.cumsum([0] + [t["split"].size for t in made])
    joined = {name: np.concatenate([t[name] for t in made]) for name in made[0] if name != "bins"}
    lookup = np.concatenate([t["bins"].ravel() + first for t, first in zip(made, knots)])
    more_steps = max(int(np.diff(t["bins"][:, 0]).max(initial=1)) for t in made) - 1
    tables = CurveTables(bins=lookup.astype(np.int32), more_steps=max(more_steps, 0), **joined)
    blue = np.array([t["knot"][0] for t in made])
    red = np.array([t["knot"][-1] for t in made])
    return tables, {
        "blue": blue,
        "red": red,
        "centre": np.array(centres),
        "quantum": np.array(quanta),
        "bins_per_aa": np.diff(bins) / (red - blue),
        "first_bin": bins[:-1].astype(np.int32),
        "last_bin": (bins[1:] - 1).astype(np.int32),
        "last_segment": (knots[1:] - 2).astype(np.int32),
    }


def _one_table(curve: FilterCurve, centre: float, quantum: float) -> dict[str, np.ndarray]:
    wave, trans = refine(curve.wave, curve.trans)
    trans = trans / segment_moments(wave, trans)[0].sum()
    m0, m1 = segment_moments(wave, trans)
    knot = wave - centre
    sum0 = np.cumsum(np.append(0.0, m0))
    sum1 = np.cumsum(np.append(0.0, m1 + (knot[1:] + knot[:-1]) / 2.0 * m0))
    head0 = np.round(sum0 * _HEAD) / _HEAD
    head1 = np.round(sum1 / quantum * _HEAD) / _HEAD * quantum
    bins, split = _bins(knot)
    return {
        "knot": knot,
        "trans": trans,
        "slope": np.append(np.diff(trans) / np.diff(wave), 0.0),
        "sum0": head0,
        "sum0_rest": sum0 - head0,
        "sum1": head1,
        "sum1_rest": sum1 - head1,
        "bins": bins,
        "split": split,
    }


def _head(wave: np.ndarray) -> np.ndarray:
    """Return each wavelength to 12 significant bits."""
    quantum = 2.0 ** (np.floor(np.log2(wave)) + 1.0) / (2.0 * _HEAD)
    return np.round(wave / quantum) * quantum


def _quantum(offsets: np.ndarray) -> float:
    """Return the power of two of which the largest offset from the centre holds ≤ 2048."""
    return float(2.0 ** np.ceil(np.log2(np.abs(offsets).max() / _HEAD)))


def _bins(knot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the segments (n, 2) before and after the first knot in each of n equal bins, and it.

    The bins are as fine as the closest knots, so that none holds two, up to ``_MOST_BINS``.
    """
    span, last = knot[-1] - knot[0], knot.size - 2
    n = int(min(np.ceil(span / np.diff(knot).min()), _MOST_BINS))
    begins = knot[0] + span * np.arange(n) / n
    before = np.clip(np.searchsorted(knot, begins, "right") - 1, 0, last)
    return np.stack([before, np.minimum(before + 1, last)], axis=1), knot[before + 1]
