"""Posteriors of galaxies by each method: importance sampling, NUTS, a library, the best mode.

What has not converged is continued with more draws, then sampled by NUTS where that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.errors import ConfigError
from tengri.forward.batching import Execution, RowMap, Sizes
from tengri.inference import results
from tengri.inference.course import course
from tengri.inference.diagnostics import MAX_K, MAX_RHAT, MIN_ESS, kish, smoothed
from tengri.inference.importance import (
    Draws,
    SamplingPlan,
    laplace_draws,
    modes,
    proposal,
)
from tengri.inference.library import CANDIDATES, MIN_LIBRARY_ESS, Library
from tengri.inference.likelihood import Density
from tengri.inference.mixture import Mixture
from tengri.inference.observations import Case, Observations
from tengri.inference.results import PosteriorDraws
from tengri.inference.settings import FitSettings
from tengri.parameters.validate import default_float

#: Galaxies evaluated together in each stage, on processors and on accelerators.
MANY = Execution(Sizes(2, 64), Sizes(64, 64))
FEW = Execution(Sizes(1, 32), Sizes(32, 32))
#: Vectors whose entries are turned into the parameters' own units together.
ENTRIES = Execution(Sizes(4096, 65536), Sizes(65536, 262144))

#: Rows of a catalogue, and their posteriors.
Group = tuple[np.ndarray, PosteriorDraws]


@dataclass(frozen=True, eq=False)
class Sampling:
    """A density and the way in which it is sampled.

    Attributes
    ----------
    density : Density
    settings : FitSettings
    library : Library or None
        Where that is the method.
    """

    density: Density
    settings: FitSettings
    library: Library | None = None

    @property
    def _constants(self) -> tuple[Density, np.uint32]:
        return self.density, np.uint32(self.settings.seed)

    def groups(self, data: Observations) -> list[Group]:
        """Return the posteriors of galaxies, in groups that one method has sampled."""
        if self.settings.method == "map":
            drawn = _laplace_map(self.settings.plan)(self._constants, data.cases, MANY.sizes)
            return [(np.arange(len(data)), self._of_laplace(_numpy(drawn)))]
        if self.library is not None:
            found, ess = self.library.draws(data.cases, CANDIDATES, self.settings.seed)
            return [(np.arange(len(data)), self._of_library(_numpy(found), ess))]
        made = self._courses(data)
        left, before = made.pop()
        made += self._by_chains(data, left, before)
        return [(rows, post) for rows, post in made if len(rows)]

    def _courses(self, data: Observations) -> list[Group]:
        """Return groups by importance sampling; the last holds what has not converged."""
        mixture = _proposal_map(self.settings.plan)(self._constants, data.cases, MANY.sizes)
        pending, pooled, made = np.arange(len(data)), None, []
        chains_alone = self.settings.method == "nuts"
        for turn in range(1 + (0 if chains_alone else self.settings.extra)):
            rows = data.rows(pending).cases, mixture, np.full(len(pending), turn, np.int32)
            drawn, mixture = _course_map(self.settings.plan)(self._constants, rows, FEW.sizes)
            # the first draws of those that go on are left out: their proposal was a poor one
            pooled = _numpy(drawn) if turn < 2 else _pooled(pooled, _numpy(drawn))
            post = self._of_weights(pooled)
            done = post.converged & (not chains_alone)
            made.append((pending[done], _rows(post, done)))
            pending, post = pending[~done], _rows(post, ~done)
            mixture, pooled = (_some(tree, ~done) for tree in (mixture, pooled))
            if not len(pending):
                break
        return [*made, (pending, post)]

    def _by_chains(
        self, data: Observations, rows: np.ndarray, before: PosteriorDraws
    ) -> list[Group]:
        """Return posteriors of rows by NUTS from the draws before, or those as they are."""
        if self.settings.method == "importance" or not len(rows):
            return [(rows, before)]
        try:
            nuts = chain_sampler()
        except ConfigError:
            if self.settings.method == "nuts":
                raise
            return [(rows, before)]  # they are flagged as not converged
        plan = nuts.ChainPlan()
        start = results.equal_draws(before, plan.chains, self.settings.seed)
        root = _roots(before)
        start = before.xi[np.arange(len(rows))[:, None], start]
        start = np.swapaxes(np.linalg.solve(root, np.swapaxes(start, 1, 2)), 1, 2)
        number = default_float()
        inputs = data.rows(rows).cases, start.astype(number), root.astype(number)
        chains, drawn = _chains_map(plan)(self._constants, inputs, FEW.sizes)
        post = self._of_chains(_numpy(drawn), jax.tree.map(np.asarray, chains), before)
        return [(rows, post)]

    def _values(self, xi: np.ndarray) -> np.ndarray:
        rows = np.asarray(xi, default_float()).reshape(-1, xi.shape[-1])
        return np.asarray(_values_map()(self.density, rows, ENTRIES.sizes)).reshape(xi.shape)

    def _of_weights(self, drawn: Draws) -> PosteriorDraws:
        weight, k = smoothed(drawn.log_weight)
        ess = kish(weight)
        good = np.asarray((ess >= MIN_ESS) & (k < MAX_K))
        nan = np.full(len(ess), np.nan)
        evidence, error = _evidence(drawn.log_weight)
        return PosteriorDraws(
            drawn.xi, self._values(drawn.xi), weight, drawn.log_density, drawn.chi2, ess, k, nan,
            evidence, error, np.zeros(len(ess), np.int32), good, "importance",
        )  # fmt: skip

    def _of_library(self, drawn: Draws, ess: np.ndarray) -> PosteriorDraws:
        """Return weighted candidates; no more of them count than draws of the library do."""
        post = self._of_weights(drawn)
        ess = np.minimum(post.ess, ess)
        return post._replace(ess=ess, converged=ess >= MIN_LIBRARY_ESS, method="library")

    def _of_laplace(self, drawn: Draws) -> PosteriorDraws:
        """Return the Laplace approximation: equal weights, and k̂ of what they should be."""
        n, m = drawn.log_weight.shape
        nan, (evidence, error) = np.full(n, np.nan), _evidence(drawn.log_weight)
        answered = np.asarray(np.isfinite(drawn.log_density).any(axis=1))
        return PosteriorDraws(
            drawn.xi, self._values(drawn.xi), np.full((n, m), 1.0 / m), drawn.log_density,
            drawn.chi2, nan, smoothed(drawn.log_weight)[1], nan, evidence, error,
            np.zeros(n, np.int32), answered, "map",
        )  # fmt: skip

    def _of_chains(self, drawn: Draws, chains: Any, before: PosteriorDraws) -> PosteriorDraws:
        n, m = drawn.log_weight.shape
        ess, rhat = chains.bulk.min(axis=1), chains.rhat.max(axis=1)
        good = (ess >= MIN_ESS) & (rhat < MAX_RHAT)
        return PosteriorDraws(
            drawn.xi, self._values(drawn.xi), np.full((n, m), 1.0 / m), drawn.log_density,
            drawn.chi2, ess, before.pareto_k, rhat, before.log_evidence, before.log_evidence_err,
            chains.divergent.astype(np.int32), good, "nuts",
        )  # fmt: skip


def chain_sampler() -> Any:
    """Return the module that samples by NUTS.

    Raises
    ------
    ConfigError
        blackjax is not installed.
    """
    try:
        from tengri.inference import sampler
    except ImportError:
        raise ConfigError("NUTS needs blackjax: pip install 'tengri-sed[fit]'.") from None
    return sampler


# --- compiled once for all models of the same structure ---------------------------------------


def _key(seed: Array, case: Case, stage: Any) -> Array:
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), case.index), stage)


@cache
def _proposal_map(plan: SamplingPlan) -> RowMap:
    def one(constants: tuple[Density, Array], case: Case) -> Mixture:
        density, seed = constants
        return proposal(density, case, _key(seed, case, 0), plan)

    return RowMap(one)


@cache
def _course_map(plan: SamplingPlan) -> RowMap:
    def one(constants: tuple[Density, Array], row: Any) -> tuple[Draws, Mixture]:
        (density, seed), (case, mixture, turn) = constants, row
        return course(density, mixture, case, _key(seed, case, 1 + turn), plan)

    return RowMap(one)


@cache
def _laplace_map(plan: SamplingPlan) -> RowMap:
    def one(constants: tuple[Density, Array], case: Case) -> Draws:
        density, seed = constants
        first, second = jax.random.split(_key(seed, case, 0))
        return laplace_draws(density, case, modes(density, case, first, plan), second, plan.total)

    return RowMap(one)


@cache
def _chains_map(plan: Any) -> RowMap:
    def one(constants: tuple[Density, Array], row: Any) -> tuple[Any, Draws]:
        (density, seed), (case, start, root) = constants, row
        chains = chain_sampler().nuts(density, case, start, root, _key(seed, case, 1000), plan)
        xi = chains.xi.reshape(-1, chains.xi.shape[-1])
        flux = jax.vmap(lambda v: density.flux(v, case))(xi)
        found = density.fitness(flux.T, xi, case)
        own = jax.vmap(lambda v: density.log_redshift_prior(v, case))(xi)
        in_own_units = found.log_likelihood + own + density.space.log_prior(xi)
        none = jnp.zeros(len(xi))
        return chains, Draws(xi, none, found.log_likelihood, in_own_units, found.chi2)

    return RowMap(one)


@cache
def _values_map() -> RowMap:
    return RowMap(lambda density, xi: density.space.values(xi))


def _numpy(drawn: Draws) -> Draws:
    return Draws(*(np.asarray(x) for x in drawn))


def _pooled(one: Draws | None, other: Draws) -> Draws:
    """Return the draws of two rounds, whose weights are of one posterior."""
    assert one is not None
    return Draws(*(np.concatenate(pair, axis=1) for pair in zip(one, other)))


def _some(tree: Any, where: np.ndarray) -> Any:
    return jax.tree.map(lambda x: np.asarray(x)[where], tree)


def _rows(post: PosteriorDraws, where: np.ndarray) -> PosteriorDraws:
    arrays = {name: x for name, x in post._asdict().items() if name != "method"}
    return post._replace(**{name: x[where] for name, x in arrays.items()})


def _roots(post: PosteriorDraws) -> np.ndarray:
    """Return a root of the covariance of weighted draws, (n, size, size)."""
    total = np.maximum(post.weight.sum(axis=1), 1e-300)[:, None]
    weight = post.weight / total
    apart = post.xi - np.einsum("nm,nms->ns", weight, post.xi)[:, None]
    covariance = np.einsum("nm,nms,nmt->nst", weight, apart, apart).astype(np.float64)
    return np.linalg.cholesky(covariance + 1e-4 * np.eye(post.xi.shape[2]))


def _evidence(log_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ln of the mean weight, and its standard error, each (n,)."""
    raw = np.asarray(log_weight, np.float64)
    best = raw.max(axis=1)
    weight = np.exp(raw - np.where(np.isfinite(best), best, 0.0)[:, None])
    mean = weight.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = weight.std(axis=1) / mean / np.sqrt(raw.shape[1])
        return best + np.log(mean), error
