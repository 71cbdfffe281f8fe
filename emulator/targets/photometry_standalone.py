"""It takes the parameters of its star-formation history, amplitude included.

A history that forms no star by t(z) is not noticed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulator.standalone import (
    ABOUT,
    BANDS,
    TARGET,
    Array,
    ab_magnitudes,
    inputs,
    network,
    observed,
)

# --- from its outputs to light ----------------------------------------------------------------


def magnitudes(**params: Any) -> Array:
    """Return AB magnitudes (n_bands,), or (n, n_bands) where a parameter is an array."""
    return ab_magnitudes(fluxes(**params))


def fluxes(**params: Any) -> Array:
    """Return f_ν [erg/s/cm²/Hz], (n_bands,) or (n, n_bands)."""
    return observed(params, light)


def light(p: dict[str, Array]) -> tuple[Array, Array]:
    """Return fluxes at the source (n, n_bands) and log10 of their unit [Lsun/Hz]."""
    return unit_flux(network(inputs(p))), p[TARGET["amplitude"]] + TARGET["log10_unit"]


def unit_flux(y: Array) -> Array:
    """Undo the softened logarithm: f = e^y − δ S, S = Σ e^y / (1 + n δ)."""
    total = np.exp(y).sum(axis=1, keepdims=True) / (1.0 + len(BANDS) * TARGET["softening"])
    return np.maximum(np.exp(y) - TARGET["softening"] * total, ABOUT["floor"] * total)
