"""A tabulated history, linear between its points: ``table``.

The table is two array-valued parameters, lookback time [Gyr] (ascending) and SFR (any unit), so
that every galaxy of a batch can bring its own. Before the first and beyond the last point there
is no star formation. The amplitude sets the mass (or the peak); the table sets the shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.sfh.family import LOG_ZERO, SFHFamily, clipped
from tengri.errors import ParameterError
from tengri.priors import Fixed
from tengri.registry import Param


def log_table(t: Array, q: Mapping[str, Array], t_univ: Array) -> Array:
    """ln of the linear interpolant over its maximum."""
    times, sfr = q["t_gyr"], q["sfr"]
    value = jnp.interp(t, times, sfr / jnp.max(sfr), left=0.0, right=0.0)
    positive = value > 0
    return jnp.where(positive, jnp.log(jnp.where(positive, value, 1.0)), LOG_ZERO)


def table_masses(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    """Exact integral of the interpolant over each bin.

    A bin and a segment of the table overlap over ``width``, where the mean of the interpolant is
    its value at the middle of the overlap: positive terms only, nothing cancels.
    """
    _, width, mean, _ = _overlaps(q, edges, t_univ)
    return jnp.zeros_like(t_univ), jnp.sum(jnp.where(width > 0, width * mean, 0.0), axis=1)


def table_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """Exact mean age of each bin: ∫ t ψ dt of an overlap is ψ_mean t_mid width + ψ' width³ / 12."""
    start, width, mean, slope = _overlaps(q, edges, t_univ)
    formed = jnp.where(width > 0, width * mean, 0.0)
    moment = formed * (start + 0.5 * width) + slope * width**3 / 12
    total = jnp.sum(formed, axis=1)
    return jnp.sum(moment, axis=1) / jnp.where(total > 0, total, 1.0)


def _overlaps(
    q: Mapping[str, Array], edges: np.ndarray, t_univ: Array
) -> tuple[Array, Array, Array, Array]:
    """Return of each bin and segment of the table: start, width and mean of the overlap; slope."""
    times, sfr = q["t_gyr"], q["sfr"] / jnp.max(q["sfr"])
    low, high = clipped(edges, t_univ)
    start = jnp.maximum(low[:, None], times[None, :-1])
    width = jnp.maximum(jnp.minimum(high[:, None], times[None, 1:]) - start, 0.0)
    slope = (jnp.diff(sfr) / jnp.diff(times))[None, :]
    mean = sfr[None, :-1] + slope * (start + 0.5 * width - times[None, :-1])
    return start, width, mean, slope


def check_table(t_gyr: np.ndarray, sfr: np.ndarray) -> None:
    """Raise unless the table is one: equal lengths, ascending times, SFR >= 0 and not all 0.

    Parameters
    ----------
    t_gyr, sfr : ndarray, shape (n_time,) or (n_galaxy, n_time)
        Tables of many galaxies are checked row by row.

    Raises
    ------
    ParameterError
        Saying which of the conditions fails, and in which row.
    """
    t_gyr, sfr = np.asarray(t_gyr, float), np.asarray(sfr, float)
    if t_gyr.shape[-1:] != sfr.shape[-1:] or t_gyr.ndim == 0 or t_gyr.shape[-1] < 2:
        raise ParameterError(
            f"An SFH table needs two one-dimensional arrays of one length >= 2; "
            f"sfh_table_t_gyr has shape {t_gyr.shape}, sfh_table_sfr {sfr.shape}."
        )
    times_ascend = (t_gyr[..., 0] >= 0) & (np.diff(t_gyr) > 0).all(axis=-1)
    rates_positive = (sfr >= 0).all(axis=-1) & (sfr > 0).any(axis=-1)
    for good, message in (
        (np.isfinite(t_gyr).all(axis=-1), "sfh_table_t_gyr must be finite everywhere"),
        (np.isfinite(sfr).all(axis=-1), "sfh_table_sfr must be finite everywhere"),
        (times_ascend, "sfh_table_t_gyr must ascend from >= 0: it is lookback time in Gyr"),
        (rates_positive, "sfh_table_sfr must be >= 0 and somewhere > 0"),
    ):
        if not np.all(good):
            row = f" (row {int(np.argmin(good))})" if good.ndim else ""
            raise ParameterError(f"{message}{row}.")


def _check(q: Mapping[str, Any]) -> None:
    check_table(q["t_gyr"], q["sfr"])


TABLE = SFHFamily(
    "table",
    "sfh_table_",
    (
        Param(
            "sfh_table_t_gyr",
            0.0,
            Fixed(0.0),
            (0.0, 30.0),
            "Gyr",
            "lookback times of the table, ascending",
            (-1,),
            symbol="$t$",
        ),
        Param(
            "sfh_table_sfr",
            0.0,
            Fixed(0.0),
            (0.0, 1e30),
            "any",
            "SFR at these times, up to the amplitude",
            (-1,),
            symbol="SFR",
        ),
    ),
    log_table,
    "tabulated by the user",
    default_amplitude="log_total_mass",
    mass=table_masses,
    ages=table_ages,
    check=_check,
)
