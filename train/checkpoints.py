"""Training checkpoints: Orbax for the atomic commit, a SHA-256 manifest for the bytes.

Orbax does not checksum array data, and a NaN metric makes it evict the best checkpoint. So
every step is read back and compared to the bit, gets a manifest of digests that is checked
before a restore, and neither a non-finite state nor a non-finite metric is ever handed over.

Layout: ``state/<step>/…`` (Orbax), ``manifests/<step>.json`` (ours, written last and removed
first: a step without a manifest is not whole). A manifest says the step, the run (`train.identity`)
and the digest of every file; those of runs of format 1 are the digests alone.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from tengri.errors import DataError, TengriError
from tengri.io import atomic, sealed_json
from tengri.io.seal import tree_sha256
from train import devices, identity, recovery

UNFINISHED = "it has no manifest (its save or its removal was interrupted)"


@contextmanager
def _orbax_quiet() -> Iterator[None]:
    """Keep what Orbax says of every save out of a training; its logger is left as it was."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(max(level, logging.ERROR))
    try:
        yield
    finally:
        logger.setLevel(level)


class NonFiniteError(TengriError, ArithmeticError):
    """A state or metric with NaN or infinity, which is never saved."""


@dataclass(frozen=True)
class Restored:
    """A verified state and the number of steps that led to it."""

    step: int
    state: Any


class Checkpoints:
    """The checkpoints of one run.

    Steps that fail verification are set aside (``damaged/``) before Orbax looks at anything:
    its own parsers may crash on them. ``messages`` says which. A removal that was interrupted
    is finished.

    Parameters
    ----------
    folder : path
        The run folder.
    keep : int
        Recent steps that stay. The one with the lowest metric stays as well. An old step goes
        only when the new one is whole.
    """

    @_orbax_quiet()
    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep
        self.states, self.manifests = folder / "state", folder / "manifests"
        try:
            self.manifests.mkdir(parents=True, exist_ok=True)
            self.states.mkdir(exist_ok=True)
            atomic.sync_folder(folder)
            self.messages = _set_aside(folder) if devices.is_first() else []
            devices.wait("checkpoints")
            self._manager = ocp.CheckpointManager(
                self.states.absolute(),
                options=_options(),
                item_handlers=ocp.StandardCheckpointHandler(),
            )
        except OSError as error:
            raise DataError(f"{self.states}: cannot be written ({error}).") from error

    def steps(self) -> list[int]:
        """Return the steps that Orbax has committed, ascending."""
        return sorted(self._manager.all_steps())

    @_orbax_quiet()
    def save(self, step: int, state: Any, metric: float) -> None:
        """Save synchronously, read the step back, then write its manifest.

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
            A full disk or read-only folder, or files that do not hold ``state``; earlier
            checkpoints are untouched.
        """
        _check_finite(step, state, metric)
        if step in self._manager.all_steps():
            return  # saved and verified before
        try:
            self._manager.save(
                step,
                args=ocp.args.StandardSave(state),
                metrics={"metric": float(metric)},
                force=True,
            )
            self._manager.wait_until_finished()
            if not _same(state, self._read(step, state)):
                raise ValueError("it does not read back as it was")
            if devices.is_first():
                atomic.sync_tree(self.states / str(step))  # its manifest vouches for it from now on
        except jax.errors.JaxRuntimeError:
            raise  # another process that is gone is no full disk
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(
                f"{self.states}: checkpoint {step} could not be saved ({_first_line(error)}). "
                "Free some space or choose another --out; earlier checkpoints are intact."
            ) from error
        if devices.is_first():
            content = {"step": step, "identity": identity.of(self.folder),
                       "files": tree_sha256(self.states / str(step))}  # fmt: skip
            sealed_json.write_json(_manifest(self.folder, step), content)
        devices.wait(f"checkpoint {step}")
        self._drop_old()

    @_orbax_quiet()
    def restore(self, target: Callable[[int], Any]) -> Restored | None:
        """Return the newest state, or None where there is none.

        Parameters
        ----------
        target : callable
            Step number → pytree of the shapes and types to restore into.

        Raises
        ------
        DataError
            A verified checkpoint that does not fit the target: another version wrote it.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        try:
            state = self._read(step, target(step))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{self.states}: checkpoint {step} does not fit this version of the training "
                f"({_first_line(error)}). Use the version that wrote it, or start a new run."
            ) from error
        _check_finite(step, state, 0.0)
        return Restored(step, state)

    @_orbax_quiet()
    def close(self) -> None:
        """Release Orbax's threads."""
        self._manager.close()

    def _read(self, step: int, like: Any) -> Any:
        """Return the stored state of a step, with the shapes and types of ``like``."""
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        return self._manager.restore(step, args=ocp.args.StandardRestore(abstract))

    def _drop_old(self) -> None:
        """Remove what is neither recent nor best, the manifest before the step it vouches for."""
        steps = self.steps()
        old = set(steps) - {*steps[-self.keep :], self._manager.best_step()}
        for step in sorted(old):
            if devices.is_first():
                _manifest(self.folder, step).unlink(missing_ok=True)
            devices.wait(f"old checkpoint {step}")
            self._manager.delete(step)


def _options() -> ocp.CheckpointManagerOptions:
    return ocp.CheckpointManagerOptions(
        best_fn=_metric,  # without it Orbax does not store the metric
        best_mode="min",
        max_to_keep=None,  # Orbax removes an old step before the new one has its manifest
        enable_async_checkpointing=False,
        cleanup_tmp_directories=True,
    )


def _metric(metrics: dict[str, float]) -> float:
    return metrics["metric"]


def verify(folder: Path) -> dict[int, str]:
    """Return step → what is wrong with its bytes (empty: nothing) for a run folder."""
    found = _numbered(folder / "state", "") | _numbered(folder / "manifests", ".json")
    return {step: _problem(folder, step) for step in sorted(found)}


def half_removed(found: dict[int, str]) -> set[int]:
    """Return which steps of `verify` were being removed: not whole, while a newer one is."""
    newest = _newest(found)
    return {step for step, problem in found.items() if problem == UNFINISHED and step < newest}


def _newest(found: dict[int, str]) -> int:
    return max((step for step, problem in found.items() if not problem), default=-1)


def _numbered(folder: Path, suffix: str) -> set[int]:
    """Return the steps that have an entry in a folder, under the name that we would give it."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    steps = [name.removesuffix(suffix) for name in names if name.endswith(suffix)]
    return {int(step) for step in steps if step.isdecimal() and step == str(int(step))}


def _set_aside(folder: Path) -> list[str]:
    """Move steps that fail verification to ``damaged/``; return what was said about them.

    What a kill leaves of a step does not pile up: a removal is finished, and a step whose save
    was interrupted is kept until there is a good one of its number or a later one.
    """
    found = verify(folder)
    rest = half_removed(found)
    for step in rest:
        shutil.rmtree(folder / "state" / str(step))
    for path in (folder / "damaged").glob("unfinished-*"):
        step_text = path.name.removeprefix("unfinished-")
        if step_text.isdecimal() and int(step_text) <= _newest(found):
            shutil.rmtree(path)
    messages = [f"the removal of checkpoint {step} is finished" for step in sorted(rest)]
    for step, problem in found.items():
        if problem and step not in rest:
            place = _put_away(folder, step)
            messages.append(f"checkpoint {step} is passed over: {problem}; moved to {place}")
    return messages


def _put_away(folder: Path, step: int) -> Path:
    """Move the files of a step and its manifest, where there are any; return their place."""
    state, manifest = folder / "state" / str(step), _manifest(folder, step)
    if not state.exists():
        return recovery.set_aside(folder, manifest)
    if not manifest.exists():
        place = folder / "damaged" / f"unfinished-{step}"
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(exist_ok=True)
        return state.rename(place)
    place = recovery.set_aside(folder, state)
    manifest.rename(place / manifest.name)
    return place


def _manifest(folder: Path, step: int) -> Path:
    return folder / "manifests" / f"{step}.json"


def _problem(folder: Path, step: int) -> str:
    """Return what is wrong with the bytes of a step or with whose it is, or nothing."""
    manifest = _manifest(folder, step)
    if not manifest.exists():
        return UNFINISHED
    try:
        content = sealed_json.read_object(manifest)
        actual = tree_sha256(folder / "state" / str(step))
        own = identity.of(folder)
    except OSError as error:
        return str(error)
    files = content.get("files")
    expected = files if isinstance(files, dict) else content
    if expected is files and content.get("step") != step:
        return f"it is checkpoint {content.get('step')!r}, renamed"
    if problem := identity.difference(own, content.get("identity")):
        return f"it {problem}"
    bad = sorted(k for k in {*expected, *actual} if expected.get(k) != actual.get(k))
    return f"damaged or missing: {', '.join(bad[:3])}" if bad else ""


def _same(state: Any, other: Any) -> bool:
    """Return whether two states agree to the bit."""
    pairs = zip(jax.tree.leaves(state), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


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
