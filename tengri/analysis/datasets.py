"""Sweeps, grids, tracks and fits as ``xarray`` datasets and astropy tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tengri.optional import optional


def dataset(
    axes: Mapping[str, np.ndarray],
    columns: Mapping[str, tuple[np.ndarray, str]],
    last: tuple[str, Sequence[str]],
    axis_units: Mapping[str, str],
    facts: Mapping[str, Any],
) -> Any:
    """Return an ``xarray.Dataset`` of quantities on axes.

    Parameters
    ----------
    axes : mapping
        Values of each leading dimension.
    columns : mapping
        Quantity to (values, unit); values of shape (…, n_last).
    last : (str, sequence of str)
        Name and labels of the last dimension: bands or lines.
    axis_units : mapping
        Unit of an axis, where it has one.
    facts : mapping
        Attributes of the whole.
    """
    xarray = optional("xarray", "to_xarray()")
    name, labels = last
    coords = {axis: (axis, values, {"units": axis_units.get(axis, "")})
              for axis, values in axes.items()}  # fmt: skip
    data = {key: ((*axes, name), np.asarray(values), {"units": unit})
            for key, (values, unit) in columns.items()}  # fmt: skip
    return xarray.Dataset(data, {**coords, name: (name, list(labels))}, dict(facts))


def table(
    axes: Mapping[str, np.ndarray],
    columns: Mapping[str, tuple[np.ndarray, str]],
    axis_units: Mapping[str, str],
    facts: Mapping[str, Any],
) -> Any:
    """Return an astropy ``QTable`` with a row for each point of the mesh of the axes.

    ``columns`` have the shape of the mesh; units are those that astropy knows by these names.
    """
    tables = optional("astropy.table", "to_table()")
    mesh = np.meshgrid(*axes.values(), indexing="ij") if len(axes) > 1 else list(axes.values())
    made = tables.QTable(meta=dict(facts))
    for axis, values in zip(axes, mesh):
        made[axis] = _with_unit(np.ravel(values), axis_units.get(axis, ""))
    for name, (values, unit) in columns.items():
        made[name] = _with_unit(np.ravel(values), unit)
    return made


def _with_unit(values: np.ndarray, unit: str) -> Any:
    """Return numbers as a quantity; logarithms and numbers without a unit as they are."""
    from tengri.quantities import as_unit

    if not unit or unit == "any" or unit.startswith("log10") or unit == "dex":
        return values
    return values * as_unit(unit)
