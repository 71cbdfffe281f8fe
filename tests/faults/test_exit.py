"""Promise: exit code 0 only after the artefact was re-read, verified and re-evaluated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import h5py
import numpy as np
import pytest

from tengri.__main__ import main as program
from tengri.errors import TengriError
from tengri.io import seal, sealed_json
from tests.faults.make_golden import RUN
from tests.train.conftest import new_run
from train import evaluate, pipeline, report
from train.loop import Loop
from train.problem import Problem
from train.runfolder import RunFolder
from train.signals import Signals

Counter = Callable[..., None]


def flip(folder: RunFolder) -> None:
    """One bit of the artefact."""
    data = bytearray(folder.artefact.read_bytes())
    data[len(data) // 2] ^= 1
    folder.artefact.write_bytes(data)


def cut(folder: RunFolder) -> None:
    """The last byte of the artefact."""
    folder.artefact.write_bytes(folder.artefact.read_bytes()[:-1])


def remove(folder: RunFolder) -> None:
    """All of it."""
    folder.artefact.unlink()


def other_file(folder: RunFolder) -> None:
    """A good surrogate, of another run."""
    golden = Path(__file__).parents[1] / "emulator" / "golden" / "v1.h5"
    folder.artefact.write_bytes(golden.read_bytes())


def other_weights(folder: RunFolder) -> None:
    """A good seal, also in ``done.json``, on weights that give other fluxes."""
    with h5py.File(folder.artefact, "r+") as file:
        file["weights/out/bias"][...] += np.float32(1e-3)
    _believe(folder)


def other_numbers(folder: RunFolder) -> None:
    """Everything fits but the accuracy that was written down."""
    done = sealed_json.read_json(folder.path / "done.json")
    done["proof"]["p95"] *= 0.9
    sealed_json.write_json(folder.path / "done.json", done)


def no_numbers(folder: RunFolder) -> None:
    """There is nothing to compare with: no proof is no good proof."""
    done = sealed_json.read_json(folder.path / "done.json")
    sealed_json.write_json(folder.path / "done.json", done | {"proof": {}})


def _believe(folder: RunFolder) -> None:
    done = sealed_json.read_json(folder.path / "done.json")
    done["sha256"] = seal.seal(folder.artefact)
    sealed_json.write_json(folder.path / "done.json", done)


WAYS = [flip, cut, remove, other_file, other_weights, other_numbers, no_numbers]


@pytest.mark.slow
def test_what_happens_after_the_artefact_was_written(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    """Spoilt between the last write and the proof: no run ends with 0."""
    monkeypatch.setattr(report, "write", lambda *_: None)  # figures take seconds
    folder = new_run(problem, tmp_path / "run")
    trained = Loop(problem, folder, Signals()).run()
    assert pipeline.finish(problem, folder, trained) == 0
    good = {path: path.read_bytes() for path in (folder.artefact, folder.path / "done.json")}
    for spoil in WAYS:
        spoil(folder)
        with pytest.raises(TengriError, match="surrogate"):
            pipeline._prove(problem, folder)  # noqa: SLF001  (without a training)
        for path, data in good.items():
            path.write_bytes(data)
        injected("exit")
    assert pipeline._prove(problem, folder) == 0  # noqa: SLF001  (without a training)


@pytest.mark.parametrize("spoil", [flip, cut, remove, other_file, other_weights])
def test_verify_fails(
    golden: Path, spoil: Callable[[RunFolder], None], injected: Counter,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    spoil(RunFolder(golden / RUN))
    assert program(["verify", RUN]) == 1
    assert "FAIL" in capsys.readouterr().out
    injected("exit")


def test_without_the_proof_anything_would_do(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the end of a run is 0 because of the proof, and only of it."""
    monkeypatch.setattr(pipeline, "_prove", lambda problem, folder: 7)
    for module, name in (
        (evaluate, "evaluate"),
        (pipeline, "build_artefact"),
        (pipeline, "write"),
        (pipeline, "EmulatedSEDModel"),
        (evaluate, "throughput"),
        (report, "write"),
        (pipeline, "proof"),
        (RunFolder, "write_done"),
        (RunFolder, "stamp"),
        (pipeline.accuracy, "table_text"),
    ):
        monkeypatch.setattr(module, name, MagicMock())  # fmt: skip
    assert pipeline.finish(problem, RunFolder(tmp_path), MagicMock()) == 7
