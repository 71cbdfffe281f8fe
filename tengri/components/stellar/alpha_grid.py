"""Grids of stars at several [α/Fe] as one, in which it is a parameter of the model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tengri.components.stellar.ionising import IonisingLight
from tengri.errors import DataError
from tengri.grids.contents import LineTable

if TYPE_CHECKING:
    from tengri.components.stellar.ssp import SSPData

AXES = ("ssp_lgmet", "ssp_lg_age_gyr", "ssp_wave", "age_edges_gyr")


def stack_ssp_data(grids: Mapping[float, SSPData]) -> SSPData:
    """Return grids of one program at several [α/Fe] as one grid with that axis.

    A model on it has the parameter ``met_afe``; its light is linear in it between the grids.

    Parameters
    ----------
    grids : mapping
        Two grids or more by their [α/Fe], with the same metallicities, ages and wavelengths, from
        ``load_ssp_data``. Metallicity is that of all metals, log10(Z/0.0142), at every [α/Fe].

    Raises
    ------
    DataError
        Fewer than two; grids whose axes differ, or of which some have gas, or an axis [α/Fe].

    Examples
    --------
    >>> ssp = stack_ssp_data({0.0: load_ssp_data("solar.h5"),
    ...                       0.4: load_ssp_data("enhanced.h5")})     # doctest: +SKIP
    """
    afe = np.array(sorted(grids), np.float64)
    each = [grids[value] for value in sorted(grids)]
    if len(each) < 2 or not np.isfinite(afe).all():
        raise DataError("stack_ssp_data takes two grids or more by their [α/Fe], {0.0: …, 0.4: …}.")
    first = each[0]
    for other, value in zip(each, afe):
        _check_alike(first, other, value)
    middle = each[int(np.argmin(np.abs(afe)))]
    return replace(
        middle,
        ssp_afe=afe,
        ssp_flux=np.concatenate([grid.ssp_flux for grid in each]),
        ssp_mass_remaining=_joined(each, lambda grid: grid.ssp_mass_remaining),
        ionising=_ionising(each),
        lines=_lines(each),
        sha256=_digest(afe, each),
        attrs={name: value for name, value in middle.attrs.items() if name != "afe"},
        notes=tuple(dict.fromkeys(note for grid in each for note in grid.notes)),
    )


def _check_alike(first: SSPData, other: SSPData, afe: float) -> None:
    for name in AXES:
        if not np.array_equal(getattr(first, name), getattr(other, name)):
            raise DataError(f"{other.path}: the grid of [α/Fe] = {afe:g} has another {name} than "
                            f"{first.path}: grids are stacked on the same axes.")  # fmt: skip
    if first.nebular != other.nebular:
        raise DataError(
            f"{other.path}: the grid of [α/Fe] = {afe:g} is "
            f"{'with' if other.nebular else 'without'} gas, unlike {first.path}."
        )
    if other.ssp_afe.size or other.loadings is not None:
        raise DataError(f"{other.path}: the grid of [α/Fe] = {afe:g} is no plain grid of one "
                        "[α/Fe]: load it anew, with afe= its value.")  # fmt: skip


def _joined(each: list[SSPData], part: Callable[[SSPData], np.ndarray | None]) -> np.ndarray | None:
    """Return a table of all rows; None where a grid lacks it."""
    tables = [table for grid in each if (table := part(grid)) is not None]
    return np.concatenate(tables) if len(tables) == len(each) else None


def _ionising(each: list[SSPData]) -> IonisingLight | None:
    """Return what all grids store of it; where one does not, it is measured on the spectra."""
    stored = [grid.ionising for grid in each if grid.ionising is not None]
    if len(stored) < len(each) or any(light.wave.size != stored[0].wave.size for light in stored):
        return None
    photons, lg_age, behind = (
        np.concatenate([getattr(light, name) for light in stored])
        for name in ("photons", "lg_age_gyr", "behind_gas")
    )
    return IonisingLight(photons, lg_age, stored[0].wave, behind)


def _lines(each: list[SSPData]) -> LineTable | None:
    listed = [grid.lines for grid in each if grid.lines is not None]
    if len(listed) < len(each) or any(table.names != listed[0].names for table in listed):
        return None
    return replace(listed[0], luminosity=np.concatenate([table.luminosity for table in listed]))


def _digest(afe: np.ndarray, each: list[SSPData]) -> str:
    text = " ".join(f"{value!r}:{grid.sha256}" for value, grid in zip(afe.tolist(), each))
    return hashlib.sha256(text.encode()).hexdigest()
