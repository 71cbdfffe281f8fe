"""Spectra as columns of a catalogue: ``NAME`` (n, n_pixel), f_ν in the pixels of a spectrograph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tengri.forward.units import LOG10_UNIT, unit_of_spectra
from tengri.observation.spectrograph import Spectrograph


def spectrographs(model: Any) -> tuple[Spectrograph, ...]:
    """Return the spectrographs of a model's observation."""
    found: tuple[Spectrograph, ...] = model.observation.spectrographs
    return found


def columns_of(model: Any, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the columns (n, n_pixel) of all spectrographs for parameters (n, …).

    In the model's units, maggies where these are magnitudes.

    Raises
    ------
    ConfigError
        A model without spectra.
    ParameterError
        Pixels beyond the spectrum at one of the redshifts.
    """
    scale = 10.0 ** -LOG10_UNIT[unit_of_spectra(model.units)]
    found = {one.name: np.asarray(model.predict_spectrum_batch(one, values))
             for one in spectrographs(model)}  # fmt: skip
    return {name: np.asarray(scale * flux, flux.dtype) for name, flux in found.items()}
