"""One catalogue, worked through shard by shard, resumable, then joined into one file.

``OUT.parts/`` holds a sealed manifest (what decides every row) and sealed shards
(`tengri.io.sharding`). A shard that is there, whole, of this manifest and made from the rows that
the catalogue holds now, is not made again. Only a few times ``chunk`` rows are in memory: the next
are read and the last are written while the model computes.
"""

from __future__ import annotations

import hashlib
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from tengri.catalogue import hdf5
from tengri.catalogue.overlap import ahead, behind, fed
from tengri.catalogue.table import Columns, Field, Schema, Table, format_of
from tengri.errors import DataError
from tengri.io import atomic, hdf5_reader, seal, sealed_json
from tengri.io.sharding import MANIFEST, fingerprint, shard_bounds, shard_name, write_shard

Report = Callable[[int], None]
Give = Callable[[Columns], None]


class ShardedJob(ABC):
    """What is to be done with the rows of an open catalogue, and where they go.

    Subclasses are frozen dataclasses with the fields ``table``, ``out`` and ``n_shards``.
    """

    table: Table
    out: Path
    n_shards: int

    #: The column of flags.
    flag: ClassVar[str]

    @property
    @abstractmethod
    def chunk(self) -> int:
        """Rows held in memory at once; part of the contract, for the digest of a shard's inputs."""

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What decides the values of every row, without time, place or worker."""

    @property
    @abstractmethod
    def schema(self) -> Schema:
        """Names, types and units of the output's columns."""

    @property
    @abstractmethod
    def columns_read(self) -> list[str]:
        """The columns of the catalogue that are read, sorted."""

    def prepared(self, read: Columns, first: int) -> Any:
        """Return what `answer` takes of rows that were read from ``first`` on; beside the model."""
        return read

    @abstractmethod
    def answer(self, prepared: Any, first: int) -> Any:
        """Return what the model says of prepared rows; ``first`` is the number of the first."""

    def finished(self, answer: Any, first: int) -> Columns:
        """Return the columns that go out; beside the model."""
        return answer  # type: ignore[no-any-return]

    def rows(self, start: int, stop: int) -> Columns:
        """Return the columns that go out of some rows."""
        read = self.table.read(self.columns_read, start, stop)
        return self.finished(self.answer(self.prepared(read, start), start), start)

    @abstractmethod
    def counted(self, counts: Mapping[int, int]) -> dict[str, int]:
        """Return the numbers of rows by meaning from those by flag."""

    @property
    def folder(self) -> Path:
        """Where the shards lie until they are joined."""
        return self.out.with_name(self.out.name + ".parts")

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

    def make(
        self, number: int, report: Report = lambda rows: None, give: Give = lambda rows: None
    ) -> bool:
        """Make one shard; return False where a good one is there already.

        ``give`` is handed the rows that were made, piece by piece.
        """
        start, stop = shard_bounds(self.table.n_rows, self.n_shards, number)
        if not self.problem_with(number):
            report(stop - start)
            return False
        schema = Schema(self.schema.fields, {}, stop - start)

        def fill(file: h5py.File) -> None:
            hdf5.create_columns(file, schema)
            inputs = hashlib.sha256()

            def put(first: int, answer: Any) -> None:
                made = self.finished(answer, first)
                hdf5.put(file, schema, made, first - start)
                give(made)

            with behind() as later:
                for first, last, rows in ahead(self._chunks(start, stop, inputs)):
                    later(put, first, self.answer(rows, first))
                    report(last - first)
            file.attrs["start"] = start
            file.attrs["inputs"] = inputs.hexdigest()
            file.attrs["fingerprint"] = fingerprint(self.description)

        write_shard(self.path(number), fill, lambda path: self._check(path, number))
        return True

    def _chunks(self, start: int, stop: int, inputs: Any) -> Iterator[tuple[int, int, Any]]:
        """Yield (first, last, prepared rows) chunk by chunk; what is read goes to a digest."""
        for first in range(start, stop, self.chunk):
            last = min(first + self.chunk, stop)
            read = self.table.read(self.columns_read, first, last)
            _update(inputs, read)
            yield first, last, self.prepared(read, first)

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / shard_name(number)

    def problem_with(self, number: int, just_made: bool = False) -> str:
        """Return what is wrong with a shard (also: made from other rows), or nothing."""
        try:
            stored = self._check(self.path(number), number)
        except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            return str(error)
        if just_made:
            return ""
        start, stop = shard_bounds(self.table.n_rows, self.n_shards, number)
        inputs = hashlib.sha256()
        for first in range(start, stop, self.chunk):
            _update(
                inputs, self.table.read(self.columns_read, first, min(first + self.chunk, stop))
            )
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

    def run(self, report: Report = lambda rows: None) -> tuple[int, dict[str, int]]:
        """Make what is missing and write OUT; return the shards made and rows by flag.

        Where nothing was made before, OUT is written beside the shards, from the same rows.
        """
        every = range(1, self.n_shards + 1)
        if not self.table.n_rows or any(self.path(number).exists() for number in every):
            made = [number for number in every if self.make(number, report)]
            return len(made), self.join(just_made=made)
        counts: dict[int, int] = {}

        def write(pieces: Iterator[Columns]) -> None:
            self._write(temporary, pieces, counts)

        with atomic.whole(self.out) as temporary, fed(write) as give:
            for number in every:
                self.make(number, report, give)
        shutil.rmtree(self.folder)
        return self.n_shards, self.counted(counts)

    def join(self, just_made: Collection[int] = ()) -> dict[str, int]:
        """Write OUT from all shards, remove them, and return how many rows carry which flag.

        Parameters
        ----------
        just_made : collection of int
            Shards that this job object has made while the catalogue was open: their seals are
            checked, the rows behind them are not read a second time.

        Raises
        ------
        DataError
            Shards that are missing or bad (named), or an OUT that cannot be written.
        """
        every = range(1, self.n_shards + 1)
        bad = {n: p for n in every if (p := self.problem_with(n, n in just_made))}
        if bad:
            raise DataError(f"{self.out} cannot be joined: {'; '.join(bad.values())}")
        counts: dict[int, int] = {}
        with atomic.whole(self.out) as temporary:
            self._write(temporary, ahead(self._stored()), counts)
        shutil.rmtree(self.folder)
        return self.counted(counts)

    def _write(self, path: Path, pieces: Iterable[Columns], counts: dict[int, int]) -> None:
        """Write a file of all rows, and count their flags."""

        def counting() -> Iterator[Columns]:
            for chunk in self._aligned(pieces):
                for value, n in zip(*np.unique(chunk[self.flag], return_counts=True)):
                    counts[int(value)] = counts.get(int(value), 0) + int(n)
                yield chunk

        format_of(self.out).write_table(path, self.schema, counting())

    def _aligned(self, pieces: Iterable[Columns]) -> Iterator[Columns]:
        """Yield the rows of pieces in chunks that do not depend on how they were cut."""
        held, rows = list[Columns](), 0
        for piece in pieces:
            first, size = 0, len(piece[self.flag])
            while first < size:
                last = min(size, first + self.chunk - rows % self.chunk)
                held.append({name: values[first:last] for name, values in piece.items()})
                rows, first = rows + last - first, last
                if rows % self.chunk == 0 or rows == self.table.n_rows:
                    yield _one_after_the_other(held)
                    held = []
            if not self.table.n_rows:
                yield piece

    def _stored(self) -> Iterator[Columns]:
        """Yield the rows of all shards."""
        for number in range(1, self.n_shards + 1):
            with hdf5.open_table(self.path(number), None) as shard:
                for first in range(0, max(1, shard.n_rows), self.chunk):
                    rows = shard.read(self.schema.fields, first, first + self.chunk)
                    yield {name: _as_field(rows[name], self.schema.fields[name]) for name in rows}


def _one_after_the_other(pieces: list[Columns]) -> Columns:
    """Return the rows of several pieces as one; what is masked stays so."""
    if len(pieces) == 1:
        return pieces[0]
    return {name: np.ma.concatenate(values) if any(map(np.ma.isMaskedArray, values))
            else np.concatenate(values)
            for name in pieces[0] for values in [[piece[name] for piece in pieces]]}  # fmt: skip


def _update(sha: Any, columns: Columns) -> None:
    """Add the rows of columns to a digest: values, and which of them are missing."""
    for name in sorted(columns):
        values, missing = np.ma.getdata(columns[name]), np.ma.getmask(columns[name])
        gaps = bool(np.any(missing))
        if values.dtype.kind == "O":
            sha.update(repr(values.tolist()).encode())
        else:
            there = np.where(missing, np.zeros_like(values), values) if gaps else values
            sha.update(np.ascontiguousarray(there))
        if gaps:
            sha.update(np.packbits(missing).tobytes())


def _as_field(values: np.ndarray, field: Field) -> np.ndarray:
    """Return a column of a shard as the catalogue had it: truth is stored as a number."""
    return values.astype(bool) if field.dtype.base.kind == "b" else values


def existing_shards(out: Path) -> int | None:
    """Return the number of shards of a job that was begun for OUT, if there is one."""
    manifest = out.with_name(out.name + ".parts") / MANIFEST
    if not manifest.exists():
        return None
    shards = sealed_json.read_object(manifest, "shards")["shards"]
    if type(shards) is not int or shards < 1:
        raise DataError(f"{manifest}: malformed, shards is {shards!r}.")
    return shards
