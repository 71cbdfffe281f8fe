"""Two photometric models on the same parameters: overlaid, with residuals in mmag.

Entries fainter than 1e-4 of the galaxy's brightest band are left out of the residuals (they are
NaN) and counted; see `tengri.analysis.accuracy`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tengri.analysis import labels
from tengri.analysis.accuracy import bright, summary
from tengri.analysis.galaxy import base_galaxy
from tengri.analysis.style import category_colours, curve_styles
from tengri.analysis.sweeps import (
    BandTable,
    Grid,
    Track,
    grid_photometry,
    redshift_track,
    sweep_photometry,
)
from tengri.errors import ConfigError, ParameterError
from tengri.forward.photometric_model import PhotometricModel
from tengri.io.jsonable import jsonable
from tengri.parameters import differences

Colour = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """The same galaxies through two models.

    Attributes
    ----------
    exact, emulated : BandTable
        On the same axes, bands in the same order.
    galaxy : dict
        Values of all parameters that are not on the axes; of prior draws nothing.
    drawn : mapping
        Free parameters of prior draws, (n, …); nothing otherwise.
    """

    exact: BandTable
    emulated: BandTable
    galaxy: Mapping[str, Any] = field(default_factory=dict)
    drawn: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def residual_mmag(self) -> np.ndarray:
        """Emulated minus exact [mmag], the shape of the fluxes; NaN for faint entries."""
        flux = _linear(self.exact)
        seen = bright(flux.reshape(-1, flux.shape[-1])).reshape(flux.shape)
        residual = 1e3 * (self.emulated.magnitudes() - self.exact.magnitudes())
        return np.where(seen, residual, np.nan)

    def numbers(self) -> dict[str, Any]:
        """Return the accuracy table, `tengri.analysis.accuracy.summary`, and the ``galaxy``."""
        rows = (-1, len(self.exact.bands))
        table = summary(
            _linear(self.exact).reshape(rows),
            _linear(self.emulated).reshape(rows),
            self.exact.bands,
        )
        return {**table, "galaxy": jsonable(self.galaxy)} if self.galaxy else table

    def plot(self, colour: Colour | None = None) -> Figure:
        """Return the figure that suits the axes.

        Parameters
        ----------
        colour : (str, str), optional
            Bluer and redder band: maps of a grid show this colour; default the first two bands.
        """
        if len(self.exact.axes) == 2:
            return _plot_grid(self, _colour(colour, self.exact.bands))
        if "draw" in self.exact.axes:
            return _plot_draws(self)
        return _plot_sweep(self)

    def plot_colours(self, x: Colour, y: Colour) -> Figure:
        """Return the colour–colour track of both models, residuals in both colours below."""
        return _plot_colours(self, x, y)


def compare(
    exact: PhotometricModel,
    emulated: PhotometricModel,
    *,
    sweep: tuple[str, ArrayLike] | None = None,
    grid: Mapping[str, ArrayLike] | None = None,
    track: ArrayLike | None = None,
    n_draws: int | None = None,
    base: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Comparison:
    """Evaluate two models on one sweep, grid, redshift track or set of prior draws.

    Parameters
    ----------
    exact, emulated : PhotometricModel
        Any two; the bands of ``emulated`` must be among those of ``exact``.
    sweep : (str, sequence), optional
        A parameter and its values.
    grid : mapping, optional
        Two parameters and their values.
    track : sequence, optional
        Redshifts.
    n_draws : int, optional
        Draws from the prior of ``emulated``, which is the narrower one.
    base : mapping, optional
        Values of the free parameters that are not on the axes.
    seed : int
        Of the prior draws.

    Raises
    ------
    ConfigError
        Not exactly one kind of comparison, or a band that ``exact`` lacks.
    """
    asked = {"sweep": sweep, "grid": grid, "track": track, "n_draws": n_draws}
    chosen = [name for name, value in asked.items() if value is not None]
    if len(chosen) != 1:
        raise ConfigError(f"Give one of sweep, grid, track, n_draws; got {chosen or 'none'}.")
    if different := differences(exact.spec, emulated.spec):
        raise ConfigError(
            f"The two models are of different physics: {different}. Compare with the exact model "
            "of the surrogate's time, surrogate.exact_model()."
        )

    def table(model: PhotometricModel) -> BandTable:
        if sweep is not None:
            return sweep_photometry(model, *sweep, base=base)
        if grid is not None:
            return grid_photometry(model, grid, base=base)
        if track is not None:
            return redshift_track(model, track, base=base)
        return _at(model, drawn)

    drawn = {} if n_draws is None else _draws(emulated, n_draws, seed)
    first = _in_order(table(exact), emulated.filter_names)
    galaxy = {} if n_draws is not None else base_galaxy(exact, base, first.axes)
    free = {name: drawn[name] for name in emulated.spec.free_params if name in drawn}
    return Comparison(first, table(emulated), galaxy, free)


def _draws(model: PhotometricModel, n: int, seed: int) -> dict[str, np.ndarray]:
    if n < 1:
        raise ParameterError(f"n_draws must be positive, got {n}.")
    drawn = model.spec.sample_batch(jax.random.key(seed), n)
    return {name: np.asarray(values) for name, values in drawn.items()}


def _at(model: PhotometricModel, drawn: Mapping[str, np.ndarray]) -> BandTable:
    flux = np.asarray(model.predict_photometry_batch(drawn))
    axes = {"draw": np.arange(len(flux))}
    return BandTable(axes, flux, model.filter_names, model.units, {"draw": ""})


def _in_order(table: BandTable, bands: tuple[str, ...]) -> BandTable:
    missing = [b for b in bands if b not in table.bands]
    if missing:
        raise ConfigError(f"The exact model lacks {', '.join(missing)}; it has {table.bands}.")
    index = [table.bands.index(b) for b in bands]
    return replace(table, flux=table.flux[..., index], bands=bands)


def _linear(table: BandTable) -> np.ndarray:
    """Return fluxes in maggies."""
    return 10.0 ** (-0.4 * np.nan_to_num(table.magnitudes(), nan=np.inf))


def _colour(colour: Colour | None, bands: tuple[str, ...]) -> Colour:
    if colour is not None:
        return colour
    if len(bands) < 2:
        raise ConfigError("A colour needs two bands.")
    return bands[0], bands[1]


# --- speed ------------------------------------------------------------------------------------


def microseconds_per_galaxy(model: PhotometricModel, n: int = 4096, repeats: int = 5) -> float:
    """Return the median cost of one galaxy in a batch of n prior draws [µs]."""
    batch = model.spec.sample_batch(jax.random.key(1), n)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(model.predict_photometry_batch(batch))
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times[1:])) / n


def break_even(training_seconds: float, exact_us: float, emulated_us: float) -> float:
    """Return the number of galaxies that amortises the training; infinite if it never does."""
    saved = 1e-6 * (exact_us - emulated_us)
    return training_seconds / saved if saved > 0.0 else float("inf")


def break_even_text(training_seconds: float, exact_us: float, emulated_us: float) -> str:
    """Return `break_even` in words."""
    galaxies = break_even(training_seconds, exact_us, emulated_us)
    costs = f"exact costs {exact_us:.3g} µs, emulated {emulated_us:.3g} µs per galaxy"
    worth = f"worth it beyond {galaxies:.2g} galaxies" if np.isfinite(galaxies) else "never pays"
    return f"training cost {training_seconds:.0f} s; {costs}: {worth}"


# --- figures ----------------------------------------------------------------------------------


def _plot_sweep(c: Comparison) -> Figure:
    """Magnitudes of both models above, residuals below."""
    (name, x), bands = *c.exact.axes.items(), c.exact.bands
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.6, 6.4), sharex=True, height_ratios=(2.6, 1.6), layout="constrained"
    )
    for i, style in enumerate(curve_styles(len(bands))):
        top.plot(x, c.exact.magnitudes()[:, i], "-", color=style["color"], lw=4.5, alpha=0.3)
    thin = labels.plot_bands(top, x, c.emulated.magnitudes(), bands, lw=1.3)
    below = labels.plot_bands(bottom, x, c.residual_mmag, bands, lw=1.3)
    top.invert_yaxis()
    top.margins(x=0.0)
    top.set_ylabel("AB magnitude")
    top.plot([], [], color="0.3", lw=4.5, alpha=0.3, label="exact")
    top.plot([], [], color="0.3", lw=1.3, label="emulated")
    top.legend(fontsize=9)
    labels.set_title(top, c.exact.title)
    _residual_axis(bottom)
    bottom.set_xlabel(c.exact.label(name))
    for ax, curves in ((top, thin), (bottom, below)):
        labels.label_curves(ax, curves, [labels.band_label(band) for band in bands])
    return figure


def _plot_grid(c: Comparison, colour: Colour) -> Figure:
    """Three maps of one colour: exact, emulated, difference."""
    (x_name, x), (y_name, y) = c.exact.axes.items()
    exact, emulated = c.exact.colour(*colour), c.emulated.colour(*colour)
    difference = 1e3 * (emulated - exact)
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), sharey=True, layout="constrained")
    limits = {"vmin": np.nanmin(exact), "vmax": np.nanmax(exact)}
    for ax, values, title in ((axes[0], exact, "exact"), (axes[1], emulated, "emulated")):
        image = ax.pcolormesh(x, y, values.T, shading="nearest", cmap="viridis", **limits)
        ax.set_title(title)
    figure.colorbar(image, ax=axes[:2], label=labels.colour_label(*colour))
    most = np.nanmax(np.abs(difference)) or 1.0
    image = axes[2].pcolormesh(
        x, y, difference.T, shading="nearest", cmap="PuOr", vmin=-most, vmax=most
    )
    figure.colorbar(image, ax=axes[2], label="emulated − exact [mmag]")
    axes[2].set_title("difference")
    for ax in axes:
        ax.set_xlabel(c.exact.label(x_name))
    axes[0].set_ylabel(c.exact.label(y_name))
    figure.suptitle(c.exact.title, fontsize=8)
    return figure


def _plot_draws(c: Comparison) -> Figure:
    """Share of entries above a residual, per band."""
    figure, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
    for i, style in enumerate(curve_styles(len(c.exact.bands))):
        size = np.sort(np.abs(c.residual_mmag[:, i]))
        size = size[np.isfinite(size)]
        if size.size:
            share = 1.0 - np.arange(size.size) / size.size
            ax.loglog(size, share, **style, label=labels.band_label(c.exact.bands[i]))
    ax.set_xlabel("|emulated − exact| [mmag]")
    ax.set_ylabel("share of galaxies above")
    ax.legend(fontsize=9, ncol=2)
    return figure


def _plot_colours(c: Comparison, x: Colour, y: Colour) -> Figure:
    if not isinstance(c.exact, Track) or isinstance(c.exact, Grid):
        raise ConfigError("Colour–colour tracks need compare(..., track=redshifts).")
    z = c.exact.axes["redshift"]
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(6.5, 7), height_ratios=(3, 1.2), layout="constrained"
    )
    top.plot(c.exact.colour(*x), c.exact.colour(*y), "-", color="0.55", lw=3, label="exact")
    points = top.scatter(
        c.emulated.colour(*x), c.emulated.colour(*y), c=z, s=22, label="emulated", zorder=3
    )
    figure.colorbar(points, ax=top, label=c.exact.label("redshift"))
    top.set_xlabel(labels.colour_label(*x))
    top.set_ylabel(labels.colour_label(*y))
    top.legend()
    labels.set_title(top, c.exact.title)
    for (blue, red), shade, style in zip((x, y), category_colours(2), ("-", "--")):
        difference = 1e3 * (c.emulated.colour(blue, red) - c.exact.colour(blue, red))
        bottom.plot(z, difference, style, color=shade, label=labels.colour_label(blue, red))
    bottom.set_xlabel(c.exact.label("redshift"))
    _residual_axis(bottom)
    bottom.legend(fontsize=8, ncol=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _residual_axis(ax: Any) -> None:
    ax.axhline(0.0, color="0.6", lw=0.8, zorder=0)
    ax.set_ylabel("emulated − exact\n[mmag]")
