"""What a fit gives: one row for each galaxy, and draws on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tengri.errors import ConfigError
from tengri.inference.diagnostics import predictive_p, resampled, weighted_quantiles
from tengri.inference.observations import FLAGS, UNUSABLE
from tengri.optional import optional

#: Quantiles of every parameter: the median, 68 and 95 per cent.
QUANTILES = {"p02": 0.025, "p16": 0.16, "p50": 0.5, "p84": 0.84, "p97": 0.975}
#: A fit whose χ² is larger than this share of those expected of its own draws is good.
POOR_P = 1e-3
#: Outer share of a prior on either side, and the share of a posterior in it that is piled up.
EDGE_XI, PILED = 2.326, 0.5
#: Half width in ln(1+z) of what counts as one redshift, and the steps in which a mode is sought.
ONE_REDSHIFT, Z_STEP = 0.06, 0.01
#: Draws for quantities whose calculation costs more than that of fluxes.
N_DERIVED = 256

Columns = dict[str, np.ndarray]


class PosteriorDraws(NamedTuple):
    """Weighted draws of n galaxies, m of each.

    Attributes
    ----------
    xi : ndarray, shape (n, m, size)
        In the coordinates of `tengri.inference.space`.
    values : ndarray, shape (n, m, size)
        In the units of the parameters.
    weight : ndarray, shape (n, m)
        They sum to one.
    log_density, chi2 : ndarray, shape (n, m)
    ess : ndarray, shape (n,)
        Effective number of draws.
    pareto_k, rhat : ndarray, shape (n,)
        NaN where the method has none.
    log_evidence, log_evidence_err : ndarray, shape (n,)
    divergent : ndarray of int, shape (n,)
    converged : ndarray of bool, shape (n,)
    method : str
    """

    xi: np.ndarray
    values: np.ndarray
    weight: np.ndarray
    log_density: np.ndarray
    chi2: np.ndarray
    ess: np.ndarray
    pareto_k: np.ndarray
    rhat: np.ndarray
    log_evidence: np.ndarray
    log_evidence_err: np.ndarray
    divergent: np.ndarray
    converged: np.ndarray
    method: str


@dataclass(frozen=True, eq=False)
class Fit:
    """Posteriors of a catalogue.

    Attributes
    ----------
    names : tuple of str
        The sampled parameters, an entry each.
    columns : dict
        By name, each (n,): see `tengri.inference.fit`.
    draws : ndarray, shape (n, n_draws, size), or None
        Draws with equal weights, in the units of the parameters; NaN where there is no posterior.
    """

    names: tuple[str, ...]
    columns: Columns
    draws: np.ndarray | None

    def __len__(self) -> int:
        return len(self.columns["flag"])

    @property
    def usable(self) -> np.ndarray:
        """Which posteriors are usable, (n,) of bool."""
        found: np.ndarray = (self.columns["flag"] & UNUSABLE) == 0
        return found

    def to_table(self) -> Any:
        """Return the columns as an astropy ``Table``, a row for each galaxy."""
        found = {name: values.astype(str) if values.dtype == object else values
                 for name, values in self.columns.items()}  # fmt: skip
        return optional("astropy.table", "to_table()").Table(found)

    def to_xarray(self) -> Any:
        """Return the draws as an ``xarray.Dataset`` with dimensions chain, draw and galaxy.

        As arviz has it: ``arviz.summary(fit.to_xarray().sel(galaxy=0))``. The draws have equal
        weights and no order; all are one chain. ``corner.corner`` takes ``fit.draws[0]``.

        Raises
        ------
        ConfigError
            A fit without draws (``fit(…, draws=…)``); without xarray.
        """
        if self.draws is None:
            raise ConfigError("This fit kept no draws: fit(…, draws=1000).")
        data = {name: (("chain", "draw", "galaxy"), self.draws[:, :, i].T[None])
                for i, name in enumerate(self.names)}  # fmt: skip
        return optional("xarray", "to_xarray()").Dataset(data)

    def counts(self) -> dict[str, int]:
        """Return how many galaxies there are, how many usable, and how many carry which flag."""
        return flag_counts(self.columns["flag"])


def flag_counts(flag: np.ndarray) -> dict[str, int]:
    """Return how many rows there are, how many are usable, and how many carry which flag."""
    counts = {"rows": len(flag), "usable": int(np.sum((flag & UNUSABLE) == 0))}
    return {**counts, **{name: int(np.sum((flag & bit) != 0)) for name, bit in FLAGS.items()}}


def joined(fits: Sequence[Fit]) -> Fit:
    """Return the fits of the parts of a catalogue as one."""
    first = fits[0]
    columns = {name: np.concatenate([f.columns[name] for f in fits]) for name in first.columns}
    draws = None if first.draws is None else np.concatenate([f.draws for f in fits])  # type: ignore[misc]
    return Fit(first.names, columns, draws)


def summary(post: PosteriorDraws, names: Sequence[str], n_measured: np.ndarray) -> Columns:
    """Return the columns of galaxies that have a posterior; ``flag`` of what the fit says.

    Parameters
    ----------
    post : PosteriorDraws
    names : sequence of str
        Of the entries of the vectors.
    n_measured : ndarray, shape (n,)
        Measured bands of each galaxy.
    """
    best = np.argmax(np.where(post.weight > 0.0, post.log_density, -np.inf), axis=1)
    rows = np.arange(len(best))
    p = predictive_p(post.chi2, post.weight, n_measured)
    columns: Columns = {
        "method": np.full(len(best), post.method, object),
        "chi2": post.chi2[rows, best],
        "predictive_p": p,
        "log_evidence": post.log_evidence,
        "log_evidence_err": post.log_evidence_err,
        "ess": post.ess,
        "pareto_k": post.pareto_k,
        "rhat": post.rhat,
        "divergent": post.divergent,
    }
    for i, name in enumerate(names):
        columns |= quantile_columns(name, post.values[:, :, i], post.weight)
        columns[f"{name}_best"] = post.values[rows, best, i]
    if "redshift" in names:
        columns |= redshift_columns(post.values[:, :, list(names).index("redshift")], post.weight)
    flag = np.where(post.converged, 0, FLAGS["not converged"])
    flag |= np.where(np.isfinite(post.log_density).any(axis=1), 0, FLAGS["no answer of the model"])
    flag |= np.where(p < POOR_P, FLAGS["poor fit"], 0)
    flag |= np.where(piled_up(post).any(axis=1), FLAGS["piled up at a prior's edge"], 0)
    return {"flag": flag.astype(np.int32), **columns}


def quantile_columns(name: str, values: np.ndarray, weight: np.ndarray) -> Columns:
    """Return ``NAME_p50`` and others of values (n, m)."""
    found = weighted_quantiles(values, weight, np.array(list(QUANTILES.values())))
    return {f"{name}_{q}": found[:, i] for i, q in enumerate(QUANTILES)}


def piled_up(post: PosteriorDraws) -> np.ndarray:
    """Return which parameters lie at an edge of their priors, (n, size) of bool."""
    sides = (np.einsum("nm,nms->ns", post.weight, side * post.xi > EDGE_XI) for side in (-1, 1))
    found: np.ndarray = np.maximum(*sides) > PILED
    return found


def redshift_columns(z: np.ndarray, weight: np.ndarray) -> Columns:
    """Return the mode of P(z), and the share of P(z) about it (odds: Benítez 2000, ApJ 536, 571).

    The mode is that of P(ln(1+z)) smoothed over a few hundredths, each galaxy's alone.
    """
    x = np.log1p(z)
    n_bins = int(np.ceil((x.max() - x.min()) / Z_STEP)) + 5
    low = x.min() - 2.0 * Z_STEP
    bins = ((x - low) / Z_STEP).astype(int).clip(0, n_bins - 1)
    kernel = np.exp(-0.5 * (np.arange(-3, 4) / 1.5) ** 2)
    peak = np.empty(len(x))
    for i in range(len(x)):
        p = np.convolve(np.bincount(bins[i], weight[i], minlength=n_bins), kernel, "same")
        middle = low + (np.argmax(p) + 0.5) * Z_STEP
        near = weight[i] * (np.abs(x[i] - middle) < 2.0 * Z_STEP)
        peak[i] = np.sum(near * x[i]) / np.sum(near) if near.any() else middle
    odds = np.sum(weight * (np.abs(x - peak[:, None]) < ONE_REDSHIFT), axis=1)
    return {"redshift_peak": np.expm1(peak), "redshift_odds": odds}


def equal_draws(post: PosteriorDraws, n: int, seed: int) -> np.ndarray:
    """Return indices (rows, n) of draws with equal weights."""
    return resampled(np.where(post.weight.any(axis=1, keepdims=True), post.weight, 1.0), n, seed)


def scattered(columns: Columns, where: np.ndarray, n: int) -> Columns:
    """Return columns of n rows from those of some; NaN, 0 or nothing in the others."""
    return {name: _spread(values, where, n) for name, values in columns.items()}


def _spread(values: np.ndarray, where: np.ndarray, n: int) -> np.ndarray:
    empty: Any = {"f": np.nan, "O": ""}.get(values.dtype.kind, 0)
    out = np.full((n, *values.shape[1:]), empty, values.dtype)
    out[where] = values
    return out
