"""Cost of the exact model, beside DSPS doing the same work in the same run.

    python benchmarks/exact.py [--grid FILE] [--n 4096] [-o benchmarks/results/exact.json]

Work: tsnorm history, metallicity distribution, two-component Calzetti dust, free redshift,
SDSS ugriz. DSPS gets the same SSP grid, the SFH as a table of 100 times, its own metallicity
and age weights, the same dust and its own band integrals. Both run in float32 and in float64.
Repeats of the contenders are interleaved; the medians are reported.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.dust.attenuation import LAWS
from tengri.components.stellar.metallicity import LOG10_ZSUN

N_TIMES = 100


def spec(fixed_redshift: bool = False) -> Parameters:
    """Return the priors of the benchmark population."""
    return Parameters(
        sfh_tsnorm_log_peak_sfr=(-1.0, 3.0),
        sfh_tsnorm_peak_lbt_gyr=(0.5, 6.0),
        sfh_tsnorm_width_gyr=(0.5, 5.0),
        sfh_tsnorm_skew=(-0.5, 0.5),
        sfh_tsnorm_trunc=(1.0, 5.0),
        met_logzsol=(-2.0, 0.2),
        dust_tau_bc=(0.0, 2.0),
        dust_tau_diff=(0.0, 2.0),
        dust_law="calzetti",
        igm_model="none",
        redshift=0.5 if fixed_redshift else (0.01, 1.0),
    )


def dsps_photometry(model: SEDModel) -> Callable[[dict[str, jax.Array]], jax.Array]:
    """Return one galaxy's photometry by DSPS, from the same parameter dict."""
    from dsps.cosmology.flat_wcdm import CosmoParams
    from dsps.photometry.photometry_kernels import calc_obs_mag
    from dsps.sed.metallicity_weights import calc_lgmet_weights_from_lognormal_mdf
    from dsps.sed.stellar_age_weights import calc_age_weights_from_sfh_table

    ssp, filters = model.ssp, model.observation.photometry.filters
    cosmo = CosmoParams(model.cosmology.Om0, -1.0, 0.0, model.cosmology.H0 / 100.0)
    lgmet, lg_age = jnp.asarray(ssp.ssp_lgmet, float), jnp.asarray(ssp.ssp_lg_age_gyr, float)
    wave, flux = jnp.asarray(ssp.ssp_wave, float), jnp.asarray(ssp.ssp_flux, float)
    k = jnp.asarray(LAWS["calzetti"].curve(np.asarray(ssp.ssp_wave, float), {}), float)
    curves = [(jnp.asarray(f.wave, float), jnp.asarray(f.trans, float)) for f in filters]
    young = lg_age < -2.0
    history = model.spec.composition.sfh

    def photometry(p: dict[str, jax.Array]) -> jax.Array:
        t_obs = model.cosmology.age_gyr(p["redshift"])
        t = jnp.linspace(0.01, 1.0, N_TIMES) * t_obs
        sfr = history.sfr(p, t_obs - t, t_obs)
        ages = calc_age_weights_from_sfh_table(t, sfr, lg_age, t_obs)
        ages = ages[1] if isinstance(ages, tuple) else ages
        met = calc_lgmet_weights_from_lognormal_mdf(p["met_logzsol"] + LOG10_ZSUN, 0.1, lgmet)
        mass = jnp.trapezoid(sfr, t) * 1e9
        w = met[:, None] * ages[None, :]
        light_young = jnp.einsum("ma,maw->w", jnp.where(young, w, 0.0), flux)
        light_old = jnp.einsum("ma,maw->w", jnp.where(young, 0.0, w), flux)
        screen = jnp.exp(-p["dust_tau_diff"] * k)
        sed = mass * screen * (jnp.exp(-p["dust_tau_bc"] * k) * light_young + light_old)
        return jnp.stack([calc_obs_mag(wave, sed, w_, t_, p["redshift"], *cosmo)
                          for w_, t_ in curves])  # fmt: skip

    return photometry


def timed(fn: Callable[[], Any], calls: int = 1) -> float:
    """Return the seconds of one call, the mean of ``calls`` one after the other."""
    start = time.perf_counter()
    for _ in range(calls):
        jax.block_until_ready(fn())
    return (time.perf_counter() - start) / calls


def medians(contenders: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return median seconds per contender, repeats interleaved, after one warm-up each."""
    first = {name: timed(fn) for name, fn in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, fn in contenders.items():
            times[name].append(timed(fn, 50 if name.startswith("single") else 1))
    result = {name: statistics.median(t) for name, t in times.items()}
    return result | {f"compile {name}": first[name] - result[name] for name in contenders}


def measure(grid: str | None, n: int, repeats: int) -> dict[str, float]:
    """Return µs per galaxy, latencies and compile times in the current default float."""
    ssp, observation = load_ssp_data(grid), Instrument.SDSS().observation()
    model = SEDModel(spec(), ssp, observation, units="maggies")
    fixed = SEDModel(spec(True), ssp, observation, units="maggies")
    batch = {
        k: jnp.asarray(v, float) for k, v in model.spec.sample_batch(jax.random.key(1), n).items()
    }
    batch_fixed = {k: v for k, v in batch.items() if k != "redshift"}
    one = {k: float(v[0]) for k, v in batch.items()}
    one_traced = {k: v[0] for k, v in batch.items()}
    dsps_one = dsps_photometry(model)
    dsps = jax.jit(lambda b: jax.lax.map(dsps_one, b, batch_size=64))
    summed = jax.jit(jax.grad(lambda b: jnp.log(model.predict_photometry_batch(b)).sum()))
    gradient_batch = {k: v[:1024] for k, v in batch.items()}
    jitted = jax.jit(model.predict_photometry)
    raw = medians(
        {
            "batch": lambda: model.predict_photometry_batch(batch),
            "dsps": lambda: dsps(batch),
            "batch, fixed z": lambda: fixed.predict_photometry_batch(batch_fixed),
            "gradient of batch": lambda: summed(gradient_batch),
            "single call": lambda: model.predict_photometry(one),
            "single call, user's jit": lambda: jitted(one_traced),
        },
        repeats,
    )
    per = {"batch": n, "dsps": n, "batch, fixed z": n, "gradient of batch": 1024}
    out = {f"{k} [µs/galaxy]": 1e6 * raw[k] / per[k] for k in per}
    out |= {f"{k} [µs]": 1e6 * raw[k] for k in raw if k.startswith("single")}
    out |= {f"{k} [s]": raw[k] for k in raw if k.startswith("compile")}
    out["DSPS / ours"] = raw["dsps"] / raw["batch"]
    out["DSPS / ours, fixed z"] = raw["dsps"] / raw["batch, fixed z"]
    difference = dsps(batch) + 2.5 * jnp.log10(model.predict_photometry_batch(batch))
    out["|DSPS - ours|, median [mag]"] = float(jnp.nanmedian(jnp.abs(difference)))
    out["gradient / forward"] = (raw["gradient of batch"] / 1024) / (raw["batch"] / n)
    return out


def main() -> None:
    """Measure in float32 and float64, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", help="SSP file; default: the embedded one")
    parser.add_argument("--n", type=int, default=4096, help="galaxies in a batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--output", default="benchmarks/results/exact.json")
    args = parser.parse_args()
    results: dict[str, Any] = {"machine": platform.processor() or platform.machine(),
                               "cores": len(jax.devices()) and __import__("os").cpu_count(),
                               "jax": jax.__version__, "n": args.n}  # fmt: skip
    for name, x64 in (("float32", False), ("float64", True)):
        with jax.enable_x64(x64):
            results[name] = measure(args.grid, args.n, args.repeats)
    width = max(map(len, results["float32"]))
    print(f"{'':{width}s} {'float32':>12s} {'float64':>12s}")
    for key in results["float32"]:
        print(f"{key:{width}s} {results['float32'][key]:12.4g} {results['float64'][key]:12.4g}")
    path = Path(args.output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
