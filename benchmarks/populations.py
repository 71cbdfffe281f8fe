"""Errors of published surrogates on galaxies that people have, beside their own priors.

    python benchmarks/populations.py [sdss sdss_nodes] [--rows 4000] [--slopes 256]
        [-o benchmarks/results/populations.json]

|Δm| [mmag] against the float64 exact model on the populations of `train.populations`, and whether
error bars and covariance hold for them; `tengri compare NAME --population smooth` is the same for
one. With ``--slopes`` first and second derivatives of so many *smooth* galaxies, too; ``--rows 0``
measures these alone. Surrogates that are not named keep what the file says of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import emulator
from emulator.surrogate import EmulatedSEDModel
from tengri.errors import ConfigError
from tengri.io import atomic
from train import population_tables, populations

NAMES = (*populations.POPULATIONS, populations.PRIOR)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["sdss", "sdss_nodes"])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--slopes", type=int, default=0, metavar="N")
    default = Path("benchmarks/results/populations.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    args = parser.parse_args()
    record: dict[str, Any] = {"surrogates": {}}
    if args.output.is_file():
        record["surrogates"] = json.loads(args.output.read_text())["surrogates"]
    for name in args.names:
        surrogate = emulator.load(name)
        known = record["surrogates"].get(Path(name).name, {})
        found = {**known, "sha256": surrogate.artefact.sha256}
        if args.rows:
            rows = {p: judged(surrogate, p, args.rows) for p in NAMES}
            found = {"sha256": found["sha256"], "populations": rows}
        elif known.get("sha256") != found["sha256"]:
            raise SystemExit(f"{name}: --rows 0, but the file knows no populations of it.")
        if args.slopes:
            part = populations.judged(surrogate, "smooth", args.slopes)[0]
            found["slopes"] = population_tables.slopes(part.model, part.params)
            print(name, json.dumps(found["slopes"], indent=1), flush=True)
        record["surrogates"][Path(name).name] = found
        atomic.write_text(args.output, json.dumps(record, indent=1) + "\n")


def judged(surrogate: EmulatedSEDModel, population: str, n: int) -> dict[str, Any] | None:
    """Return what is said of a population; None: no answer."""
    try:
        found = population_tables.table(populations.judged(surrogate, population, n))
    except ConfigError:
        print(population, "no answer", flush=True)
        return None
    print(population_tables.text(population, found), flush=True)
    return found


if __name__ == "__main__":
    main()
