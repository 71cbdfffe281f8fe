"""The spectra of many galaxies in the pixels of a spectrograph, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri.forward.joint_posterior import spectra_of
from tengri.forward.packing import handed_over
from tengri.forward.units import LOG10_UNIT
from tengri.observation.spectrograph import Spectrograph
from tengri.parameters.validate import default_float

#: Galaxies side by side: a spectrum of thousands of pixels fills a processor's cache.
BLOCK = 4


def unit_of_spectra(model: Any) -> str:
    """Return the unit of spectra: that of the model, maggies where that is a magnitude."""
    return "maggies" if model.units == "mag_ab" else str(model.units)


def predict_pixels_batch(model: Any, pixels: Spectrograph, params: Mapping[str, Any]) -> np.ndarray:
    """Return f_ν (n, n_pixel) in the model's units for parameters (n, …), NaN without an answer.

    Raises
    ------
    ConfigError
        A model without spectra.
    """
    predict, scale = spectra_of(model), 10.0 ** -LOG10_UNIT[unit_of_spectra(model)]
    rows = handed_over({name: np.asarray(v, default_float()) for name, v in params.items()})
    table = jax.tree.map(jnp.asarray, rows)
    one = lambda p: scale * predict(pixels, p)  # noqa: E731
    return np.asarray(jax.jit(lambda rows: jax.lax.map(one, rows, batch_size=BLOCK))(table))
