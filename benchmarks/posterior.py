"""Posteriors of the same mocks, exact and emulated: the shift in σ, and the time of each.

    python benchmarks/posterior.py [--mocks 4] [-o benchmarks/results/posterior.json]

Mock galaxies are prior draws of the published SDSS surrogate; their five fluxes come from the
exact model, with noise at S/N 20 and 100. emcee explores the surrogate's posterior, its own error
covariance included. Draws are then weighted with the ratio of the exact likelihood to the
surrogate's: the weighted draws are the exact posterior, so that one chain gives both means, and
the noise of the chain drops out of their difference. The time is that of the same NUTS run
(blackjax), on one mock, with either model.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any, NamedTuple

import blackjax
import emcee
import jax
import jax.numpy as jnp
import numpy as np

import emulator
from tengri import Parameters
from tengri.forward.posterior import MeasuredFluxes, Posterior

WALKERS, STEPS, BURN_IN, KEPT = 128, 1600, 400, 4096
WARM_UP, DRAWS = 150, 250  # of the NUTS run that is timed
SIGNAL_TO_NOISE = (20, 100)

#: A fit of four parameters, and one of all nine that the surrogate has.
SPECS: dict[str, dict[str, Any]] = {
    "4 free": {
        "sfh_tsnorm_log_peak_sfr": (-1.0, 3.0), "sfh_tsnorm_peak_lbt_frac": 0.3,
        "sfh_tsnorm_width_frac": 0.15, "sfh_tsnorm_skew": 0.0, "sfh_tsnorm_trunc": 3.0,
        "met_logzsol": (-2.0, 0.2), "dust_tau_bc": 0.5, "dust_tau_diff": (0.0, 3.0),
        "dust_slope": -0.7, "redshift": (0.01, 1.0),
    },
    "9 free": {},
}  # fmt: skip


class Pair(NamedTuple):
    """The two models as functions of the same vector."""

    exact: Posterior
    emulated: Posterior


class Compiled(NamedTuple):
    """Functions of (vectors (n, size), data of one mock) → (n,), compiled once for all mocks."""

    posterior: Any
    likelihood: Any
    exact_likelihood: Any

    @classmethod
    def of(cls, models: Pair) -> Compiled:
        def batch(density: Any) -> Any:
            return jax.jit(lambda u, d: jax.lax.map(lambda v: density(v, d), u, batch_size=128))

        return cls(batch(models.emulated.log_posterior), batch(models.emulated.log_likelihood),
                   batch(models.exact.log_likelihood))  # fmt: skip


def pair(given: dict[str, Any]) -> Pair:
    spec = Parameters(**given) if given else None
    fast = emulator.load("sdss", spec=spec, units="nJy")
    return Pair(fast.exact_model().flat_function(), fast.flat_function())


def mocks(models: Pair, n: int, signal_to_noise: float) -> tuple[MeasuredFluxes, np.ndarray]:
    """Return data of n galaxies, stacked, and the vectors they were made from (n, size)."""
    spec = models.exact.model.spec
    drawn = spec.sample_batch(jax.random.key(1), n)
    flux = np.asarray(models.exact.model.predict_photometry_batch(drawn), np.float64)
    noise = flux / signal_to_noise
    seen = flux + noise * np.random.default_rng(2).normal(size=flux.shape)
    each = [models.exact.data(f, e) for f, e in zip(seen, noise)]
    return jax.tree.map(lambda *a: np.stack(a), *each), np.asarray(models.exact.vector(drawn))


def explored(density: Any, start: np.ndarray, data: MeasuredFluxes) -> tuple[np.ndarray, float]:
    """Return (draws (KEPT, size), effective number of draws) of emcee on one mock."""
    size = start.size
    rng = np.random.default_rng(5)
    first = start + 0.1 * rng.normal(size=(WALKERS, size))
    sampler = emcee.EnsembleSampler(
        WALKERS, size, lambda u: np.asarray(density(u, data), np.float64), vectorize=True,
        moves=[(emcee.moves.DEMove(), 0.8), (emcee.moves.DESnookerMove(), 0.2)],
    )  # fmt: skip
    sampler.run_mcmc(first, STEPS, skip_initial_state_check=True)
    draws = sampler.get_chain(discard=BURN_IN, flat=True)
    steps = sampler.get_autocorr_time(discard=BURN_IN, quiet=True)
    chosen = rng.choice(len(draws), KEPT, replace=False)
    return draws[chosen], float(len(draws) / steps.max())


def nuts(flat: Posterior, key: jax.Array, start: jax.Array, data: MeasuredFluxes) -> jax.Array:
    """Return draws (DRAWS, size) of NUTS after its warm-up."""

    def density(u: jax.Array) -> jax.Array:
        return flat.log_posterior(u, data)

    first, second = jax.random.split(key)
    adapt = blackjax.window_adaptation(blackjax.nuts, density)
    (state, settings), _ = adapt.run(first, start, num_steps=WARM_UP)
    step = blackjax.nuts(density, **settings).step
    keys = jax.random.split(second, DRAWS)
    return jax.lax.scan(lambda s, k: (step(k, s)[0],) * 2, state, keys)[1].position


def shifted(models: Pair, run: Compiled, start: np.ndarray, data: MeasuredFluxes) -> dict[str, Any]:
    """Return shifts [σ] and width ratios of the parameters of one mock, and effective numbers."""
    chosen, effective = explored(run.posterior, start, data)
    draws = jnp.asarray(chosen, float)
    log_w = np.asarray(run.exact_likelihood(draws, data) - run.likelihood(draws, data), np.float64)
    weight = np.exp(log_w - log_w.max())
    weight /= weight.sum()
    values = physical(models.emulated, draws)
    mean, sigma = moments(values, np.full_like(weight, 1.0 / len(weight)))
    exact_mean, exact_sigma = moments(values, weight)
    return {"shift": np.abs(mean - exact_mean) / exact_sigma, "width": sigma / exact_sigma,
            "effective": effective, "weighted": 1.0 / (weight**2).sum()}  # fmt: skip


def compared(models: Pair, run: Compiled, n: int, signal_to_noise: float) -> dict[str, Any]:
    """Return shifts of the posterior means and ratios of the widths over mocks × parameters."""
    data, truth = mocks(models, n, signal_to_noise)
    found = [shifted(models, run, truth[i], jax.tree.map(lambda a, i=i: a[i], data))
             for i in range(n)]  # fmt: skip
    shift = np.concatenate([f["shift"] for f in found])
    return {
        "galaxies": n,
        "shift [σ], median": float(np.median(shift)),
        "shift [σ], 90 %": float(np.percentile(shift, 90)),
        "shift [σ], worst": float(shift.max()),
        "share of shifts ≤ 0.1 σ": float(np.mean(shift <= 0.1)),
        "width ratio, median": float(np.median(np.concatenate([f["width"] for f in found]))),
        "effective draws of a chain, least": round(min(f["effective"] for f in found)),
        f"effective draws of {KEPT} after weighting, least": round(
            min(f["weighted"] for f in found)
        ),
    }


def physical(flat: Posterior, draws: jax.Array) -> np.ndarray:
    """Return the free parameters (n, n_free) in their own units."""
    params = flat.params(draws)
    return np.stack([np.asarray(params[name], np.float64) for name in flat.names], axis=-1)


def moments(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted means and standard deviations (n_free,)."""
    mean = weight @ values
    return mean, np.sqrt(weight @ (values - mean) ** 2)


def seconds(flat: Posterior, data: MeasuredFluxes, start: np.ndarray) -> dict[str, float]:
    """Return compile and run time of the same chain on one mock."""
    one, u = jax.tree.map(lambda a: a[0], data), jnp.asarray(start[0], float)
    begin = time.perf_counter()
    run = jax.jit(lambda k: nuts(flat, k, u, one)).lower(jax.random.key(0)).compile()
    compiled = time.perf_counter()
    run(jax.random.key(3)).block_until_ready()
    return {"compile [s]": round(compiled - begin, 1),
            "NUTS [s]": round(time.perf_counter() - compiled, 1)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocks", type=int, default=4)
    parser.add_argument("-o", "--output", type=Path, default="benchmarks/results/posterior.json")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "machine": platform.machine(), "cores": os.cpu_count(), "jax": jax.__version__,
        "load at start": os.getloadavg()[0],
        "surrogate": "sdss",
        "chain": f"emcee, {WALKERS} walkers × {STEPS} steps, the first {BURN_IN} left out",
        "timed": f"NUTS, {WARM_UP} steps of warm-up and {DRAWS} draws",
    }  # fmt: skip
    for name, given in SPECS.items():
        models = pair(given)
        run = Compiled.of(models)
        result[name] = {}
        for ratio in SIGNAL_TO_NOISE:
            result[name][f"S/N {ratio}"] = compared(models, run, args.mocks, ratio)
            write(args.output, result)
        data, truth = mocks(models, 1, SIGNAL_TO_NOISE[0])
        result[name]["time"] = {
            kind: seconds(flat, data, truth) for kind, flat in models._asdict().items()
        }
        write(args.output, result)


def write(path: Path, result: dict[str, Any]) -> None:
    """Write what there is so far."""
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(path.read_text(), flush=True)


if __name__ == "__main__":
    main()
