"""One catalogue through one model: shard by shard, resumable, then joined into one file.

``OUT.parts/`` holds a sealed manifest (what decides every row) and sealed shards
(`tengri.shards`). A shard that is there, whole, of this manifest and made from the rows that the
catalogue holds now, is not made again. Only ``CHUNK`` rows are in memory at a time.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tengri import __version__
from tengri.catalogue import hdf5
from tengri.catalogue.kept import as_kept, survey
from tengri.catalogue.line_columns import check_lines
from tengri.catalogue.line_columns import units as line_units
from tengri.catalogue.predict import FLAG, predict_rows
from tengri.catalogue.table import (
    Columns,
    Field,
    Schema,
    Table,
    check_columns,
    format_of,
)
from tengri.catalogue.words import OPTIONS
from tengri.errors import ConfigError, DataError
from tengri.forward.photometric_model import PhotometricModel
from tengri.io import atomic, hdf5_reader, seal, sealed_json
from tengri.io.sharding import MANIFEST, fingerprint, shard_bounds, shard_name, write_shard

#: Rows held in memory at once; part of the contract, for the digest of a shard's inputs.
CHUNK = 65536
#: Rows of a shard, where nobody says how many shards there are.
SHARD_ROWS = 1 << 18

Report = Callable[[int], None]


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
class Job:
    """One prediction job: open catalogue, parameter → column, model, output."""

    table: Table
    columns: Mapping[str, str]
    model: PhotometricModel
    out: Path
    n_shards: int
    options: Options = Options()

    def __post_init__(self) -> None:
        check_columns(self.options.kept, self.table)
        format_of(self.out)  # a wrong ending, or a missing package, is known before hours of work
        check_lines(self.model, self.options.lines)
        made = {FLAG, *self.model.filter_names, *line_units(self.options.lines)}
        twice = [name for i, name in enumerate(self.options.kept) if name in self.options.kept[:i]]
        if twice:
            raise ConfigError(f"--keep names {twice[0]} twice.")
        taken = [name for name in self.options.kept if name.removesuffix("_err") in made]
        if taken:
            raise ConfigError(f"--keep {taken[0]}: the output has a column of that name.")

    @property
    def folder(self) -> Path:
        """Where the shards lie until they are joined."""
        return self.out.with_name(self.out.name + ".parts")

    @cached_property
    def description(self) -> dict[str, Any]:
        """What decides the values of every row, without time, place or worker."""
        return {
            "rows": self.table.n_rows,
            "shards": self.n_shards,
            "columns": dict(self.columns),
            "units": self.model.units,
            "dtype": self._sample[self.model.filter_names[0]].dtype.name,
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
        mode = "clip" if self.options.out_of_domain == "clip" else "nan"
        return self.predict(0, min(2, self.table.n_rows), mode)[1]

    @cached_property
    def schema(self) -> Schema:
        """Names, types and units of the output's columns."""
        kept = survey(self.table, self.options.kept, CHUNK)
        units = {FLAG: "", **line_units(self.options.lines)}
        made = {name: Field(values.dtype, units.get(name, self.model.units))
                for name, values in self._sample.items() if name not in kept}  # fmt: skip
        facts = {"written_by": f"tengri {__version__}",
                 **{name: str(value) for name, value in self.model.identity().items()}}  # fmt: skip
        return Schema({**kept, **made}, facts, self.table.n_rows)

    # --- one shard ------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folder and its manifest, or check those that are there.

        Raises
        ------
        ConfigError
            A column that the output's format cannot hold.
        DataError
            The folder belongs to another catalogue, model or set of options.
        """
        format_of(self.out).check_schema(self.schema)
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            reason = atomic.os_reason(error)
            raise DataError(f"{self.folder}: cannot be made ({reason}).") from error
        manifest = self.folder / MANIFEST
        if not manifest.exists():
            sealed_json.write_json(manifest, self.description)
        found = sealed_json.read_object(manifest)
        different = [k for k, v in self.description.items() if found.get(k) != v]
        if different:
            raise DataError(
                f"{self.folder} holds shards of another job: {', '.join(different)} differ. Remove "
                "it, write to another OUT, or give the options it was begun with."
            )

    def make(self, number: int, report: Report = lambda rows: None) -> bool:
        """Make one shard; return False where a good one is there already."""
        start, stop = shard_bounds(self.table.n_rows, self.n_shards, number)
        if not self.problem_with(number):
            report(stop - start)
            return False
        schema = Schema(self.schema.fields, {}, stop - start)

        def fill(file: h5py.File) -> None:
            hdf5.create_columns(file, schema)
            inputs, at = hashlib.sha256(), 0
            for first in range(start, stop, CHUNK):
                read, made = self.predict(first, min(first + CHUNK, stop))
                _update(inputs, read)
                at = hdf5.put(file, schema, made, at)
                report(len(made[FLAG]))
            file.attrs["start"] = start
            file.attrs["inputs"] = inputs.hexdigest()
            file.attrs["fingerprint"] = fingerprint(self.description)

        write_shard(self.path(number), fill, lambda path: self._check(path, number))
        return True

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / shard_name(number)

    def predict(self, start: int, stop: int, mode: str | None = None) -> tuple[Columns, Columns]:
        """Return (what was read, what goes out) of some rows."""
        mode = mode or self.options.out_of_domain
        wanted = {*self.columns.values(), *self.options.kept}
        read = self.table.read(sorted(wanted), start, stop)
        params = {name: read[column] for name, column in self.columns.items()}
        kept = {name: as_kept(name, read[name]) for name in self.options.kept}
        made = predict_rows(
            self.model, params, self.units, mode, self.options.level, OPTIONS, start,
            self.options.lines,
        )  # fmt: skip
        return read, {**kept, **made}

    def problem_with(self, number: int) -> str:
        """Return what is wrong with a shard (also: made from other rows), or nothing."""
        try:
            stored = self._check(self.path(number), number)
        except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            return str(error)
        start, stop = shard_bounds(self.table.n_rows, self.n_shards, number)
        inputs = hashlib.sha256()
        wanted = sorted({*self.columns.values(), *self.options.kept})
        for first in range(start, stop, CHUNK):
            _update(inputs, self.table.read(wanted, first, min(first + CHUNK, stop)))
        return "" if inputs.hexdigest() == stored else "the catalogue's rows have changed"

    def _check(self, path: Path, number: int) -> str:
        """Check seal, place and job of a shard; return the digest of its inputs."""
        if not path.exists():
            raise DataError(f"{path} is missing.")
        seal.verify(path)
        with hdf5_reader.open_hdf5(path) as file:
            start, _ = shard_bounds(self.table.n_rows, self.n_shards, number)
            wanted = fingerprint(self.description)
            if file.attrs["fingerprint"] != wanted or int(file.attrs["start"]) != start:
                raise DataError(f"{path} belongs to another job.")
            return str(file.attrs["inputs"])

    # --- all of them ----------------------------------------------------------------------

    def join(self) -> dict[str, int]:
        """Write OUT from all shards, remove them, and return how many rows carry which flag.

        Raises
        ------
        DataError
            Shards that are missing or bad (named), or an OUT that cannot be written.
        """
        bad = {n: p for n in range(1, self.n_shards + 1) if (p := self.problem_with(n))}
        if bad:
            raise DataError(f"{self.out} cannot be joined: {'; '.join(bad.values())}")
        counts: dict[int, int] = {}
        with atomic.whole(self.out) as temporary:
            format_of(self.out).write_table(temporary, self.schema, self._stored(counts))
        shutil.rmtree(self.folder)
        return _named(counts)

    def _stored(self, counts: dict[int, int]) -> Iterator[Columns]:
        for number in range(1, self.n_shards + 1):
            with hdf5.open_table(self.path(number), None) as shard:
                for first in range(0, max(1, shard.n_rows), CHUNK):
                    rows = shard.read(self.schema.fields, first, first + CHUNK)
                    rows = {name: _as_field(rows[name], self.schema.fields[name]) for name in rows}
                    for value, n in zip(*np.unique(rows[FLAG], return_counts=True)):
                        counts[int(value)] = counts.get(int(value), 0) + int(n)
                    yield rows


def _update(sha: Any, columns: Columns) -> None:
    """Add the rows of columns to a digest: values, and which of them are missing."""
    for name in sorted(columns):
        values, missing = np.ma.getdata(columns[name]), np.ma.getmaskarray(columns[name])
        if values.dtype.kind == "O":
            sha.update(repr(values.tolist()).encode())
        else:
            sha.update(np.ascontiguousarray(np.where(missing, np.zeros_like(values), values)))
        if missing.any():
            sha.update(np.packbits(missing).tobytes())


def _as_field(values: np.ndarray, field: Field) -> np.ndarray:
    """Return a column of a shard as the catalogue had it: truth is stored as a number."""
    return values.astype(bool) if field.dtype.base.kind == "b" else values


def _named(counts: Mapping[int, int]) -> dict[str, int]:
    """Return the counts by meaning."""
    from tengri.catalogue.predict import DARK, MISSING, OUTSIDE

    def having(bit: int) -> int:
        return sum(n for value, n in counts.items() if value & bit)

    return {"rows": sum(counts.values()), "outside": having(OUTSIDE), "missing": having(MISSING),
            "without light": having(DARK)}  # fmt: skip


def existing_shards(out: Path) -> int | None:
    """Return the number of shards of a job that was begun for OUT, if there is one."""
    manifest = out.with_name(out.name + ".parts") / MANIFEST
    if not manifest.exists():
        return None
    shards = sealed_json.read_object(manifest, "shards")["shards"]
    if type(shards) is not int or shards < 1:
        raise DataError(f"{manifest}: malformed, shards is {shards!r}.")
    return shards
