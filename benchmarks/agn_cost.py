"""What an active nucleus costs beside an age kernel: batches with and without one, in turn.

    python benchmarks/agn_cost.py [-o benchmarks/results/agn_cost.json]

The published ``sdss`` surrogate in float32, the same galaxies, repeats interleaved, medians. Writes
JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import work
from timing import Contender, measure

import emulator
from tengri import Parameters

N = 32768


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    default = Path("benchmarks/results/agn_cost.json")
    parser.add_argument("-o", "--output", type=Path, default=default)
    args = parser.parse_args()
    host = work.spec_for_surrogate()
    priors = {name: host.get_distribution(name) for name in host.free_params}
    agn = {"agn_model": "standard", "agn_log_lbol": (9.0, 13.0)}
    both = Parameters(**priors, dust_slope=-0.7, **agn)
    rows = measure({"kernel": contender(host), "kernel and AGN": contender(both)}, args.repeats)
    cost = {name: row["us_per_galaxy"] for name, row in rows.items()}
    record = {"surrogate": "sdss", "galaxies": N, "repeats": args.repeats, "us_per_galaxy": cost,
              "ratio": cost["kernel and AGN"] / cost["kernel"]}  # fmt: skip
    args.output.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


def contender(spec: Any) -> Contender:
    """Return a batch of the surrogate for galaxies of these priors."""
    model = emulator.load("sdss", spec=spec, units="maggies")
    drawn = model.spec.sample_batch(jax.random.key(5), N)
    galaxies = {k: jnp.asarray(drawn[k], jnp.float32) for k in model.spec.free_params}
    return Contender(lambda: model.predict_photometry_batch(galaxies), N)


if __name__ == "__main__":
    main()
