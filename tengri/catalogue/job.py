"""The photometry of a catalogue: parameters in, band fluxes out, as a sharded job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tengri import __version__
from tengri.catalogue.kept import as_kept, survey
from tengri.catalogue.line_columns import check_lines
from tengri.catalogue.line_columns import units as line_units
from tengri.catalogue.predict import (
    DARK,
    FLAG,
    MISSING,
    OUTSIDE,
    Answer,
    PreparedRows,
    answer,
    finish,
    prepare,
)
from tengri.catalogue.sharded_job import ShardedJob
from tengri.catalogue.spectrum_columns import spectrographs
from tengri.catalogue.table import Columns, Field, Schema, Table, check_columns, format_of
from tengri.catalogue.words import OPTIONS
from tengri.errors import ConfigError
from tengri.forward.photometric_model import PhotometricModel
from tengri.forward.units import unit_of_spectra

#: Rows held in memory at once; part of the contract, for the digest of a shard's inputs.
CHUNK = 65536
#: The same where each has spectra, of thousands of pixels.
SPECTRAL_CHUNK = 2048
#: Rows of a shard, where nobody says how many shards there are.
SHARD_ROWS = 1 << 18


@dataclass(frozen=True)
class Options:
    """How rows are predicted.

    Attributes
    ----------
    out_of_domain, level
        See `tengri.catalogue.predict.predict_table`.
    kept : tuple of str
        Columns of the catalogue that are copied to the output.
    units_obeyed : bool
        Whether the units that the catalogue states are converted; else the numbers are right.
    lines : tuple of str
        Emission lines that are predicted beside the bands.
    """

    out_of_domain: str = "nan"
    level: int | None = 68
    kept: tuple[str, ...] = ()
    units_obeyed: bool = True
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job(ShardedJob):
    """One prediction job: open catalogue, parameter → column, model, output."""

    table: Table
    columns: Mapping[str, str]
    model: PhotometricModel
    out: Path
    n_shards: int
    options: Options = Options()

    flag: ClassVar[str] = FLAG

    def __post_init__(self) -> None:
        check_columns(self.options.kept, self.table)
        format_of(self.out)  # a wrong ending, or a missing package, is known before hours of work
        check_lines(self.model, self.options.lines)
        made = {FLAG, *self._predicted, *line_units(self.options.lines)}
        twice = [name for i, name in enumerate(self.options.kept) if name in self.options.kept[:i]]
        if twice:
            raise ConfigError(f"--keep names {twice[0]} twice.")
        taken = [name for name in self.options.kept if name.removesuffix("_err") in made]
        if taken:
            raise ConfigError(f"--keep {taken[0]}: the output has a column of that name.")

    @property
    def _predicted(self) -> tuple[str, ...]:
        """Names of bands, then of spectra."""
        return *self.model.filter_names, *(one.name for one in spectrographs(self.model))

    @property
    def chunk(self) -> int:
        """Rows held in memory at once."""
        return SPECTRAL_CHUNK if spectrographs(self.model) else CHUNK

    @cached_property
    def description(self) -> dict[str, Any]:
        """What decides the values of every row, without time, place or worker."""
        return {
            "rows": self.table.n_rows,
            "shards": self.n_shards,
            "columns": dict(self.columns),
            "units": self.model.units,
            "dtype": self._sample[self._predicted[0]].dtype.name,
            "out_of_domain": self.options.out_of_domain,
            "level": self.options.level,
            "kept": list(self.options.kept),
            "lines": list(self.options.lines),
            "column units": {name: str(unit) for name, unit in self.units.items()},
            **self.model.identity(),
        }

    @cached_property
    def units(self) -> dict[str, str]:
        """The unit that the catalogue states for a parameter, where it is obeyed."""
        if not self.options.units_obeyed:
            return {}
        return {name: self.table.unit(column) for name, column in self.columns.items()}

    @cached_property
    def _sample(self) -> Columns:
        """The first rows: types of the columns, and the first compilation."""
        read = self.table.read(self.columns_read, 0, min(2, self.table.n_rows))
        gentle = "clip" if self._mode == "clip" else "nan"  # rows are judged when they are made
        return self._finished(self.answer(self.prepared(read, 0), 0), 0, gentle)

    @cached_property
    def schema(self) -> Schema:
        """Names, types and units of the output's columns."""
        kept = survey(self.table, self.options.kept, CHUNK)
        units = {FLAG: "", **line_units(self.options.lines)}
        units |= {one.name: unit_of_spectra(self.model.units) for one in spectrographs(self.model)}
        made = {name: Field(np.dtype((values.dtype, values.shape[1:])),
                            units.get(name, self.model.units))
                for name, values in self._sample.items() if name not in kept}  # fmt: skip
        facts = {"written_by": f"tengri {__version__}",
                 **{name: str(value) for name, value in self.model.identity().items()}}  # fmt: skip
        return Schema({**kept, **made}, facts, self.table.n_rows)

    @property
    def columns_read(self) -> list[str]:
        """The columns of the catalogue that are read, sorted."""
        return sorted({*self.columns.values(), *self.options.kept})

    def prepared(self, read: Columns, first: int) -> PreparedRows:
        """Return the parameters of rows, and the columns that are copied."""
        params = {name: read[column] for name, column in self.columns.items()}
        kept = {name: as_kept(name, read[name]) for name in self.options.kept}
        return prepare(self.model, params, self.units, self._mode, kept)

    def answer(self, prepared: PreparedRows, first: int) -> Answer:
        """Return the light of rows."""
        return answer(self.model, prepared, self.options.lines)

    def finished(self, answer: Answer, first: int) -> Columns:
        """Return the columns that go out: light, error bars, flags."""
        return self._finished(answer, first, self._mode)

    def _finished(self, answer: Answer, first: int, mode: str) -> Columns:
        return finish(self.model, answer, self.options.level, mode, OPTIONS, first)

    @property
    def _mode(self) -> str:
        return self.options.out_of_domain

    def counted(self, counts: Mapping[int, int]) -> dict[str, int]:
        """Return the numbers of rows by meaning from those by flag."""

        def having(bit: int) -> int:
            return sum(n for value, n in counts.items() if value & bit)

        return {"rows": sum(counts.values()), "outside": having(OUTSIDE),
                "missing": having(MISSING), "without light": having(DARK)}  # fmt: skip
