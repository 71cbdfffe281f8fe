"""``tengri verify PATH`` covers run, data set, grid and surrogate, and names what is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tengri.__main__ import main as program
from tengri.io import sealed_json
from tengri.io.seal import tree_sha256
from tests.faults.make_golden import DATASET, RUN
from train import recovery

PLACES = {
    f"{RUN}/config.json": "config.json",
    f"{RUN}/copies/plan.json": "copies/plan.json",
    f"{RUN}/clock.json": "clock.json",
    f"{RUN}/done.json": "done.json",
    f"{RUN}/surrogate.h5": "surrogate",
    f"{RUN}/manifests/24.json": "checkpoint 24",
    f"{RUN}/state/20/default/_METADATA": "checkpoint 20",
    f"{DATASET}/manifest.json": "manifest.json",
    f"{DATASET}/shard-00002.h5": "shard 2",
    "ssp.h5": "seal",
}


def findings(path: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    code = program(["verify", path, "--json"])
    return code, {c["name"]: c["state"] for c in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize("path", [RUN, DATASET, "ssp.h5", f"{RUN}/surrogate.h5"])
def test_what_is_whole_passes(golden: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, states = findings(path, capsys)
    assert code == 0 and set(states.values()) == {"ok"}


def test_a_run_is_checked_as_a_run_and_as_a_surrogate(
    golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, states = findings(RUN, capsys)
    assert {"config.json", "plan.json", "checkpoint 24", "done.json", "surrogate"} <= set(states)


@pytest.mark.parametrize("place", PLACES)
def test_damage_is_named_and_the_exit_code_is_1(
    golden: Path, place: str, capsys: pytest.CaptureFixture[str], injected: Callable[..., None]
) -> None:
    data = bytearray((golden / place).read_bytes())
    data[len(data) // 2] ^= 8
    (golden / place).write_bytes(data)
    path = place if place == "ssp.h5" else place.split("/")[0]
    code, states = findings(path, capsys)
    assert code == 1 and states[PLACES[place]] == "FAIL"
    injected("bits")


def test_a_removal_that_was_interrupted_is_no_failure(
    golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (golden / RUN / "manifests" / "20.json").unlink()
    code, states = findings(RUN, capsys)
    assert code == 0 and states["checkpoint 20"] == "note" and states["checkpoint 24"] == "ok"


@pytest.mark.parametrize("lost", ["state/24", "manifests/24.json"])
def test_a_newest_checkpoint_that_is_not_whole(
    golden: Path, lost: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (golden / RUN / lost).rename(golden / "elsewhere")
    code, states = findings(RUN, capsys)
    assert code == 1 and states["checkpoint 24"] == "FAIL" and states["checkpoint 20"] == "ok"


def test_a_damaged_surrogate_by_its_own_path(
    golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = golden / RUN / "surrogate.h5"
    file.write_bytes(file.read_bytes()[:-1])
    code, states = findings(str(file), capsys)
    assert (code, states) == (1, {"seal": "FAIL"})


def test_a_missing_shard_comes_with_its_command(
    golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (golden / DATASET / "shard-00003.h5").unlink()
    assert program(["verify", DATASET]) == 1
    assert f"tengri dataset tiny.toml --shard 3/3 -o {DATASET}" in capsys.readouterr().out


def test_nothing_of_ours_is_an_error(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, message in (("g.txt", "no run folder, data set"), ("sdsss", "Did you mean sdss")):
        assert program(["verify", path]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["flip", "gone"])
def test_the_report_is_part_of_the_proof(
    golden: Path, damage: str, capsys: pytest.CaptureFixture[str], injected: Callable[..., None]
) -> None:
    page, done = golden / RUN / "report" / "report.html", golden / RUN / "done.json"
    page.parent.mkdir()
    page.write_text("<p>1.2 mmag</p>")
    content = sealed_json.read_json(done)
    sealed_json.write_json(done, {**content, "report": tree_sha256(page.parent)})
    assert findings(RUN, capsys)[1]["report"] == "ok"
    page.unlink() if damage == "gone" else page.write_text("<p>0.2 mmag</p>")
    assert findings(RUN, capsys)[1]["report"] == "FAIL"
    (message,) = recovery.recover(golden / RUN)
    assert (
        "report.html" in message and not done.exists() and (golden / RUN / "surrogate.h5").exists()
    )
    injected("bits")
