"""Errors along every parameter, with the physics marked: breaks and lines that cross bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from tengri import Parameters
from tengri.analysis.labels import band_label
from tengri.analysis.style import colours
from tengri.components.stellar.metallicity import LOG10_ZSUN
from tengri.constants import LYMAN_ALPHA_AA
from tengri.observation.filters import FilterCurve

#: Rest wavelengths [Å] of breaks and lines, in vacuum: the Lyman limit, the Balmer limit, the end
#: of the metal lines, and the brightest lines of the optical.
FEATURES = {"Lyman limit": 911.75, "Lyα": LYMAN_ALPHA_AA, "Balmer break": 3647.0,
            "4000 Å break": 4000.0, "[O III]": 5008.24, "Hα": 6564.6}  # fmt: skip
QUANTILES = ((50, "-"), (95, "--"), (99, ":"))
MMAG = 1e3
COLUMNS = 3


def by_parameter(
    params: Mapping[str, np.ndarray],
    delta_mag: np.ndarray,
    spec: Parameters,
    filters: Sequence[FilterCurve],
    lgmet: np.ndarray | None = None,
) -> Figure:
    """Return quantiles of |Δm| along every parameter.

    Parameters
    ----------
    params : mapping
        Free parameters of the galaxies, (n,); others are left out.
    delta_mag : ndarray, shape (n, n_bands)
        Emulated less exact magnitudes, NaN where a band does not count.
    spec : Parameters
        For symbols and units.
    filters : sequence of FilterCurve
        In which breaks and lines are followed along the redshift.
    lgmet : ndarray, optional
        log10 Z of the stellar grid, marked along metallicities.
    """
    scalars = [n for n, v in params.items() if np.ndim(v) == 1 and np.ptp(v) > 0.0]
    others = [name for name in scalars if name != "redshift"]
    size = MMAG * np.abs(delta_mag)
    along_z = "redshift" in scalars
    n_rows = -(-len(others) // COLUMNS)
    heights = [4.6] * along_z + [2.5 * n_rows] * bool(n_rows)
    figure = Figure(figsize=(11, sum(heights) or 2.5), dpi=110, layout="constrained")
    parts = figure.subfigures(max(len(heights), 1), 1, height_ratios=heights or [1], squeeze=False)
    if along_z:
        _redshift(parts[0, 0], params["redshift"], size, filters)
    for i, name in enumerate(others):
        ax = parts[-1, 0].add_subplot(n_rows, COLUMNS, i + 1)
        _running(ax, params[name], size)
        ax.set(xlabel=_label(spec, name), ylabel="|Δm| [mmag]")
        _mark(ax, spec, name, lgmet)
        if not along_z and not i:
            ax.legend(fontsize=7)
    return figure


def _redshift(part: Any, z: np.ndarray, size: np.ndarray, filters: Sequence[FilterCurve]) -> None:
    """Draw errors along z, of all bands and of each, and below which feature is in which band."""
    top, bottom = part.subplots(2, 1, sharex=True, height_ratios=(2, 1.25))
    shades = colours(len(filters))
    order = np.argsort([f.pivot for f in filters])
    for place, i in enumerate(order):
        middle, (values,) = _quantiles(z, size[:, [i]], (95,))
        top.plot(middle, values, lw=0.8, alpha=0.7, color=shades[place])
    _running(top, z, size, lw=1.8)
    top.set(ylabel="|Δm| [mmag]", xlim=(z.min(), z.max()))
    top.plot([], [], color="0.5", lw=0.8, label="95 % of each band")
    top.legend(fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    reach = float(z.min()), float(z.max())
    seen = {name: wave for name, wave in FEATURES.items()
            if any(crossing(wave, curve, reach) for curve in filters)}  # fmt: skip
    for row, wave in enumerate(seen.values()):
        for place, i in enumerate(order):
            if (inside := crossing(wave, filters[i], reach)) is None:
                continue
            low, high = inside
            bottom.barh(row, high - low, left=low, height=0.8, color=shades[place], alpha=0.75)
            if high - low > 0.035 * np.ptp(z):
                bottom.text(0.5 * (low + high), row, band_label(filters[i].name).split()[-1],
                            ha="center", va="center", fontsize=7, color="white")  # fmt: skip
    bottom.set_yticks(range(len(seen)), list(seen), fontsize=8)
    bottom.set(
        xlabel="$z$: which break or line is in which band", ylim=(max(len(seen), 1) - 0.4, -0.6)
    )


def crossing(
    wave: float, curve: FilterCurve, reach: tuple[float, float]
) -> tuple[float, float] | None:
    """Return between which redshifts of ``reach`` a rest wavelength [Å] is in a band, if any."""
    low, high = (edge / wave - 1.0 for edge in half_maximum(curve))
    low, high = max(low, reach[0]), min(high, reach[1])
    return (low, high) if low < high else None


def half_maximum(curve: FilterCurve) -> tuple[float, float]:
    """Return the outermost wavelengths [Å] at which a band transmits half of its maximum."""
    wave, trans = np.asarray(curve.wave), np.asarray(curve.trans)
    inside = np.flatnonzero(trans >= 0.5 * trans.max())
    return float(wave[inside[0]]), float(wave[inside[-1]])


def _mark(ax: Axes, spec: Parameters, name: str, lgmet: np.ndarray | None) -> None:
    """Mark metallicities of the grid, and an optical depth of one."""
    low, high = ax.get_xlim()
    param = spec.composition.params[name]
    marks: tuple[float, ...] = ()
    if param.role == "metallicity" and lgmet is not None:
        marks, said = tuple(np.asarray(lgmet, float) - LOG10_ZSUN), "metallicities of the grid"
    elif name.startswith("dust_tau"):
        marks, said = (1.0,), "τ = 1"
    inside = [mark for mark in marks if low < mark < high]
    for mark in inside:
        ax.axvline(mark, color="0.6", lw=0.7, zorder=0)
    if inside:
        ax.set_title(f"grey: {said}", fontsize=7, loc="right", color="0.4")
    ax.set_xlim(low, high)


def _running(ax: Axes, x: np.ndarray, size: np.ndarray, lw: float = 1.0) -> None:
    middle, curves = _quantiles(x, size, [q for q, _ in QUANTILES])
    for (q, style), values in zip(QUANTILES, curves):
        ax.plot(middle, values, style, color="k", lw=lw, label=f"{q} % of all")
    ax.set_yscale("log")
    for axis_formatter in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        axis_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))


def _quantiles(
    x: np.ndarray, size: np.ndarray, levels: Sequence[float], bins: int = 25
) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles (n,) of intervals of x with equal numbers, and quantiles (n_levels, n)."""
    edges = np.quantile(x, np.linspace(0.0, 1.0, min(bins, max(len(x) // 20, 2)) + 1))
    inside = [size[(x >= lo) & (x <= hi)] for lo, hi in pairwise(edges)]
    values = [np.nanpercentile(s, levels) if np.isfinite(s).any() else np.full(len(levels), np.nan)
              for s in inside]  # fmt: skip
    return 0.5 * (edges[1:] + edges[:-1]), np.transpose(values)


def _label(spec: Parameters, name: str) -> str:
    return spec.composition.params[name].label
