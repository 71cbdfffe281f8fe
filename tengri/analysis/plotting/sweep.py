"""Fans of spectra: one knob turned, everything else held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike

from tengri.analysis.labels import set_title
from tengri.analysis.line_sweeps import sweep_lines
from tengri.analysis.style import colours
from tengri.analysis.sweeps import check_swept, model_title
from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import ConfigError, ParameterError
from tengri.forward.model import SEDModel

DEFAULT_FORMAT = "{:.2f}"
SED_XLIM = (912.0, 1e7)
COMPONENT_STYLES = {"stars": ":", "lya": ":", "dust": "--", "agn": "-."}


def sweep_parameter(
    model: SEDModel,
    param_name: str,
    values: ArrayLike,
    *,
    ax: Axes | None = None,
    cmap: str = "viridis",
    label_fmt: str = DEFAULT_FORMAT,
    unit: str = "",
    log_scale: bool = False,
    components: bool = False,
    reference_idx: int | None = None,
    wave_range: tuple[float, float] | None = None,
    normalize_at: float | None = 5500.0,
    base: Mapping[str, float] | None = None,
    line: str | Sequence[str] | None = None,
    quantity: str = "luminosity",
) -> tuple[Figure, Axes]:
    """Plot the rest-frame spectrum, or emission lines, for several values of one parameter.

    All values go through one vectorised call of the model.

    Parameters
    ----------
    model : SEDModel
        The exact model.
    param_name : str
        A parameter that acts in this model; a ``Fixed`` one may be swept.
    values : sequence of float
        In the order of the legend.
    ax : Axes, optional
        Default: a new figure of 8 × 4 inches.
    cmap : str
        Colour map, see ``SWEEP_CMAPS``.
    label_fmt, unit : str
        Legend text: ``label_fmt.format(value) + unit``; by default numbers under a title that
        says symbol and unit.
    log_scale : bool
        Logarithmic ordinate.
    components : bool
        Also draw the parts of the spectrum: attenuated stars (dotted), dust (dashed), AGN
        (dash-dotted), where the model has more than one.
    reference_idx : int, optional
        Index of the value that is drawn in black.
    wave_range : (float, float), optional
        Limits in Å; default 912–1e7 or where the spectrum ends.
    normalize_at : float or None
        Every curve is 1 at this wavelength [Å]; None shows νL_ν in Lsun.
    base : mapping, optional
        Values of the free parameters that are not swept.
    line : str or sequence of str, optional
        Emission lines that are drawn against the parameter in the place of spectra, as by
        `tengri.analysis.line_sweeps.sweep_lines`; ``ax``, ``cmap`` and ``base`` serve both.
    quantity : str
        What is drawn of lines: ``luminosity``, ``flux``, ``ew_rest`` or ``ew_obs``.

    Returns
    -------
    (Figure, Axes)
        The abscissa is the rest wavelength in µm, the ordinate λF_λ = νF_ν ∝ L_ν/λ.

    Raises
    ------
    ParameterError, UnknownNameError
        An unknown or inert parameter, no values, a value that is not finite; a line that the
        model does not have.
    ConfigError
        A line and an option of spectra, or a quantity of lines without a line.
    """
    if line is not None:
        options = (label_fmt, unit, log_scale, components, reference_idx, wave_range, normalize_at)
        if options != (DEFAULT_FORMAT, "", False, False, None, None, 5500.0):
            raise ConfigError("With line= a sweep takes ax, cmap, base and quantity alone.")
        names = [line] if isinstance(line, str) else list(line)
        return sweep_lines(model, param_name, values, names, base).plot(quantity, ax, cmap)
    if quantity != "luminosity":
        raise ConfigError(f"quantity={quantity!r} is one of lines: give line='Ha_6565'.")
    swept = check_swept(model, param_name, values)
    if reference_idx is not None and not -len(swept) <= reference_idx < len(swept):
        raise ParameterError(f"reference_idx = {reference_idx}, but there are {len(swept)} values.")
    params = {**(base or {}), param_name: swept}
    sed = model.predict_rest_sed_batch(params)
    wave = np.asarray(sed.wavelength)
    lo, hi = wave_range or (max(SED_XLIM[0], wave[0]), min(SED_XLIM[1], wave[-1]))
    shown = (wave >= lo) & (wave <= hi)
    if not shown.any():
        raise ParameterError(f"wave_range {lo:g}–{hi:g} Å is outside the spectrum's "
                             f"{wave[0]:g}–{wave[-1]:g} Å.")  # fmt: skip
    unit_scale = _scale(wave, np.asarray(sed.sed), normalize_at)
    parts = model.predict_rest_components_batch(params) if components else {}
    ax = ax or plt.subplots(figsize=(8, 4.2))[1]
    micron = wave[shown] / 1e4
    for i, colour in enumerate(colours(len(swept), cmap)):
        if reference_idx is not None and i == reference_idx % len(swept):
            colour = "black"
        curve = lambda lnu, i=i: (np.asarray(lnu[i]) * unit_scale[i] / wave)[shown]  # noqa: E731
        label = label_fmt.format(float(swept[i])) + unit
        ax.plot(micron, curve(sed.sed), color=colour, lw=1.8, label=label)
        for name, lnu in parts.items():
            ax.plot(micron, curve(lnu), COMPONENT_STYLES[name], color=colour, lw=1.0)
    _dress(ax, (lo / 1e4, hi / 1e4), log_scale, normalize_at)
    says_nothing = unit == "" and label_fmt == DEFAULT_FORMAT
    title = model.spec.composition.params[param_name].label if says_nothing else None
    ax.legend(fontsize=10, ncol=2, title=title)
    set_title(ax, model_title(model, base, [param_name]))
    return ax.figure, ax  # type: ignore[return-value]


def _scale(wave: np.ndarray, lnu: np.ndarray, normalize_at: float | None) -> np.ndarray:
    """Return per curve the factor that turns L_ν/λ into what the ordinate says."""
    if normalize_at is None:
        return np.full(len(lnu), C_AA_PER_S / LSUN_ERG_S)
    if not wave[0] <= normalize_at <= wave[-1]:
        raise ParameterError(f"normalize_at = {normalize_at:g} Å is outside the spectrum.")
    return np.array([normalize_at / np.interp(normalize_at, wave, row) for row in lnu])


def _dress(
    ax: Axes, limits: tuple[float, float], log_scale: bool, normalize_at: float | None
) -> None:
    wavelength_axis(ax, limits)
    if log_scale:
        ax.set_yscale("log")
        top = ax.dataLim.ymax
        ax.set_ylim(max(ax.dataLim.ymin, top * 1e-7), top * 3.0)
    else:
        # Emission lines are narrow and tall: the ordinate is that of the continuum.
        drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.get_lines()])
        ax.set_ylim(0.0, 1.3 * np.percentile(drawn, 98.0))
    ax.set_ylabel(
        r"$\nu L_\nu$ [$L_\odot$]"
        if normalize_at is None
        else rf"$\lambda F_\lambda$ (normalised at {normalize_at / 1e4:g} µm)"
    )


def wavelength_axis(ax: Axes, limits: tuple[float, float]) -> None:
    """Make the abscissa a logarithmic rest wavelength [µm], labelled 0.1, 0.2, 0.5, 1 …"""
    ax.set_xscale("log")
    ax.set_xlim(*limits)
    decades = np.log10(limits[1] / limits[0])
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("Rest wavelength [µm]")
