"""Sweeps of the spectrum that a spectrograph sees, through any model that has spectra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tengri.analysis.sweeps import check_swept, model_title
from tengri.forward.units import LOG10_UNIT, unit_of_spectra
from tengri.observation.spectrograph import Spectrograph


@dataclass(frozen=True)
class PixelSweep:
    """The spectrum in the pixels of a spectrograph as one parameter changes.

    Attributes
    ----------
    axes : dict of str to ndarray
        The parameter and its values (n,).
    pixels : Spectrograph
    flux : ndarray, shape (n, n_pixel)
        f_ν in ``units``.
    units : str
    too_sharp : ndarray of bool, shape (n_pixel,)
        Pixels in which the grid of stars is less sharp than the spectrograph, at the first value.
    title, axis_label : str
        Model and base galaxy, and symbol and unit of the parameter, for figures.
    """

    axes: dict[str, np.ndarray]
    pixels: Spectrograph
    flux: np.ndarray
    units: str
    too_sharp: np.ndarray
    title: str = ""
    axis_label: str = ""

    def plot(self, ax: Axes | None = None, cmap: str = "viridis") -> tuple[Figure, Axes]:
        """Plot a curve for each value; grey: pixels that are sharper than the grid."""
        import matplotlib.pyplot as plt

        from tengri.analysis import labels
        from tengri.analysis.style import colours

        ax = ax or plt.subplots(figsize=(8.0, 4.2), layout="constrained")[1]
        ((name, values),) = self.axes.items()
        wave = self.pixels.wave * 1e-4
        for value, flux, colour in zip(values, self.flux, colours(len(values), cmap)):
            ax.plot(wave, flux, lw=0.7, color=colour, label=f"{value:.3g}")
        ends = ax.get_ylim()
        if self.too_sharp.any():
            ax.fill_between(wave, *ends, where=self.too_sharp, color="0.9", lw=0, zorder=-1,
                            label="sharper than the grid of stars")  # fmt: skip
        ax.set(ylim=ends, xlim=(wave[0], wave[-1]), xlabel="observed wavelength [µm]",
               ylabel=f"$f_\\nu$ [{self.units}] in pixels of {self.pixels.name}")  # fmt: skip
        ax.legend(title=self.axis_label or name, fontsize=8, frameon=True, framealpha=1.0)
        labels.set_title(ax, self.title)
        return ax.figure, ax  # type: ignore[return-value]


def sweep_pixels(
    model: Any,
    name: str,
    values: ArrayLike,
    base: Mapping[str, Any] | None = None,
    spectrum: str | None = None,
) -> PixelSweep:
    """Return the spectrum of a spectrograph for several values of one parameter.

    Parameters
    ----------
    model : SEDModel
        Or any with ``predict_spectrum_batch`` and an observation with spectra.
    name : str
        A parameter that acts in this model; a ``Fixed`` one may be swept.
    values : sequence of float, shape (n,)
    base : mapping, optional
        Values of the free parameters that are not swept.
    spectrum : str, optional
        Name of the spectrograph, where the observation has several.

    Raises
    ------
    ConfigError
        A model without spectra, or an observation without a spectrograph, or with several and no
        name.
    ParameterError
        A parameter that cannot be swept, as in `tengri.analysis.sweeps.sweep_photometry`.
    """
    axis, held = check_swept(model, name, values), dict(base or {})
    pixels = model.observation.spectrograph(spectrum)
    units = unit_of_spectra(model.units)
    flux = np.asarray(model.predict_spectrum_batch(pixels, {**held, name: axis}), np.float64)
    flux = flux * 10.0 ** -LOG10_UNIT[units]
    flagged = model.too_sharp(pixels, {**held, name: float(axis[0])})
    title, label = model_title(model, base, [name]), model.spec.composition.params[name].label
    return PixelSweep({name: axis}, pixels, flux, units, flagged, title, label)
