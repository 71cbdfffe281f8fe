"""Does the memory of a process stay flat? Calls, batch sizes, models, training without end.

    python benchmarks/soak.py [PART …] [--calls 1000000] [--sizes 2000] [--models 300]
                              [--seconds 3600] [--again] [-o FILE.json]

Each part is a process of its own, exact or emulated: single calls of other values; batches of
sizes that differ every time, with gradients; models that are made, called and dropped. Resident
memory [MB] is read at eleven moments after a warm-up of one twentieth; the growth from the first to
the last of them, and the programs that were compiled meanwhile (`jax.monitoring`), are reported.
The last part is ``tengri train sdss`` for so many seconds, ended by a signal: of each twentieth of
its time, the highest of the readings of every second. Every few minutes the next pool of rows is
made, which takes more for a moment; its growth is from the highest of the first half to that of the
second.

A part that is in the file with its full number stays as it is; one that was cut off says how far it
came, and begins anew. PART is a name of the file, such as ``"calls, exact"``; default all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import emulator
from tengri import SEDModel, load_ssp_data
from tengri.factory import build_observation, build_spec
from tengri.io import atomic

BANDS = ("sdss_g", "sdss_r", "sdss_i")
COMPILED = "/jax/core/compile/backend_compile_duration"
MOMENTS = 10


def exact() -> Any:
    """Return an exact model of three bands and two free parameters."""
    spec = build_spec({"redshift": [0.05, 0.5], "dust_tau_diff": [0.0, 2.0]}, {})
    return SEDModel(spec, load_ssp_data(), build_observation((), BANDS))


MODELS: dict[str, Callable[[], Any]] = {"exact": exact, "sdss": lambda: emulator.load("sdss")}


def draws(model: Any, n: int, seed: int) -> dict[str, np.ndarray]:
    """Return n rows of free parameters."""
    drawn = model.spec.sample_sobol(n, seed=1, skip=seed * 4096)
    return {name: np.asarray(drawn[name]) for name in model.spec.free_params}


def calls(make: Callable[[], Any], number: int) -> Iterator[None]:
    """Ask one model for single galaxies."""
    model, rows = make(), 256
    batch = draws(model, rows, 0)
    for i in range(number):
        model.predict_photometry({name: v[i % rows] for name, v in batch.items()})
        yield


def sizes(make: Callable[[], Any], number: int) -> Iterator[None]:
    """Ask one model for batches of a size never asked before, every tenth with slopes."""
    model = make()
    slopes = model.batched(jax.grad(lambda p: jnp.sum(model.predict_photometry(p))))
    batch = draws(model, number + 16, 0)
    for size in range(2, number + 2):
        rows = {name: v[:size] for name, v in batch.items()}
        model.predict_photometry_batch(rows)
        if size % 10 == 0:
            jax.block_until_ready(slopes(rows))
        yield


def models(make: Callable[[], Any], number: int) -> Iterator[None]:
    """Make a model, ask it once, drop it."""
    for _ in range(number):
        model = make()
        model.predict_photometry({name: v[0] for name, v in draws(model, 1, 0).items()})
        yield


SOAKS = {"calls": calls, "sizes": sizes, "models": models}


def resident(process: int | str = "self") -> float:
    """Return the resident memory of a process [MB]."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def summary(number: int, reached: float, memory: list[float], **more: float) -> dict[str, Any]:
    """Return what is reported of a part."""
    return {"number": number, "reached": reached, "memory [MB]": memory,
            **growth(memory[0], memory[-1]), **more}  # fmt: skip


def growth(first: float, last: float) -> dict[str, float]:
    """Return by how much memory grew."""
    return {"growth [MB]": round(last - first, 1),
            "growth [%]": round(100.0 * (last - first) / first, 1)}  # fmt: skip


def by_halves(memory: list[float]) -> dict[str, float]:
    """Return by how much the highest of the second half is above that of the first."""
    half = max(1, len(memory) // 2)
    return growth(max(memory[:half]), max(memory[half:] or memory))


def soak(name: str, kind: str, number: int) -> Iterator[dict[str, Any]]:
    """Run one part in this process; say after each moment how it stands."""
    compiled: list[int] = [0]
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _, **__: compiled.__setitem__(0, compiled[0] + (event == COMPILED))
    )
    warm = max(1, number // 20)
    moments = {warm + i * (number - warm) // MOMENTS for i in range(MOMENTS + 1)}
    memory: list[float] = []
    before, began = 0, time.monotonic()
    for done, _ in enumerate(SOAKS[name](MODELS[kind], number), start=1):
        if done in moments:
            memory.append(round(resident(), 1))
            before = before if len(memory) > 1 else compiled[0]
            yield summary(number, done, memory,
                          **{"programs after the warm-up": compiled[0] - before,
                             "seconds": round(time.monotonic() - began, 1)})  # fmt: skip


def training(seconds: int) -> Iterator[dict[str, Any]]:
    """Train for so long in another process, then stop it; say at each moment how it stands."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "sdss", "--set", "run.steps=100000000", "--out", f"{folder}/run"]
        with Path(folder, "log").open("w") as log:
            process = subprocess.Popen([sys.executable, "-m", "tengri", *words],
                                       stdout=log, stderr=log)  # fmt: skip
        began, memory = time.monotonic(), []
        for i in range(20):
            most = 0.0
            while (now := time.monotonic() - began) < seconds * (i + 1) / 20:
                if process.poll() is not None:
                    raise RuntimeError(Path(folder, "log").read_text())
                most = max(most, resident(process.pid))
                time.sleep(1.0)
            if i > 0:  # the first twentieth is the warm-up
                memory.append(round(most, 1))
                yield summary(seconds, round(now), memory, **by_halves(memory))
        process.send_signal(signal.SIGTERM)
        code = process.wait(600)
        text = Path(folder, "log").read_text()
        steps = int(text.rsplit("stopped at step ", 1)[-1].split()[0])
        yield summary(seconds, round(now), memory, **by_halves(memory), steps=steps,
                      **{"exit code": code})  # fmt: skip


def parts(args: argparse.Namespace) -> dict[str, tuple[int, list[str]]]:
    """Return name → (number, words of the command that runs it) of all parts."""
    found = {f"{name}, {kind}": (getattr(args, name), [name, kind])
             for name in SOAKS for kind in MODELS}  # fmt: skip
    return {**found, "training, sdss": (args.seconds, ["training", "sdss"])}


def run(words: list[str], number: int) -> Iterator[dict[str, Any]]:
    """Run a part in a process of its own; give on what it says."""
    command = [sys.executable, __file__, "--one", *words, str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"{words}: exit code {process.returncode}")


def one(name: str, kind: str, number: str) -> None:
    """Run a part in this process, a line for each moment."""
    found = training(int(number)) if name == "training" else soak(name, kind, int(number))
    for line in found:
        print(json.dumps(line), flush=True)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help='such as "calls, exact"; default all')
    for name, number in (("calls", 1_000_000), ("sizes", 2000), ("models", 300)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--seconds", type=int, default=3600, help="of training")
    parser.add_argument("--again", action="store_true", help="measure parts that are there, too")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/soak.json"))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return one(*args.one)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    asked = {name: part for name, part in parts(args).items() if name in (args.part or parts(args))}
    for name, (number, words) in asked.items():
        known = _read(args.output)["soaks"].get(name, {})
        if number == known.get("number") == known.get("reached") and not args.again:
            continue
        for line in run(words, number):
            found = _read(args.output)  # another part may have been written meanwhile
            found["soaks"][name] = line
            atomic.write_text(args.output, json.dumps(found, indent=1) + "\n")
        print(f"{name}: {line}", flush=True)


def _read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text()) if path.exists() else {"soaks": {}}
    return {**found, "machine": platform.machine(), "jax": jax.__version__}


if __name__ == "__main__":
    main()
