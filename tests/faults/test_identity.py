"""Promise: a file that was copied in from another run is named, however well it fits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emulator import artefact
from tengri.__main__ import main as program
from tengri.errors import DataError
from tengri.io import sealed_json
from tests.faults.make_golden import RUN
from tests.train.conftest import trained
from train import planning, recovery
from train.checkpoints import Checkpoints, verify
from train.dataset import MANIFEST, Dataset
from train.loop import Loop
from train.pools import Stored
from train.problem import Problem
from train.runfolder import RunFolder
from train.signals import Signals

Counter = Callable[..., None]
BOTH = ("plan.json", "copies/plan.json")
OTHER = "other-run"
COPIED = {
    "plan": (BOTH, "plan.json"),
    "configuration": (("config.json", "copies/config.json"), "config.json"),
    "checkpoint": (("state/24", "manifests/24.json"), "checkpoint 24"),
    "artefact": (("surrogate.h5", "done.json"), "done.json"),
    "artefact alone": (("surrogate.h5",), "done.json"),
    "one plan": (BOTH[:1], "plan.json"),
    "other plan": (BOTH[1:], "copies/plan.json"),
    "one configuration": (("config.json",), "config.json"),
}


@pytest.fixture
def pair(golden: Path) -> tuple[Path, Path]:
    """Return a finished run, and another of the same configuration, whole in itself."""
    other = Path(shutil.copytree(golden / RUN, golden / OTHER))
    sealed = [*other.glob("*.json"), *other.glob("copies/*.json"), *other.glob("manifests/*.json")]
    for path in sealed:
        content = sealed_json.read_json(path)
        if "identity" in content:
            content["identity"]["run"] = "0" * 32
            sealed_json.write_json(path, content)
    held = artefact.read(other / "surrogate.h5")
    own = {**held.training, "identity": RunFolder.open(other).identity()}
    digest = artefact.write(other / "surrogate.h5", replace(held, training=own))
    done = sealed_json.read_json(other / "done.json")
    sealed_json.write_json(other / "done.json", {**done, "sha256": digest})
    return golden / RUN, other


def put_in(run: Path, other: Path, places: tuple[str, ...]) -> None:
    """Replace files and folders of a run by those of another."""
    for place in places:
        shutil.rmtree(run / place) if (run / place).is_dir() else (run / place).unlink()
        (shutil.copytree if (other / place).is_dir() else shutil.copy)(other / place, run / place)


def failures(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what ``tengri verify`` finds wrong with the run, by name."""
    capsys.readouterr()
    assert program(["verify", RUN, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    return {check["name"]: check["found"] for check in found if check["state"] == "FAIL"}


def test_both_are_whole(pair: tuple[Path, Path]) -> None:
    assert program(["verify", OTHER]) == 0 and program(["verify", RUN]) == 0


@pytest.mark.parametrize("case", COPIED)
def test_verify_names_the_stranger(
    pair: tuple[Path, Path], case: str, injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    places, name = COPIED[case]
    put_in(*pair, places)
    found = failures(capsys)
    assert "another run (run 00000000…" in found[name] or "(run 00000000…)" in found[name], found
    injected("identity")


@pytest.mark.parametrize("case", ["plan", "configuration"])
def test_a_resume_stops_before_it_touches_anything(
    pair: tuple[Path, Path], case: str, injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in(*pair, COPIED[case][0])
    before = {p: p.read_bytes() for p in pair[0].rglob("*") if p.is_file() and p.name != "lock"}
    assert program(["resume", RUN]) == 1
    said = capsys.readouterr().err
    assert "plan.json belongs to another run" in said and "00000000…" in said
    assert len(said.splitlines()) == 1
    assert {p: p.read_bytes() for p in before} == before
    assert not (pair[0] / "damaged").exists()
    injected("identity")


@pytest.mark.parametrize("case", ["one plan", "other plan", "one configuration"])
def test_one_copy_of_another_run_gives_way(
    pair: tuple[Path, Path], case: str, injected: Counter
) -> None:
    ours = (pair[0] / "plan.json").read_bytes(), (pair[0] / "config.json").read_bytes()
    put_in(*pair, COPIED[case][0])
    (message,) = recovery.recover(pair[0])
    assert "belongs to another run (run 00000000…" in message and "kept as" in message
    assert ours == ((pair[0] / "plan.json").read_bytes(), (pair[0] / "config.json").read_bytes())
    assert program(["verify", RUN]) == 0
    injected("identity")


@pytest.mark.parametrize("case", ["artefact", "artefact alone"])
def test_an_artefact_of_another_run_is_set_aside(
    pair: tuple[Path, Path], case: str, injected: Counter
) -> None:
    put_in(*pair, COPIED[case][0])
    (message,) = recovery.recover(pair[0])
    assert "belongs to another run (run 00000000…" in message
    assert not (pair[0] / "done.json").exists() and not (pair[0] / "surrogate.h5").exists()
    assert len(list((pair[0] / "damaged").iterdir())) == 2
    injected("identity")


def test_a_change_that_was_cut_short_is_taken_back(finished: Path, injected: Counter) -> None:
    """Killed between the two copies of a longer plan: the run goes on as it was."""
    place = finished / "copies" / "plan.json"
    content = sealed_json.read_json(place)
    sealed_json.write_json(place, {**content, "minutes": 99.0})
    (message,) = recovery.recover(finished)
    assert "a change was cut short" in message
    assert place.read_bytes() == (finished / "plan.json").read_bytes()
    injected("identity")


def test_two_copies_of_nobody_knows_which_run(golden: Path, injected: Counter) -> None:
    """Runs of the first format have no identity: nothing is guessed."""
    place = golden / "run-1" / "plan.json"
    content = sealed_json.read_json(place)
    sealed_json.write_json(place, {**content, "scaling": {"mean": [0.0]}})
    with pytest.raises(DataError, match=r"plan\.json are both whole and differ in scaling"):
        recovery.recover(golden / "run-1")
    injected("identity")


def test_settings_changed_under_a_good_seal(finished: Path, injected: Counter) -> None:
    for place in (finished / "config.json", finished / "copies" / "config.json"):
        content = sealed_json.read_json(place)
        content["config"]["run"]["seed"] += 1
        sealed_json.write_json(place, content)
    with pytest.raises(DataError, match="not those that this run began with"):
        RunFolder.open(finished)
    injected("identity")


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["run-1", RUN])
def test_a_checkpoint_of_another_run_is_passed_over(
    pair: tuple[Path, Path], fmt: str, injected: Counter
) -> None:
    """Also where one of the two has no identity yet."""
    run = pair[0].with_name(fmt)
    put_in(run, pair[1], COPIED["checkpoint"][0])
    assert {step for step, problem in verify(run).items() if problem} == {24}
    (message,) = Checkpoints(run).messages
    assert "checkpoint 24 is passed over: it belongs to" in message and "damaged" in message
    injected("identity")


def test_a_renamed_step_is_no_other_step(finished: Path, injected: Counter) -> None:
    for name in ("state/{}", "manifests/{}.json"):
        (finished / name.format(20)).rename(finished / name.format(900))
    assert verify(finished) == {24: "", 900: "it is checkpoint 20, renamed"}
    assert "checkpoint 900 is passed over" in Checkpoints(finished).messages[0]
    injected("identity")


@pytest.mark.slow
def test_a_renamed_step_without_a_number_inside(
    problem: Problem, tmp_path: Path, injected: Counter
) -> None:
    """Manifests of the first format do not say the step; the state does."""
    trained(problem, tmp_path / "run")
    step = max(verify(tmp_path / "run"))
    files = sealed_json.read_json(tmp_path / "run" / "manifests" / f"{step}.json")["files"]
    for name in ("config.json", "copies/config.json", *BOTH):
        content = sealed_json.read_json(tmp_path / "run" / name)
        del content["identity"]
        sealed_json.write_json(tmp_path / "run" / name, content)
    shutil.rmtree(tmp_path / "run" / "manifests")
    (tmp_path / "run" / "manifests").mkdir()
    sealed_json.write_json(tmp_path / "run" / "manifests" / f"{step - 1}.json", files)
    (tmp_path / "run" / "state" / str(step)).rename(tmp_path / "run" / "state" / str(step - 1))
    with pytest.raises(DataError, match=f"checkpoint {step - 1} holds step {step}: it was renamed"):
        Loop(problem, RunFolder.open(tmp_path / "run"), Signals()).run()
    injected("identity")


# --- data sets ------------------------------------------------------------------------------------


def test_another_data_set_in_the_place_of_the_one_a_run_began_with(
    finished: Path, stored: Path, injected: Counter
) -> None:
    """Of the same model and size, from other draws: neither its shards nor the whole of it."""
    folder, ours = RunFolder.open(finished), Stored(Dataset.open(stored), 64)
    content = {**(folder.plan() or {}), "inputs": ours.inputs}
    planning.stored(ours.inputs, folder, content)
    description = Dataset.open(stored).description
    described = {"rows": {**description, "seed": description["seed"] + 1},
                 "made_with": {"command": "tengri dataset tiny.toml"}}  # fmt: skip
    sealed_json.write_json(stored / MANIFEST, described)
    other = Stored(Dataset.open(stored), 64)
    with pytest.raises(DataError, match="belongs to another data set"):
        other.rows(0)
    with pytest.raises(DataError, match="the data set changed since this run began"):
        planning.stored(other.inputs, folder, content)
    injected("identity", 2)


@pytest.mark.slow
def test_a_run_with_a_stranger_in_it_ends_as_itself(
    pair: tuple[Path, Path], injected: Counter
) -> None:
    """Its own weights, to the bit, whoever's newest checkpoint and artefact were copied in."""
    run, other = pair
    whole = Path(shutil.copytree(run, run.with_name("alone")))
    for name in ("done.json", "surrogate.h5", "manifests/24.json"):
        (whole / name).unlink()
    put_in(run, other, ("state/24", "manifests/24.json", "surrogate.h5", "done.json"))
    assert program(["resume", RUN]) == program(["resume", "alone"]) == 0
    weights = [
        artefact.read(path / "surrogate.h5").params["out"]["kernel"] for path in (run, whole)
    ]
    np.testing.assert_array_equal(*weights)
    assert program(["verify", RUN]) == 0
    injected("identity")
