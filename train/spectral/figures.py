"""Figures of spectral surrogates: residuals by wavelength, worst galaxies."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from tengri.analysis.labels import parameter_label
from tengri.analysis.style import colours
from train.spectral.evaluation import JudgedSpectra

SHOWN_AA = 912.0, 1e5
SHOWN_UM = 912.0 / 1e4, 1e5 / 1e4
#: Quantiles of the bands [%], and how dark each is.
BANDS = ((0.5, 99.5, 0.15), (2.5, 97.5, 0.25), (16.0, 84.0, 0.45))
#: Points of a band: quantiles of this many neighbouring wavelengths together.
POOLED = 4


def residuals(parts: Sequence[JudgedSpectra]) -> Figure:
    """Return the quantiles of (emulated − exact) / exact by wavelength, a panel for each family."""
    figure, axes = plt.subplots(len(parts), 1, figsize=(8, 1.2 + 1.9 * len(parts)), sharex=True,
                                squeeze=False, layout="constrained")  # fmt: skip
    for ax, part in zip(axes[:, 0], parts):
        _bands(ax, part)
        ax.set_title(part.name, fontsize=10)
        ax.set_ylabel("Δ [%]")
    axes[-1, 0].set(xscale="log", xlim=SHOWN_UM, xlabel="rest wavelength [µm]")
    axes[0, 0].legend(fontsize=8, ncol=4, loc="upper right")
    return figure


def _bands(ax: plt.Axes, part: JudgedSpectra) -> None:
    shown = (part.wave >= SHOWN_AA[0]) & (part.wave <= SHOWN_AA[1])
    wave, error = part.wave[shown], 100.0 * part.error[:, shown]
    n = len(wave) // POOLED * POOLED
    neighbours = error[:, :n].reshape(len(error), -1, POOLED).transpose(1, 0, 2)
    pooled = neighbours.reshape(len(neighbours), -1)
    lit = np.isfinite(pooled).sum(axis=1) >= 10
    x, values = wave[:n].reshape(-1, POOLED).mean(axis=1)[lit] / 1e4, pooled[lit]
    for lo, hi, alpha in BANDS:
        ends = np.nanpercentile(values, [lo, hi], axis=1)
        ax.fill_between(x, *ends, color="C0", alpha=alpha, lw=0, label=f"{hi - lo:.0f} %")
    ax.plot(x, np.nanmedian(values, axis=1), color="black", lw=0.8, label="median")
    most = np.nanpercentile(np.abs(values), 99.8)
    ax.set_ylim(-1.3 * most, 1.3 * most)


def worst(part: JudgedSpectra, n: int = 6) -> Figure:
    """Return the residuals of the galaxies whose 99 % pixel is furthest off."""
    rows = worst_rows(part, n)
    figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for row, colour in zip(rows, colours(len(rows))):
        ax.plot(
            part.wave / 1e4, 100.0 * part.error[row], lw=0.8, color=colour, label=_named(part, row)
        )
    ax.set(xscale="log", xlim=SHOWN_UM, xlabel="rest wavelength [µm]", ylabel="Δ [%]",
           title=f"the worst galaxies of {part.name}")  # fmt: skip
    ax.legend(fontsize=7, loc="upper right")
    return figure


def worst_rows(part: JudgedSpectra, n: int) -> np.ndarray:
    """Return the rows of the galaxies whose 99 % pixel is furthest off, the worst first."""
    size = np.nanpercentile(np.abs(part.error), 99.0, axis=1)
    return np.argsort(size)[::-1][:n]


def _named(part: JudgedSpectra, row: int) -> str:
    """Return the three parameters of a galaxy that are furthest from the middle of the sample."""
    ranks = {name: abs(float(np.mean(v < v[row])) - 0.5) for name, v in part.params.items()
             if v.ndim == 1}  # fmt: skip
    chosen = sorted(ranks, key=lambda name: -ranks[name])[:3]
    return ", ".join(f"{parameter_label(name)} = {part.params[name][row]:.3g}" for name in chosen)
