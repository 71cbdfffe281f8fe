"""Promise: runs and data sets of every format so far verify, resume and are read; newer are not.

Surrogates: `tests/emulator/test_golden.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import emulator
from tengri.__main__ import main as program
from tengri.errors import DataError
from tengri.io import sealed_json
from tests.faults.make_golden import DATASET, GOLDEN, RUN
from train import config as configs
from train.checkpoints import verify
from train.dataset import FORMAT as DATASET_FORMAT
from train.dataset import MANIFEST, Dataset
from train.problem import Problem
from train.rows import RowMaker
from train.runfolder import FORMAT as RUN_FORMAT
from train.runfolder import RunFolder

Counter = Callable[..., None]
RUNS = [f"run-{n}" for n in range(1, RUN_FORMAT + 1)]
DATASETS = [f"set-{n}" for n in range(1, DATASET_FORMAT + 1)]
MOST_KB = 300 * len(RUNS)


def test_they_are_small() -> None:
    size = sum(p.stat().st_size for p in GOLDEN.rglob("*") if p.is_file())
    assert size < 1000 * MOST_KB


@pytest.mark.parametrize("name", RUNS)
def test_runs_of_every_format_are_read(golden: Path, name: str, injected: Counter) -> None:
    run = RunFolder.open(golden / name)
    assert run.config().run.steps == 24 and run.plan() is not None and run.done() is not None
    assert set(verify(golden / name).values()) == {""}
    assert emulator.verify(golden / name / "surrogate.h5").difference < 3e-5
    injected("golden")


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_runs_of_every_format_resume(golden: Path, name: str, injected: Counter) -> None:
    """Finished once more from the last checkpoint, and from the one before."""
    for lost in (("done.json", "surrogate.h5"), ("done.json", "surrogate.h5", "manifests/24.json")):
        for part in lost:
            (golden / name / part).unlink()
        assert program(["resume", name]) == 0
        assert program(["verify", name]) == 0
        injected("golden")


@pytest.mark.parametrize("name", DATASETS)
def test_data_sets_of_every_format_are_read(golden: Path, name: str, injected: Counter) -> None:
    dataset = Dataset.open(golden / name)
    assert dataset.verify() == {}
    rows = dataset.rows(0, dataset.n_rows)
    assert rows.flux.shape == (192, 2) and np.isfinite(rows.flux).all()
    injected("golden")


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
def test_shards_of_every_format_can_be_made_again(golden: Path, name: str) -> None:
    before = Dataset.open(golden / name).rows(0, 192)
    (golden / name / "shard-00002.h5").unlink()
    assert program(["dataset", "tiny.toml", "--shard", "2/3", "-o", name]) == 0
    after = Dataset.open(golden / name).rows(0, 192)
    np.testing.assert_array_equal(after.inputs, before.inputs)
    made = slice(64, 128)
    np.testing.assert_array_equal(np.delete(after.flux, made, 0), np.delete(before.flux, made, 0))
    # the old rows were rounded by other code: what is made anew is held to the truth
    np.testing.assert_allclose(after.flux[made], exact(golden / name)[made], rtol=1e-5)


def exact(folder: Path) -> np.ndarray:
    """Return the fluxes of a data set's rows in float64."""
    dataset = Dataset.open(folder)
    with jax.enable_x64(False):
        drawn = row_maker(dataset).draw(0, dataset.n_rows)
    with jax.enable_x64(True):
        maker = row_maker(dataset)
        return maker.flux({name: np.asarray(v, np.float64) for name, v in drawn.items()})


def row_maker(dataset: Dataset) -> RowMaker:
    """Return what made the rows, in the current default float."""
    problem = Problem.build(configs.load("tiny.toml"))
    return RowMaker(problem, dataset.seed, dataset.sampler)


def newer(path: Path, place: Callable[[Any], dict], version: int) -> None:
    """Let a sealed file say that a later version wrote it."""
    content = sealed_json.read_json(path)
    place(content)["format"] = version
    sealed_json.write_json(path, content)


def test_a_run_of_a_newer_version(
    golden: Path, injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (golden / RUN / "config.json", golden / RUN / "copies/config.json"):
        newer(place, lambda content: content, RUN_FORMAT + 1)
    before = {p: p.read_bytes() for p in (golden / RUN).rglob("*") if p.is_file()}
    for words in (["resume", RUN], ["replay", RUN, "--row", "3"]):
        assert program(words) == 1
        said = f"run of format {RUN_FORMAT + 1}, this version reads {RUN_FORMAT}: update tengri"
        assert said in capsys.readouterr().err
    after = {p: p.read_bytes() for p in before}
    assert after == before
    injected("golden")


def test_a_data_set_of_a_newer_version(golden: Path, injected: Counter) -> None:
    newer(golden / DATASET / MANIFEST, lambda content: content["rows"], DATASET_FORMAT + 1)
    with pytest.raises(DataError, match=rf"format {DATASET_FORMAT + 1}, this version reads"):
        Dataset.open(golden / DATASET)
    injected("golden")
