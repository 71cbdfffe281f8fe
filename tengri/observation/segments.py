"""Moments of a piecewise-linear curve with weight dλ/λ, in closed form.

Over a segment with midpoint m and half width h, T(λ) = T_m + t (λ − m), the integrals are

    M0 = ∫ T dλ/λ         = 2 [T_m w + S D]
    M1 = ∫ (λ − m) T dλ/λ = −2 m S D        with w = h/m, S = atanh(w) − w, D = T_m − t m.

S ≪ w is summed as a series, so that nothing cancels however short the segment is; curves are
refined until |w| ≤ ``WIDEST``, where the series below is exact to 3e-15. The functions hold for
NumPy and JAX arrays alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

WIDEST = 0.02  # largest half width of a segment over its midpoint


def moments(mid: Any, half: Any, trans_mid: Any, slope: Any) -> tuple[Any, Any]:
    """Return (M0, M1) of one linear segment, M1 about its midpoint.

    Parameters
    ----------
    mid, half : array
        Midpoint and half width [Å]; a negative half width integrates backwards.
    trans_mid, slope : array
        T at the midpoint and dT/dλ [1/Å].
    """
    w = half / mid
    w2 = w * w
    s = w * w2 * (1.0 / 3.0 + w2 * (1.0 / 5.0 + w2 / 7.0))
    intercept = trans_mid - slope * mid
    return 2.0 * (trans_mid * w + s * intercept), -2.0 * mid * s * intercept


def segment_moments(
    wave: np.ndarray, trans: np.ndarray, trans_end: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return (M0, M1) of every segment of a refined curve (n,) → two arrays (n − 1,).

    With ``trans_end`` a curve that jumps: T at the beginning and at the end of each segment.
    """
    begin, end = (trans[:-1], trans[1:]) if trans_end is None else (trans, trans_end)
    half = np.diff(wave) / 2.0
    return moments(wave[:-1] + half, half, (end + begin) / 2.0, (end - begin) / np.diff(wave))


def refine(
    wave: np.ndarray, trans: np.ndarray, widest: float = WIDEST
) -> tuple[np.ndarray, np.ndarray]:
    """Insert points on the straight segments until each is narrow: half width / middle ≤ widest."""
    parts = np.ceil(np.diff(wave) / (wave[1:] + wave[:-1]) / widest).astype(int)
    start = np.repeat(np.arange(parts.size), parts)
    part = np.arange(start.size) - np.repeat(np.cumsum(parts) - parts, parts)
    fine = wave[start] + np.diff(wave)[start] * (part / parts[start])
    fine = np.append(fine, wave[-1])
    return fine, np.interp(fine, wave, trans)


def integral_dlnwave(wave: np.ndarray, trans: np.ndarray) -> float:
    """Return ∫ T dλ/λ of a piecewise-linear curve."""
    return float(segment_moments(*refine(wave, trans))[0].sum())
