"""Zero points of the bands of a catalogue: solved for once, kept beside the output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tengri.catalogue.fit import Measurements
from tengri.catalogue.table import Table, check_columns
from tengri.errors import ConfigError, DataError
from tengri.forward.photometric_model import PhotometricModel
from tengri.inference.fitter import FitSettings
from tengri.inference.observations import MAGNITUDE_SENTINELS
from tengri.inference.zero_points import ZeroPoints, solve_zero_points
from tengri.io import sealed_json
from tengri.quantities import plain_values

SOLVE = "solve"
DOCUMENT = "zero points"


def path_of(out: Path) -> Path:
    """Return where the zero points of a fit are."""
    return out.with_name(out.name + ".zero_points.json")


def solved(out: Path) -> ZeroPoints:
    """Return the zero points that were solved for with a fit."""
    return _read(path_of(out))


def _read(path: Path) -> ZeroPoints:
    try:
        return ZeroPoints.from_dict(sealed_json.read_object(path, DOCUMENT)[DOCUMENT])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: holds no zero points ({error}).") from None


def calibrated(
    measurements: Measurements,
    model: PhotometricModel,
    table: Table,
    settings: FitSettings,
    out: Path,
    what: str,
    redshift: str | None = None,
    reference: str = "",
) -> Measurements:
    """Return measurements with zero points, solved for or from a file.

    Where a fit that was interrupted goes on, its shards are there and so are its zero points:
    they are taken as they are.

    Parameters
    ----------
    measurements, model, table, settings, out
        Of the fit.
    what : str
        ``solve``, or the file of an earlier solution.
    redshift : str or None
        Solve with the galaxies that have a redshift in this column, at that redshift.
    reference : str
        The band whose offset is 0.
    """
    if measurements.zero_points:
        raise ConfigError("Zero points are given one by one or solved for, not both.")
    if what != SOLVE:
        return replace(measurements, zero_points=_read(Path(what)).as_mapping())
    under_way = out.with_name(out.name + ".parts").exists() and path_of(out).exists()
    if under_way:
        return replace(measurements, zero_points=solved(out).as_mapping())
    found = _solve(measurements, model, table, settings, redshift, reference)
    sealed_json.write_json(path_of(out), {DOCUMENT: found.to_dict()})
    return replace(measurements, zero_points=found.as_mapping())


def _solve(
    measurements: Measurements,
    model: PhotometricModel,
    table: Table,
    settings: FitSettings,
    redshift: str | None,
    reference: str,
) -> ZeroPoints:
    asked = replace(measurements, redshift=redshift, redshift_error=None) if redshift else (
        measurements
    )  # fmt: skip
    check_columns(asked.columns, table)
    flux = [band.flux for band in asked.bands.values()]
    units = {name: table.unit(name) for name in flux}
    data = asked.read(table.read(sorted(set(asked.columns)), 0, table.n_rows), units, 0)
    return solve_zero_points(
        model, data, reference=reference, seed=settings.seed, plan=settings.plan,
        magnitude_prior=settings.magnitude_prior,
    )  # fmt: skip


def redshifts(table: Table, column: str) -> np.ndarray:
    """Return the redshifts of a column, NaN where there is none, (n,)."""
    check_columns([column], table)
    z, _ = plain_values(table.read([column], 0, table.n_rows)[column], "", "redshift")
    with np.errstate(invalid="ignore"):
        none = ~(z > 0.0) | np.isin(z, MAGNITUDE_SENTINELS)
    return np.where(none, np.nan, z)
