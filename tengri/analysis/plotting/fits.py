"""Figures of fits: of a whole catalogue, and of one galaxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy.stats import chi2 as chi_square

from tengri.analysis.labels import band_label, parameter_label
from tengri.analysis.redshifts import OUTLIER, quality, relative_error

#: Of the data, of a posterior, of what is wrong (colours of Wong 2011, Nat. Methods 8, 441).
BLACK, BLUE, RED, GREY = "#000000", "#0072B2", "#D55E00", "#999999"
#: Quantiles of a posterior's bands.
INNER, OUTER = (16.0, 84.0), (2.5, 97.5)


def _axes(width: float = 6.4, height: float = 4.2) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.add_subplot()


def _plain_log_ticks(axis: Axis) -> None:
    """Write numbers on a logarithmic axis as they are, 0.3 or 20, where they are short so."""
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low)
    if low < 1e-3 or high > 1e4:
        return
    subs = (1, 2, 3, 4, 6, 8) if decades < 1.0 else (1, 2, 5) if decades < 2.5 else (1,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


# --- of a catalogue ---------------------------------------------------------------------------


def redshifts(z_phot: np.ndarray, low: np.ndarray, high: np.ndarray, z_spec: np.ndarray) -> Figure:
    """z_phot with 68 % intervals against z_spec, and the difference below; both (n,)."""
    figure = Figure(figsize=(6.4, 7.4), dpi=110, layout="constrained")
    top, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    off = relative_error(z_phot, z_spec)
    good = np.isfinite(off)
    wrong = good & (np.abs(off) > OUTLIER)
    x = np.log1p(z_spec)
    for rows, colour, what in ((good & ~wrong, BLUE, "68 % interval"), (wrong, RED, "outlier")):
        y = np.log1p(z_phot[rows])
        bars = np.abs(np.log1p(np.stack([low[rows], high[rows]])) - y)
        top.errorbar(x[rows], y, bars, fmt="o", ms=4, lw=0.8, color=colour, label=what)
        below.plot(x[rows], np.clip(off[rows], -0.5, 0.5), "o", ms=4, color=colour)
    ends = np.array([0.0, 1.05 * np.log1p(np.nanmax(np.append(z_spec[good], z_phot[good])))])
    top.plot(ends, ends, color=BLACK, lw=0.8)
    for sign in (-1, 1):
        top.plot(ends, ends + np.log1p(sign * OUTLIER), ":", color=GREY, lw=0.8)
        below.axhline(sign * OUTLIER, ls=":", color=GREY, lw=0.8)
    below.axhline(0.0, color=BLACK, lw=0.8)
    ticks = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10])
    ticks = ticks[np.log1p(ticks) < ends[1]]
    for axis in (top.xaxis, top.yaxis):
        axis.set_ticks(np.log1p(ticks), [f"{t:g}" for t in ticks])
    top.set(xlim=ends, ylim=ends, ylabel="photometric redshift",
            title=str(quality(z_phot, z_spec)).replace(", median", ",\nmedian"))  # fmt: skip
    top.title.set_fontsize(9)
    below.set(xlabel="spectroscopic redshift", ylabel="Δz/(1+z)", ylim=(-0.55, 0.55))
    top.legend(fontsize=8, loc="upper left")
    return figure


def chi_squares(chi2: np.ndarray, n_bands: np.ndarray) -> Figure:
    """χ² of the best draws, and the distribution of a fit without free parameters."""
    figure, ax = _axes()
    good = np.isfinite(chi2)
    top = max(4.0 * float(np.median(n_bands[good])), 10.0) if good.any() else 10.0
    edges = np.linspace(0.0, top, 41)
    ax.hist(chi2[good].clip(0.0, top - 1e-6), list(edges), color=BLUE, alpha=0.6, label="found")
    expected = sum(
        n * np.diff(chi_square.cdf(edges, k))
        for k, n in zip(*np.unique(n_bands[good], return_counts=True)) if k > 0
    )  # fmt: skip
    if np.ndim(expected):
        ax.stairs(expected, edges, color=BLACK, lw=1, label="χ² of as many bands")
    ax.set(xlabel="χ² of the best draw (the last bin holds all above)", ylabel="galaxies")
    ax.legend(fontsize=8)
    return figure


def zero_points(offset: Mapping[str, float], error: Mapping[str, float]) -> Figure:
    """Offsets [mag] of bands with their errors."""
    figure, ax = _axes(6.4, 0.9 + 0.32 * max(4, len(offset)))
    names = list(offset)
    y = np.arange(len(names))[::-1]
    ax.errorbar([offset[n] for n in names], y, xerr=[error.get(n, 0.0) for n in names],
                fmt="o", color=BLUE)  # fmt: skip
    ax.axvline(0.0, color=BLACK, lw=0.8)
    ax.set_yticks(y, [band_label(name) for name in names])
    ax.set(xlabel="added to the magnitudes [mag]")
    return figure


def plane(x: np.ndarray, y: np.ndarray, labels: tuple[str, str], log: bool = False) -> Figure:
    """Two columns of a catalogue against each other."""
    figure, ax = _axes()
    ax.plot(x, y, ".", ms=3, color=BLUE)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    if log and np.any(y > 0.0):
        ax.set_yscale("log")
        _plain_log_ticks(ax.yaxis)
    return figure


# --- of one galaxy ----------------------------------------------------------------------------


def spectral_energy(
    wave_um: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray,
    seen: np.ndarray,
    predicted: np.ndarray,
    spectra: tuple[np.ndarray, np.ndarray] | None,
) -> Figure:
    """Measured and predicted fluxes over the wavelength.

    Parameters
    ----------
    wave_um, flux, error, seen : ndarray, shape (n_bands,)
        Pivots [µm], fluxes and errors [µJy], whether the band was measured.
    predicted : ndarray, shape (n_draws, n_bands)
        [µJy].
    spectra : (wave [µm] (n,), fluxes [µJy] (n_draws, n)) or None
    """
    figure, ax = _axes(7.5, 4.6)
    if spectra is not None:
        wave, f = spectra
        for ends, alpha in ((OUTER, 0.18), (INNER, 0.3)):
            ax.fill_between(wave, *np.percentile(f, ends, axis=0), color=BLUE, alpha=alpha, lw=0)
    low, middle, high = np.percentile(predicted, (INNER[0], 50.0, INNER[1]), axis=0)
    ax.errorbar(wave_um, middle, [middle - low, high - middle], fmt="s", mfc="none", ms=9,
                color=BLUE, lw=1, label="posterior, 68 %")  # fmt: skip
    shown = seen & (flux > 0.0)
    ax.errorbar(wave_um[shown], flux[shown], error[shown], fmt="o", ms=4, color=BLACK, lw=1.2,
                label="measured")  # fmt: skip
    dark = seen & ~shown
    if dark.any():
        limit = np.maximum(flux[dark], 0.0) + 2.0 * error[dark]
        ax.plot(wave_um[dark], limit, "v", color=BLACK, label="not positive: + 2σ")
    lit = np.concatenate([middle, flux[shown], low])
    lit = lit[lit > 0.0]
    ax.set(xscale="log", yscale="log", xlabel="observed wavelength [µm]", ylabel=r"$F_\nu$ [µJy]",
           xlim=(0.75 * wave_um.min(), 1.35 * wave_um.max()))  # fmt: skip
    if lit.size:
        ax.set_ylim(lit.min() / 4.0, lit.max() * 3.0)
    for axis in (ax.xaxis, ax.yaxis):
        _plain_log_ticks(axis)
    ax.legend(fontsize=8, loc="lower right")
    return figure


def star_formation(t_gyr: np.ndarray, sfr: np.ndarray) -> Figure:
    """Histories (n_draws, n_time) [Msun/yr] on lookback times (n_draws, n_time) [Gyr]."""
    figure, ax = _axes()
    grid = np.linspace(0.0, np.median(t_gyr.max(axis=1)), t_gyr.shape[1])
    curves = np.array([np.interp(grid, t, s, right=np.nan) for t, s in zip(t_gyr, sfr)])
    for ends, alpha in ((OUTER, 0.2), (INNER, 0.35)):
        ax.fill_between(
            grid, *np.nanpercentile(curves, ends, axis=0), color=BLUE, alpha=alpha, lw=0
        )
    ax.plot(grid, np.nanmedian(curves, axis=0), color=BLUE)
    ax.set(xlabel="lookback time [Gyr]", ylabel="SFR [Msun/yr]", xlim=(0.0, grid[-1]),
           ylim=(0.0, None))  # fmt: skip
    return figure


def redshift_distribution(z: np.ndarray, z_spec: float | None) -> Figure:
    """P(z) of draws with equal weights, and a spectroscopic redshift."""
    figure, ax = _axes(6.4, 3.2)
    ends = np.log1p([z.min(), z.max()])
    edges = np.expm1(np.linspace(ends[0] - 0.05, ends[1] + 0.05, 81).clip(0.0))
    ax.hist(z, list(np.unique(edges)), density=True, color=BLUE, alpha=0.7)
    if z_spec is not None and np.isfinite(z_spec):
        ax.axvline(z_spec, color=RED, lw=1.5, label=f"z_spec = {z_spec:g}")
        ax.legend(fontsize=8)
    ax.set(xlabel="redshift", ylabel="P(z)")
    return figure


def corner(values: np.ndarray, names: Sequence[str]) -> Figure:
    """Every pair of parameters of draws (n, n_params) with equal weights, by their symbols."""
    n, labels = len(names), [parameter_label(name) for name in names]
    figure = Figure(figsize=(1.75 * n + 0.6, 1.75 * n + 0.6), dpi=80, layout="constrained")
    axes: Any = figure.subplots(n, n, squeeze=False)
    for i in range(n):
        for j in range(n):
            ax = axes[i, j]
            if j > i:
                ax.axis("off")
                continue
            if i == j:
                ax.hist(values[:, i], 24, color=BLUE, histtype="stepfilled", alpha=0.7)
                ax.set_yticks([])
            else:
                ax.hist2d(values[:, j], values[:, i], 24, cmap="Blues")
            if i == n - 1:
                ax.set_xlabel(labels[j], fontsize=8)
            else:
                ax.set_xticklabels([])
            if j == 0 and i > 0:
                ax.set_ylabel(labels[i], fontsize=8)
            elif j > 0:
                ax.set_yticklabels([])
            ax.tick_params(labelsize=7)
    return figure
