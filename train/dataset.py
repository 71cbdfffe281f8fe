"""Stored training data: sharded HDF5 that any number of workers make alike.

``manifest.json`` (sealed) says what the rows are: spec, bands, SSP, seed, sampler, number of
rows and shards. ``shard-00003.h5`` holds rows ``bounds(3)`` under their global indices::

    inputs (n, n_in) float32    flux (n, n_bands) float32    attributes start, fingerprint

`tengri.shards` says how they are written: a shard is complete or absent.
"""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np

from tengri import __version__
from tengri.errors import DataError
from tengri.io import hdf5_reader, seal, sealed_json
from tengri.io.atomic import os_reason
from tengri.io.sharding import MANIFEST, fingerprint, shard_bounds, shard_name, write_shard
from tengri.parameters import Parameters
from train.config import Config
from train.problem import Problem
from train.rows import RowMaker, Rows

FORMAT = 1
MAX_ROWS, MAX_SHARDS = 10**12, 10**6


def describe_rows(problem: Problem, rows: int, shards: int) -> dict[str, Any]:
    """Return what decides the values of every row, without time, place or worker."""
    config = problem.config
    description = {
        "format": FORMAT,
        "spec": problem.spec.to_dict(),
        "bands": list(problem.bands),
        "curves": problem.model.observation.photometry.fingerprint,
        "ssp": {"name": problem.model.ssp.name, "sha256": problem.model.ssp.sha256},
        "target": problem.target.to_dict(),
        "seed": config.run.seed,
        "sampler": config.data.sampler,
        "chunk": config.data.chunk,
        "rows": rows,
        "shards": shards,
    }
    return json.loads(json.dumps(description))  # as it reads back: lists, no tuples


def with_physics_of(folder: Path, config: Config) -> Config:
    """Return a configuration with the physics of the data set in a folder, if there is one.

    A shard that is made again belongs with those that are there, and so does a training. A
    configuration that says which physics it means keeps it.
    """
    if config.model.physics or not (folder / MANIFEST).exists():
        return config
    spec = Parameters.from_dict(Dataset.open(folder).description["spec"])
    return replace(config, model=replace(config.model, physics=spec.physics))


@dataclass(frozen=True)
class Dataset:
    """A folder of shards and its manifest."""

    folder: Path
    description: dict[str, Any]
    command: str = "tengri dataset CONFIG"

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Read and check the manifest of a data set.

        Raises
        ------
        DataError
            No data set, a damaged manifest, or one of a newer format.
        """
        if not (folder / MANIFEST).exists():
            raise DataError(
                f"{folder} holds no data set ({MANIFEST} is missing): make one with "
                f"`tengri dataset CONFIG -o {folder}`."
            )
        content = sealed_json.read_object(folder / MANIFEST, "rows", "made_with")
        try:
            rows, command = content["rows"], content["made_with"]["command"]
            version = rows["format"]
            command = shlex.join(shlex.split(command))  # it is shown for pasting into a shell
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{folder / MANIFEST}: malformed ({error!r}).") from None
        if version != FORMAT:
            raise DataError(
                f"{folder}: data set of format {version!r}, this version reads {FORMAT}. "
                "Update tengri, or make the data set again."
            )
        for name, most in (("rows", MAX_ROWS), ("shards", MAX_SHARDS)):
            if type(rows.get(name)) is not int or not 0 < rows[name] <= most:
                raise DataError(f"{folder / MANIFEST}: {name} is {rows.get(name)!r}.")
        return cls(folder, rows, command)

    @classmethod
    def create(cls, folder: Path, problem: Problem, shards: int, command: str) -> Dataset:
        """Open the folder for a problem, writing the manifest if it is the first worker.

        Raises
        ------
        DataError
            The folder holds another data set, or cannot be written.
        """
        description = describe_rows(problem, problem.config.data.rows, shards)
        for name, most in (("rows", MAX_ROWS), ("shards", MAX_SHARDS)):
            if description[name] > most:
                raise DataError(f"data.{name} = {description[name]} is more than {most}.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder}: cannot be made ({os_reason(error)}).") from error
        if not (folder / MANIFEST).exists():
            sealed_json.write_json(
                folder / MANIFEST,
                {"rows": description, "made_with": {"command": command, **_versions()}},
            )
        found = cls.open(folder)
        found.check(problem, shards)
        return found

    @property
    def digest(self) -> str:
        """The identity of the set, in every shard: what decides the rows, and nothing else."""
        return fingerprint(self.description)

    @property
    def n_rows(self) -> int:
        """Rows of the whole set."""
        return int(self.description["rows"])

    @property
    def n_shards(self) -> int:
        """Number of files."""
        return int(self.description["shards"])

    @property
    def seed(self) -> int:
        """Seed of the draws."""
        return int(self.description["seed"])

    @property
    def sampler(self) -> str:
        """How the prior was drawn."""
        return str(self.description["sampler"])

    def check(self, problem: Problem, shards: int | None = None) -> None:
        """Raise unless the rows are those of ``problem``."""
        wanted = describe_rows(problem, self.n_rows, shards or self.n_shards)
        ignored = {"seed", "sampler", "chunk"} if shards is None else set()
        if shards is not None:
            wanted["rows"] = problem.config.data.rows
        different = [k for k, v in wanted.items()
                     if k not in ignored and v != self.description.get(k)]  # fmt: skip
        if different:
            raise DataError(
                f"{self.folder} holds other data: {', '.join(different)} differ from this "
                "configuration. Use another folder, or the configuration it was made with."
            )

    def bounds(self, number: int) -> tuple[int, int]:
        """Return the global rows [first, last) of a shard."""
        return shard_bounds(self.n_rows, self.n_shards, number)

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / shard_name(number)

    # --- making -------------------------------------------------------------------------------

    def make(self, maker: RowMaker, number: int) -> Rows | None:
        """Make one shard; return its rows, or None where a good one exists already."""
        if not self.problem_with(number):
            return None
        start, stop = self.bounds(number)
        rows = maker.make(start, stop - start)
        self._write(number, rows)
        return rows

    def _write(self, number: int, rows: Rows) -> None:
        def fill(file: h5py.File) -> None:
            file.attrs["start"] = rows.start
            file.attrs["fingerprint"] = self.digest
            for name, values in (("inputs", rows.inputs), ("flux", rows.flux)):
                data = np.asarray(values, np.float32)
                file.create_dataset(name, data=data, fletcher32=True, chunks=True)

        write_shard(self.path(number), fill, lambda path: self._read(path, number))

    # --- reading ------------------------------------------------------------------------------

    def rows(self, start: int, n: int) -> Rows:
        """Return rows ``start`` … ``start + n``; every shard is checked before it is read."""
        parts = []
        for number in range(1, self.n_shards + 1):
            first, last = self.bounds(number)
            lo, hi = max(start, first), min(start + n, last)
            if lo < hi:
                shard = self._checked(number)
                parts.append(
                    (shard.inputs[lo - first : hi - first], shard.flux[lo - first : hi - first])
                )
        inputs, flux = (np.concatenate(column) for column in zip(*parts))
        return Rows(start, inputs, flux)

    def _checked(self, number: int) -> Rows:
        try:
            return self._read(self.path(number), number)
        except DataError as error:
            raise DataError(f"{error} Remake it: {self.remake(number)}") from None

    def _read(self, path: Path, number: int) -> Rows:
        """Read one shard after checking its seal, its place and its shapes."""
        if not path.exists():
            raise DataError(f"{path} is missing.")
        seal.verify(path)
        try:
            return self._contents(path, number)
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path}: malformed ({error}).") from None

    def _contents(self, path: Path, number: int) -> Rows:
        start, stop = self.bounds(number)
        with hdf5_reader.open_hdf5(path) as file:
            if file.attrs["fingerprint"] != self.digest:
                raise DataError(f"{path} belongs to another data set.")
            if int(file.attrs["start"]) != start:
                raise DataError(f"{path} holds other rows than its name says.")
            inputs, flux = (hdf5_reader.dataset(file, name, path) for name in ("inputs", "flux"))
            for name, item in (("inputs", inputs), ("flux", flux)):
                if problem := hdf5_reader.own_problem(item):
                    raise DataError(f"{path}: {name} {problem}.")
            if not len(inputs) == len(flux) == stop - start or not inputs.ndim == flux.ndim == 2:
                raise DataError(f"{path} holds {flux.shape} fluxes for {stop - start} rows.")
            return Rows(start, *(hdf5_reader.array(file, n, path) for n in ("inputs", "flux")))

    def problem_with(self, number: int) -> str:
        """Return what is wrong with a shard, or nothing."""
        try:
            self._read(self.path(number), number)
        except DataError as error:
            return str(error)
        return ""

    def verify(self) -> dict[int, str]:
        """Return shard number → problem for the shards that are missing or bad."""
        problems = {n: self.problem_with(n) for n in range(1, self.n_shards + 1)}
        return {n: problem for n, problem in problems.items() if problem}

    def remake(self, number: int) -> str:
        """Return the command that makes one shard again."""
        return f"{self.command} --shard {number}/{self.n_shards} -o {shlex.quote(str(self.folder))}"

    def bad_rows(self, numbers: Iterable[int]) -> list[int]:
        """Return the global indices of rows without finite flux in some shards."""
        found: list[int] = []
        for number in numbers:
            rows = self._checked(number)
            found += [rows.start + int(i) for i in rows.bad]
        return found


def _versions() -> dict[str, str]:
    return {"tengri": __version__, "jax": jax.__version__, "numpy": np.__version__,
            "python": platform.python_version()}  # fmt: skip
