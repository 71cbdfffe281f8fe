"""``fit``: a catalogue's fluxes to posteriors, in one call.

Galaxies are independent of one another and of how a catalogue is cut: the random numbers of a row
come from the seed and its number, and every stage is evaluated in blocks of a fixed size. What has
not converged is continued with more draws, then sampled by NUTS, and otherwise flagged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.errors import ConfigError, unknown
from tengri.forward.batching import Execution, RowMap, Sizes
from tengri.forward.photometric_model import PhotometricModel
from tengri.inference import results
from tengri.inference.amplitude import find_amplitude
from tengri.inference.certificate import certificate
from tengri.inference.derived import derived_draws
from tengri.inference.diagnostics import MAX_K, MAX_RHAT, MIN_ESS, kish, smoothed
from tengri.inference.importance import (
    Draws,
    SamplingPlan,
    course,
    laplace_draws,
    modes,
    proposal,
)
from tengri.inference.likelihood import (
    Density,
    Noise,
    fitness,
    measured_bands,
    own_covariance,
)
from tengri.inference.mixture import Mixture
from tengri.inference.observations import FLAGS, Case, Observations
from tengri.inference.results import Columns, Fit, PosteriorDraws
from tengri.inference.space import Space
from tengri.parameters.validate import default_float
from tengri.process import check_process

METHODS = ("auto", "importance", "nuts", "map")
#: Galaxies that are held at once.
BLOCK = 256
#: Galaxies evaluated together in each stage, on processors and on accelerators.
MANY = Execution(Sizes(2, 64), Sizes(64, 64))
FEW = Execution(Sizes(1, 32), Sizes(32, 32))
#: Vectors whose entries are turned into the parameters' own units together.
ENTRIES = Execution(Sizes(4096, 65536), Sizes(65536, 262144))
#: What must not change a posterior: the flags of data that cannot be fitted.
UNFITTED = FLAGS["no band was measured"] | FLAGS["no usable redshift"]

Report = Callable[[int], None]


@dataclass(frozen=True)
class FitSettings:
    """How a catalogue is fitted.

    Attributes
    ----------
    method : {"auto", "importance", "nuts", "map"}
        ``auto``: importance sampling, then NUTS for what has not converged, where blackjax is
        installed. ``map``: the best mode and its Laplace approximation, not judged by draws.
    noise : Noise
    seed : int
    draws : int
        Draws with equal weights that are kept of each galaxy.
    derived : bool
        Whether masses, rates, ages and A_V are derived.
    certify : int
        Draws of each posterior that are weighted with the exact model; 0: none.
    refit : bool
        Whether what fails that is fitted again with the exact model.
    extra : int
        Further rounds of draws where the first do not suffice.
    plan : SamplingPlan
    """

    method: str = "auto"
    noise: Noise = field(default_factory=Noise)
    seed: int = 0
    draws: int = 0
    derived: bool = True
    certify: int = 0
    refit: bool = False
    extra: int = 4
    plan: SamplingPlan = field(default_factory=SamplingPlan)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown("method", str(self.method), METHODS)
        if self.refit and not self.certify:
            raise ConfigError("refit needs certify: how many draws the exact model is asked for.")

    def to_dict(self) -> dict[str, Any]:
        """Return what decides every posterior, JSON-serialisable."""
        return asdict(self)


def fit(
    model: PhotometricModel,
    data: Observations,
    method: str = "auto",
    report: Report = lambda rows: None,
    **settings: Any,
) -> Fit:
    """Fit every galaxy of a catalogue.

    Parameters
    ----------
    model : PhotometricModel
        Exact or emulated; its free parameters are sampled under its priors. Where the data have
        known redshifts, the redshift of the model must be free over their range.
    data : Observations
        Bands in any order; those that the model has are used, all of which must be there.
    method : str
        See `FitSettings`.
    report : callable
        Is told how many more galaxies are done.
    **settings
        The other fields of `FitSettings`.

    Returns
    -------
    Fit
        Columns: ``flag``, a sum of `tengri.inference.observations.FLAGS`; ``n_bands``; of every
        sampled parameter ``NAME_p02`` … ``NAME_p97`` and, at the draw of highest posterior
        density, ``NAME_best``; the same quantiles of derived quantities; ``chi2`` at the best
        draw and ``predictive_p``; ``log_evidence``; ``ess``, ``pareto_k``, ``rhat``; of a free
        redshift ``redshift_peak`` and ``redshift_odds``.

    Raises
    ------
    UnknownNameError
        A band of the model that was not observed, an unknown method.
    ConfigError
        Known redshifts for a model whose redshift is fixed; NUTS without blackjax; a certificate
        of a model that is no surrogate.
    """
    fitter = Fitter.of(model, data, FitSettings(method=method, **settings))
    return fitter(data, report)


@dataclass(frozen=True, eq=False)
class Fitter:
    """A model ready to fit any number of galaxies of one kind: `fit` with its state.

    Attributes
    ----------
    model : PhotometricModel
    settings : FitSettings
    density : Density
    """

    model: PhotometricModel
    settings: FitSettings
    density: Density

    @classmethod
    def of(cls, model: PhotometricModel, data: Observations, settings: FitSettings) -> Fitter:
        """Prepare a model for data of one kind: redshifts known, with priors, or free."""
        check_process()
        known = data.cases.redshift is not None
        if (known or data.cases.redshift_prior is not None) and model.spec.is_fixed("redshift"):
            raise ConfigError(
                "The data have redshifts, and that of the model is fixed: declare it free over "
                "their range, e.g. redshift=(0.01, 1.0)."
            )
        if settings.certify and not hasattr(model, "exact_model"):
            raise ConfigError("Only the posterior of a surrogate is checked by the exact model.")
        if settings.method == "nuts":
            _sampler()
        return cls(model, settings, density_of(model, known, settings.noise))

    @cached_property
    def exact(self) -> Fitter:
        """The same fit with the exact model."""
        model = self.model.exact_model()  # type: ignore[attr-defined]
        known = "redshift" not in self.density.space.names
        return Fitter(model, self.settings, density_of(model, known, self.settings.noise))

    def __call__(self, data: Observations, report: Report = lambda rows: None) -> Fit:
        """Return the posteriors of a catalogue, block by block."""
        data = data.select(self.model.filter_names)
        parts = []
        for start in range(0, max(1, len(data)), BLOCK):
            parts.append(self._block(data.rows(slice(start, start + BLOCK))))
            report(len(parts[-1]))
        return results.joined(parts)

    # --- one block ------------------------------------------------------------------------

    def _block(self, data: Observations) -> Fit:
        data = self._outside_flagged(data)
        fitted = (data.flag & UNFITTED) == 0
        n, own = len(data), data.rows(fitted)
        columns, draws = self.posteriors(own) if fitted.any() else self._nothing()
        n_bands = np.asarray(data.cases.seen).sum(axis=1).astype(np.int32)
        flag = columns.pop("flag")
        whole = results.scattered(columns, fitted, n)
        all_flags = data.flag | results.scattered({"flag": flag}, fitted, n)["flag"]
        kept = results.scattered({"draws": draws}, fitted, n)["draws"]
        return Fit(
            self.density.space.labels,
            {"flag": all_flags.astype(np.int32), "n_bands": n_bands, **whole},
            kept if self.settings.draws else None,
        )

    def _outside_flagged(self, data: Observations) -> Observations:
        """Flag galaxies whose known redshift the model does not serve."""
        z = data.cases.redshift
        if z is None or not len(data):
            return data
        lo, hi = self.model.spec.get_distribution("redshift").bounds
        return data.flagged("no usable redshift", ~((z >= lo) & (z <= hi)))

    def _nothing(self) -> tuple[Columns, np.ndarray]:
        """Return the columns of a block in which no galaxy can be fitted, without rows."""
        bands = self.model.filter_names
        z = None if self._free_z else np.full(1, _middle(self.model))
        empty = Observations.of(np.ones((1, len(bands))), np.ones((1, len(bands))), bands,
                                redshift=z)  # fmt: skip
        columns, draws = self.posteriors(empty)
        return {name: values[:0] for name, values in columns.items()}, draws[:0]

    @property
    def _free_z(self) -> bool:
        spec = self.model.spec
        return "redshift" in self.density.space.names or spec.is_fixed("redshift")

    def posteriors(self, data: Observations) -> tuple[Columns, np.ndarray]:
        """Return the columns and draws of galaxies that can be fitted, in their order."""
        groups = self._sampled(data)
        made = [self._described(data.rows(rows), post) for rows, post in groups]
        order = np.argsort(np.concatenate([rows for rows, _ in groups]), kind="stable")
        columns = {name: np.concatenate([c[name] for c, _ in made])[order] for name in made[0][0]}
        return columns, np.concatenate([draws for _, draws in made])[order]

    def _described(self, data: Observations, post: PosteriorDraws) -> tuple[Columns, np.ndarray]:
        """Return the columns and equal-weight draws of posteriors."""
        measured = np.asarray(measured_bands(data.cases)).sum(axis=1)
        columns = results.summary(post, self.density.space.labels, measured)
        rows = np.arange(len(data))[:, None]
        if self.settings.derived:
            few = results.equal_draws(post, results.N_DERIVED, self.settings.seed)
            found = derived_draws(self.model, self.density, data.cases, post.xi[rows, few])
            equal = np.full(few.shape, 1.0 / few.shape[1])
            for name, values in found.items():
                columns |= results.quantile_columns(name, np.asarray(values), equal)
        if self.settings.certify:
            columns = self._certified(data, post, columns)
        kept = results.equal_draws(post, self.settings.draws, self.settings.seed)
        return columns, post.values[rows, kept]

    def _certified(self, data: Observations, post: PosteriorDraws, columns: Columns) -> Columns:
        """Return the columns with what the exact model says; refitted where it was asked for."""
        some = results.equal_draws(post, self.settings.certify, self.settings.seed)
        rows = np.arange(len(data))[:, None]
        drawn = post.xi[rows, some], post.values[rows, some]
        found = certificate(self.density, self.exact.density, data.cases, *drawn)
        bad = ~found.good
        columns |= {"exact_ess": found.ess, "exact_pareto_k": found.pareto_k,
                    "exact_shift": found.shift, "refitted": bad & False}  # fmt: skip
        columns["flag"] |= np.where(bad, FLAGS["surrogate not exact enough"], 0).astype(np.int32)
        if self.settings.refit and bad.any():
            again, _ = self.exact.uncertified().posteriors(data.rows(bad))
            for name, values in again.items():
                columns[name][bad] = values
            columns["refitted"][bad] = True
        return columns

    def uncertified(self) -> Fitter:
        """Return the same fit without a certificate."""
        plain = FitSettings(**{**vars(self.settings), "certify": 0, "refit": False})
        return Fitter(self.model, plain, self.density)

    # --- methods --------------------------------------------------------------------------

    def _sampled(self, data: Observations) -> list[tuple[np.ndarray, PosteriorDraws]]:
        """Return posteriors by groups: (rows, posterior)."""
        constants = self.density, np.uint32(self.settings.seed)
        if self.settings.method == "map":
            drawn = _laplace_map(self.settings.plan)(constants, data.cases, MANY.sizes)
            return [(np.arange(len(data)), self._of_laplace(_numpy(drawn)))]
        mixture = _proposal_map(self.settings.plan)(constants, data.cases, MANY.sizes)
        pending, pooled = np.arange(len(data)), None
        groups: list[tuple[np.ndarray, PosteriorDraws]] = []
        for turn in range(1 + self.settings.extra):
            rows = data.rows(pending).cases, mixture, np.full(len(pending), turn, np.int32)
            drawn, mixture = _draws_map(self.settings.plan)(constants, rows, FEW.sizes)
            # the first draws of those that go on are left out: their proposal was a poor one
            pooled = _numpy(drawn) if turn < 2 else _pooled(pooled, _numpy(drawn))
            post = self._of_weights(pooled)
            chains_alone = self.settings.method == "nuts"
            done = post.converged & (not chains_alone)
            if turn == self.settings.extra or chains_alone:
                groups += self._by_chains(data, pending[~done], _rows(post, ~done))
                groups.append((pending[done], _rows(post, done)))
                break
            groups.append((pending[done], _rows(post, done)))
            pending = pending[~done]
            mixture, pooled = (jax.tree.map(lambda x: np.asarray(x)[~done], t)  # noqa: B023
                               for t in (mixture, pooled))  # fmt: skip
            if not len(pending):
                break
        return [(rows, post) for rows, post in groups if len(rows)]

    def _by_chains(
        self, data: Observations, rows: np.ndarray, before: PosteriorDraws
    ) -> list[tuple[np.ndarray, PosteriorDraws]]:
        """Return posteriors of rows by NUTS from the draws before, or those as they are."""
        if self.settings.method == "importance" or not len(rows):
            return [(rows, before)]
        try:
            sampler = _sampler()
        except ConfigError:
            if self.settings.method == "nuts":
                raise
            return [(rows, before)]  # they are flagged as not converged
        plan = sampler.ChainPlan()
        start = results.equal_draws(before, plan.chains, self.settings.seed)
        root = _roots(before)
        start = before.xi[np.arange(len(rows))[:, None], start]
        start = np.swapaxes(np.linalg.solve(root, np.swapaxes(start, 1, 2)), 1, 2)
        constants = self.density, np.uint32(self.settings.seed)
        number = default_float()
        inputs = data.rows(rows).cases, start.astype(number), root.astype(number)
        chains, drawn = _chains_map(plan)(constants, inputs, FEW.sizes)
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


def density_of(model: PhotometricModel, known_redshift: bool, noise: Noise) -> Density:
    """Return the density of a model, its amplitude found."""
    space = Space.of(model.spec, ("redshift",) if known_redshift else ())
    bands = len(model.filter_names)
    z = _middle(model) if known_redshift else None
    case = Observations.of(np.ones((1, bands)), np.ones((1, bands)), model.filter_names,
                           redshift=None if z is None else [z]).rows(0).cases  # fmt: skip
    plain = Density(model.evaluator(), own_covariance(model), space, noise, None)
    return Density(plain.evaluator, plain.covariance, space, noise, find_amplitude(plain, case))


def _middle(model: PhotometricModel) -> float:
    return float(model.spec.get_distribution("redshift").unstandardize(0.0))


def _sampler() -> Any:
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
def _draws_map(plan: SamplingPlan) -> RowMap:
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
        chains = _sampler().nuts(density, case, start, root, _key(seed, case, 1000), plan)
        xi = chains.xi.reshape(-1, chains.xi.shape[-1])
        flux = jax.vmap(lambda v: density.flux(v, case))(xi)
        found = fitness(flux.T, case, density.covariance, density.noise)
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
