"""Each family's SFR written a second time, in NumPy, and integrated by brute force.

Lookback time t and cosmic time T = t_univ - t in Gyr; q holds a family's short names, times in
Gyr; rates are relative to unit amplitude.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from scipy.special import erfc

from tengri.components.stellar.sfh import StarFormationHistory

Q = dict[str, float]


def norm(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    return np.exp(-((t - q["peak_lbt_gyr"]) ** 2) / (2 * q["width_gyr"] ** 2))


def snorm(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    x = (t - q["peak_lbt_gyr"]) / q["width_gyr"]
    return np.exp(-0.5 * (x * np.exp(q["skew"] * np.arcsinh(x))) ** 2)


def tsnorm(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    x = (t - q["peak_lbt_gyr"]) / q["width_gyr"]
    return snorm(t, q, t_univ) * 0.5 * erfc(x / q["trunc"] / np.sqrt(2))


def dpl(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    a, b = q["alpha"], q["beta"]

    def shape(x: np.ndarray) -> np.ndarray:
        return 1 / (x**a + x**-b)

    return shape((t_univ - t) / q["tau_gyr"]) / shape((b / a) ** (1 / (a + b)))


def lnorm(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    # Gladders+2013, eq. 1, and its value at the peak
    sigma = q["width_dex"] * np.log(10)
    t0 = np.log(q["peak_gyr"]) + sigma**2

    def gladders(cosmic: np.ndarray) -> np.ndarray:
        return np.exp(-((np.log(cosmic) - t0) ** 2) / (2 * sigma**2)) / cosmic

    return gladders(t_univ - t) / gladders(q["peak_gyr"])


def const(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    return ((t >= q["end_gyr"]) & (t <= q["start_gyr"])).astype(float)


def tau(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    since = q["age_gyr"] - t
    return np.where(since >= 0, np.exp(-np.maximum(since, 0) / q["tau_gyr"]), 0.0)


def delayed(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    x = np.maximum(q["age_gyr"] - t, 0) / q["tau_gyr"]
    return x * np.exp(1 - x)


def exp(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    since = t - q["start_gyr"]
    return np.where(since >= 0, np.exp(-np.maximum(since, 0) / q["tau_gyr"]), 0.0)


def leja_edges(t_univ: float) -> np.ndarray:
    """30 and 100 Myr fixed, the rest equal in log lookback time up to 0.85 t_univ."""
    between = 10 ** np.linspace(-1.0, np.log10(0.85 * t_univ), 5)
    return np.array([0.0, 0.03, *between, t_univ])


def _stepwise(levels: list[float], t: np.ndarray, edges: np.ndarray) -> np.ndarray:
    held = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, len(levels) - 1)
    return (np.array(levels) / max(levels))[held]


def continuity(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    levels = [1.0]
    for i in range(6):
        levels.append(levels[-1] / 10 ** q[f"ratio_{i}"])
    return _stepwise(levels, t, leja_edges(t_univ))


def dirichlet(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    left, levels = 1.0, []
    for i in range(6):
        broken = q[f"z_{i}"] ** (1 / (6 - i))
        levels.append(left * (1 - broken))
        left *= broken
    return _stepwise([*levels, left], t, leja_edges(t_univ))


def psb_edges(q: Q, t_univ: float) -> np.ndarray:
    t_flex = min(q["tflex_gyr"], t_univ)
    t_last = min(q["tlast_gyr"], t_flex)
    products = np.cumprod([1.0, *(10 ** q[f"ratio_{i}"] for i in range(4))])
    flexible = t_last + (t_flex - t_last) * np.cumsum(products) / products.sum()
    return np.array([0.0, t_last, *flexible, *np.linspace(t_flex, t_univ, 4)[1:]])


def psb(t: np.ndarray, q: Q, t_univ: float) -> np.ndarray:
    names = (
        "ratio_young",
        *(f"ratio_{i}" for i in range(4)),
        *(f"ratio_old_{i}" for i in range(3)),
    )
    levels = [1.0]
    for name in names:
        levels.append(levels[-1] / 10 ** q[name])
    return _stepwise(levels, t, psb_edges(q, t_univ))


CURVES: dict[str, Callable[[np.ndarray, Q, float], np.ndarray]] = {
    f.__name__: f
    for f in (
        tsnorm,
        snorm,
        norm,
        dpl,
        lnorm,
        const,
        tau,
        delayed,
        exp,
        continuity,
        dirichlet,
        psb,
    )
}


def breakpoints(name: str, q: Q, t_univ: float) -> list[float]:
    """Where the curve is not smooth."""
    if name in ("continuity", "dirichlet"):
        return list(leja_edges(t_univ)[1:-1])
    if name == "psb":
        return list(psb_edges(q, t_univ)[1:-1])
    return [q[k] for k in ("age_gyr", "start_gyr", "end_gyr") if k in q]


def masses(name: str, q: Q, edges: np.ndarray, t_univ: float) -> np.ndarray:
    """Mass in each bin [Gyr x unit SFR] by Gauss-Legendre on panels finer than any feature."""
    low, high = np.minimum(edges[:-1], t_univ), np.minimum(edges[1:], t_univ)
    early = t_univ * (1 - np.geomspace(1e-7, 1, 400))  # dense in log cosmic time
    fine = np.linspace(0, t_univ, max(300, int(t_univ / 0.02)))
    special = [t for t in breakpoints(name, q, t_univ) if 0 < t < t_univ]
    inner = np.minimum(edges, t_univ)
    points = np.unique(np.concatenate([inner, early, fine, special, [0, t_univ]]))
    x, w = np.polynomial.legendre.leggauss(6)
    width = np.diff(points)
    nodes = points[:-1, None] + width[:, None] * 0.5 * (x + 1)
    panel = (CURVES[name](nodes, q, t_univ) * 0.5 * w).sum(axis=1) * width
    owner = np.searchsorted(high, 0.5 * (points[1:] + points[:-1]))
    return np.bincount(owner, panel, minlength=len(low))


@partial(jax.jit, static_argnums=(0, 2))
def _formed(history: StarFormationHistory, p: dict, edges: tuple, t_univ: Any) -> tuple:
    return history.formed(p, np.array(edges), t_univ)


def formed(history: StarFormationHistory, p: dict, edges: np.ndarray, t_univ: float) -> tuple:
    """`StarFormationHistory.formed`, compiled."""
    mass, fractions = _formed(history, p, tuple(map(float, edges)), t_univ)
    return np.asarray(mass), np.asarray(fractions)


@partial(jax.jit, static_argnums=0)
def _sfr(history: StarFormationHistory, p: dict, t: Any, t_univ: Any) -> Any:
    return history.sfr(p, t, t_univ)


def sfr(history: StarFormationHistory, p: dict, t: Any, t_univ: float) -> np.ndarray:
    """`StarFormationHistory.sfr`, compiled."""
    return np.asarray(_sfr(history, p, np.asarray(t, float), t_univ))
