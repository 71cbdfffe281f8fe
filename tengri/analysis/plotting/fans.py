"""Fans of curves: prior draws of a history, choices of a component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tengri.analysis.plotting.sweep import wavelength_axis
from tengri.analysis.style import colours
from tengri.components.composition import SETTINGS
from tengri.components.stellar.sfh import sample_sfh_prior
from tengri.components.stellar.ssp_data import SSPData
from tengri.errors import ParameterError, unknown
from tengri.forward.model import SEDModel
from tengri.parameters import Parameters


def sfh_fan(
    family: str | Sequence[str],
    key: Any,
    n: int = 24,
    *,
    ax: Axes | None = None,
    cmap: str = "viridis",
    **prior_overrides: Any,
) -> tuple[Figure, Axes]:
    """Plot n prior draws of a star-formation history against lookback time.

    Arguments are those of `tengri.components.stellar.sfh.sample_sfh_prior`.
    """
    age_yr, curves = sample_sfh_prior(family, key, n=n, **prior_overrides)
    ax = ax or plt.subplots(figsize=(9, 4))[1]
    for curve, colour in zip(np.asarray(curves), colours(n, cmap)):
        ax.plot(np.asarray(age_yr) / 1e9, curve, color=colour, lw=1.0)
    ax.set_xlim(0, 13.8)
    ax.set_xlabel("Lookback time [Gyr]")
    ax.set_ylabel(r"SFR(t) [M$_\odot$/yr]")
    return ax.figure, ax  # type: ignore[return-value]


def sweep_setting(
    spec: Parameters,
    ssp: SSPData,
    setting: str,
    choices: Sequence[str] | Mapping[str, str],
    *,
    ax: Axes | None = None,
    cmap: str = "viridis",
    wave_range: tuple[float, float] = (1000.0, 10000.0),
    normalize_at: float = 5500.0,
    base: Mapping[str, float] | None = None,
) -> tuple[Figure, Axes]:
    """Plot the rest-frame spectrum for several choices of one component.

    Parameters
    ----------
    spec : Parameters
        The galaxy; its ``setting`` is replaced.
    ssp : SSPData
    setting : str
        For example ``dust_law_diff``.
    choices : sequence, or mapping of choice to legend text
    ax, cmap, wave_range, normalize_at, base
        As in `sweep_parameter`.
    """
    if setting not in SETTINGS:
        raise unknown("setting", setting, SETTINGS)
    if not choices:
        raise ParameterError(f"No choices of {setting} to show.")
    labels = choices if isinstance(choices, Mapping) else {c: c for c in choices}
    ax = ax or plt.subplots(figsize=(9, 4))[1]
    for (choice, label), colour in zip(labels.items(), colours(len(labels), cmap)):
        sed = SEDModel(spec.with_params(**{setting: choice}), ssp).predict_rest_sed(base)
        wave, lnu = np.asarray(sed.wavelength), np.asarray(sed.sed)
        shown = (wave >= wave_range[0]) & (wave <= wave_range[1])
        y = lnu / np.interp(normalize_at, wave, lnu) * normalize_at / wave
        ax.plot(wave[shown] / 1e4, y[shown], color=colour, lw=1.8, label=label)
    wavelength_axis(ax, (wave_range[0] / 1e4, wave_range[1] / 1e4))
    ax.set_ylabel(rf"$\lambda F_\lambda$ (normalised at {normalize_at / 1e4:g} µm)")
    ax.legend(fontsize=9, ncol=2)
    return ax.figure, ax  # type: ignore[return-value]
