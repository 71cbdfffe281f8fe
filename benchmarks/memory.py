"""How much memory a first prediction, one model more and a training take.

    python benchmarks/memory.py [--models 20] [--minutes 1] [-o benchmarks/results/memory.json]
    python benchmarks/memory.py --only training      # keeps the other figures of that file

Every figure is from a process of its own: resident memory [MB] as Linux counts it, the largest so
far for the first prediction and for a training. Models differ in their redshift, which is fixed,
and in a fixed parameter; each predicts a batch of 1000 and four single galaxies, or twenty, after
sixteen of which a model has a program of its own. ``freed`` is the share of what they took that is
given back when they are dropped. 0 minutes leave the training out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax

from tengri import __version__

RSS = """
import ctypes, gc, os, sys
def memory(key="VmRSS"):
    for line in open("/proc/self/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
"""
JAX = (
    RSS
    + """
import jax
jax.jit(lambda x: x + 1.0)(1.0)
print(memory("VmHWM"))
"""
)
MODEL = """
import tengri
HISTORY = dict(sfh_dpl_tau_gyr=3.0, sfh_dpl_alpha=2.0, sfh_dpl_beta=2.0)
SPEC = dict(sfh_dpl_log_peak_sfr=(-1.0, 3.0), met_logzsol=(-1.0, 0.2), dust_tau_diff=0.3, **HISTORY)
def made(name, i=0):
    if name == "exact":
        spec = tengri.Parameters(redshift=0.1 + 0.02 * i, dust_tau_bc=0.1 + 0.05 * i, **SPEC)
        seen = tengri.Instrument.SDSS().observation()
        return tengri.load_model("exact", spec=spec, observation=seen)
    model = tengri.load_model(name)
    return model.with_spec(model.spec.with_params(redshift=0.1 + 0.02 * i))
"""
FIRST = (
    RSS
    + MODEL
    + """
import numpy
model = made(sys.argv[1])
middle = {name: sum(model.spec.get_distribution(name).bounds) / 2
          for name in model.spec.free_params}
model.predict_photometry(middle)
print(memory("VmHWM"))
"""
)
MORE = (
    RSS
    + MODEL
    + """
import numpy
def settled():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return memory()
def use(model):
    n = 1000
    middle = {name: sum(model.spec.get_distribution(name).bounds) / 2
              for name in model.spec.free_params}
    for _ in range(int(sys.argv[3])):
        model.predict_photometry(middle)
    model.predict_photometry_batch({name: numpy.full(n, value) for name, value in middle.items()})
name, n = sys.argv[1], int(sys.argv[2])
first = made(name)
use(first)
before, kept = settled(), []
for i in range(1, n + 1):
    kept.append(made(name, i))
    use(kept[-1])
with_them = settled()
kept.clear()
after = settled()
print((with_them - before) / n, (with_them - after) / max(with_them - before, 1e-9))
"""
)


def measured(script: str, *words: str) -> list[float]:
    """Return the numbers that a script prints, of a process without a compilation cache."""
    ran = subprocess.run(
        [sys.executable, "-c", script, *words], check=True, text=True, capture_output=True,
        env={**os.environ, "TENGRI_COMPILATION_CACHE": "0"},
    )  # fmt: skip
    return [round(float(word), 2) for word in ran.stdout.split()]


def training(name: str, minutes: float) -> dict[str, float]:
    """Return the peak memory of a short training, and of what follows it."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", name, "--set", f"run.minutes={minutes}", "--out", f"{folder}/run"]
        subprocess.run([sys.executable, "-m", "tengri", *words], check=True, capture_output=True)
    return {"minutes": minutes,
            "peak [MB]": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/memory.json")
    parser.add_argument("--only", choices=["training"])
    args = parser.parse_args()
    if args.only:
        result: dict[str, Any] = json.loads(args.output.read_text())
    else:
        result = predictions(args.models)
    if args.minutes:
        result["training"] = {"sdss": training("sdss", args.minutes)}
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def predictions(models: int) -> dict[str, Any]:
    """Return the memory of a first prediction, and of one model more."""
    result: dict[str, Any] = {
        "machine": platform.machine(), "load at start": os.getloadavg()[0],
        "tengri": __version__, "jax": jax.__version__, "JAX alone [MB]": measured(JAX)[0],
        "first prediction, peak [MB]": {
            name: measured(FIRST, name)[0] for name in ("exact", "sdss")},
        "one model more": {},
    }  # fmt: skip
    for name in ("exact", "sdss"):
        for calls in (4, 20):
            each, freed = measured(MORE, name, str(models), str(calls))
            result["one model more"][f"{name}, {calls} single calls"] = {
                "models": models, "each [MB]": each, "freed": freed
            }  # fmt: skip
    return result


if __name__ == "__main__":
    main()
