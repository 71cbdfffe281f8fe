"""Stored data: the same from any number of workers, every damage found, training from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tengri.errors import ConfigError, DataError
from tengri.io.sharding import parse_shard
from tests.train.conftest import CONFIG, changed, trained, with_config
from train.dataset import Dataset
from train.problem import Problem
from train.rows import RowMaker

ROWS = changed(CONFIG, "data", rows=512)


def make(problem: Problem, folder: Path, order: list[int]) -> Dataset:
    same = with_config(problem, ROWS)
    maker = RowMaker(same, 0, "sobol")
    for number in order:  # each as a worker of its own would
        dataset = Dataset.create(folder, same, 4, "tengri dataset test")
        assert dataset.make(maker, number) is not None
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def dataset(problem: Problem, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    import jax

    with jax.enable_x64(False):
        return make(problem, tmp_path_factory.mktemp("data") / "set", [1, 2, 3, 4])


def test_any_order_makes_the_same_rows(problem: Problem, dataset: Dataset, tmp_path: Path) -> None:
    other = make(problem, tmp_path / "other", [3, 1, 4, 2])
    ours, theirs = dataset.rows(0, 512), other.rows(0, 512)
    np.testing.assert_array_equal(ours.inputs, theirs.inputs)
    np.testing.assert_array_equal(ours.flux, theirs.flux)
    for number in (1, 2, 3, 4):
        assert other.path(number).read_bytes() == dataset.path(number).read_bytes()


def test_rows_are_those_of_streaming(problem: Problem, dataset: Dataset) -> None:
    streamed = RowMaker(problem, 0, "sobol").make(100, 200)
    stored = dataset.rows(100, 200)
    np.testing.assert_array_equal(streamed.inputs, stored.inputs)
    np.testing.assert_allclose(streamed.flux, stored.flux, rtol=2e-6)


def test_second_call_makes_nothing(problem: Problem, dataset: Dataset) -> None:
    assert dataset.make(RowMaker(problem, 0, "sobol"), 2) is None


def test_damage_is_named_with_the_command(problem: Problem, tmp_path: Path) -> None:
    dataset = make(problem, tmp_path / "set", [1, 2, 3, 4])
    assert dataset.verify() == {}
    data = bytearray(dataset.path(2).read_bytes())
    data[len(data) // 2] ^= 4
    dataset.path(2).write_bytes(data)
    dataset.path(3).write_bytes(dataset.path(1).read_bytes())
    dataset.path(4).unlink()
    problems = dataset.verify()
    assert sorted(problems) == [2, 3, 4]
    assert "SHA-256" in problems[2] and "other rows" in problems[3] and "missing" in problems[4]
    assert dataset.remake(2) == f"tengri dataset test --shard 2/4 -o {tmp_path / 'set'}"
    with pytest.raises(DataError, match="--shard 2/4"):
        dataset.rows(0, 512)
    assert dataset.make(RowMaker(problem, 0, "sobol"), 2) is not None
    assert sorted(dataset.verify()) == [3, 4]


def test_another_configuration_is_refused(problem: Problem, dataset: Dataset) -> None:
    other = with_config(problem, changed(ROWS, "run", seed=5))
    with pytest.raises(DataError, match="seed"):
        Dataset.create(dataset.folder, other, 4, "test")
    with pytest.raises(DataError, match="shards"):
        Dataset.create(dataset.folder, with_config(problem, ROWS), 8, "test")


@pytest.mark.slow
def test_training_from_stored_rows(problem: Problem, dataset: Dataset, tmp_path: Path) -> None:
    stored = with_config(
        problem, changed(ROWS, "data", source="stored", path=str(dataset.folder), pool=256)
    )
    assert trained(stored, tmp_path / "run").steps == CONFIG.run.steps


def test_no_dataset_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no data set"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize("text", ["3", "0/4", "5/4", "a/b", "1/2/3"])
def test_shard_text(text: str) -> None:
    with pytest.raises(ConfigError, match="--shard"):
        parse_shard(text)
