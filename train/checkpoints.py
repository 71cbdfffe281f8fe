"""Training checkpoints: Orbax for the atomic commit, a SHA-256 manifest for the bytes.

Orbax does not checksum array data, and a NaN metric makes it evict the best checkpoint. So
every step gets a manifest of digests that is checked before a restore, and neither a
non-finite state nor a non-finite metric is ever handed over.

Layout: ``state/<step>/…`` (Orbax), ``manifests/<step>.json`` (ours, written last: a step
without a manifest was not finished).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from tengri.digest import file_sha256
from tengri.errors import DataError, TengriError
from train import devices, files

logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax reports every save


class NonFiniteError(TengriError, ArithmeticError):
    """A state or metric with NaN or infinity, which is never saved."""


@dataclass(frozen=True)
class Restored:
    """A verified state, and what had to be passed over to find it."""

    step: int
    state: Any
    messages: tuple[str, ...]


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : path
        The run folder.
    keep : int
        Recent steps that stay; the one with the lowest metric stays as well.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.states = folder / "state"
        self.manifests = folder / "manifests"
        try:
            self.manifests.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(
                self.states.absolute(), options=_options(keep), item_handlers=_handler()
            )
        except OSError as error:
            raise DataError(f"{self.states}: cannot be written ({error}).") from error

    def steps(self) -> list[int]:
        """Return the steps that Orbax has committed, ascending."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: Any, metric: float) -> None:
        """Save synchronously, then write and check the manifest.

        Parameters
        ----------
        step : int
            Number of finished steps.
        state : pytree of arrays
        metric : float
            Lower is better; decides which step stays beside the recent ones.

        Raises
        ------
        NonFiniteError
            NaN or infinity in ``state`` or ``metric``: nothing is written.
        DataError
            A full disk or read-only folder; earlier checkpoints are untouched.
        """
        _check_finite(step, state, metric)
        if step in self._manager.all_steps():
            if not self._problem(step):
                return
            self._manager.delete(step)
        try:
            self._manager.save(
                step, args=ocp.args.StandardSave(state), metrics={"metric": float(metric)}, force=True
            )
            self._manager.wait_until_finished()
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(
                f"{self.states}: checkpoint {step} could not be saved ({_first_line(error)}). "
                "Free some space or choose another --out; earlier checkpoints are intact."
            ) from error
        if devices.is_first():
            files.write_json(self._manifest(step), self._digests(step))
            self._drop_old_manifests()
        devices.wait(f"checkpoint {step}")

    def restore(self, target: Callable[[int], Any]) -> Restored | None:
        """Return the newest state that passes verification, or None where there is none.

        Parameters
        ----------
        target : callable
            Step number → pytree of the shapes and types to restore into.
        """
        messages: list[str] = []
        for step in reversed(self.steps()):
            problem = self._problem(step)
            if not problem:
                try:
                    return Restored(step, self._load(step, target(step)), tuple(messages))
                except NonFiniteError as error:
                    problem = str(error)
                except Exception as error:  # whatever a damaged tree makes Orbax raise
                    problem = f"cannot be restored: {_first_line(error)}"
            messages.append(f"checkpoint {step} is passed over: {problem}")
        if messages:
            raise DataError(
                f"{self.states}: no usable checkpoint. " + "; ".join(messages) + ". "
                "Delete the folder to start from step 0."
            )
        return None

    def discard_after(self, step: int) -> None:
        """Delete steps later than ``step``: they were passed over and will be made again."""
        for later in [s for s in self.steps() if s > step]:
            self._manager.delete(later)
        self._drop_old_manifests()

    def verify(self) -> dict[int, str]:
        """Return step → problem, empty where the bytes match the manifest."""
        return {step: self._problem(step) for step in self.steps()}

    def close(self) -> None:
        """Release Orbax's threads."""
        self._manager.close()

    def _load(self, step: int, target: Any) -> Any:
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, target)
        state = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        _check_finite(step, state, 0.0)
        return state

    def _manifest(self, step: int) -> Path:
        return self.manifests / f"{step}.json"

    def _digests(self, step: int) -> dict[str, str]:
        folder = self.states / str(step)
        found = sorted(p for p in folder.rglob("*") if p.is_file())
        return {str(p.relative_to(folder)): file_sha256(p) for p in found}

    def _problem(self, step: int) -> str:
        """Return what is wrong with the bytes of a step, or nothing."""
        if not self._manifest(step).exists():
            return "it has no manifest (the save was interrupted)"
        try:
            expected = files.read_json(self._manifest(step))
            actual = self._digests(step)
        except OSError as error:
            return str(error)
        bad = sorted(k for k in {*expected, *actual} if expected.get(k) != actual.get(k))
        return f"damaged or missing: {', '.join(bad[:3])}" if bad else ""

    def _drop_old_manifests(self) -> None:
        kept = {f"{step}.json" for step in self.steps()}
        for path in self.manifests.glob("*.json"):
            if path.name not in kept:
                path.unlink()


def _options(keep: int) -> ocp.CheckpointManagerOptions:
    recent = policies.LatestN(n=keep)
    best = policies.BestN(get_metric_fn=lambda m: m["metric"], reverse=True, n=1)
    return ocp.CheckpointManagerOptions(
        enable_async_checkpointing=False,
        cleanup_tmp_directories=True,
        preservation_policy=policies.AnyPreservationPolicy([recent, best]),
    )


def _handler() -> ocp.StandardCheckpointHandler:
    return ocp.StandardCheckpointHandler()


def _check_finite(step: int, state: Any, metric: float) -> None:
    if not math.isfinite(metric):
        raise NonFiniteError(f"the metric of step {step} is {metric}: not saved.")
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        values = np.asarray(leaf)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            name = jax.tree_util.keystr(path)
            raise NonFiniteError(f"{name} of step {step} is not finite: not used.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
