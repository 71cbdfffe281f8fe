"""A catalogue of fluxes to a catalogue of posteriors, by `tengri.catalogue.sharded_job`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tengri import __version__
from tengri.catalogue.kept import as_kept, survey
from tengri.catalogue.sharded_job import ShardedJob
from tengri.catalogue.table import Columns, Field, Schema, Table, check_columns, format_of
from tengri.components.composition import registered_params
from tengri.errors import ConfigError, ParameterError
from tengri.forward.photometric_model import PhotometricModel
from tengri.forward.units import UNITS
from tengri.inference.fitter import BLOCK, Fitter
from tengri.inference.observations import FLAGS, UNUSABLE, Observations, in_njy
from tengri.inference.settings import FitSettings

FLAG = "flag"
#: Units of the quantities that are derived from draws.
DERIVED_UNITS = {
    "stellar_mass": "Msun", "stellar_mass_surviving": "Msun", "sfr_10myr": "Msun/yr",
    "sfr_100myr": "Msun/yr", "ssfr": "1/yr", "mass_weighted_age_gyr": "Gyr",
    "mass_weighted_logzsol": "dex", "a_v": "mag",
}  # fmt: skip


class BandColumns(NamedTuple):
    """Where a band's measurements are.

    Attributes
    ----------
    flux, error : str
    limit : str or None
        A column that is true where the flux is an upper limit.
    """

    flux: str
    error: str
    limit: str | None = None


@dataclass(frozen=True)
class Measurements:
    """Which columns of a catalogue hold what, and how they are read.

    Attributes
    ----------
    bands : mapping
        Band → its columns.
    redshift, redshift_error : str or None
        Known redshifts, or with errors the centres of priors.
    units : str
        Of columns that state none.
    units_obeyed : bool
        Whether the units that the catalogue states count; else ``units`` does everywhere.
    floor : float
        Error floor as a share of the flux.
    zero_points : mapping
        Offsets [mag] by band.
    """

    bands: Mapping[str, BandColumns]
    redshift: str | None = None
    redshift_error: str | None = None
    units: str = "nJy"
    units_obeyed: bool = True
    floor: float = 0.0
    zero_points: Mapping[str, float] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        own = [name for band in self.bands.values() for name in band if name]
        return [*own, *(name for name in (self.redshift, self.redshift_error) if name)]

    def read(self, rows: Columns, units: Mapping[str, str], first: int) -> Observations:
        """Return the measurements of some rows.

        Parameters
        ----------
        rows : dict
            Columns by name.
        units : mapping
            The unit that the catalogue states for a column, or "".
        first : int
            Number of the first row.

        Raises
        ------
        ParameterError
            A unit of a flux that is not known.
        """
        flux, error, limit = [], [], []
        for name, band in self.bands.items():
            unit = self._unit(name, band, units)
            f, e, seen = in_njy(rows[band.flux], rows[band.error], unit)
            flux.append(np.where(seen, f, np.nan))
            error.append(e)
            none = np.zeros(len(f), bool)
            limit.append(none if band.limit is None else _truth(rows[band.limit]))
        limited = any(band.limit for band in self.bands.values())
        return Observations.of(
            np.stack(flux, axis=1), np.stack(error, axis=1), tuple(self.bands),
            limit=np.stack(limit, axis=1) if limited else None,
            redshift=None if self.redshift is None else rows[self.redshift],
            redshift_error=None if self.redshift_error is None else rows[self.redshift_error],
            floor=self.floor, zero_points=self.zero_points, first=first,
        )  # fmt: skip

    def _unit(self, name: str, band: BandColumns, units: Mapping[str, str]) -> str:
        stated = units.get(band.flux, "") if self.units_obeyed else ""
        if not stated:
            return self.units
        spelled = {unit.lower(): unit for unit in UNITS} | {"mag": "mag_ab", "abmag": "mag_ab"}
        spelled |= {"mag(ab)": "mag_ab", "ujansky": "uJy", "microjansky": "uJy"}
        if stated.lower() not in spelled:
            raise ParameterError(
                f"Column {band.flux!r} of band {name} is stated in {stated!r}; known are "
                f"{', '.join(UNITS)}. Convert it, or say --ignore-units with --units."
            )
        return spelled[stated.lower()]


def _truth(values: Any) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(values), 0).astype(bool)


@dataclass(frozen=True)
class FitJob(ShardedJob):
    """What is to be fitted: the open catalogue, its columns, the model, where the rows go.

    Attributes
    ----------
    kept : tuple of str
        Columns of the catalogue that are copied to the output.
    """

    table: Table
    measurements: Measurements
    model: PhotometricModel
    out: Path
    n_shards: int
    settings: FitSettings = field(default_factory=FitSettings)
    kept: tuple[str, ...] = ()

    flag: ClassVar[str] = FLAG

    def __post_init__(self) -> None:
        check_columns([*self.kept, *self.measurements.columns], self.table)
        format_of(self.out)  # a wrong ending, or a missing package, is known before hours of work
        taken = [name for name in self.kept if name in self._sample]
        if taken:
            raise ConfigError(f"--keep {taken[0]}: the output has a column of that name.")

    @property
    def chunk(self) -> int:
        """Rows held in memory at once."""
        return BLOCK

    @cached_property
    def fitter(self) -> Fitter:
        """The model ready to fit."""
        return Fitter.of(self.model, self._observed(0, min(1, self.table.n_rows))[1], self.settings)

    @cached_property
    def description(self) -> dict[str, Any]:
        """What decides the values of every row, without time, place or worker."""
        m = self.measurements
        return {
            "task": "fit",
            "rows": self.table.n_rows,
            "shards": self.n_shards,
            "bands": {name: list(band) for name, band in m.bands.items()},
            "redshift": [m.redshift, m.redshift_error],
            "units": m.units,
            "column units": self.units,
            "floor": m.floor,
            "zero points": dict(m.zero_points),
            "kept": list(self.kept),
            "settings": self.settings.to_dict(),
            "dtype": self._sample["chi2"].dtype.name,
            **self.model.identity(),
        }

    @cached_property
    def units(self) -> dict[str, str]:
        """The unit that the catalogue states for a flux."""
        flux = [band.flux for band in self.measurements.bands.values()]
        return {name: self.table.unit(name) for name in flux}

    @cached_property
    def _sample(self) -> Columns:
        """The first row: names and types of the columns, and the first compilation."""
        return self._fitted(self._observed(0, min(1, self.table.n_rows))[1])

    @cached_property
    def schema(self) -> Schema:
        """Names, types and units of the output's columns."""
        kept = survey(self.table, self.kept, self.chunk)
        made = {name: Field(_dtype(v), _unit_of(name)) for name, v in self._sample.items()}
        facts = {"written_by": f"tengri {__version__}",
                 **{name: str(value) for name, value in self.model.identity().items()},
                 "flags": ", ".join(f"{bit}: {what}" for what, bit in FLAGS.items())}  # fmt: skip
        return Schema({**kept, **made}, facts, self.table.n_rows)

    @property
    def columns_read(self) -> list[str]:
        """The columns of the catalogue that are read, sorted."""
        return sorted({*self.measurements.columns, *self.kept})

    def observed(self, start: int, stop: int) -> Observations:
        """Return the measurements of some rows."""
        return self._observed(start, stop)[1]

    def prepared(self, read: Columns, first: int) -> tuple[Columns, Observations]:
        """Return the columns that are copied, and the measurements of rows."""
        kept = {name: as_kept(name, read[name]) for name in self.kept}
        return kept, self.measurements.read(read, self.units, first)

    def answer(self, prepared: tuple[Columns, Observations], first: int) -> Columns:
        """Return the columns that go out of prepared rows."""
        kept, data = prepared
        return {**kept, **self._fitted(data)}

    def _observed(self, start: int, stop: int) -> tuple[Columns, Observations]:
        rows = self.table.read(self.columns_read, start, stop)
        return rows, self.measurements.read(rows, self.units, start)

    def _fitted(self, data: Observations) -> Columns:
        """Return the columns of the posteriors; draws, where they are kept, (n, n_draws) each."""
        found = self.fitter(data)
        columns = dict(found.columns)
        if found.draws is not None:
            columns |= {f"{name}_draws": found.draws[:, :, i] for i, name in enumerate(found.names)}
        return columns

    def counted(self, counts: Mapping[int, int]) -> dict[str, int]:
        """Return the numbers of rows, of usable posteriors, and of rows with each flag."""

        def having(bits: int) -> int:
            return sum(n for value, n in counts.items() if value & bits)

        rows = sum(counts.values())
        named = {name: having(bit) for name, bit in FLAGS.items()}
        return {"rows": rows, "usable": rows - having(UNUSABLE), **named}


def _dtype(values: np.ndarray) -> np.dtype:
    """Return the type of a column; ``method`` is the only text."""
    return (
        np.dtype("S10") if values.dtype.kind == "O" else np.dtype((values.dtype, values.shape[1:]))
    )


def _unit_of(column: str) -> str:
    """Return the unit of a column ``NAME_p50``, ``NAME_best`` or ``NAME_draws``."""
    name, _, what = column.rpartition("_")
    if not what.startswith(("p0", "p1", "p5", "p8", "p9")) and what not in ("best", "draws"):
        return ""
    known = registered_params()
    return known[name].unit if name in known else DERIVED_UNITS.get(name, "")
