"""Spectral surrogates against the exact model in float64, on fresh galaxies.

A pixel counts where it has more than 1e-3 of the galaxy's largest λL_λ; errors are relative to its
own light.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from emulator.spectral.artefact import SpectralArtefact
from emulator.spectral.model import EmulatedSpectrumModel
from tengri import Parameters
from tengri.analysis import accuracy
from tengri.errors import TengriError
from tengri.forward.model import SEDModel
from train.spectral.problem import SpectralProblem

Array = np.ndarray
Draws = dict[str, Array]

#: Pixels fainter than this share of the largest λL_λ are not judged.
FAINTEST = 1e-3
PERCENTILES = (50.0, 68.0, 95.0, 99.0, 99.9, 100.0)
LEVELS = (68, 95, 99)
CHUNK = 512
#: Added to the seed: these galaxies are no others'.
STREAM = 31_000_003
CHECK_ROWS = 16


@dataclass(frozen=True)
class JudgedSpectra:
    """Galaxies through both models.

    ``error`` (n, n_wave) is the relative error of L_ν, NaN where a pixel is too faint; ``exact``
    and ``emulated`` (n, n_bands) are fluxes [maggies], NaN where a galaxy has no distance.
    """

    name: str
    params: Draws
    wave: Array
    error: Array
    exact: Array
    emulated: Array


def judge(
    name: str, emulated: EmulatedSpectrumModel, exact: SEDModel, params: Draws
) -> JudgedSpectra:
    """Return galaxies through both models; those without stars are left out."""
    found: list[tuple[Array, ...]] = []
    n = len(next(iter(params.values())))
    for first in range(0, n, CHUNK):
        some = {k: v[first : first + CHUNK] for k, v in params.items()}
        found.append(_both(emulated, exact, some))
    error, fluxes, ours, good = (np.concatenate(part) for part in zip(*found))
    kept = {k: v[good] for k, v in params.items()}
    wave = exact.galaxy.wave
    return JudgedSpectra(name, kept, wave, error[good], fluxes[good], ours[good])


def _both(fast: EmulatedSpectrumModel, exact: SEDModel, params: Draws) -> tuple[Array, ...]:
    with warnings.catch_warnings(), jax.enable_x64(True):
        warnings.filterwarnings("ignore", ".*formed no stars")
        warnings.filterwarnings("ignore", ".*outside the SSP grid")
        truth = np.asarray(exact.predict_rest_sed_batch(params).sed)
        fluxes = np.asarray(exact.predict_photometry_batch(params, units="maggies"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sed = fast.predict_rest_sed_batch(params)
        ours = np.asarray(fast.predict_photometry_batch(params, units="maggies"), np.float64)
    good = np.isfinite(truth).all(axis=1) & (truth.max(axis=1) > 0.0)
    good &= np.isfinite(fluxes).all(axis=1)  # no stars by then
    seen = np.isin(exact.galaxy.wave, fast.galaxy.wave)
    mine = np.full(truth.shape, np.nan)
    mine[:, seen] = np.asarray(sed.sed, np.float64)[:, np.isin(fast.galaxy.wave, exact.galaxy.wave)]
    lo, hi = fast.grid.span  # beyond, nodes are means over their neighbours
    mine[:, (exact.galaxy.wave < lo) | (exact.galaxy.wave > hi)] = np.nan
    return relative_error(exact.galaxy.wave, truth, mine), fluxes, ours, good


def relative_error(wave: Array, truth: Array, found: Array) -> Array:
    """Return found / truth - 1 (n, n_wave), NaN where a pixel is not judged."""
    power = truth / wave
    power = np.where(np.isfinite(found), power, 0.0)
    lit = power > FAINTEST * power.max(axis=1, keepdims=True)
    return np.where(lit, found / np.where(lit, truth, 1.0) - 1.0, np.nan)


def table(error: Array) -> dict[str, float]:
    """Return percentiles of |error| [%], of what is finite."""
    size = 100.0 * np.abs(error[np.isfinite(error)])
    return {f"p{q:g}": float(np.percentile(size, q)) for q in PERCENTILES} if size.size else {}


def pixel_errors(error: Array) -> dict[str, Array]:
    """Return what |error| each wavelength stays below, by level in per cent.

    Where no galaxy is bright enough: the largest of all.
    """
    size, found = np.abs(error), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wavelengths at which no galaxy is judged
        for level in LEVELS:
            at = np.nanpercentile(size, level, axis=0)
            found[str(level)] = np.where(np.isfinite(at), at, np.nanmax(at))
    return found


@dataclass(frozen=True)
class SpectralEvaluation:
    """All families through both models, and the tables of their errors."""

    parts: tuple[JudgedSpectra, ...]
    tables: dict[str, Any]
    errors: dict[str, Array]


def evaluate(
    problem: SpectralProblem, artefact: SpectralArtefact, rows: int, seed: int
) -> SpectralEvaluation:
    """Compare a surrogate with the exact model on fresh draws of every family."""
    parts = tuple(_families(problem, artefact, rows, seed))
    exact, emulated = (np.concatenate([getattr(part, n) for part in parts])
                       for n in ("exact", "emulated"))  # fmt: skip
    bands = problem.observation.photometry.names
    tables = accuracy.summary(exact, emulated, bands)
    tables["verdict"] = accuracy.verdict(tables, accuracy.summary(
        exact, np.broadcast_to(exact.mean(axis=0), exact.shape) + 0.0, bands))  # fmt: skip
    tables["excess_bands"] = accuracy.band_excess(tables)
    tables["families"] = {part.name: accuracy.summary(part.exact, part.emulated, bands)["pooled"]
                          for part in parts}  # fmt: skip
    error = np.concatenate([part.error for part in parts])
    tables["spectrum"] = {"all": table(error)} | {part.name: table(part.error) for part in parts}
    tables["lines"] = _lines(problem, artefact, rows, seed)
    errors = pixel_errors(error)
    on = np.isin(parts[0].wave, artefact.grids[0].axes["wave"])
    return SpectralEvaluation(parts, tables, {k: v[on] for k, v in errors.items()})


def _families(
    problem: SpectralProblem, artefact: SpectralArtefact, rows: int, seed: int
) -> Iterator[JudgedSpectra]:
    each = -(-rows // len(problem.families))
    for i, (name, spec) in enumerate(problem.families.items()):
        fast = EmulatedSpectrumModel(artefact, spec, problem.observation)
        yield judge(name, fast, fast.exact_model(problem.grids[0]), draws(spec, seed + i, each))


def draws(spec: Parameters, seed: int, n: int) -> Draws:
    """Return the free parameters of n prior draws."""
    with jax.enable_x64(False):
        drawn = spec.sample_batch(jax.random.key(seed + STREAM), n)
    return {name: np.asarray(drawn[name]) for name in spec.free_params}


def _lines(
    problem: SpectralProblem, artefact: SpectralArtefact, rows: int, seed: int
) -> dict[str, Any]:
    """Return errors [%] of the luminosities and equivalent widths of lines, where there are any."""
    stars = [ssp for ssp in problem.grids[1:]]
    if not stars:
        return {}
    try:
        spec = problem.spec.with_params(nebular="cloudy", neb_logU=(-4.0, -1.0))
        fast = EmulatedSpectrumModel(artefact, spec, problem.observation)
    except TengriError:
        return {}
    params = draws(spec, seed, min(rows, 2 * CHUNK))
    return line_errors(fast, fast.exact_model(stars[0]), params)


def line_errors(fast: SEDModel, exact: SEDModel, params: Draws) -> dict[str, Any]:
    """Return percentiles of the errors [%] of lines above 1e-3 of each galaxy's brightest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with jax.enable_x64(True):
            truth = exact.predict_lines_batch(params)
            luminosity, ew = (np.asarray(x) for x in (truth.luminosity_lsun, truth.ew_rest))
        found = fast.predict_lines_batch(params)
    lit = luminosity > FAINTEST * np.nanmax(luminosity, axis=1, keepdims=True)
    pairs = {"luminosity": (found.luminosity_lsun, luminosity), "ew_rest": (found.ew_rest, ew)}
    return {name: table(np.where(lit, np.asarray(a, np.float64) / b - 1.0, np.nan))
            for name, (a, b) in pairs.items()}  # fmt: skip
