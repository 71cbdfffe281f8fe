"""Spectra as columns of a catalogue: ``NAME`` (n, n_pixel), f_ν in the pixels of a spectrograph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tengri.forward.joint_posterior import spectra_of
from tengri.forward.pixel_batch import predict_pixels_batch
from tengri.observation.spectrograph import Spectrograph


def spectrographs(model: Any) -> tuple[Spectrograph, ...]:
    """Return the spectrographs of a model's observation.

    Raises
    ------
    ConfigError
        There are some, and the model has no spectra.
    """
    found: tuple[Spectrograph, ...] = model.observation.spectrographs
    if found:
        spectra_of(model)
    return found


def columns_of(model: Any, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the columns (n, n_pixel) of all spectrographs for parameters (n, …)."""
    return {one.name: predict_pixels_batch(model, one, values) for one in spectrographs(model)}
