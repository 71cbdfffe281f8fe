"""Promise: whatever lies where a file is expected, a read ends soon and says so in one line."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import emulator
from tengri import load_model, load_ssp_data
from tengri.__main__ import main as program
from tengri.catalogue.table import open_table
from tengri.cli import verify
from tengri.errors import TengriError
from tengri.io import seal, sealed_json, signature
from tengri.observation import filter_files, svo
from tengri.observation.filters import load_filter
from tengri.observation.spectrograph import Spectrograph
from tests.faults.catalogue import written
from tests.faults.make_golden import RUN
from tests.faults.test_hostile import little_memory
from train import config as configs
from train import recovery, verifier
from train.checkpoints import Checkpoints
from train.dataset import MANIFEST, Dataset
from train.logs import damaged_lines, read_metrics
from train.runfolder import RunFolder

Counter = Callable[..., None]
#: Seconds that a read may take before it counts as one that never ends.
SOON = 60
TERABYTE = 1 << 40


class NeverEnds(Exception):
    """A read that waits for somebody, or goes on and on."""


@contextmanager
def soon() -> Iterator[None]:
    """Raise NeverEnds in a block that takes too long."""

    def late(number: int, frame: types.FrameType | None) -> None:
        raise NeverEnds

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SOON)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# --- what may lie there ---------------------------------------------------------------------------


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    """Nobody writes into it: who opens it waits for ever."""
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def an_empty_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def a_hole(path: Path) -> None:
    """A terabyte that takes no space on the disk."""
    path.touch()
    os.truncate(path, TERABYTE)


def an_empty_file(path: Path) -> None:
    path.touch()


def a_terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


THINGS = [a_folder, a_pipe, a_socket, an_endless_device, an_empty_device, a_link_to_nothing,
          a_link_to_itself, a_hole, an_empty_file, a_terminal]  # fmt: skip

# --- who reads ------------------------------------------------------------------------------------


def table(path: Path) -> object:
    with open_table(path) as found:
        return found.read(found.names, 0, found.n_rows)


def command(*words: str) -> Callable[[Path], object]:
    """Return a read by the program; a failure that it tells is raised as one."""

    def run(path: Path) -> None:
        said, printed = io.StringIO(), io.StringIO()
        with redirect_stderr(said), redirect_stdout(printed):
            code = program([word.replace("PATH", str(path)) for word in words])
        if code:
            assert said.getvalue().strip(), printed.getvalue()
            raise TengriError(said.getvalue().strip())

    return run


def fit(option: str) -> Callable[[Path], object]:
    """Return a read by ``tengri fit`` of the file of an option."""

    def run(path: Path) -> None:
        catalogue, *_ = written(path.parent)
        command("fit", catalogue, "-o", "y.h5", "--model", "sdss_tsnorm", option, "PATH")(path)

    return run


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    **{f"table {ending}": (f"x{ending}", table)
       for ending in (".h5", ".fits", ".fits.gz", ".parquet", ".csv", ".ecsv", ".vot")},
    **{f"grid {name}": (name, lambda path: load_ssp_data(str(path)))
       for name in ("x.h5", "x.npz", "x.fits", "x.ised_ASCII", "x.spectrum1", "x.pickle",
                    "spectra-bin-imf135_300.z020.dat", "x")},
    "surrogate": ("x.h5", emulator.load),
    "model": ("x.h5", load_model),
    "seal": ("x.h5", seal.verify),
    "verify": ("x.h5", lambda path: verify.run(str(path))),
    "curve": ("x.txt", lambda path: load_filter(str(path))),
    "curves": ("x.res", filter_files.read_curves),
    "resolution": ("x.txt", lambda path: Spectrograph.of(np.linspace(4e3, 5e3, 9), path)),
    "svo": ("x.xml", svo.read_votable),
    "configuration": ("x.toml", lambda path: configs.load(str(path))),
    "sealed text": ("x.json", sealed_json.read_json),
    "metrics": ("x.jsonl", lambda path: (read_metrics(path), damaged_lines(path))),
    "secret key": ("x.pem", lambda path: signature.sign(Path(__file__), path)),
    "public key": ("x.pem", lambda path: signature.check(Path(__file__), path)),
}  # fmt: skip
COMMANDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "sign": ("x.h5", command("sign", "PATH", "--key", "PATH")),
    "info": ("x.h5", command("info", "PATH")),
    "card": ("x.h5", command("card", "PATH")),
    "export": ("x.h5", command("export", "PATH", "--numpy", "--name", "y")),
    "predict": ("x.h5", command("predict", "PATH", "-o", "PATH.out.h5", "--model", "sdss")),
    "inspect": ("x.h5", command("data", "inspect", "PATH")),
    "compare": ("x.h5", command("compare", "PATH", "-o", "page")),
    "population": ("x.h5", command("compare", "sdss", "--population", "PATH", "-o", "page")),
    "stars": ("x.h5", command("compare", "sdss", "--stars", "PATH", "-o", "page")),
    "sweep": ("x.h5", command("sweep", "redshift", "0.1", "0.2", "--model", "PATH")),
    "mapping": ("x.toml", fit("--mapping")),
    "priors": ("x.toml", fit("--priors")),
}  # fmt: skip


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize(
    "reader", [*READERS, *(pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS)]
)
def test_one_file(
    tmp_path: Path, reader: str, thing: Callable[[Path], None], injected: Counter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    name, read = {**READERS, **COMMANDS}[reader]
    path = tmp_path / name
    thing(path)
    with soon(), little_memory():
        try:
            read(path)
        except TengriError as error:  # a grid that is not there is answered with those that are
            assert len(str(error).splitlines()) <= 1 or "no such file" in str(error), error
    injected("strange")


# --- runs and data sets ---------------------------------------------------------------------------

PARTS = ("config.json", "copies/config.json", "plan.json", "clock.json", "done.json",
         "surrogate.h5", "metrics.jsonl", "state", "manifests", "report", "lock", "tensorboard",
         "damaged")  # fmt: skip


def taken(path: Path) -> None:
    """Remove a file or a folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_run(
    finished: Path, part: str, thing: Callable[[Path], None], injected: Counter
) -> None:
    taken(finished / part)
    thing(finished / part)
    with soon(), little_memory():
        try:
            assert all(len(check.found.splitlines()) == 1
                       for check in verifier.run(RUN, False) or ())  # fmt: skip
        except TengriError as error:
            assert len(str(error).splitlines()) == 1
        try:
            recovery.recover(finished)
            Checkpoints(finished).close()
            RunFolder.open(finished).config()
        except TengriError as error:
            assert len(str(error).splitlines()) == 1
    injected("strange")


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("part", [MANIFEST, "shard-00002.h5"])
def test_a_part_of_a_data_set(
    stored: Path, part: str, thing: Callable[[Path], None], injected: Counter
) -> None:
    taken(stored / part)
    thing(stored / part)
    with soon(), little_memory():
        try:
            assert list(Dataset.open(stored).verify()) == [2]
        except TengriError as error:
            assert len(str(error).splitlines()) == 1
    injected("strange")
