"""Rows of a catalogue to photometry: fluxes, error bars, lines and a flag, as columns.

The flag column ``out_of_domain`` is 0 for a good row, else a sum of

====  =================================================================================
1     a parameter lies outside its bounds, the surrogate's trained box, or the SSP grid
2     a value is missing or not finite
4     no light: no stars formed by t(z)
====  =================================================================================
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tengri.catalogue.columns import check_complete, parameter_columns
from tengri.catalogue.containers import column, column_names
from tengri.catalogue.line_columns import check_lines, columns_of, line_dtype
from tengri.catalogue.line_columns import units as line_units
from tengri.catalogue.spectrum_columns import columns_of as spectra_of
from tengri.catalogue.spectrum_columns import spectrographs
from tengri.catalogue.words import ARGUMENTS, Words
from tengri.constants import LN_PER_MAG
from tengri.errors import ConfigError, ParameterError, unknown
from tengri.forward.photometric_model import PhotometricModel
from tengri.forward.units import magnitudes
from tengri.parameters.validate import default_float
from tengri.quantities import plain_values

FLAG = "out_of_domain"
OUTSIDE, MISSING, DARK = 1, 2, 4
MODES = ("nan", "clip", "raise")
Columns = dict[str, np.ndarray]


def predict_table(
    model: PhotometricModel,
    table: Any,
    columns: Mapping[str, str] | None = None,
    out_of_domain: str = "nan",
    level: int | None = 68,
    lines: Sequence[str] = (),
) -> Columns:
    """Return the photometry of a table of galaxies, and emission lines if any are named.

    Parameters
    ----------
    model : PhotometricModel
        Exact or emulated; its ``units`` are those of the fluxes.
    table : mapping, Table, DataFrame or structured array
        Columns (n,), or (n, 1), by name; those that are no parameters are left alone. Masks and
        nulls are missing values; a column with a unit is converted to the parameter's.
    columns : mapping, optional
        Parameter → column name, where they differ.
    out_of_domain : {"nan", "clip", "raise"}
        What a flagged row gets: NaN, the answer at the nearest parameters that the model knows
        (a surrogate must be loaded with ``out_of_domain="clip"``), or an error.
    level : int or None
        Coverage of the error bars in per cent; None leaves them out, as does the exact model.
    lines : sequence of str
        Emission lines, e.g. ``["Ha_6565", "[OIII]_5008"]`` (exact model only).

    Returns
    -------
    dict
        Per band ``NAME``, and ``NAME_err`` where the model has error bars, in the model's units;
        per line ``NAME_flux`` [erg/s/cm²], ``NAME_lum`` [erg/s], ``NAME_ew_rest`` and
        ``NAME_ew_obs`` [Å]; and the flag ``out_of_domain``. Each (n,). Per spectrograph of the
        observation ``NAME`` (n, n_pixel), f_ν in those units, maggies for ``mag_ab``.

    Raises
    ------
    UnknownNameError, ParameterError
        A column that is missing, misspelt, without effect or no number, of another length, or in
        a unit that cannot be converted; flagged rows if so asked.
    """
    names = column_names(table)
    matched = parameter_columns(names, columns or {}, ())
    check_complete(model.spec, matched, names)
    found = {parameter: column(table, name) for parameter, name in matched.items()}
    values = {name: value for name, (value, _) in found.items()}
    units = {name: unit for name, (_, unit) in found.items()}
    return predict_rows(model, values, units, out_of_domain, level, lines=lines)


def predict_rows(
    model: PhotometricModel,
    params: Mapping[str, Any],
    units: Mapping[str, Any],
    mode: str = "nan",
    level: int | None = 68,
    words: Words = ARGUMENTS,
    first: int = 0,
    lines: Sequence[str] = (),
) -> Columns:
    """Return the photometry of parameters (n, …) by name, of the units stated beside them.

    ``first`` is the number of the first of these rows, for messages; else as `predict_table`.
    """
    if mode not in MODES:
        raise unknown("out_of_domain mode", mode, MODES)
    check_lines(model, lines)
    prepared = prepare(model, params, units, mode)
    return finish(model, answer(model, prepared, lines), level, mode, words, first)


@dataclass(frozen=True)
class PreparedRows:
    """Rows to be predicted.

    Attributes
    ----------
    values : dict
        Parameters (n, …) in their own units, NaN where missing.
    flag : array (n,)
        Of rows that no model can be asked about, and of those that this one has no answer for.
    asked : array of bool (n,)
        Which rows the model is asked about.
    filled : dict
        The parameters that it is given: those of another row in place of what it is not asked.
    beside : dict
        Columns that go out as they are.
    """

    values: Columns
    flag: np.ndarray
    asked: np.ndarray
    filled: Columns
    beside: Columns


@dataclass(frozen=True)
class Answer:
    """What the model says of prepared rows.

    ``flux`` is that in bands (n, n_bands); ``columns`` are those of lines (n,) and of spectra
    (n, n_pixel).
    """

    prepared: PreparedRows
    flux: np.ndarray
    columns: Columns


def prepare(
    model: PhotometricModel,
    params: Mapping[str, Any],
    units: Mapping[str, Any],
    mode: str,
    beside: Columns | None = None,
) -> PreparedRows:
    """Return parameters (n, …) by name, of the units stated beside them, ready for the model."""
    values = {name: as_parameter(model, name, value, units.get(name, ""))
              for name, value in params.items()}  # fmt: skip
    flag = _unusable(model, values) if _same_length(values) else np.zeros(0, np.uint8)
    if (usable := flag == 0).any():
        flag[usable & ~model.in_domain(_filled(values, usable))] = OUTSIDE
    asked = usable if mode == "clip" else flag == 0
    filled = _filled(values, asked) if asked.any() else {}
    return PreparedRows(values, flag, asked, filled, beside or {})


def answer(model: PhotometricModel, prepared: PreparedRows, lines: Sequence[str] = ()) -> Answer:
    """Return the light of prepared rows, NaN where none was asked for."""
    asked = prepared.asked
    if asked.any():
        flux, found = _answers(model, prepared.filled, lines)
        if asked.all():
            return Answer(prepared, flux, found)
        columns = {name: _where(asked, column) for name, column in found.items()}
        return Answer(prepared, _where(asked, flux), columns)
    n = len(asked)
    empty: Columns = {name: np.full(n, np.nan, line_dtype(name)) for name in line_units(lines)}
    empty |= {one.name: np.full((n, len(one)), np.nan, default_float())
              for one in spectrographs(model)}  # fmt: skip
    return Answer(prepared, np.full((n, len(model.filter_names)), np.nan, default_float()), empty)


def finish(
    model: PhotometricModel,
    answer: Answer,
    level: int | None,
    mode: str,
    words: Words = ARGUMENTS,
    first: int = 0,
) -> Columns:
    """Return an answer as columns, with the error bars of a level.

    Raises
    ------
    ParameterError
        Flagged rows, where the mode is ``raise``; ``first`` is the number of the first of these.
    """
    flag = answer.prepared.flag.copy()
    spectra = [column for column in answer.columns.values() if column.ndim == 2]
    lit = [np.isfinite(light).all(axis=1) for light in (answer.flux, *spectra)]
    flag[answer.prepared.asked & ~np.logical_and.reduce(lit)] |= DARK
    if mode == "raise" and flag.any():
        raise ParameterError(_complaint(flag, words, first))
    return {
        **answer.prepared.beside,
        **dict(zip(model.filter_names, answer.flux.T)),
        **_errors(model, answer.prepared.values, answer.flux, level),
        **answer.columns,
        FLAG: flag,
    }


def as_parameter(model: PhotometricModel, name: str, value: Any, unit: Any = "") -> np.ndarray:
    """Return a column as float64 (n, …) in the unit of its parameter, NaN where it is missing.

    Raises
    ------
    ParameterError, ConfigError
        As `tengri.quantities.plain_values`; another number of values per row.
    """
    param = model.spec.composition.params[name]
    values, _ = plain_values(value, param.unit, name, unit)
    if param.shape == () and values.shape[1:] == (1,):
        values = values[:, 0]
    wanted, has = param.shape, values.shape[1:]
    if (
        values.ndim == 0
        or len(has) != len(wanted)
        or any(a not in (-1, b) for a, b in zip(wanted, has))
    ):
        shape = ", ".join(["n", *("m" if k < 0 else str(k) for k in wanted)])
        raise ParameterError(f"{name}: a column of shape ({shape}) is needed, got {values.shape}.")
    return values


def _same_length(values: Columns) -> int:
    """Return the number of rows, the same in all columns; raise ParameterError where it is not."""
    if len({len(v) for v in values.values()}) > 1:
        shown = ", ".join(f"{name} has {len(v)}" for name, v in values.items())
        raise ParameterError(f"Columns of one length are needed: {shown}.")
    return len(next(iter(values.values())))


def _unusable(model: PhotometricModel, values: Columns) -> np.ndarray:
    """Return the flags of the rows that no model can be asked about, 0 for the others."""
    finite = [np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in values.values()]
    inside = model.spec.within_bounds(values)
    if "redshift" in values:
        z = values["redshift"]  # the bound itself has no distance, unless one is given
        inside &= z >= 0.0 if model.spec.composition.by_distance else z > 0.0
    flag = np.where(inside, 0, OUTSIDE)
    return np.where(np.logical_and.reduce(finite), flag, MISSING).astype(np.uint8)


def _filled(values: Columns, good: np.ndarray) -> Columns:
    """Return the parameters with the first good row in place of those that are not."""
    if good.all():
        return values
    first = int(np.argmax(good))
    return {name: np.where(_like(good, v), v, v[first]) for name, v in values.items()}


def _where(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values (n, …) with NaN where the mask (n,) is not set, of the same type."""
    return np.where(_like(mask, values), values, np.array(np.nan, values.dtype))


def _like(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    return mask.reshape(-1, *[1] * (values.ndim - 1))


def _answers(
    model: PhotometricModel, values: Columns, lines: Sequence[str]
) -> tuple[np.ndarray, Columns]:
    """Return the fluxes (n, n_bands) and the other columns of a table padded to whole blocks.

    A row's last digits depend on the size of the compiled block: with whole ones they do not
    depend on how a catalogue is cut.
    """
    n = len(next(iter(values.values())))
    block = model.execution.sizes.block
    rows = np.minimum(np.arange(-(-n // block) * block), n - 1)
    padded = {name: v[rows] for name, v in values.items()} if n < len(rows) else values
    with warnings.catch_warnings():
        # both are in the flags, row by row
        warnings.filterwarnings("ignore", ".*galaxies formed no stars")
        warnings.filterwarnings("ignore", ".*outside the SSP grid")
        flux = np.empty((n, 0), default_float())
        if model.filter_names:
            flux = np.asarray(model.predict_photometry_batch(padded))[:n]
        found = columns_of(model, padded, lines) if lines else {}
        found = {name: column[:n] for name, column in found.items()}
        return flux, found | spectra_of(model, values)


def _complaint(flag: np.ndarray, words: Words, first: int) -> str:
    rows = first + np.flatnonzero(flag)
    place = f" from row {first} on" if first else ""
    shown = ", ".join(map(str, rows[:10])) + (" …" if len(rows) > 10 else "")
    return (
        f"{len(rows)} of {len(flag)} rows{place} cannot be predicted: {shown}. Say "
        f"{words.modes}, and look at the column {FLAG}."
    )


def _errors(
    model: PhotometricModel, values: Columns, flux: np.ndarray, level: int | None
) -> Columns:
    """Return the error bars in the units of the fluxes, ``NAME_err``; none for exact models."""
    errors_at = getattr(model, "errors_at", None)
    if errors_at is None or level is None or not model.filter_names:
        return {}
    if not len(flux):
        return {f"{name}_err": flux[:, 0] for name in model.filter_names}
    redshift = values.get("redshift", model.spec.get_distribution("redshift").default)
    bars = errors_at(magnitudes(flux, model.units), redshift, level)
    if model.units != "mag_ab":
        bars = flux * np.expm1(LN_PER_MAG * bars)
    columns = np.asarray(bars, flux.dtype).T
    return {f"{name}_err": column for name, column in zip(model.filter_names, columns)}


def check_level(model: Any, level: int | None) -> None:
    """Raise for a level of error bars that the model does not carry."""
    if level is not None and hasattr(model, "errors_at") and model.filter_names:
        try:
            model.predict_errors(level=level)
        except ConfigError as error:
            raise ConfigError(f"--errors {level}: {error}") from None
