"""Figures of one training; axes carry units, colours are colour-blind-safe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tengri.analysis.labels import band_label, colour_label, parameter_label, plot_bands
from tengri.analysis.style import category_colours, curve_styles
from tengri.analysis.style import colours as colours_of
from train.evaluate import Evaluation
from train.problem import Problem

MMAG = 1e3


def _axes(width: float = 6.0, height: float = 4.0) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.add_subplot()


def _legend_of_bands(ax: Any, n: int, **options: Any) -> None:
    """Name the bands beside the axes, that they hide nothing; many of them in two columns."""
    options |= {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "ncols": 1 + (n > 12)}
    ax.legend(fontsize=7, handlelength=3.0, **options)


def cdf(problem: Problem, result: Evaluation) -> Figure:
    """Share of entries beyond a given |Δm|, per band."""
    figure, ax = _axes()
    n = len(problem.bands)
    for i, (band, style) in enumerate(zip(problem.bands, curve_styles(n))):
        size = np.sort(MMAG * np.abs(result.delta_mag[:, i]))
        size = size[np.isfinite(size)]
        share = 1.0 - np.arange(len(size)) / max(len(size), 1)
        ax.loglog(np.maximum(size, 1e-3), share, **style | {"lw": 1.0}, label=band_label(band))
    ax.set(xlabel="|Δm| [mmag]", ylabel="share of galaxies beyond", xlim=(0.05, None),
           ylim=(0.5 / max(len(result.exact), 1), 1.1))  # fmt: skip
    _legend_of_bands(ax, n)
    return figure


def _label(problem: Problem, name: str) -> str:
    return problem.spec.composition.params[name].label


def by_brightness(problem: Problem, result: Evaluation) -> Figure:
    """Error in flux against how faint the band is within its galaxy, dropouts included."""
    figure, ax = _axes()
    top = result.exact.max(axis=1, keepdims=True)
    share, error = result.exact / top, np.abs(result.emulated - result.exact) / top
    shades = colours_of(len(problem.bands))
    for i, band in enumerate(problem.bands):
        x, y = np.maximum(share[:, i], 1e-9), np.maximum(error[:, i], 1e-10)
        ax.loglog(x, y, ".", ms=0.6, color=shades[i], label=band_label(band), rasterized=True)
    x = np.array([1e-9, 1.0])
    ax.loglog(x, 0.01 * x, "k-", lw=0.7, label="1 %")
    ax.axvline(1e-4, color="k", ls=":", lw=0.7)
    ax.set(
        xlabel="exact flux / flux of the brightest band", ylabel="|Δf| / f of the brightest band"
    )
    _legend_of_bands(ax, len(problem.bands), markerscale=12)
    return figure


def correlation(problem: Problem, result: Evaluation) -> Figure:
    """Correlation of the residuals between bands: what colours inherit."""
    figure, ax = _axes(5.0, 4.2)
    sigma = np.sqrt(np.maximum(np.diag(result.covariance), 1e-30))
    image = ax.imshow(result.covariance / np.outer(sigma, sigma), vmin=-1, vmax=1, cmap="RdBu_r")
    ticks = range(len(problem.bands))
    names = [band_label(band) for band in problem.bands]
    ax.set_xticks(ticks, names, rotation=60, ha="right", fontsize=7)
    ax.set_yticks(ticks, names, fontsize=7)
    figure.colorbar(image, label="correlation of Δm")
    return figure


def colours(problem: Problem, result: Evaluation) -> Figure:
    """Distribution of the residuals of neighbouring colours."""
    figure, ax = _axes()
    dm = MMAG * result.delta_mag
    n = len(problem.bands) - 1
    for i, style in enumerate(curve_styles(n)):
        delta = dm[:, i] - dm[:, i + 1]
        delta = delta[np.isfinite(delta)]
        if delta.size:
            lo, hi = np.percentile(delta, [0.5, 99.5])
            within = (lo, hi) if hi > lo else None
            label = colour_label(problem.bands[i], problem.bands[i + 1]).removesuffix(" [mag]")
            look = {"histtype": "step", "label": label, **style}
            ax.hist(delta, bins=60, range=within, density=True, **look)
    ax.set(xlabel="Δ(colour) [mmag]", ylabel="density [1/mmag]")
    if n:
        _legend_of_bands(ax, n)
    return figure


def worst(problem: Problem, result: Evaluation) -> Figure:
    """The ten worst galaxies, exact (line) and emulated (crosses)."""
    size = np.nanmax(np.abs(result.delta_mag), axis=1)
    order = np.argsort(-np.nan_to_num(size))[:10]
    pivots = np.array([f.pivot for f in problem.model.observation.photometry.filters])
    by_wave = np.argsort(pivots)
    figure = Figure(figsize=(12, 5), dpi=110, layout="constrained")
    for place, i in enumerate(order):
        ax = figure.add_subplot(2, 5, place + 1)
        top = result.exact[i].max()
        red = category_colours(2)[1]
        for flux, style, colour in ((result.exact[i], "o-", "k"), (result.emulated[i], "+", red)):
            below = -2.5 * np.log10(flux[by_wave] / top)
            ax.plot(pivots[by_wave] / 1e4, below, style, color=colour, ms=5, lw=0.8)
        ax.invert_yaxis()
        z = result.held_out.params.get("redshift")
        ax.set_title(f"{MMAG * size[i]:.0f} mmag" + (f", z={z[i]:.3f}" if z is not None else ""),
                     fontsize=8)  # fmt: skip
        ax.set(xlabel="pivot [µm]" if place > 4 else "", ylabel="m − m(brightest) [mag]")
    return figure


def training(records: list[dict[str, Any]]) -> Figure:
    """Loss and live accuracy against the step."""
    figure = Figure(figsize=(9, 3.4), dpi=110, layout="constrained")
    for place, (names, label) in enumerate(
        ((("loss",), "loss"),
         (("dm_median_mmag", "dm_p95_mmag", "dm_p99_mmag", "dm_worst_mmag"), "|Δm| [mmag]"))
    ):  # fmt: skip
        ax = figure.add_subplot(1, 2, place + 1)
        for name in names:
            points = [(r["step"], r[name]) for r in records if r.get(name) is not None]
            if points:
                ax.semilogy(*zip(*points), ".-", lw=1, ms=3, label=name)
        ax.set(xlabel="step", ylabel=label)
        if ax.lines:
            ax.legend(fontsize=7)
    return figure


def sweeps(problem: Problem, curves: Mapping[str, Any]) -> Figure:
    """One-dimensional sweeps through the middle of the box: exact (lines), emulated (dots)."""
    columns = min(3, len(curves))  # a table knows the redshift alone
    rows = -(-len(curves) // columns)
    size = (0.8 + 3.4 * columns, 2.6 * rows)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    names = [band_label(band) for band in problem.bands]
    for place, (name, (x, exact, emulated)) in enumerate(curves.items()):
        ax = figure.add_subplot(rows, columns, place + 1)
        for i, line in enumerate(plot_bands(ax, x, exact, names, lw=1.0)):
            line.set_label(names[i])
            ax.plot(x[::4], emulated[::4, i], "o", color=line.get_color(), ms=2.5)
        ax.invert_yaxis()
        ax.set(xlabel=_label(problem, name), ylabel="m [AB mag]")
    # beside the last column, whose panels may be fewer
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, handlelength=3.0, loc="outside right upper")
    return figure


def coverage(result: Evaluation) -> Figure:
    """Do the error bars hold what they promise?"""
    figure, ax = _axes(4.0, 3.6)
    table = result.tables["coverage"].values()
    ax.plot([0.5, 1.0], [0.5, 1.0], "k-", lw=0.7)
    ax.plot([r["expected"] for r in table], [r["found"] for r in table], "o")
    ax.set(xlabel="promised share inside the bar", ylabel="found on other draws")
    return figure


def jacobian(result: Evaluation) -> Figure:
    """Error of the derivatives against their size."""
    figure, ax = _axes(6.0, 3.6)
    table = result.tables["jacobian"]
    y = np.arange(len(table))
    ax.barh(y + 0.2, [r["rms"] for r in table.values()], 0.4, label="exact, rms", color="0.7")
    red = category_colours(2)[1]
    ax.barh(y - 0.2, [r["error"] for r in table.values()], 0.4, label="error, rms", color=red)
    ax.set_yticks(y, [parameter_label(name) for name in table], fontsize=8)
    ax.set(xscale="log", xlabel="∂m/∂x [mag per half box]")
    figure.legend(fontsize=7, loc="outside upper right", ncols=2)  # bars may reach any corner
    return figure


def speed(table: list[dict[str, Any]]) -> Figure:
    """Time per galaxy of both models against the batch size."""
    figure, ax = _axes(5.0, 3.6)
    for what, colour in zip(("flux", "gradient"), category_colours(2)):
        rows = [r for r in table if r["what"] == what]
        for model, style in (("exact", "s--"), ("emulated", "o-")):
            ax.loglog([r["galaxies"] for r in rows], [1e6 * r[model] for r in rows], style,
                      color=colour, label=f"{model}, {what}")  # fmt: skip
    ax.set(xlabel="galaxies per call", ylabel="time per galaxy [µs]")
    ax.legend(fontsize=7)
    return figure
