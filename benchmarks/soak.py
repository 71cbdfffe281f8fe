"""Does the memory of a process stay flat? Calls, batch sizes and models without end.

    python benchmarks/soak.py [--calls 1000000] [--sizes 2000] [--models 300] [-o FILE.json]

Each soak is a process of its own, exact or emulated: single calls of other values; batches of
sizes that differ every time, with gradients; models that are made, called and dropped. Resident
memory [MB] is read at ten moments after a warm-up of one twentieth; the growth from the first to
the last of them, and the programs that were compiled meanwhile (`jax.monitoring`), are reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
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


def resident() -> float:
    """Return the resident memory of this process [MB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def soak(name: str, kind: str, number: int) -> dict[str, Any]:
    """Run one soak in this process."""
    compiled: list[int] = [0]
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _, **__: compiled.__setitem__(0, compiled[0] + (event == COMPILED))
    )
    warm = max(1, number // 20)
    moments = {warm + i * (number - warm) // MOMENTS for i in range(MOMENTS + 1)}
    memory, before, began = [], 0, time.monotonic()
    for done, _ in enumerate(SOAKS[name](MODELS[kind], number), start=1):
        if done in moments:
            memory.append(round(resident(), 1))
            before = before if len(memory) > 1 else compiled[0]
    growth = memory[-1] - memory[0]
    return {"number": number, "memory [MB]": memory, "growth [MB]": round(growth, 1),
            "growth [%]": round(100.0 * growth / memory[0], 1),
            "programs after the warm-up": compiled[0] - before,
            "seconds": round(time.monotonic() - began, 1)}  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, number in (("calls", 1_000_000), ("sizes", 2000), ("models", 300)):
        parser.add_argument(f"--{name}", type=int, default=number, help="0: leave it out")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/soak.json"))
    parser.add_argument("--one", nargs=2, metavar=("SOAK", "MODEL"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(soak(*args.one, getattr(args, args.one[0]))))
        return
    found: dict[str, Any] = {"machine": platform.machine(), "jax": jax.__version__, "soaks": {}}
    for name in SOAKS:
        for kind in MODELS if getattr(args, name) else ():
            words = [sys.executable, __file__, "--one", name, kind,
                     f"--{name}", str(getattr(args, name))]  # fmt: skip
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            found["soaks"][f"{name}, {kind}"] = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}, {kind}: {found['soaks'][f'{name}, {kind}']}", flush=True)
            args.output.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_text(args.output, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
