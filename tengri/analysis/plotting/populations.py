"""One page on a grid of stellar populations: spectra, ionising photons, light and 4000 Å breaks."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tengri.analysis.style import colours
from tengri.components.stellar.ionising import IonisingLight
from tengri.components.stellar.ssp_data import SSPData
from tengri.constants import C_AA_PER_S
from tengri.grids import features, ionising

Array = np.ndarray

N_AGES = 10
WAVE_AA = 100.0, 1e5


def grid_page(ssp: SSPData, title: str = "") -> Figure:
    """Return a figure of a grid: what `tengri data inspect` draws.

    Parameters
    ----------
    ssp : SSPData
    title : str, optional
        Above the panels; default the grid's name.

    Returns
    -------
    Figure
        Spectra at ten ages of the metallicity next to solar; ionising photons, mass over light of
        all wavelengths, and D4000 against age, one curve for each metallicity.
    """
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    figure.suptitle(title or ssp.name, fontsize=13)
    _spectra(axes[0, 0], ssp)
    age_myr = 1e3 * 10**ssp.ssp_lg_age_gyr
    panels = (
        (axes[0, 1], _photons(ssp), "ionising photons [s$^{-1}$ Msun$^{-1}$]", "log"),
        (axes[1, 0], _mass_to_light(ssp), "mass formed / light [Msun/Lsun]", "log"),
        (axes[1, 1], _breaks(ssp), "D4000", "linear"),
    )
    for axis, values, label, scale in panels:
        if values is None:
            axis.text(0.5, 0.5, "not covered", ha="center", va="center", transform=axis.transAxes)
        else:
            _by_metallicity(axis, age_myr, values, ssp.ssp_lgmet, scale)
        axis.set(xlabel="age [Myr]", ylabel=label, xscale="log")
    axes[1, 1].legend(fontsize=8, title="Z", title_fontsize=8)
    return figure


def _spectra(axis: Axes, ssp: SSPData) -> None:
    i = int(np.argmin(np.abs(ssp.ssp_lgmet + 1.85)))
    lg_age = ssp.ssp_lg_age_gyr
    wanted = np.linspace(lg_age[0], min(lg_age[-1], 1.15), N_AGES)
    ages = np.unique([int(np.argmin(np.abs(lg_age - age))) for age in wanted])
    shown = (ssp.ssp_wave >= WAVE_AA[0]) & (ssp.ssp_wave <= WAVE_AA[1])
    wave = ssp.ssp_wave[shown]
    for colour, j in zip(colours(len(ages)), ages):
        light = ssp.ssp_flux[i, j, shown].astype(np.float64) * C_AA_PER_S / wave
        axis.plot(wave, np.where(light > 0, light, np.nan), color=colour, lw=0.9,
                  label=_age_text(10 ** lg_age[j]))  # fmt: skip
    top = axis.dataLim.ymax
    axis.set(xscale="log", yscale="log", ylim=(top * 1e-8, top * 3), xlabel="wavelength [Å]",
             ylabel="νL$_ν$ [Lsun/Msun]", title=f"Z = {10 ** ssp.ssp_lgmet[i]:.3g}")  # fmt: skip
    axis.axvline(912.0, color="0.7", lw=0.8, ls=":")
    axis.legend(fontsize=7, ncol=2, loc="lower right")


def _age_text(gyr: float) -> str:
    return f"{gyr:.3g} Gyr" if gyr >= 1 else f"{1e3 * gyr:.3g} Myr"


def _by_metallicity(axis: Axes, age_myr: Array, values: Array, lgmet: Array, scale: str) -> None:
    for colour, row, z in zip(colours(len(lgmet)), values, lgmet):
        axis.plot(age_myr, np.where(row > 0, row, np.nan), color=colour, label=f"{10**z:.2g}")
    axis.set_yscale(scale)


def _photons(ssp: SSPData) -> Array | None:
    if ssp.ssp_wave[0] > 900.0:
        return None
    axes = ssp.ssp_wave, ssp.ssp_flux, ssp.ssp_lg_age_gyr
    light = ssp.ionising or IonisingLight.measured(*axes)
    return light.photons * ionising.UNIT_PHOTONS


def _mass_to_light(ssp: SSPData) -> Array:
    """Return Msun formed per Lsun of light at all wavelengths of the grid, (n_met, n_age)."""
    width = np.abs(np.diff(C_AA_PER_S / ssp.ssp_wave))
    middle = 0.5 * (ssp.ssp_flux[..., 1:] + ssp.ssp_flux[..., :-1])
    light = middle @ width
    return 1.0 / np.where(light > 0, light, np.nan)


def _breaks(ssp: SSPData) -> Array | None:
    (low, _), (_, high) = features.D4000
    if not features.covers(ssp.ssp_wave, low, high):
        return None
    return features.ratio(ssp.ssp_wave, ssp.ssp_flux, features.D4000)
