"""Promise: every flipped bit and every truncation is found and named; the last good one serves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest

import emulator
from tengri import citations, load_ssp_data
from tengri.components.agn import nenkova08
from tengri.components.dust.emission import dl07
from tengri.components.stellar import nebular_table
from tengri.errors import DataError
from tengri.grids import files as grids
from tengri.io import seal
from tests.train.conftest import CONFIG, changed, trained, with_config
from train import checkpoints as checkpoint_files
from train import pipeline, recovery
from train.dataset import MANIFEST, Dataset
from train.logs import Log, damaged_lines, read_metrics
from train.problem import Problem
from train.runfolder import RunFolder

GOLDEN = Path(__file__).parents[1] / "emulator" / "golden" / "v1.h5"
Counter = Callable[..., None]


def damages(good: bytes, flips: int, cuts: int, seed: int = 0) -> Iterator[bytes]:
    """Yield copies with one bit flipped each, and truncated ones; first and last bytes included."""
    rng = random.Random(seed)
    for place in [0, len(good) - 1, *rng.choices(range(len(good)), k=flips)]:
        bad = bytearray(good)
        bad[place] ^= 1 << rng.randrange(8)
        yield bytes(bad)
    for length in [0, len(good) - 1, *rng.choices(range(len(good)), k=cuts)]:
        yield good[:length]


@pytest.mark.parametrize("name", recovery.DUPLICATED)
def test_one_copy_of_a_run_file_restores_the_other(
    finished: Path, name: str, injected: Counter
) -> None:
    pair = finished / name, finished / recovery.COPIES / name
    good, n = pair[0].read_bytes(), 0
    for bad in damages(good, 20, 4):
        for place in pair:
            place.write_bytes(bad)
            (message,) = recovery.recover(finished)
            assert str(place) in message and (
                "restored from" in message or "has been edited" in message
            )
            assert [path.read_bytes() for path in pair] == [good, good]
            n += 1
    (finished / name).unlink()
    assert len(recovery.recover(finished)) == 1 and RunFolder.open(finished).plan() is not None
    for place in pair:
        place.write_bytes(good[:-5])
    with pytest.raises(DataError, match=f"{name}.*copy is no better.*{name}"):
        recovery.recover(finished)
    injected("bits", n + 1)


@pytest.mark.parametrize("name", ["clock.json", "done.json", "surrogate.h5"])
def test_what_can_be_made_again_is_set_aside(finished: Path, name: str, injected: Counter) -> None:
    good, n = (finished / name).read_bytes(), 0
    done = (finished / "done.json").read_bytes()
    for bad in damages(good, 20, 4):
        (finished / name).write_bytes(bad)
        (message,) = recovery.recover(finished)
        assert name in message and "Set aside" in message
        assert not (finished / name).exists() and (finished / "state").is_dir()
        (finished / name).write_bytes(good)
        (finished / "done.json").write_bytes(done)
        n += 1
    assert recovery.recover(finished) == []
    injected("bits", n)


@pytest.mark.slow
def test_a_damaged_artefact_is_made_again(
    finished: Path, injected: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    """The last checkpoint has all that it takes."""
    caplog.set_level("INFO", "train")
    before = emulator.load(finished).artefact
    bad = bytearray((finished / "surrogate.h5").read_bytes())
    bad[len(bad) // 2] ^= 16
    (finished / "surrogate.h5").write_bytes(bad)
    with pytest.raises(DataError, match="SHA-256"):
        emulator.load(finished)
    assert pipeline.resume(finished) == 0
    assert "made again from the last checkpoint" in caplog.text
    again = emulator.load(finished).artefact
    for a, b in zip(jax.tree.leaves(again.params), jax.tree.leaves(before.params)):
        np.testing.assert_array_equal(a, b)
    injected("bits")


def test_every_file_of_a_checkpoint(finished: Path, injected: Counter) -> None:
    newest = max(int(p.name) for p in (finished / "state").iterdir())
    parts = [p for p in (finished / "state" / str(newest)).rglob("*") if p.is_file()]
    parts.append(finished / "manifests" / f"{newest}.json")
    n = 0
    for part in parts:
        good = part.read_bytes()
        for bad in damages(good, 12, 2) if good else [b"x"]:
            part.write_bytes(bad)
            found = checkpoint_files.verify(finished)
            assert part.name in found.pop(newest), part
            assert not any(found.values())
            n += 1
        part.write_bytes(good)
    assert not any(checkpoint_files.verify(finished).values()) and len(parts) > 10
    injected("bits", n)


def test_a_resume_takes_the_previous_good_step_and_says_so(
    problem: Problem, tmp_path: Path, injected: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    """And ends with the bits of the run that was never damaged."""
    caplog.set_level("INFO", "train")
    often = with_config(problem, changed(CONFIG, "run", save_seconds=0.0))
    whole, folder = trained(often, tmp_path / "run"), tmp_path / "run"
    newest = max(int(p.name) for p in (folder / "state").iterdir())
    data = max((folder / "state" / str(newest) / "default" / "d").iterdir())
    bad = bytearray(data.read_bytes())
    bad[len(bad) // 3] ^= 2
    data.write_bytes(bad)
    caplog.clear()
    again = trained(often, folder)
    said = caplog.text
    assert f"checkpoint {newest} is passed over: damaged or missing" in said
    assert f"resuming from checkpoint {newest - 4} of {newest} steps" in said
    assert again.steps == newest
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(again.params)):
        np.testing.assert_array_equal(a, b)
    injected("bits")


def test_shards_and_their_manifest(stored: Path, injected: Counter) -> None:
    dataset = Dataset.open(stored)
    assert dataset.verify() == {}
    path, n = dataset.path(2), 0
    good = path.read_bytes()
    for bad in damages(good, 300, 30):
        path.write_bytes(bad)
        assert list(dataset.verify()) == [2] and path.name in dataset.verify()[2]
        n += 1
    path.write_bytes(good)
    assert dataset.verify() == {}
    good = (dataset.folder / MANIFEST).read_bytes()
    for bad in damages(good, 60, 10):
        (dataset.folder / MANIFEST).write_bytes(bad)
        with pytest.raises(DataError, match=MANIFEST):
            Dataset.open(dataset.folder)
        n += 1
    injected("bits", n)


def test_an_artefact(tmp_path: Path, injected: Counter) -> None:
    path, n = tmp_path / "surrogate.h5", 0
    for bad in damages(GOLDEN.read_bytes(), 2000, 50):
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r"surrogate\.h5"):
            emulator.load(path)
        n += 1
    injected("bits", n)


GRIDS = {
    grids.DEFAULT_SSP: load_ssp_data,
    grids.STELLAR_SSP: lambda: load_ssp_data(grids.STELLAR_SSP),
    grids.DUST_DL07: dl07.templates.__wrapped__,
    grids.NEBULAR: nebular_table.cloudy_table,
    grids.TORUS_NENKOVA08: nenkova08.table.__wrapped__,
}


@pytest.mark.parametrize("name", grids.EMBEDDED)
def test_the_embedded_grids(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    good = grids.resolve(name).read_bytes()
    monkeypatch.setenv(grids.ENVIRONMENT, str(tmp_path))
    monkeypatch.setattr(h5py, "File", lambda *_, **__: pytest.fail("HDF5 opened a damaged file"))
    n = 0
    for bad in damages(good, 10, 2):
        (tmp_path / name).write_bytes(bad)
        with pytest.raises(DataError, match=name):
            GRIDS[name]()
        with pytest.raises(DataError, match=name):
            list(citations._grid(name.removesuffix(".h5")))  # noqa: SLF001  (without a model)
        n += 1
    injected("bits", n)


def test_lines_of_the_log(tmp_path: Path, injected: Counter) -> None:
    log = Log(tmp_path, 0)
    for step in (1, 2, 3):
        log.write(step, {"loss": 1.0 / step})
    log.close()
    path = tmp_path / "metrics.jsonl"
    good, n = path.read_bytes(), 0
    lines = good.split(b"\n")
    for bad in damages(lines[1], 40, 5):
        path.write_bytes(b"\n".join([lines[0], bad.replace(b"\n", b"?"), *lines[2:]]))
        assert 2 in damaged_lines(path)
        assert [r["step"] for r in read_metrics(path)] == [1, 3]
        n += 1
    path.write_bytes(good[:-7])  # killed while writing; the next session begins a new line
    log = Log(tmp_path, 2)
    log.write(3, {"loss": 0.25})
    log.close()
    assert [r.get("loss") for r in read_metrics(path)] == [1.0, 0.5, 0.25]
    injected("bits", n + 1)


def test_without_the_seal_a_flip_goes_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: fletcher32 guards the data, and nothing but the seal the rest of the file."""
    path = tmp_path / "surrogate.h5"
    bad = bytearray(GOLDEN.read_bytes())
    bad[300] ^= 1
    path.write_bytes(bad)
    with pytest.raises(DataError):
        emulator.load(path)
    monkeypatch.setattr(seal, "verify", lambda path: "unchecked")
    emulator.load(path)
