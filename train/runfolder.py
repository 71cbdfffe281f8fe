"""A run folder: its files, and its creation in one step.

=====================  ==================================================================
``config.json``        the configuration, command and versions (sealed)
``plan.json``          schedule, output scaling, measured costs, inputs (sealed)
``copies/``            a second copy of both: no resume is possible without them
``clock.json``         seconds trained so far (sealed)
``state/``             checkpoints; ``manifests/`` their digests
``metrics.jsonl``      the log; ``tensorboard/`` the same for TensorBoard
``surrogate.h5``       the artefact
``report/``            HTML, JSON, figures and the model card
``done.json``          digest and accuracy of the finished artefact (sealed)
``damaged/``           what a resume has set aside
=====================  ==================================================================
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from emulator.scaling import OutputScaling
from tengri import __version__
from tengri.analysis import accuracy
from tengri.errors import DataError
from tengri.io import atomic, sealed_json
from train import config as configs
from train import identity, recovery
from train.config import Config
from train.identity import Identity
from train.schedule import Costs, Plan
from train.specs import oldest_physics

FORMAT = 2
#: What this version reads; runs of format 1 have no identity.
FORMATS = (1, 2)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @classmethod
    def create(cls, path: Path, config: Config, command: str) -> RunFolder:
        """Make the folder with its configuration inside, in one rename.

        Raises
        ------
        DataError
            The folder exists, or cannot be written.
        """
        if path.exists():
            hint = (f"Continue it with `tengri resume {path}`, or"
                    if (path / "config.json").exists() else "It is no run:")  # fmt: skip
            raise DataError(f"{path} exists. {hint} choose another folder with --out.")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        settings = configs.to_dict(config)
        content = {"format": FORMAT, "identity": identity.new(settings), "config": settings,
                   "command": command, "versions": versions(), "created": now}  # fmt: skip
        with atomic.whole_folder(path) as temporary:
            recovery.write_twice(temporary, "config.json", content)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run.

        Raises
        ------
        DataError
            No run there, a damaged configuration, or a run of a newer version.
        """
        if not is_run(path):
            raise DataError(f"{path} is no run folder (config.json is missing).")
        folder = cls(path)
        header = folder.header()
        version = header.get("format")
        if version not in FORMATS:
            raise DataError(
                f"{path}: run of format {version!r}, this version reads {FORMAT}: update tengri."
            )
        identity.check_config(path / "config.json", header)
        return folder

    def stamp(self) -> dict[str, Any]:
        """Return what files of this run say of whose they are; nothing for a run of format 1."""
        own = self.identity()
        return {} if own is None else {"identity": own}

    def identity(self) -> Identity | None:
        """Return what every file of the run repeats; None for a run of format 1."""
        return self.header().get("identity")

    def header(self) -> dict[str, Any]:
        """Return the contents of ``config.json``."""
        return sealed_json.read_object(self.path / "config.json", "format", "config", "command")

    def config(self) -> Config:
        """Return the configuration of the run."""
        config = configs.from_dict(self.header()["config"])
        if config.model.physics:
            return config
        # it began before physics had versions
        return replace(config, model=replace(config.model, physics=oldest_physics(config.model)))

    def write_config(self, config: Config) -> None:
        """Store a configuration that was changed while the run lasts."""
        header, now = self.header(), configs.to_dict(config)
        for name in identity.CHANGEABLE:  # the rest stays as it was written, to the letter
            section, key = name.split(".")
            header["config"].setdefault(section, {})[key] = now[section][key]
        recovery.write_twice(self.path, "config.json", header)

    # --- the plan ---------------------------------------------------------------------------

    def plan(self) -> dict[str, Any] | None:
        """Return the stored plan, or None before the first measurement.

        Raises
        ------
        DataError
            A damaged plan, or the plan of another run.
        """
        path = self.path / "plan.json"
        if not path.exists():
            return None
        found = sealed_json.read_object(path, "plan", "scaling", "costs", "inputs")
        if problem := identity.stranger(self.path, path):
            raise DataError(f"{problem} Bring back the one that this run was planned with.")
        return found

    def write_plan(
        self, plan: Plan, scaling: OutputScaling, costs: Costs, inputs: dict[str, str]
    ) -> None:
        """Store the plan, all that was measured for it, and the digests of what was read."""
        arrays = {k: np.asarray(v, np.float64).tolist() for k, v in scaling.to_dict().items()}
        content = {"plan": plan.to_dict(), "scaling": arrays, "costs": costs._asdict(),
                   "inputs": inputs, **self.stamp()}  # fmt: skip
        recovery.write_twice(self.path, "plan.json", content)

    def lengthen(self, plan: Plan, minutes: float) -> None:
        """Store a longer plan for a run of so many minutes; a finished run is open again."""
        stored = self.plan()
        assert stored is not None
        (self.path / "done.json").unlink(missing_ok=True)
        recovery.write_twice(
            self.path, "plan.json", {**stored, "plan": plan.to_dict(), "minutes": minutes}
        )

    # --- the clock --------------------------------------------------------------------------

    def seconds(self) -> float:
        """Return how long earlier sessions have trained."""
        path = self.path / "clock.json"
        if not path.exists():
            return 0.0
        seconds = sealed_json.read_object(path, "seconds")["seconds"]
        if type(seconds) not in (int, float):
            raise DataError(f"{path}: malformed, seconds is {seconds!r}.")
        return float(seconds)

    def write_seconds(self, seconds: float) -> None:
        """Store how long the run has trained."""
        sealed_json.write_json(self.path / "clock.json", {"seconds": round(seconds, 3)})

    # --- the end ----------------------------------------------------------------------------

    @property
    def artefact(self) -> Path:
        """The published file."""
        return self.path / "surrogate.h5"

    @property
    def report(self) -> Path:
        """Folder of the report."""
        return self.path / "report"

    def done(self) -> dict[str, Any] | None:
        """Return digest and accuracy of the finished artefact, or None."""
        path = self.path / "done.json"
        if not path.exists():
            return None
        found = sealed_json.read_object(path, "sha256", "verdict", "proof")
        numbers = found["proof"].values() if isinstance(found["proof"], dict) else [None]
        if problem := identity.stranger(self.path, path):
            raise DataError(problem)
        known = found["verdict"] in list(accuracy.VERDICTS)
        if not known or not all(type(n) in (int, float) for n in numbers):
            raise DataError(f"{path}: malformed, no verdict or no numbers of a proof.")
        return found

    def write_done(self, content: dict[str, Any]) -> None:
        """Mark the run as finished; the last thing that is written."""
        sealed_json.write_json(self.path / "done.json", content)


def is_run(path: Path) -> bool:
    """Return whether a folder is a run, whole or damaged."""
    return any((path / place).is_file() for place in ("config.json", "copies/config.json"))


def versions() -> dict[str, str]:
    """Return the versions of what computes the numbers."""
    packages = {name: metadata.version(name) for name in ("jax", "flax", "optax", "numpy")}
    return {"tengri": __version__, **packages, "python": platform.python_version()}


def hardware() -> str:
    """Return the devices in words."""
    kinds = {d.device_kind for d in jax.devices()}
    return (f"{jax.device_count()} × {', '.join(sorted(kinds))} ({jax.default_backend()}), "
            f"{os.cpu_count()} CPU cores, {platform.machine()}")  # fmt: skip
