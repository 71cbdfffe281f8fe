"""Promise: one signal ends a run after its step, saved and verified; two end it at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator import artefact
from tests.faults import kill, tiny, victims
from tests.train.conftest import CONFIG, changed, new_run, with_config
from train.checkpoints import verify
from train.loop import Loop
from train.problem import Problem
from train.runfolder import RunFolder
from train.signals import Signals, Stopped

Counter = Callable[..., None]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Hear what a shell lets its background ignore, and what nohup does."""
    before = {n: signal.signal(n, signal.default_int_handler) for n in Signals.NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_that_was_to_be_ignored_is_ignored() -> None:
    """As ``nohup`` asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Signals() as signals:
        signal.raise_signal(signal.SIGHUP)
        assert signals.received == 0
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", Signals.NUMBERS)
def test_a_real_signal_to_the_loop(
    problem: Problem, tmp_path: Path, number: int, injected: Counter, capfd: pytest.CaptureFixture
) -> None:
    """It comes in the middle of a block: that block is finished, saved, verified."""
    run = with_config(problem, changed(CONFIG, "run", save_seconds=1000.0))
    with Signals() as signals:
        loop = Loop(run, new_run(run, tmp_path / "run"), signals)
        get = loop.pools.get

        def interrupted(*args: object) -> object:
            if not signals.received:
                signal.raise_signal(number)
            return get(*args)  # type: ignore[arg-type]

        loop.pools.get = interrupted  # type: ignore[assignment, method-assign]
        with pytest.raises(
            Stopped, match=f"step 4 of .*saved and verified.*tengri resume {tmp_path}"
        ):
            loop.run()
    assert verify(tmp_path / "run") == {4: ""}
    assert f"{signal.Signals(number).name}: finishing this step" in capfd.readouterr().err
    injected("signal")


def test_the_handlers_of_the_caller_come_back() -> None:
    before = [signal.getsignal(number) for number in Signals.NUMBERS]
    with Signals():
        assert [signal.getsignal(number) for number in Signals.NUMBERS] != before
    assert [signal.getsignal(number) for number in Signals.NUMBERS] == before


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run that was left alone, and the configuration beside it."""
    folder = tmp_path_factory.mktemp("signals")
    tiny.write(folder)
    end = kill.run(victims.program, ["train", "tiny.toml", "--out", "whole"], str(folder))
    assert end.exit_code == 0, (folder / victims.LOG).read_text()
    return folder


#: Phase, call of it, signals.
CASES = {
    "once": ("steps", 3, (signal.SIGINT,)),
    "terminated": ("steps", 2, (signal.SIGTERM,)),
    "twice": ("steps", 3, (signal.SIGINT, signal.SIGTERM)),
    "while saving": ("save", 3, (signal.SIGINT,)),
    "twice while saving": ("save", 3, (signal.SIGTERM, signal.SIGINT)),
    "while evaluating": ("evaluate", 1, (signal.SIGTERM,)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_program(whole: Path, case: str, injected: Counter) -> None:
    """Exit code 130 with the command that continues; the end has the bits of a run left alone."""
    phase, call, signals = CASES[case]
    name = case.replace(" ", "-")
    log = whole / victims.LOG
    log.unlink(missing_ok=True)
    death = kill.run(victims.program, ["train", "tiny.toml", "--out", name], str(whole),
                     at=(phase, call), delay=0.01, signals=signals)  # fmt: skip
    said = log.read_text()
    assert death.exit_code == 130 and "Traceback" not in said, said
    if len(signals) == 1:
        assert f"tengri resume {name}" in said
        assert not any(verify(whole / name).values())
    else:
        assert "stopped at once; the last checkpoint is intact" in said
    end = kill.run(victims.program, ["resume", name], str(whole))
    assert end.exit_code == 0, log.read_text()
    weights = [victims.bits(artefact.read(RunFolder(whole / n).artefact).params)
               for n in (name, "whole")]  # fmt: skip
    assert weights[0] == weights[1]
    injected("signal", len(signals))
