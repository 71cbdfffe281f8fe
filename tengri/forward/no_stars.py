"""Galaxies that formed no star by the epoch of observation: said, not computed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from jax import Array

from tengri.errors import ParameterError


def check_stars(p: Mapping[str, Any], log10_mass: Array) -> None:
    """Raise ParameterError for a history that formed less than one solar mass."""
    mass = float(log10_mass)
    if mass >= 0.0:
        return
    formed = f"10^{mass:.3g} Msun" if mass > -20.0 else "nothing"
    raise ParameterError(
        f"No stars by z = {float(p['redshift']):.4g}: the history forms {formed} "
        "before the epoch of observation. Bring the peak into the age of the Universe at that "
        "redshift (times as fractions, sfh_…_frac, always fit), or set sfh_…_log_total_mass."
    )


def warn_no_stars(log10_mass: np.ndarray) -> None:
    """Warn, with count and row numbers, about galaxies without stars."""
    rows = np.flatnonzero(~(log10_mass >= 0.0))
    if rows.size:
        shown = ", ".join(map(str, rows[:10])) + (" …" if rows.size > 10 else "")
        warnings.warn(
            f"{rows.size} of {log10_mass.size} galaxies formed no stars by t(z) and have NaN "
            f"fluxes: rows {shown}.",
            stacklevel=4,
        )
