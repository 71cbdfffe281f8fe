"""Fewer wavelengths with the same band fluxes.

A compact spectrum is piecewise linear on chosen nodes. Its node values are the least-squares
projection of the full spectrum onto the hat functions of the nodes, so that its integral against
every hat function, hence against any smooth curve, is that of the full spectrum. Emission lines
are triangles with feet at ±√6 σ, the variance of a Gaussian of that σ; their flux and centroid
are exact, and they stay exact where lines overlap, because a sum of triangles is piecewise linear
on the union of their nodes.

Steps get a pair of nodes: the Lyman limit and the Lyman lines, where intergalactic absorption
sets in, which a model applies to node values. Lyman lines themselves are cut in half by it and so
are drawn flat between their pair.
"""

from __future__ import annotations

import numpy as np

from tengri.constants import C_AA_PER_S, C_KM_S

Array = np.ndarray

LINE_SIGMA_KMS = 100.0
LYMAN_LIMIT = 911.75
LYMAN_SERIES = np.array([1215.67, 1025.72, 972.537, 949.743, 937.803, 930.748, 926.226, 923.150])
STEP_HALF_WIDTH = 0.02

# Largest distance of nodes [Å] from each wavelength [Å] on; where the source is coarser, its own.
SPACING = (
    (0.0, 20.0),
    (228.0, 6.0),
    (350.0, 4.0),
    (620.0, 5.0),
    (880.0, 1.5),
    (980.0, 2.0),
    (1015.0, 1.5),
    (1035.0, 2.0),
    (1190.0, 1.5),
    (1212.0, 0.5),
    (1222.0, 1.0),
    (1245.0, 2.0),
    (1290.0, 4.0),
    (1700.0, 7.0),
    (2500.0, 12.0),
    (3500.0, 10.0),
    (4200.0, 16.0),
    (7000.0, 25.0),
    (10000.0, 100.0),
    (26000.0, 400.0),
    (50000.0, 1500.0),
)


def nodes(wave: Array, line_wave: Array | None = None) -> Array:
    """Return compact wavelengths: a subset of ``wave``, with steps and lines built in.

    Parameters
    ----------
    wave : ndarray
        Wavelengths of the full grid, Å.
    line_wave : ndarray, optional
        Lines that need a centre and two feet each.
    """
    steps = np.concatenate([[LYMAN_LIMIT], LYMAN_SERIES])
    fixed = np.sort((steps[:, None] + STEP_HALF_WIDTH * np.array([-1.0, 1.0])).ravel())
    if line_wave is not None:
        fixed = np.unique(np.concatenate([fixed, *(profile(line)[0] for line in line_wave)]))
        fixed = fixed[(fixed > wave[0]) & (fixed < wave[-1])]
    base = spaced(wave)
    return np.union1d(base[_distance(base, fixed) > 0.25 * spacing(base)], fixed)


def spacing(wave: Array) -> Array:
    """Return the largest allowed distance of nodes at ``wave``."""
    starts, widths = np.array(SPACING).T
    return widths[np.searchsorted(starts, wave, side="right") - 1]


def spaced(wave: Array) -> Array:
    """Return the points of ``wave`` that keep the spacing, both ends included."""
    widths = spacing(wave)
    kept = [0]
    for i in range(1, len(wave) - 1):
        if wave[i + 1] - wave[kept[-1]] > widths[kept[-1]] * (1 + 1e-9):
            kept.append(i)
    return wave[[*kept, len(wave) - 1]]


def _distance(wave: Array, others: Array) -> Array:
    right = np.clip(np.searchsorted(others, wave), 1, len(others) - 1)
    return np.minimum(np.abs(wave - others[right]), np.abs(wave - others[right - 1]))


def project(wave: Array, flux: Array, compact: Array) -> Array:
    """Return the non-negative values (…, n_compact) whose hat moments are those of ``flux``.

    ``wave`` and ``compact`` share their ends. The normal equations M c = b have the tridiagonal
    mass matrix M of the hat functions; values that would be negative are held at zero.
    """
    rows = flux.reshape(-1, len(wave))
    right_side = hat_moments(wave, rows, compact)
    step = np.diff(compact)
    diagonal = (np.append(step, 0.0) + np.append(0.0, step)) / 3.0
    off_diagonal = step / 6.0
    held = np.zeros(right_side.shape, dtype=bool)
    for _ in range(20):
        values = _solve(diagonal, off_diagonal, right_side, held)
        negative = values < 0.0
        if not negative.any():
            break
        held |= negative
    return np.maximum(values, 0.0).reshape(*flux.shape[:-1], len(compact))


def hat_moments(wave: Array, rows: Array, compact: Array) -> Array:
    """Return ∫ φ_i(λ) f(λ) dλ for the hat functions φ_i of ``compact``, exactly."""
    union = np.union1d(wave, compact)
    f = interpolated(wave, rows, union)
    cell = np.clip(np.searchsorted(compact, union[:-1], side="right") - 1, 0, len(compact) - 2)
    step = np.diff(union)
    width = np.diff(compact)[cell]
    rise0, rise1 = (union[:-1] - compact[cell]) / width, (union[1:] - compact[cell]) / width
    starts = np.flatnonzero(np.diff(cell, prepend=-1))

    def summed(phi0: Array, phi1: Array) -> Array:
        piece = f[:, :-1] * (2 * phi0 + phi1) + f[:, 1:] * (phi0 + 2 * phi1)
        return np.add.reduceat(piece * (step / 6.0), starts, axis=1)

    moments = np.zeros((len(rows), len(compact)))
    moments[:, 1:] += summed(rise0, rise1)
    moments[:, :-1] += summed(1.0 - rise0, 1.0 - rise1)
    return moments


def interpolated(wave: Array, flux: Array, at: Array) -> Array:
    """Return ``flux`` (…, n_wave) at other wavelengths: linear, held beyond the ends."""
    low = np.clip(np.searchsorted(wave, at, side="right") - 1, 0, len(wave) - 2)
    part = np.clip((at - wave[low]) / (wave[low + 1] - wave[low]), 0.0, 1.0)
    return flux[..., low] * (1.0 - part) + flux[..., low + 1] * part


def _solve(diagonal: Array, off_diagonal: Array, right_side: Array, held: Array) -> Array:
    """Solve the tridiagonal systems, with the unknowns in ``held`` fixed at zero (Thomas)."""
    d, r, h = diagonal[:, None], right_side.T, held.T
    off = np.where(h[1:] | h[:-1], 0.0, off_diagonal[:, None])
    pivot = np.where(h, 1.0, d)
    value = np.where(h, 0.0, r)
    for i in range(1, len(diagonal)):
        factor = off[i - 1] / pivot[i - 1]
        pivot[i] -= factor * off[i - 1]
        value[i] -= factor * value[i - 1]
    value[-1] /= pivot[-1]
    for i in range(len(diagonal) - 2, -1, -1):
        value[i] = (value[i] - off[i] * value[i + 1]) / pivot[i]
    return value.T


def profile(line: float) -> tuple[Array, Array]:
    """Return wavelengths [Å] and heights of a line of unit flux ∫ f dλ: a triangle.

    A Lyman line is flat between the two nodes of its step, symmetric about its centre.
    """
    half = np.sqrt(6.0) * LINE_SIGMA_KMS / C_KM_S * line
    near = np.abs(LYMAN_SERIES - line) < 0.1
    if near.any():
        top = STEP_HALF_WIDTH
        centre = float(LYMAN_SERIES[near][0])
        wave = centre + np.array([-half, -top, top, half])
        return wave, np.array([0.0, 1.0, 1.0, 0.0]) / (half + top)
    return line + np.array([-half, 0.0, half]), np.array([0.0, 1.0, 0.0]) / half


def add_lines(compact: Array, flux: Array, line_wave: Array, lines: Array) -> Array:
    """Return ``flux`` [Lsun/Hz] on ``compact`` with ``lines`` (…, n_line) [Lsun] drawn in.

    L_ν = L λ²/c · f(λ) for a profile f of unit flux in wavelength.
    """
    drawn = np.stack([_drawn(compact, line) for line in line_wave])
    return flux + lines @ drawn


def _drawn(compact: Array, line: float) -> Array:
    wave, height = profile(line)
    if wave[0] < compact[0] or wave[-1] > compact[-1]:
        return np.zeros_like(compact)
    return np.interp(compact, wave, height, left=0.0, right=0.0) * line**2 / C_AA_PER_S


def rounded(values: Array, bits: int = 15) -> Array:
    """Return float32 with ``bits`` of mantissa: 2⁻¹⁶ relative error, and it compresses well.

    Numbers below 1e-36 become zero, for float32 would hold them with less precision.
    """
    single = np.where(values < 1e-36, 0.0, values).astype(np.float32)
    drop = np.uint32(23 - bits)
    raw = single.view(np.uint32)
    up = raw + (np.uint32(1) << (drop - np.uint32(1)))
    return (up & ~((np.uint32(1) << drop) - np.uint32(1))).view(np.float32)
