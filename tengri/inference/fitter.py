"""``fit``: a catalogue's fluxes to posteriors, in one call.

Galaxies are independent of one another and of how a catalogue is cut: the random numbers of a row
come from the seed and its number, and every stage is evaluated in blocks of a fixed size. What has
not converged is continued with more draws, then sampled by NUTS, and otherwise flagged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tengri.errors import ConfigError, unknown
from tengri.forward.photometric_model import PhotometricModel
from tengri.inference import results
from tengri.inference.amplitude import find_amplitude
from tengri.inference.certificate import certificate
from tengri.inference.derived import derived_draws
from tengri.inference.library import Library
from tengri.inference.likelihood import (
    Density,
    measured_bands,
    own_errors,
)
from tengri.inference.magnitude_prior import MagnitudePrior
from tengri.inference.methods import Sampling, chain_sampler
from tengri.inference.observations import FLAGS, Observations
from tengri.inference.results import Columns, Fit, PosteriorDraws
from tengri.inference.settings import FitSettings
from tengri.inference.space import Space
from tengri.process import check_process

#: Galaxies that are held at once.
BLOCK = 256
#: What must not change a posterior: the flags of data that cannot be fitted.
UNFITTED = FLAGS["no band was measured"] | FLAGS["no usable redshift"]

Report = Callable[[int], None]


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
            chain_sampler()
        model.check_priors()
        return cls(model, settings, density_of(model, known, settings))

    @cached_property
    def exact(self) -> Fitter:
        """The same fit with the exact model."""
        model = self.model.exact_model()  # type: ignore[attr-defined]
        known = "redshift" not in self.density.space.names
        return Fitter(model, self.settings, density_of(model, known, self.settings))

    @cached_property
    def library(self) -> Library | None:
        """Draws that all galaxies share, where they are the method."""
        if self.settings.method != "library":
            return None
        bands = self.model.filter_names
        one = Observations.of(np.ones((1, len(bands))), np.ones((1, len(bands))), bands)
        return Library.of(self.density, one.rows(0).cases, self.settings.library,
                          self.settings.seed)  # fmt: skip

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
        data = self.outside_flagged(data)
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

    def outside_flagged(self, data: Observations) -> Observations:
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
        groups = Sampling(self.density, self.settings, self.library).groups(data)
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


def density_of(model: PhotometricModel, known_redshift: bool, settings: FitSettings) -> Density:
    """Return the density of a model, its amplitude found."""
    noise = settings.noise
    space = Space.of(model.spec, ("redshift",) if known_redshift else ())
    bands = len(model.filter_names)
    z = _middle(model) if known_redshift else None
    case = Observations.of(np.ones((1, bands)), np.ones((1, bands)), model.filter_names,
                           redshift=None if z is None else [z]).rows(0).cases  # fmt: skip
    own = own_errors(model)
    plain = Density(model.evaluator(), space=space, noise=noise, amplitude=None, **own)
    return replace(plain, amplitude=find_amplitude(plain, case),
                   magnitude_prior=_magnitude_prior(settings.magnitude_prior, model))  # fmt: skip


def _magnitude_prior(band: str, model: PhotometricModel) -> MagnitudePrior | None:
    if not band:
        return None
    if band not in model.filter_names:
        raise unknown("band of a magnitude prior", band, model.filter_names)
    return MagnitudePrior(band, list(model.filter_names).index(band))


def _middle(model: PhotometricModel) -> float:
    return float(model.spec.get_distribution("redshift").unstandardize(0.0))
