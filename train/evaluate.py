"""Evaluation of a finished surrogate: accuracy, error bars, covariance, Jacobian, speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emulator.scaling import OutputScaling
from tengri.analysis import accuracy
from tengri.constants import LN10, MAG_PER_LN
from tengri.cosmology import log10_luminosity_to_flux
from tengri.forward.photometric_model import PhotometricModel
from train.allowance import Allowance
from train.held_out import HeldOut
from train.problem import Problem
from train.rows import EVALUATION

LEVELS = (68, 95, 99)
#: Intervals of redshift that have error bars of their own, and what each needs.
Z_INTERVALS, MIN_PER_INTERVAL = 12, 400
CHECK_ROWS = 16
#: What is begun only where so many seconds are left: derivatives, a row of the table of speeds.
DERIVATIVE_SECONDS, SPEED_SECONDS = 15.0, 8.0
#: Largest batch whose gradient is timed: beyond it the cost per galaxy stays the same.
MOST_GRADIENTS = 10_000
#: Larger batches are timed once: smaller ones have compiled all that they need.
ALWAYS_WARM = 100_000


@dataclass(frozen=True)
class Evaluation:
    """Held-out galaxies, their emulated fluxes, and tables of accuracy.

    ``exact`` and ``emulated`` are unit fluxes (n, n_bands); ``tables`` is JSON-serialisable.
    """

    held_out: HeldOut
    emulated: np.ndarray
    tables: dict[str, Any]
    error_bars: dict[str, np.ndarray]
    error_bars_z: dict[str, np.ndarray]
    covariance: np.ndarray

    @property
    def exact(self) -> np.ndarray:
        """Exact unit fluxes (n, n_bands) in float64."""
        return self.held_out.flux

    @property
    def delta_mag(self) -> np.ndarray:
        """Residuals (n, n_bands) [mag], NaN where the band is judged in flux."""
        dm = accuracy.delta_mag(self.exact, self.emulated)
        return np.where(accuracy.bright(self.exact), dm, np.nan)


def evaluate(
    problem: Problem, params: Any, scaling: OutputScaling, allowance: Allowance | None = None
) -> Evaluation:
    """Compare with the float64 exact model on fresh prior draws.

    Every other draw calibrates the error bars, the rest tests them; the accuracy is that of all.
    Derivatives are left out where the allowance has no time for them.
    """
    held_out = problem.held_out(EVALUATION, problem.config.run.evaluation_rows)
    emulated = held_out.emulated(params, scaling)
    if not np.isfinite(emulated).all():
        row = int(np.flatnonzero(~np.isfinite(emulated).all(axis=1))[0])
        values = ", ".join(f"{k}={v[row]:.6g}" for k, v in held_out.params.items() if v.ndim == 1)
        raise ArithmeticError(f"the surrogate gives no finite flux at {values}.")
    tables = accuracy.summary(held_out.flux, emulated, problem.bands)
    constant = accuracy.summary(held_out.flux, _constant(held_out.flux), problem.bands)["pooled"]
    tables["constant"] = constant
    tables["families"] = by_family(held_out, emulated, problem.bands)
    tables["colours"] = colour_errors(held_out.flux, emulated)
    tables["verdict"] = accuracy.verdict(tables, {"pooled": tables["constant"]})
    tables["excess_bands"] = accuracy.band_excess(tables)
    tables["jacobian"] = {}
    if allowance is None or allowance.is_left(DERIVATIVE_SECONDS):
        tables["jacobian"] = jacobian_error(problem, params, scaling, held_out)
    dm = accuracy.delta_mag(held_out.flux, emulated)
    is_bright = accuracy.bright(held_out.flux)
    bars, coverage = conformal(dm, is_bright)
    tables["coverage"] = coverage
    tables["worst_region"] = worst_region(held_out, dm, is_bright)
    bars_z, tables["coverage_z"] = conformal_by_redshift(
        held_out.params.get("redshift"), dm, is_bright
    )
    return Evaluation(held_out, emulated, tables, bars, bars_z, covariance(dm, is_bright))


def _constant(exact: np.ndarray) -> np.ndarray:
    """Return the fluxes of a predictor that gives every galaxy the same colours."""
    brightness = exact.mean(axis=1, keepdims=True)
    colours = np.exp(np.mean(np.log(np.maximum(exact / brightness, accuracy.BRIGHT)), axis=0))
    return brightness * colours


def conformal(
    dm: np.ndarray, is_bright: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, float]]]:
    """Return split-conformal error bars per band [mag], and their coverage on the other half.

    The bar of a level is the ⌈(n+1)·level⌉-th smallest |Δm| of the calibration half: a new
    galaxy of the prior lies within it with at least that probability (Vovk+2005).
    """
    size, test_size = np.abs(dm[::2]), np.abs(dm[1::2])  # every family in both halves
    use, test = is_bright[::2], is_bright[1::2]
    bars, coverage = {}, {}
    for level in LEVELS:
        bar = np.array([_conformal_bar(size[use[:, i], i], level / 100.0)
                        for i in range(dm.shape[1])])  # fmt: skip
        inside = (test_size <= bar)[test]
        bars[str(level)] = bar
        coverage[str(level)] = {
            "expected": level / 100.0,
            "found": float(inside.mean()) if inside.size else float("nan"),
            "entries": int(inside.size),
        }
    return bars, coverage


def conformal_by_redshift(
    redshift: np.ndarray | None, dm: np.ndarray, is_bright: np.ndarray
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Return conformal error bars in intervals of redshift with equal numbers of galaxies.

    Returns
    -------
    bars : dict
        Level → (n_z, n_bands) [mag], and ``edges`` (n_z + 1,). Empty where the redshift is fixed
        or there are too few galaxies.
    coverage : list of dict
        What was found in each interval, as in `conformal`.
    """
    if redshift is None or len(dm) < Z_INTERVALS * MIN_PER_INTERVAL:
        return {}, []
    edges = np.quantile(redshift, np.linspace(0.0, 1.0, Z_INTERVALS + 1))
    place = np.searchsorted(edges[1:-1], redshift)
    found = [conformal(dm[place == i], is_bright[place == i]) for i in range(Z_INTERVALS)]
    bars = {str(level): np.stack([b[str(level)] for b, _ in found]) for level in LEVELS}
    return {**bars, "edges": edges}, [coverage for _, coverage in found]


def _conformal_bar(sizes: np.ndarray, level: float) -> float:
    if sizes.size == 0:
        return float("inf")
    rank = min(int(np.ceil((sizes.size + 1) * level)), sizes.size)
    return float(np.sort(sizes)[rank - 1])


def by_family(held_out: HeldOut, emulated: np.ndarray, bands: Sequence[str]) -> dict[str, Any]:
    """Return the pooled accuracy of each family of histories, by name."""
    tables = {}
    for i, family in enumerate(held_out.families):
        mine = held_out.family == i
        table = accuracy.summary(held_out.flux[mine], emulated[mine], bands)["pooled"]
        tables[family.name] = {"galaxies": int(mine.sum()), **table}
    return tables


def colour_errors(exact: np.ndarray, emulated: np.ndarray) -> dict[str, float]:
    """Return percentiles of the error of neighbouring colours [mmag], both bands bright."""
    dm, is_bright = accuracy.delta_mag(exact, emulated), accuracy.bright(exact)
    both = is_bright[:, 1:] & is_bright[:, :-1]
    size = 1e3 * np.abs(np.diff(dm, axis=1))[both]
    return {f"p{q:g}": float(np.percentile(size, q)) for q in accuracy.PERCENTILES if size.size}


def covariance(dm: np.ndarray, is_bright: np.ndarray) -> np.ndarray:
    """Return the second moments of the residuals [mag²], over galaxies bright in both bands."""
    clean = np.where(is_bright, dm, 0.0)
    both = is_bright.astype(float).T @ is_bright.astype(float)
    return (clean.T @ clean) / np.maximum(both, 1.0)


def worst_region(held_out: HeldOut, dm: np.ndarray, is_bright: np.ndarray) -> dict[str, Any]:
    """Return the slice (a tenth of one parameter's range) in which the 99 % error is largest."""
    size = np.max(np.where(is_bright, np.abs(dm), 0.0), axis=1)
    everywhere = 1e3 * float(np.percentile(size, 99.0))
    worst: dict[str, Any] = {"p99_mmag": -1.0}
    for name, values in held_out.params.items():
        if values.ndim != 1 or np.ptp(values) == 0.0:
            continue
        edges = np.quantile(values, np.linspace(0.0, 1.0, 11))
        for lo, hi in pairwise(edges):
            inside = (values >= lo) & (values <= hi)
            p99 = 1e3 * float(np.percentile(size[inside], 99.0))
            if p99 > worst["p99_mmag"]:
                others = size[~inside] if not inside.all() else size
                elsewhere = 1e3 * float(np.percentile(others, 99.0))
                worst = {
                    "parameter": name,
                    "lo": float(lo),
                    "hi": float(hi),
                    "p99_mmag": p99,
                    "p99_elsewhere_mmag": elsewhere,
                    "p99_everywhere_mmag": everywhere,
                }
    return worst


def worst_region_text(region: Mapping[str, Any]) -> str:
    """Return the worst region in words."""
    if "parameter" not in region:
        return "no parameter varies"
    return (f"{region['parameter']} = {region['lo']:.4g} … {region['hi']:.4g}, where the "
            f"worst band of a galaxy is off by {region['p99_mmag']:.1f} mmag at 99 %")  # fmt: skip


# --- gradients ------------------------------------------------------------------------------


def jacobian_error(
    problem: Problem, params: Any, scaling: OutputScaling, held_out: HeldOut
) -> dict[str, Any]:
    """Compare ∂m/∂x of surrogate and exact model, x scaled to [-1, 1] over the box.

    Returns
    -------
    dict
        Per parameter: ``rms`` of the exact derivative and ``error`` (rms of the difference),
        both in mag per half box, over the bands brighter than 1e-4 of the brightest.
    """
    galaxies = held_out.parts[0]  # of the surrogate's own spec
    n = min(problem.config.run.jacobian_rows, len(galaxies.flux))
    if not n or len(set(problem.columns)) != len(problem.columns):
        return {}  # not asked for, or a latent field, whose derivatives are not a table
    target, family = problem.target, problem.families[0]
    light = jax.tree.map(jnp.asarray, family.light(params, scaling))
    exact_model = problem.model.evaluator()
    packed = jax.tree.map(lambda a: jnp.asarray(a[:n], float), galaxies.packed)
    x = problem.in_scaling.forward(jax.vmap(lambda row: target.inputs(row.unpack()))(packed))

    def at(x: Any, row: Any) -> Any:
        values = dict(zip(problem.columns, problem.in_scaling.inverse(x)))
        return {**row.unpack(), **{k: jnp.asarray(v, float) for k, v in values.items()}}

    def emulated(x: Any, row: Any) -> Any:
        return jnp.log(light(at(x, row)).flux)

    def exact(x: Any, row: Any) -> Any:
        p = at(x, row)
        bands = exact_model.bands(p)
        to_flux = log10_luminosity_to_flux(exact_model.galaxy.cosmology, p["redshift"])
        unit = target.log10_unit_of(p, bands.log10_mass) + to_flux
        return jnp.log(bands.flux) + LN10 * (bands.log10_scale - unit)

    ours, true = (-MAG_PER_LN * np.asarray(jax.jit(jax.vmap(jax.jacfwd(fn)))(x, packed), float)
                  for fn in (emulated, exact))  # fmt: skip
    use = (accuracy.bright(galaxies.flux[:n])[:, :, None]
           & np.isfinite(true) & np.isfinite(ours))  # fmt: skip
    return {
        name: {
            "rms": float(np.sqrt(np.mean(true[:, :, i][use[:, :, i]] ** 2))),
            "error": float(np.sqrt(np.mean((ours - true)[:, :, i][use[:, :, i]] ** 2))),
        }
        for i, name in enumerate(problem.columns)
    }


# --- speed ----------------------------------------------------------------------------------


def throughput(
    exact: PhotometricModel,
    emulated: PhotometricModel,
    largest: int,
    is_left: Callable[[float], bool] = lambda seconds: True,
) -> list[dict[str, Any]]:
    """Time both models side by side through their public methods.

    Parameters
    ----------
    exact, emulated : PhotometricModel
    largest : int
        Largest batch; 10², 10⁴, 10⁶ up to it.
    is_left : callable
        Whether so many seconds may still be used; what comes when they may not is left out.

    Returns
    -------
    list of dict
        ``galaxies``, ``what`` (``flux`` or ``gradient``), seconds per galaxy of either, their
        ratio. A gradient is of the sum of all fluxes, by every free parameter.
    Empty where ``largest`` is 0.
    """
    if not largest:
        return []
    key = jax.random.key(17)
    free = exact.spec.free_params
    single = {k: np.asarray(v)[()] for k, v in exact.spec.sample(key).items() if k in free}
    sizes = [size for size in (100, 10_000, 1_000_000) if size < largest] + [largest]
    wanted = [(1, "flux", _call_single), *((n, "flux", _call_batch) for n in sizes),
              (1, "gradient", _grad),
              *((n, "gradient", _grad_batch) for n in sizes if n <= MOST_GRADIENTS)]  # fmt: skip
    table: list[dict[str, Any]] = []
    for n, what, make in wanted:
        if not is_left(SPEED_SECONDS):
            break
        batch = single if n == 1 else _drawn(exact, key, n)
        table.append(_compared(n, what, exact, emulated, make, batch))
    return sorted(table, key=lambda row: (row["galaxies"], row["what"]))


def _drawn(exact: PhotometricModel, key: Any, n: int) -> dict[str, Any]:
    drawn = exact.spec.sample_batch(key, n)
    return {k: np.asarray(v) for k, v in drawn.items() if k in exact.spec.free_params}


def _compared(
    n: int,
    what: str,
    exact: PhotometricModel,
    emulated: PhotometricModel,
    make: Callable[[Any, Any], Callable[[], Any]],
    params: dict[str, Any],
) -> dict[str, Any]:
    slow, fast = (_time(make(model, params), n) / n for model in (exact, emulated))
    return {"galaxies": n, "what": what, "exact": slow, "emulated": fast, "ratio": slow / fast}


def _time(call: Callable[[], Any], n: int, budget: float = 0.5) -> float:
    """Return the median seconds of warm calls, a few of them or ``budget`` seconds' worth."""
    if n <= ALWAYS_WARM:
        _once(call)
    times: list[float] = []
    while not times or (sum(times) < budget and len(times) < 50):
        times.append(_once(call))
    return float(np.median(times))


def _once(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - begin


def _call_single(model: Any, p: dict[str, Any]) -> Callable[[], Any]:
    return lambda: model.predict_photometry(p)


def _call_batch(model: Any, batch: dict[str, Any]) -> Callable[[], Any]:
    return lambda: model.predict_photometry_batch(batch)


def _grad(model: Any, p: dict[str, Any]) -> Callable[[], Any]:
    gradient = jax.jit(jax.grad(lambda q: jnp.sum(model.predict_photometry(q))))
    values = {k: jnp.asarray(v) for k, v in p.items()}
    return lambda: gradient(values)


@cache
def _gradients(model: PhotometricModel) -> Any:
    return model.batched(jax.grad(lambda q: jnp.sum(model.predict_photometry(q))))


def _grad_batch(model: PhotometricModel, batch: dict[str, Any]) -> Callable[[], Any]:
    return lambda: _gradients(model)(batch)


def throughput_text(table: list[dict[str, Any]]) -> str:
    """Return the throughput table as plain text, µs per galaxy."""
    rows = [
        f"{'galaxies':>9s}  {'':9s}{'exact':>12s}{'emulated':>12s}{'ratio':>8s}   µs per galaxy"
    ]
    rows += [
        f"{r['galaxies']:>9d}  {r['what']:9s}{1e6 * r['exact']:>12.2f}{1e6 * r['emulated']:>12.3f}"
        f"{r['ratio']:>8.0f}"
        for r in table
    ]
    return "\n".join(rows)
