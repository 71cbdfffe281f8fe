"""Promise: a full disk or a read-only folder is one clear error; what was saved stays whole."""

from __future__ import annotations

import errno
import gzip
import os
import re
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import emulator
from emulator import artefact
from emulator.export import to_numpy
from tengri.__main__ import main as program
from tengri.catalogue.table import Field, Schema, format_of, open_table
from tengri.errors import DataError
from tengri.io import atomic, sealed_json
from tengri.io.hdf5_writer import new_hdf5
from tengri.io.lock import Lock
from tests.faults import catalogue, kill, tiny, victims
from tests.faults.make_golden import RUN
from tests.train.conftest import CONFIG, changed, new_run, trained, with_config
from train import config as configs
from train import recovery
from train.checkpoints import Checkpoints, verify
from train.dataset import Dataset
from train.logs import Log, read_metrics
from train.loop import Loop
from train.problem import Problem
from train.runfolder import RunFolder
from train.signals import Signals

Counter = Callable[..., None]
GOLDEN = Path(__file__).parents[1] / "emulator" / "golden" / "v1.h5"


@contextmanager
def full(most: int) -> Iterator[None]:
    """While no file may grow beyond ``most`` bytes: a write fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def readonly() -> Iterator[Path]:
    """Return a folder that this process can enter and not write, whoever runs the tests.

    It is of the time of the test: a superuser becomes nobody for as long.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield folder
        os.seteuid(os.getuid())
        os.chmod(folder, 0o755)


def close(folder: Path) -> None:
    """Take the right to write into a folder and all below away."""
    for path in [folder, *folder.rglob("*")]:
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    if os.getuid() == 0:
        os.seteuid(65534)


# --- a full disk --------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 100, 20_000, 100_000])
def test_a_checkpoint(tmp_path: Path, most: int, injected: Counter) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, victims.state(1), 1.0)
    with full(most), pytest.raises(DataError, match=r"checkpoint 2 could not be saved.*intact"):
        checkpoints.save(2, victims.state(2), 0.5)
    checkpoints.close()
    again = Checkpoints(tmp_path)
    found = again.restore(victims.state)
    assert found is not None and found.step == 1
    np.testing.assert_array_equal(found.state["params"]["w"], victims.state(1)["params"]["w"])
    again.save(2, victims.state(2), 0.5)  # when there is space again
    assert not any(verify(tmp_path).values()) and again.steps() == [1, 2]
    injected("disk")


@pytest.mark.parametrize("most", [0, 40])
def test_a_sealed_file(tmp_path: Path, most: int, injected: Counter) -> None:
    path = tmp_path / "clock.json"
    sealed_json.write_json(path, {"seconds": 1.0})
    with full(most), pytest.raises(DataError, match=r"clock\.json: cannot be written"):
        sealed_json.write_json(path, {"seconds": 2.0})
    assert sealed_json.read_json(path) == {"seconds": 1.0} and os.listdir(tmp_path) == [
        "clock.json"
    ]
    injected("disk")


def test_a_run_folder(tmp_path: Path, injected: Counter) -> None:
    (tmp_path / "tiny.toml").write_text(tiny.CONFIG)
    config = configs.load(str(tmp_path / "tiny.toml"))
    with full(100), pytest.raises(DataError, match="run: cannot be made"):
        RunFolder.create(tmp_path / "run", config, "tengri train")
    assert os.listdir(tmp_path) == ["tiny.toml"]
    injected("disk")


@pytest.mark.parametrize("most", [0, 1000, 8000])
def test_an_artefact(tmp_path: Path, most: int, injected: Counter) -> None:
    good = artefact.read(GOLDEN)
    path = tmp_path / "surrogate.h5"
    artefact.write(path, good)
    before = path.read_bytes()
    with full(most), pytest.raises(DataError, match=r"surrogate\.h5"):
        artefact.write(path, good)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["surrogate.h5"]
    injected("disk")


@pytest.mark.parametrize("most", [0, 1000, 3000])
def test_a_shard(stored: Path, most: int, injected: Counter) -> None:
    dataset = Dataset.open(stored)
    rows = dataset.rows(*dataset.bounds(2)[:1], dataset.bounds(2)[1] - dataset.bounds(2)[0])
    before = sorted(os.listdir(stored))
    with full(most), pytest.raises(DataError, match=r"shard-00002\.h5"):
        dataset._write(2, rows)  # noqa: SLF001  (rows that are made already)
    assert sorted(os.listdir(stored)) == before and dataset.verify() == {}
    injected("disk")


@pytest.mark.parametrize("most", [10, 145])
def test_the_log(tmp_path: Path, most: int, injected: Counter) -> None:
    """Whether the lines find no room or the events, in time and without waiting for a queue."""
    log = Log(tmp_path, 0)
    log.write(1, {"loss": 1.0})
    with full(most):
        with pytest.raises(DataError, match=re.escape(str(tmp_path))):
            log.write(2, {f"loss_{i}": 0.5 for i in range(30 if most == 10 else 1)})
        log.close()
    assert next(r["step"] for r in read_metrics(tmp_path / "metrics.jsonl")) == 1
    injected("disk")


LONG = [".fits", ".fits.gz", ".parquet", ".csv", ".ecsv", ".vot"]
ENDINGS = [".h5", *(pytest.param(ending, marks=pytest.mark.slow) for ending in LONG)]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_prediction(
    tmp_path: Path, ending: str, injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a shard is made, and while they are joined: one line, and the old file stays."""
    words, out = ["predict", *catalogue.written(tmp_path, ending)], tmp_path / f"out{ending}"
    out.write_bytes(b"the old one")
    for more, most in ((["--shard", "1/1"], 9000), ([], 0), ([], 5000)):
        with full(most):
            assert program([*words, *more]) == 1
        said = [line for line in capsys.readouterr().err.splitlines()
                if "persistent compilation cache" not in line]  # fmt: skip
        assert len(said) == 1 and "cannot be written" in said[0] and "filter" not in said[0]
        assert out.read_bytes() == b"the old one"
        assert program([*words, "--shard", "1/1"]) == 0  # what is joined next
        injected("disk")
    assert program(words) == 0
    assert sorted(os.listdir(tmp_path)) == sorted(["cat.h5", out.name])


@pytest.mark.parametrize("most", [0, 1000, 4000, 200_000])
def test_an_export(tmp_path: Path, most: int, injected: Counter) -> None:
    """Both files stay as they were: new weights never lie beside old code."""
    to_numpy(GOLDEN, tmp_path, "good")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with full(most) if most < 100_000 else pytest.MonkeyPatch.context() as patched:
        if patched is not None:
            patched.setattr("emulator.export.module_text", lambda *_: "def fluxes(**_): return 0.0")
        with pytest.raises(DataError, match=r"cannot be written|not written"):
            to_numpy(GOLDEN, tmp_path, "good")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    injected("disk")


def test_a_full_disk_is_called_one(tmp_path: Path, injected: Counter) -> None:
    with pytest.raises(DataError, match=r"/dev/full: cannot be written \(the disk is full"):
        sealed_json.write_json(Path("/dev/full"), {"seconds": 1.0})
    (tmp_path / "out.csv").symlink_to("/dev/full")
    rows = {"redshift": np.ones(9)}
    schema = Schema({"redshift": Field(np.dtype("f8"))}, {}, 9)
    for name in ("csv", "fits", "ecsv", "parquet"):
        (tmp_path / f"out.{name}").unlink(missing_ok=True)
        (tmp_path / f"out.{name}").symlink_to("/dev/full")
        writer = format_of(tmp_path / f"out.{name}")
        with (
            pytest.raises(DataError, match="the disk is full"),
            atomic.whole(tmp_path / f"out.{name}") as path,
        ):
            writer.write_table(path, schema, [rows])
        injected("disk")


def test_hdf5_that_reads_back_what_no_disk_took(tmp_path: Path, injected: Counter) -> None:
    """Its own error would blame the filter of checksums."""
    with (
        full(3000),
        pytest.raises(OSError, match="File too large"),
        new_hdf5(tmp_path / "x.h5", rdcc_nbytes=0) as file,
    ):
        column = file.create_dataset("x", (4000,), "f8", chunks=(1000,), fletcher32=True)
        for start in range(0, 4000, 500):
            column[start : start + 500] = 1.0
    injected("disk")


def test_temporary_files_of_the_dead_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """Only of this machine, and only where no process of the number lives."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = subprocess.Popen(["true"])
    dead.wait()
    stem = f".tengri-{os.getuid()}.fits.tmp-"
    owners = (atomic.HOST, dead.pid), (atomic.HOST, os.getpid()), ("0" * 8, dead.pid + 1)
    names = {pid: f"{stem}{host}-{pid}-7.fits" for host, pid in owners}
    for name in names.values():
        (tmp_path / name).touch()
    with atomic.scratch(".fits") as path:
        assert path.exists() and path.stat().st_mode & 0o777 == 0o600
    assert set(os.listdir(tmp_path)) == {*names.values()} - {names[dead.pid]}
    injected("disk")


def test_a_full_folder_of_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """The compressed catalogue is not to blame."""
    with gzip.open(tmp_path / "cat.fits.gz", "wb") as file:
        file.write(b"\0" * 5000)

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tengri.catalogue.fits._unpack", no_space)
    with pytest.raises(DataError, match=r"the disk is full \(TMPDIR names another"):
        open_table(tmp_path / "cat.fits.gz").__enter__()
    injected("disk")


@pytest.mark.slow
def test_the_loop_of_a_training(problem: Problem, tmp_path: Path, injected: Counter) -> None:
    """The disk fills up after the first save; the resumed run ends as if it never had."""
    often = with_config(problem, changed(CONFIG, "run", save_seconds=0.0))
    whole = trained(often, tmp_path / "whole")
    loop = Loop(often, new_run(often, tmp_path / "run"), Signals())
    save = loop.checkpoints.save

    def limited(step: int, state: object, metric: float) -> None:
        if step <= 8:
            return save(step, state, metric)
        with full(64):
            return save(step, state, metric)

    loop.checkpoints.save = limited  # type: ignore[method-assign]
    with pytest.raises(DataError, match="checkpoint 12 could not be saved"):
        loop.run()
    loop.checkpoints.close()
    assert [step for step, problem in verify(tmp_path / "run").items() if not problem][-1] == 8
    again = trained(often, tmp_path / "run")
    assert victims.bits(again.params) == victims.bits(whole.params)
    injected("disk")


# --- a folder that cannot be written ------------------------------------------------------------


def test_nothing_begins_in_a_read_only_folder(readonly: Path, injected: Counter) -> None:
    config = configs.load("tiny")
    good = artefact.read(GOLDEN)
    sealed_json.write_json(readonly / "old.json", 1)
    (readonly / "run").mkdir()
    close(readonly)
    for write in (
        lambda: RunFolder.create(readonly / "other", config, "tengri train"),
        lambda: sealed_json.write_json(readonly / "old.json", 2),
        lambda: artefact.write(readonly / "surrogate.h5", good),
        lambda: Checkpoints(readonly / "run"),
        lambda: Lock(readonly / "run").__enter__(),
        lambda: Log(readonly / "run", 0),
    ):
        with pytest.raises(DataError, match=f"{readonly}.*cannot be (made|written)"):
            write()
        injected("disk")
    os.seteuid(os.getuid())
    assert sorted(p.name for p in readonly.rglob("*")) == ["old.json", "run"]
    assert sealed_json.read_json(readonly / "old.json") == 1


def test_a_run_that_became_read_only(finished: Path, readonly: Path, injected: Counter) -> None:
    """Its surrogate is still read; a resume says what it cannot do, and changes nothing."""
    run = readonly / RUN
    finished.rename(run)
    (run / "clock.json").write_text("damaged")
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    close(readonly)
    assert emulator.load(run / "surrogate.h5").filter_names == ("g", "r")
    with pytest.raises(DataError, match="cannot be recovered"):
        recovery.recover(run)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    injected("disk")


# --- the whole program --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["plan", "save", "artefact", "report", "done"])
def test_the_program_when_the_disk_fills_up(tmp_path: Path, phase: str, injected: Counter) -> None:
    """Exit code 1 and one line; with space again, a resume ends well."""
    tiny.write(tmp_path)
    words = ["train", "tiny.toml", "--out", "run"]
    end = kill.run(victims.on_a_full_disk, words, str(tmp_path), phase, 2 if phase == "save" else 1)
    message, way, _ = end.marks[-1]
    assert (end.exit_code, way) == (1, "said") and message.startswith("tengri train: run/"), message
    assert end.last("save") is None or not all(verify(tmp_path / "run").values())
    assert kill.run(victims.program, ["resume", "run"], str(tmp_path)).exit_code == 0
    injected("disk")
