"""Checkpoints: bytes are verified, NaN is never saved and never evicts a good one."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tengri.errors import DataError
from tengri.io import sealed_json
from train.checkpoints import Checkpoints, NonFiniteError, half_removed, verify


def state(value: float) -> dict[str, Any]:
    rng = np.random.default_rng(int(value * 10))
    return {
        "params": {"w": rng.normal(size=(9, 7)).astype(np.float32)},
        "step": np.asarray(value, np.int32),
    }


def target(step: int) -> dict[str, Any]:
    return state(0.0)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    checkpoints = Checkpoints(folder, keep=3)
    for step, metric in ((1, 3.0), (2, 2.0), (3, 1.0)):
        checkpoints.save(step, state(step), metric)
    checkpoints.close()
    return folder


def test_restores_the_newest_bit_for_bit(saved: Path) -> None:
    found = Checkpoints(saved).restore(target)
    assert found is not None and found.step == 3
    np.testing.assert_array_equal(found.state["params"]["w"], state(3)["params"]["w"])


def test_nothing_saved_is_no_error(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path).restore(target) is None


def test_nan_metrics_never_evict_the_best(tmp_path: Path) -> None:
    """The sequence that makes Orbax alone delete its best checkpoint."""
    checkpoints = Checkpoints(tmp_path, keep=1)
    for step, metric in enumerate([3.0, 2.0, math.nan, 1.0, math.nan, 1.5, 1.7], start=1):
        if math.isfinite(metric):
            checkpoints.save(step, state(step), metric)
        else:
            with pytest.raises(NonFiniteError):
                checkpoints.save(step, state(step), metric)
    assert checkpoints.steps() == [4, 7]  # the best and the latest
    checkpoints.close()
    again = Checkpoints(tmp_path, keep=1)  # the metric is on disk, not only in memory
    again.save(8, state(8), 1.8)
    assert again.steps() == [4, 8]


def test_non_finite_state_is_never_saved(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1), 1.0)
    bad = state(2)
    bad["params"]["w"][3, 3] = np.inf
    with pytest.raises(NonFiniteError, match=r"params.*w"):
        checkpoints.save(2, bad, 1.0)
    assert checkpoints.steps() == [1]


def test_flips_and_truncations_fall_back_with_a_message(saved: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [
        p.relative_to(saved) for p in sorted((saved / "state" / "3").rglob("*")) if p.is_file()
    ]
    for i, name in enumerate(names):
        for kind in ("flip", "cut"):
            copy = tmp_path / f"{i}-{kind}"
            shutil.copytree(saved / "state", copy / "state")
            shutil.copytree(saved / "manifests", copy / "manifests")
            good = (copy / name).read_bytes()
            bad = bytearray(good)
            if kind == "flip" and good:
                bad[rng.integers(len(good))] ^= 1 << int(rng.integers(8))
            else:
                bad = bad[: len(bad) // 2] if good else bytearray(b"x")
            (copy / name).write_bytes(bad)
            checkpoints = Checkpoints(copy, keep=3)
            found = checkpoints.restore(target)
            assert found is not None and found.step == 2, name
            assert "checkpoint 3 is passed over: damaged" in checkpoints.messages[0]


def test_interrupted_save_has_no_manifest_and_is_passed_over(saved: Path) -> None:
    (saved / "manifests" / "3.json").unlink()
    checkpoints = Checkpoints(saved, keep=3)
    found = checkpoints.restore(target)
    assert found is not None and found.step == 2
    assert "interrupted" in checkpoints.messages[0]
    checkpoints.save(3, state(3), 1.0)  # and it can be made again
    assert verify(saved) == {1: "", 2: "", 3: ""}


def test_what_kills_leave_does_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between manifest and bytes, at a removal or a save, in life after life."""

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    step = 0
    for life in range(6):
        checkpoints = Checkpoints(tmp_path, keep=2)
        found = checkpoints.restore(target)
        assert (found.step if found else 0) == step
        step += 1
        checkpoints.save(step, state(step), 1.0 / step)
        with monkeypatch.context() as m:
            if life % 2:
                m.setattr(sealed_json, "write_json", kill)
            else:
                m.setattr(checkpoints._manager, "delete", kill)  # noqa: SLF001  (orbax's own step)
            with pytest.raises(Killed):
                for n in range(1, 4):
                    checkpoints.save(step + n, state(step + n), 1.0 / (step + n))
        step = max(s for s, problem in verify(tmp_path).items() if not problem)
        checkpoints.close()
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.steps() == sorted(s for s, p in verify(tmp_path).items() if not p)
    assert not any(verify(tmp_path).values()) and len(checkpoints.steps()) <= 3
    assert len(list((tmp_path / "damaged").iterdir())) <= 1


def test_a_step_that_was_being_removed_is_no_damage(saved: Path) -> None:
    (saved / "manifests" / "1.json").unlink()
    assert half_removed(verify(saved)) == {1}
    checkpoints = Checkpoints(saved, keep=3)
    assert checkpoints.messages == ["the removal of checkpoint 1 is finished"]
    assert checkpoints.steps() == [2, 3] and verify(saved) == {2: "", 3: ""}
    assert not (saved / "damaged").exists()


def test_a_step_that_is_gone_is_missed(saved: Path) -> None:
    """Its manifest is there, its bytes are not: it is passed over with a message, once."""
    shutil.rmtree(saved / "state" / "3")
    assert "damaged or missing" in verify(saved)[3]
    checkpoints = Checkpoints(saved, keep=3)
    found = checkpoints.restore(target)
    assert found is not None and found.step == 2
    assert "checkpoint 3 is passed over: damaged or missing" in checkpoints.messages[0]
    assert verify(saved) == {1: "", 2: ""}


@pytest.mark.parametrize("name", ["²", "٣", "007", "x", "-1"])
def test_other_names_are_no_steps(saved: Path, name: str) -> None:
    (saved / "state" / name).mkdir()
    (saved / "manifests" / f"{name}.json").write_text("")
    checkpoints = Checkpoints(saved, keep=3)
    found = checkpoints.restore(target)
    assert found is not None and found.step == 3 and not checkpoints.messages


@pytest.mark.parametrize("content", [[], None, "x", {"a": 1}, {"default/_METADATA": [1]}])
def test_a_manifest_may_hold_anything_under_a_good_seal(saved: Path, content: Any) -> None:
    sealed_json.write_json(saved / "manifests" / "3.json", content)
    checkpoints = Checkpoints(saved, keep=3)
    found = checkpoints.restore(target)
    assert found is not None and found.step == 2 and len(checkpoints.messages) == 1


def test_nothing_good_left_says_so_and_deletes_nothing(saved: Path) -> None:
    for manifest in (saved / "manifests").glob("*.json"):
        manifest.write_text("{}")
    checkpoints = Checkpoints(saved, keep=3)
    assert checkpoints.restore(target) is None
    assert len(checkpoints.messages) == 3
    assert len(list((saved / "damaged").iterdir())) == 3


def test_a_step_that_does_not_read_back_is_no_checkpoint(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orbax says that it has saved, and the files hold something else."""
    checkpoints = Checkpoints(saved, keep=3)
    monkeypatch.setattr(Checkpoints, "_read", lambda self, step, like: state(step + 1))
    with pytest.raises(DataError, match=r"checkpoint 4 could not be saved .*does not read back"):
        checkpoints.save(4, state(4), 0.5)
    checkpoints.close()
    monkeypatch.undo()
    again = Checkpoints(saved, keep=3)
    found = again.restore(target)
    assert found is not None and found.step == 3
    assert "checkpoint 4 is passed over" in again.messages[0]
