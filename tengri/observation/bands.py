"""Band-averaged luminosities: the exact integral of a linear SED through a linear curve.

    ⟨L_ν⟩_b(z) = ∫ L_ν(λ/(1+z)) T_b(λ) dλ/λ  ÷  ∫ T_b(λ) dλ/λ          (photon counting)

Where a curve follows another convention (`tengri.observation.conventions`) the average is times a
constant of the curve.

L_ν is piecewise linear between the nodes λ_i of the rest-frame grid, T_b between the knots of the
filter's own curve; the integral is exact on the union of both grids. Integrated by parts it needs
only the mean of G(x) = −∫_x T dλ/λ ÷ ∫ T_b dλ/λ, what the band still has to come, between the nodes
in observed wavelengths x_i = λ_i (1+z), that is the differences of H = ∫ G dλ:

    ⟨L_ν⟩ = L_first − Σ_i (L_{i+1} − L_i) Ḡ_i,    Ḡ_i = [H(x_{i+1}) − H(x_i)] / (x_{i+1} − x_i).

G is −1 before the band and 0 beyond it, with all digits as it comes near: behind dust and below the
Lyman limit spectra rise to the red by many powers of ten, and there nothing may be lost. H is a
table of polynomials: one per segment of the curve, segments so short (``FINE``) that the fourth
degree is exact to rounding.

For the sake of emission lines in float32 (`tengri.observation.nodes`) H at the knots is kept as a
head, of which differences are exact, and a rest.

Shapes: n_wave nodes, n_band bands, n_slot = Σ_b size_b, where size_b is the largest number of
nodes that band b can see at any redshift in the range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri.numerics.linalg import matmul
from tengri.observation.filters import FilterCurve
from tengri.observation.nodes import (
    check_grid,
    check_range,
    from_centre,
    head_of,
    stored,
    sums_from_the_end,
    take,
    window_size,
)
from tengri.observation.segments import refine, segment_moments

FINE = 2e-4  # largest half width of a segment over its middle
_MOST_JOINED = 32  # bands; see BandProjection._spread
_MOST_BINS = 65536  # of a band's lookup table; finer curves take a second step instead


def _static() -> Any:
    return field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class CurveTables:
    """H of every filter, end to end: head + rest + q (g0 + q (g1 + q g2 (1 − q/2λ))).

    q = x − knot, λ is the knot's wavelength; ``knot`` is measured from the band's centre. The
    first segment of a band is all that lies blueward of it, where G = −1, the last one all that
    lies redward, where H = 0. Equal bins of wavelength lead to segments: ``first`` is the one at
    the beginning of a bin and ``split`` where the next begins; a curve with knots closer than its
    bins takes ``more_steps``.
    """

    knot: np.ndarray
    head: np.ndarray
    rest: np.ndarray
    g0: np.ndarray
    g1: np.ndarray
    g2: np.ndarray
    first: np.ndarray
    split: np.ndarray
    more_steps: int = _static()

    def around(self, knot: np.ndarray) -> CurveTables:
        """Return the same H, expanded around knots nearby (where a shorter float can be)."""
        q = knot - self.knot
        return replace(
            self,
            knot=knot,
            rest=self.rest + q * (self.g0 + q * self.g1),
            g0=self.g0 + 2.0 * q * self.g1,
        )

    def integrals(
        self, x: jax.Array, segment: jax.Array, centre: Any
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return H at ``x`` as a head, of which differences are exact, and a rest; and G."""
        knot, head, rest, g0, g1, g2 = (
            take(getattr(self, name), segment)
            for name in ("knot", "head", "rest", "g0", "g1", "g2")
        )
        q = x - knot
        bend = q / (knot + centre)  # of 1/λ
        h = rest + q * (g0 + q * (g1 + q * g2 * (1.0 - bend / 2.0)))
        return head, h, g0 + q * (2.0 * g1 + q * g2 * (3.0 - 2.0 * bend))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Slots:
    """Constants of each slot (n_slot,): which node of its window, and its band's numbers.

    ``inner`` is False in a band's last slot, which ends the last interval and starts none;
    the band's edges ``blue`` and ``red`` are measured from its ``centre`` [Å].
    """

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
    sizes : tuple of int
        Nodes in each band's window.
    scales : tuple of float
        The flux density that is quoted over the band average: 1 unless a curve has a reference
        spectrum.
    """

    wave: np.ndarray
    wave_head: np.ndarray
    wave_rest: np.ndarray
    blue: np.ndarray
    slots: Slots
    curves: CurveTables
    sizes: tuple[int, ...] = _static()
    scales: tuple[float, ...] = _static()

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
        wave = check_grid(wave_rest)
        check_range(filters, z_min, z_max)
        sizes = tuple(window_size(wave, f, z_min, z_max) for f in filters)
        curves, per_band = _tables(filters)
        band = np.repeat(np.arange(len(sizes)), sizes)
        offset = np.concatenate([np.arange(n) for n in sizes])
        head = head_of(wave)
        return cls(
            wave=wave,
            wave_head=head,
            wave_rest=wave - head,
            blue=np.array([f.wave[0] for f in filters]),
            slots=Slots(
                offset=offset.astype(np.int32),
                inner=offset < np.repeat(sizes, sizes) - 1,
                **{name: values[band] for name, values in per_band.items()},
            ),
            curves=curves,
            sizes=sizes,
            scales=tuple(f.scale for f in filters),
        )

    def in_default_float(self) -> BandProjection:
        """Return the constants as JAX arrays of the process's default float."""
        knot = np.asarray(self.curves.knot, jnp.zeros(()).dtype).astype(np.float64)
        return jax.tree.map(
            lambda a: jnp.asarray(a, float if np.issubdtype(a.dtype, np.floating) else None),
            replace(self, curves=self.curves.around(knot)),
        )

    @property
    def n_band(self) -> int:
        """Number of bands."""
        return len(self.sizes)

    def starts(self, z: jax.Array) -> jax.Array:
        """Return the first node of each band's window at redshift ``z``, (n_band,) integers."""
        wave, blue = jnp.asarray(self.wave), jnp.asarray(self.blue)
        below = jnp.searchsorted(wave, blue / (1.0 + z), side="right", method="scan_unrolled") - 1
        return jnp.maximum(below, 0)

    def _nodes(self, start: jax.Array) -> jax.Array:
        """Return the node of each slot, (n_slot,): beyond the grid its last one, with no weight.

        No window begins before its band: bright lines there would have to cancel.
        """
        return jnp.minimum(self._spread(start) + self.slots.offset, self.wave.size - 1)

    def means(self, z: jax.Array, start: jax.Array) -> jax.Array:
        """Return Ḡ between each slot and the next, (n_slot − 1,)."""
        return self.slopes(z, start)[0]

    def slopes(self, z: jax.Array, start: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return Ḡ and dḠ/dz between each slot and the next, (n_slot − 1,).

        Between the last slot of a band and the first of the next one they mean nothing. With x
        on both sides of an interval proportional to 1 + z,

            (1 + z) dḠ/dz = x_i [G(x_{i+1}) − G(x_i)] / (x_{i+1} − x_i) + G(x_{i+1}) − Ḡ.
        """
        s = self.slots
        node = self._nodes(start)
        x = from_centre(take(self.wave_head, node), take(self.wave_rest, node), z, s.centre)
        head, rest, g = self.curves.integrals(x, _locate(self.curves, s, x), s.centre)
        width = x[1:] - x[:-1]
        width = jnp.where(jnp.asarray(s.inner)[:-1] & (width > 0.0), width, 1.0)
        mean = ((head[1:] - head[:-1]) + (rest[1:] - rest[:-1])) / width
        slope = (x + s.centre)[:-1] * (g[1:] - g[:-1]) / width + g[1:] - mean
        beyond = x[:-1] >= jnp.asarray(s.red)[:-1]
        return jnp.where(beyond, 0.0, mean), jnp.where(beyond, 0.0, slope / (1.0 + z))

    def project(self, lnu: jax.Array, z: jax.Array) -> jax.Array:
        """Return the band averages (n_band,) of ``lnu`` (n_wave,) at redshift ``z``, same unit.

        They are linear in ``lnu``, and their slope in the scalar z is cheap beside them: said
        so, gradients of either mode cost about as much as the values.
        """
        return averages(self, lnu, jnp.asarray(z, lnu.dtype))

    def integrated(self, level: jax.Array, mean: jax.Array) -> jax.Array:
        """Return L_first − Σ_i (L_{i+1} − L_i) Ḡ_i of each band; in batches, matrix products."""
        first = np.arange(level.size)[:, None] == self._first
        return self.scaled(_matmul(level, first) - self.rises(level, mean))

    def rises(self, level: jax.Array, mean: jax.Array) -> jax.Array:
        """Return Σ_i (L_{i+1} − L_i) Ḡ_i of each band."""
        return _matmul((level[1:] - level[:-1]) * mean, self.members())

    def scaled(self, averages: jax.Array) -> jax.Array:
        """Return band averages (n_band,) as flux densities that catalogues quote."""
        return (
            averages
            if set(self.scales) == {1.0}
            else averages * np.array(self.scales, averages.dtype)
        )

    def rows(self, z: jax.Array) -> jax.Array:
        """Return the weights as a dense matrix (n_band, n_wave): ⟨L_ν⟩ = rows @ L_ν."""
        start, n = self.starts(z), self.wave.size
        inner = np.asarray(self.members().any(axis=1))
        begins = np.isin(np.arange(inner.size + 1), self._first)
        mean = jnp.where(inner, self.means(z, start), 0.0)
        weights = jnp.asarray(begins, mean.dtype) + jnp.pad(mean, (0, 1)) - jnp.pad(mean, (1, 0))
        if set(self.scales) != {1.0}:
            weights = weights * np.array(self.scales, weights.dtype)[self._band_of_slot()]
        place = self._nodes(start) + n * self._band_of_slot()
        flat = jnp.zeros(self.n_band * n, weights.dtype)
        return flat.at[place].add(weights, mode="promise_in_bounds").reshape(self.n_band, n)

    @property
    def _first(self) -> np.ndarray:
        """First slot of each band."""
        return np.cumsum(self.sizes) - self.sizes

    def _band_of_slot(self) -> np.ndarray:
        return np.repeat(np.arange(self.n_band), self.sizes)

    def members(self) -> np.ndarray:
        """Say which band each interval between slots is in, (n_slot − 1, n_band); none, if two."""
        band = self._band_of_slot()
        return (band[:-1, None] == np.arange(self.n_band)) & (band[:-1] == band[1:])[:, None]

    def _spread(self, values: jax.Array) -> jax.Array:
        """Return (n_slot,) copies of one value per band.

        Joined runs are faster at run time; with many bands a gather compiles much faster.
        """
        if self.n_band > _MOST_JOINED:
            return take(values, self._band_of_slot())
        runs = [jnp.broadcast_to(values[b], (size,)) for b, size in enumerate(self.sizes)]
        return jnp.concatenate(runs)

    def windows(self, values: jax.Array, start: jax.Array, z: jax.Array) -> jax.Array:
        """Return the values (n_wave,) in the window of each band at redshift ``z``, (n_slot,)."""
        return take(stored(values, 1.0 + z), self._nodes(start))


@jax.custom_jvp
def averages(bands: Any, lnu: jax.Array, z: jax.Array) -> jax.Array:
    """Return the band averages (n_band,) by means over intervals; their slope in z likewise.

    ``bands`` is a `BandProjection` or a `tengri.observation.shared.SharedProjection`.
    """
    start = bands.starts(z)
    return bands.integrated(bands.windows(lnu, start, z), bands.means(z, start))


@averages.defjvp
def _(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    # the constants of the projection are an argument, for they may be tracers of an outer jit
    (bands, lnu, z), (_, more, shift) = primals, tangents
    start = bands.starts(z)
    mean, slope = bands.slopes(z, start)
    level, change = bands.windows(lnu, start, z), bands.windows(more, start, z)
    moved = bands.scaled(bands.rises(level, slope))
    return bands.integrated(level, mean), bands.integrated(change, mean) - shift * moved


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
    wave = check_grid(wave_rest)
    check_range(filters, z, z)
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
    return curve.scale * (row / m0.sum())


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
    wave = check_grid(wave_rest)
    check_range(filters, z_min, z_max)
    lowest = min(f.wave[0] for f in filters) / (1.0 + z_max) * (1.0 - 1e-6)
    highest = max(f.wave[-1] for f in filters) / (1.0 + z_min) * (1.0 + 1e-6)
    low = max(int(np.searchsorted(wave, lowest, "right")) - 1, 0)
    high = int(np.searchsorted(wave, highest, "left")) + 1
    return slice(low, min(high, wave.size))


def _matmul(values: jax.Array, matrix: np.ndarray) -> jax.Array:
    return matmul(values, matrix.astype(values.dtype))


def _locate(curves: CurveTables, s: Slots, x: jax.Array) -> jax.Array:
    """Return the segment that holds each ``x``."""
    place = ((x - s.blue) * s.bins_per_aa + 1.0).astype(jnp.int32) + s.first_bin
    place = jnp.clip(place, s.first_bin, s.last_bin)
    beyond = x >= take(curves.split, place)
    segment = take(curves.first, place) + beyond.astype(jnp.int32)
    for _ in range(curves.more_steps):
        further = jnp.minimum(segment + 1, s.last_segment)
        segment = jnp.where(x >= take(curves.knot, further), further, segment)
    return segment


# --- float64 preparation --------------------------------------------------------------------


def _tables(filters: Sequence[FilterCurve]) -> tuple[CurveTables, dict[str, np.ndarray]]:
    """Return the concatenated tables and, per band (n_band,), the numbers the slots carry."""
    centres = [float(np.float32(f.pivot)) for f in filters]
    made = [_one_table(*one) for one in zip(filters, centres)]
    knots = np.cumsum([0] + [t["knot"].size for t in made])
    bins = np.cumsum([0] + [t["split"].size for t in made])
    joined = {name: np.concatenate([t[name] for t in made]) for name in made[0]}
    joined["first"] = (joined["first"] + np.repeat(knots[:-1], np.diff(bins))).astype(np.int32)
    blue = np.array([t["knot"][1] for t in made])
    red = np.array([t["knot"][-1] for t in made])
    most = max(int(np.diff(t["first"]).max()) for t in made)
    return CurveTables(more_steps=most - 1, **joined), {
        "blue": blue,
        "red": red,
        "centre": np.array(centres),
        "bins_per_aa": (np.diff(bins) - 2) / (red - blue),
        "first_bin": bins[:-1].astype(np.int32),
        "last_bin": (bins[1:] - 1).astype(np.int32),
        "last_segment": (knots[1:] - 1).astype(np.int32),
    }


def _one_table(curve: FilterCurve, centre: float) -> dict[str, np.ndarray]:
    wave, trans = refine(curve.wave, curve.trans, FINE)
    trans = trans / segment_moments(wave, trans)[0].sum()
    m0, m1 = segment_moments(wave, trans)
    width, start = np.diff(wave), wave[:-1]
    g = -sums_from_the_end(m0)
    h = sums_from_the_end(width / 2.0 * m0 + m1 - g[1:] * width)
    # T/λ = t0 + t1 q + t2 q² + … in q = λ − start
    t0 = trans[:-1] / start
    t1 = (np.diff(trans) / width - t0) / start
    quantum = 2.0 ** np.ceil(np.log2(h[0]) - 22.0)
    head = np.round(h / quantum) * quantum
    first, split = bins_of(wave - centre)
    return {
        "knot": np.append(wave[0], wave) - centre,
        "head": np.append(head[0], head),
        "rest": np.append(h[0] - head[0], h - head),
        "g0": np.append(-1.0, g),
        "g1": np.pad(t0 / 2.0, 1),
        "g2": np.pad(t1 / 6.0, 1),
        "first": first,
        "split": split,
    }


def bins_of(knot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the segment at the beginning of each of n equal bins, and the next segment's knot.

    The bins are as fine as the closest knots, so that none holds two, up to ``_MOST_BINS``. One
    more on either side leads to all that lies outside the band.
    """
    span, last = knot[-1] - knot[0], knot.size - 2
    n = int(min(np.ceil(span / np.diff(knot).min()), _MOST_BINS))
    begins = knot[0] + span * np.arange(n) / n
    before = np.clip(np.searchsorted(knot, begins, "right") - 1, 0, last)
    first = np.concatenate([[0], before + 1, [last + 1]])
    return first, np.concatenate([knot[:1], knot[before + 1], knot[-1:]])
