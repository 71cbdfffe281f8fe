"""Sweeps of rest-frame spectra through any model that has them, exact or emulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tengri.analysis.sweeps import check_swept
from tengri.forward.model import SEDModel


@dataclass(frozen=True)
class SpectrumSweep:
    """Rest-frame spectra as one parameter changes.

    Attributes
    ----------
    axes : dict of str to ndarray
        The parameter and its values (n,).
    wavelength : ndarray, shape (n_wave,)
        At rest [Å].
    sed : ndarray, shape (n, n_wave)
        L_ν [erg/s/Hz].
    model : SEDModel
    base : mapping
        Values of the free parameters that are not swept.
    """

    axes: dict[str, np.ndarray]
    wavelength: np.ndarray
    sed: np.ndarray
    model: SEDModel
    base: Mapping[str, Any]

    def plot(self, ax: Axes | None = None, **options: Any) -> tuple[Figure, Axes]:
        """Plot a fan; options are those of `tengri.analysis.plotting.sweep_parameter`."""
        from tengri.analysis.plotting import sweep_parameter

        ((name, values),) = self.axes.items()
        options = {"wave_range": (1000.0, 10000.0), **options}
        return sweep_parameter(self.model, name, values, ax=ax, base=self.base, **options)


def sweep_spectra(
    model: SEDModel, name: str, values: ArrayLike, base: Mapping[str, Any] | None = None
) -> SpectrumSweep:
    """Return rest-frame spectra for several values of one parameter, in one vectorised call.

    Parameters
    ----------
    model : SEDModel
        Or any with ``predict_rest_sed_batch``.
    name : str
        A parameter that acts in this model; a ``Fixed`` one may be swept.
    values : sequence of float, shape (n,)
    base : mapping, optional
        Values of the free parameters that are not swept.

    Raises
    ------
    ConfigError
        A model without spectra.
    ParameterError
        A parameter that cannot be swept, as in `tengri.analysis.sweeps.sweep_photometry`.
    """
    axis, held = check_swept(model, name, values), dict(base or {})
    found = model.predict_rest_sed_batch({**held, name: axis})
    wave, sed = np.asarray(found.wavelength), np.asarray(found.sed)
    return SpectrumSweep({name: axis}, wave, sed, model, held)
