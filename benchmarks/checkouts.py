"""What a change costs: two checkouts asked in turn, call by call, on one machine.

    git worktree add ../before REVISION
    python benchmarks/checkouts.py ../before [-o benchmarks/results/checkouts.json]

Each checkout makes its contenders of ``benchmarks/speed.py``, and its published surrogates, in a
process of its own, and sleeps while the other one is timed. Writes by contender the median cost on
both sides, the median of the ratios of neighbours in time, and that ratio for a matrix product,
which is the same on both sides: what is left of the noise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parents[1]
SIDES = ("before", "after")
BATCH = 32768
EVERY = ("GALEX", "SDSS", "PANSTARRS", "VISTA", "SPITZER_IRAC", "WISE")
#: Instruments and settings of exact models of many bands.
BAND_SETS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "LSST": (("LSST",), {}),
    "25 bands": (EVERY, {"redshift": (0.01, 3.0)}),
    "25 bands, dust emission": (EVERY, {"redshift": (0.01, 3.0), "dust_emission": "dl07"}),
}


def main() -> None:
    """Measure both, print, write; or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--repeats", type=int, default=11)
    default = Path("benchmarks/results/checkouts.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.answer:
        return answer(args.before.resolve())
    checkouts = dict(zip(SIDES, (args.before.resolve(), HERE)))
    asked = {side: Asked(checkout) for side, checkout in checkouts.items()}
    names = [name for name in asked["before"].names if name in asked["after"].names]
    costs: dict[str, dict[str, list[float]]] = {n: {side: [] for side in SIDES} for n in names}
    for i in range(args.repeats):
        for name in names:
            for side in SIDES if i % 2 else reversed(SIDES):  # neither is always the first
                costs[name][side].append(asked[side].cost(name))
    rows = {name: _row(cost) for name, cost in costs.items()}
    revisions = {side: revision(checkout) for side, checkout in checkouts.items()}
    record = {"revisions": revisions, "repeats": args.repeats, "us": rows}
    args.output.write_text(json.dumps(record, indent=1) + "\n")
    for name, row in rows.items():
        print(f"{row['before']:12.3f} {row['after']:12.3f} {row['ratio']:7.3f}  {name}")


def _row(cost: dict[str, list[float]]) -> dict[str, float]:
    ratios = [after / before for before, after in zip(cost["before"], cost["after"])]
    return {side: median(cost[side]) for side in SIDES} | {"ratio": median(ratios)}


class Asked:
    """A checkout's process: it times a contender when it is asked."""

    def __init__(self, checkout: Path) -> None:
        command = [sys.executable, str(Path(__file__)), str(checkout), "--answer"]
        environment = {**os.environ, "PYTHONPATH": str(checkout), "TENGRI_COMPILATION_CACHE": "0"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.names: list[str] = self._read()

    def cost(self, name: str) -> float:
        """Return µs per galaxy."""
        assert self._process.stdin is not None
        print(name, file=self._process.stdin, flush=True)
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def answer(checkout: Path) -> None:
    """Make a checkout's contenders, say their names, and time those that are asked for."""
    sys.path[:0] = [str(checkout / "benchmarks"), str(checkout)]
    out, sys.stdout = sys.stdout, sys.stderr
    import jax
    import timing

    jax.config.update("jax_cpu_enable_async_dispatch", False)
    contenders: dict[str, tuple[bool, Any]] = {}
    for floats, x64 in (("float32", False), ("float64", True)):
        with jax.enable_x64(x64):
            for name, contender in _contenders(published=not x64).items():
                timing.seconds(contender)
                contenders[f"{floats}: {name}"] = x64, contender
    print(json.dumps(list(contenders)), file=out, flush=True)
    for line in sys.stdin:
        x64, contender = contenders[line.strip()]
        with jax.enable_x64(x64):
            cost = 1e6 * timing.seconds(contender) / contender.n
        print(json.dumps(cost), file=out, flush=True)


def _contenders(published: bool) -> dict[str, Any]:
    """Return the contenders of the speed benchmark of this process's checkout, by name."""
    import jax
    import jax.numpy as jnp
    import speed
    import timing
    import work

    import emulator
    from emulator.published import names

    job = work.Work(work.grid_of("embedded"), work.bands_of(5), 4096)
    made = {**speed.exact_contenders(job), **speed.surrogate_contenders(job)}
    made["matrix product"] = timing.peak(3)
    for name, (instruments, settings) in BAND_SETS.items():
        made[f"exact, {name}"] = _bands(job, instruments, settings)
    for name in names() if published else ():
        model = emulator.load(name, units="maggies")
        drawn = model.spec.sample_batch(jax.random.key(3), BATCH)
        galaxies = {k: jnp.asarray(drawn[k], float) for k in model.spec.free_params}
        one = {k: float(v[0]) for k, v in galaxies.items()}
        batch = lambda m=model, g=galaxies: m.predict_photometry_batch(g)  # noqa: E731
        single = lambda m=model, p=one: m.predict_photometry(p)  # noqa: E731
        made[f"published {name}, batch"] = timing.Contender(batch, BATCH)
        made[f"published {name}, single call"] = timing.Contender(single, 1, speed.SINGLES)
    return made


def _bands(job: Any, instruments: tuple[str, ...], settings: dict[str, Any]) -> Any:
    """Return a batch of the exact model in the bands of some instruments."""
    import jax
    import timing
    import work

    from tengri import Instrument, Parameters, SEDModel

    own = work.spec()
    priors = {name: own.get_distribution(name) for name in own.free_params}
    spec = Parameters(**(priors | {"dust_law": "calzetti"} | settings))
    every = sum((getattr(Instrument, name)() for name in instruments[1:]),
                start=getattr(Instrument, instruments[0])())  # fmt: skip
    model = SEDModel(spec, job.ssp, every.observation())
    galaxies = spec.sample_batch(jax.random.key(1), job.n)
    return timing.Contender(lambda: model.predict_photometry_batch(galaxies), job.n)


def revision(checkout: Path) -> str:
    """Return the commit of a checkout, with a plus where files differ from it."""
    git = ["git", "-C", str(checkout)]
    commit = subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()
    changed = subprocess.check_output([*git, "status", "--porcelain", "-uno"], text=True)
    return commit + ("+" if changed.strip() else "")


if __name__ == "__main__":
    main()
