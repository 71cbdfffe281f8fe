"""Common interface of exact and emulated models: dicts in, band fluxes out.

A model is composed of a spec (names, priors, fixed values), a source of evaluators (the light of
one galaxy, see `tengri.forward.evaluator`), a guard (what it can answer), the way batches are
executed, and units. Everything downstream (sweeps, grids, tracks, comparison, catalogues,
samplers) takes a `PhotometricModel` and never asks whether it is exact or emulated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import jax
import numpy as np
from jax import Array

from tengri.errors import ConfigError, ParameterError
from tengri.forward.batched import BatchedFunction
from tengri.forward.batching import Execution, RowMap, map_traced
from tengri.forward.derived import sfh_curve
from tengri.forward.evaluator import Evaluator, Evaluators, Guard, flux_of
from tengri.forward.galaxy import Stars
from tengri.forward.joint_posterior import JointPosterior, spectra_of
from tengri.forward.no_stars import check_stars, warn_no_stars
from tengri.forward.nuisances import NONE, Nuisances
from tengri.forward.packing import Packed, Packer, in_trace
from tengri.forward.posterior import Posterior
from tengri.forward.single import Single
from tengri.forward.summary import Summarised, short
from tengri.forward.units import check_units
from tengri.observation import Observation
from tengri.parameters import Parameters
from tengri.process import check_process


class PhotometricModel(Summarised, ABC):
    """Base of ``SEDModel`` and ``EmulatedSEDModel``.

    Parameters
    ----------
    spec : Parameters
        Names, priors and fixed values of the parameters.
    observation : Observation or None
        The bands; None for a model that only makes spectra.
    units : str
        Unit of ``predict_photometry``: ``erg/s/cm2/Hz``, ``maggies``, ``Jy``, ``mJy``,
        ``uJy``, ``nJy`` or ``mag_ab``.
    stars : Stars
        When and with which metals the stars formed; exact in every model.
    evaluators, guard, execution
        See `tengri.forward.evaluator` and `tengri.forward.batching`.
    """

    #: what it is computed with, keys of ``tengri/citations.bib``
    software: tuple[str, ...] = ("jax",)

    def __init__(
        self,
        spec: Parameters,
        observation: Observation | None,
        units: str,
        *,
        stars: Stars,
        evaluators: Evaluators,
        guard: Guard,
        execution: Execution,
    ) -> None:
        self.spec = spec
        self.units = check_units(units)
        self.stars = stars
        self.execution = execution
        self.packer = Packer.of(spec)
        self._observation = observation
        self._evaluators = evaluators
        self._guard = guard
        self._single = Single(spec, self.packer, evaluators, guard)

    @property
    def observation(self) -> Observation:
        """The bands."""
        if self._observation is None:
            raise ConfigError(
                "This model has no bands: give SEDModel(spec, ssp, "
                "observation=Instrument.SDSS().observation())."
            )
        return self._observation

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Bands in the order of the last axis."""
        return self.observation.filter_names

    def evaluator(self, z_range: tuple[float, float] | None = None) -> Evaluator:
        """Return the light of one galaxy in the bands as a pure function: no checks, no units.

        Parameters
        ----------
        z_range : (float, float), optional
            Redshifts that it has to serve; by default those of the prior. Elsewhere it is NaN.

        Returns
        -------
        Evaluator
            A frozen pytree with ``bands(p)``: see `tengri.forward.evaluator`.
        """
        check_process()
        check_has_bands(self.observation)
        return self._evaluators.over(z_range)

    def pack(self, params: Mapping[str, Any], batch: bool = False) -> Packed:
        """Return the complete parameters of one galaxy, or of n, packed for compiled functions."""
        return self.packer.pack(self.spec.resolve(params, batch=batch))

    # --- predictions ----------------------------------------------------------------------

    def predict_photometry(
        self, params: Mapping[str, Any] | None = None, units: str | None = None
    ) -> Array:
        """Return the band fluxes of one galaxy.

        Parameters
        ----------
        params : mapping, optional
            Parameter values. A value overrides ``Fixed``; an omitted ``Fixed`` takes its
            value; an omitted free parameter is an error unless its prior has a ``default``.
        units : str, optional
            Unit of the answer; that of the model by default.

        Returns
        -------
        Array, shape (n_bands,)
            f_ν in ``units``. In erg/s/cm²/Hz a galaxy is so faint that the square of its
            flux underflows in float32: for a χ² choose nJy, µJy or maggies.

        Raises
        ------
        ParameterError
            Unknown, missing, non-finite or unphysical parameters; z ≤ 0 (< 0 where the spec has
            ``distance_mpc``); no stars by t(z).
        ConfigError
            A band that the spectrum does not reach at this redshift; an unknown unit.
        """
        return self._one(params, self.units if units is None else check_units(units))

    def predict_magnitudes(self, params: Mapping[str, Any] | None = None) -> Array:
        """Return AB magnitudes of one galaxy, shape (n_bands,); see `predict_photometry`."""
        return self._one(params, "mag_ab")

    def predict_photometry_batch(
        self, params: Mapping[str, Any], units: str | None = None
    ) -> Array:
        """Return the band fluxes of n galaxies.

        Parameters
        ----------
        params : mapping
            As in `predict_photometry`, each value of shape (n,) or a scalar, which then
            serves all galaxies.
        units : str, optional
            As in `predict_photometry`.

        Returns
        -------
        Array, shape (n, n_bands)
            f_ν in ``units``. A galaxy that formed no stars by t(z) has NaN fluxes; a warning
            counts such rows and names them.
        """
        return self._batch(params, self.units if units is None else check_units(units))

    def predict_magnitudes_batch(self, params: Mapping[str, Any]) -> Array:
        """Return AB magnitudes of n galaxies, (n, n_bands); see `predict_photometry_batch`."""
        return self._batch(params, "mag_ab")

    def predict_sfh(
        self, params: Mapping[str, Any] | None = None, n_linear: int = 1000
    ) -> dict[str, Array]:
        """Return the star-formation history of one galaxy at ``n_linear`` times.

        Returns
        -------
        dict
            ``t_gyr`` (n_linear,), lookback times from the epoch of observation to the Big Bang
            [Gyr], and ``sfr`` (n_linear,) [Msun/yr].

        Raises
        ------
        ParameterError
            Parameters as in `predict_photometry`; no stars by t(z); less than two times.
        """
        if isinstance(n_linear, bool) or not isinstance(n_linear, int) or n_linear < 2:
            raise ParameterError(f"n_linear is a number of times, 2 or more; got {n_linear!r}.")
        p = self.spec.resolve({} if params is None else params)
        check_process()
        curve, log10_mass = _sfh(self.stars, self.packer.pack(p), n_linear)
        if not in_trace(p):
            check_stars(p, log10_mass)
        return curve

    def batched(self, fn: Callable[[dict[str, Array]], Any]) -> Callable[[Mapping[str, Any]], Any]:
        """Map a function of one galaxy, such as a gradient, over a batch, using all cores.

        Evaluated as `predict_photometry_batch` is; inside ``jit`` block by block alone.

        Parameters
        ----------
        fn : callable
            A function of the parameters of one galaxy that JAX can trace; returns an array or a
            pytree of arrays.

        Returns
        -------
        callable
            Takes parameters, and raises, as `predict_photometry_batch` does; ``fn`` sees those
            that are given. Returns results with a leading axis (n, …). Keep it: it holds what was
            compiled.

        Raises
        ------
        ConfigError
            ``fn`` is no function.
        """
        if not callable(fn):
            raise ConfigError(
                f"batched takes a function of one galaxy's parameters, e.g. jax.grad(chi2), "
                f"not its result; got {type(fn).__name__}."
            )
        return BatchedFunction(fn, self.spec, self._guard, self.execution)

    def predict_observation(
        self, params: Mapping[str, Any] | None = None, **sigma_kms: Any
    ) -> dict[str, Array]:
        """Return all that the observation consists of.

        Parameters
        ----------
        params : mapping, optional
            As in `predict_photometry`.
        **sigma_kms
            Velocity dispersions of the spectra: see ``SEDModel.predict_spectrum``.

        Returns
        -------
        dict
            ``photometry`` (n_bands,) in the model's units, and each spectrum under its name,
            (n_pixel,) in erg/s/cm²/Hz.

        Raises
        ------
        ConfigError
            A model without spectra, asked for one; as the two methods.
        """
        seen = self.observation
        found = {"photometry": self.predict_photometry(params)} if seen.filters else {}
        predict = spectra_of(self)
        return found | {one.name: predict(one, params, **sigma_kms) for one in seen.spectrographs}

    # --- fits and catalogues --------------------------------------------------------------

    def flat_function(self, coordinates: str = "unbounded") -> Posterior:
        """Return the model as pure functions of one vector: see `tengri.forward.posterior`.

        ``coordinates``: ``unbounded`` (R^n, for gradient samplers) or ``unit`` (the unit cube).
        """
        return Posterior(self, coordinates)

    def joint_posterior(
        self, nuisances: Nuisances = NONE, coordinates: str = "unbounded"
    ) -> JointPosterior:
        """Return bands and spectra of the observation as pure functions of one vector.

        ``nuisances`` are velocity dispersions, calibration and noise of the spectra: see
        `tengri.forward.joint_posterior`. Coordinates are those of `flat_function`.
        """
        return JointPosterior(self, nuisances, coordinates)

    @property
    def emulation_covariance(self) -> np.ndarray:
        """Covariance of the model's own errors [mag²], (n_bands, n_bands): none if exact."""
        return np.zeros((len(self.filter_names),) * 2)

    def in_domain(self, params: Mapping[str, Any]) -> np.ndarray:
        """Return which galaxies of a batch this model can answer for, (n,) of bool.

        Values must be inside the hard bounds (``spec.within_bounds``).
        """
        check_process()
        return self._guard.rows(self.spec.resolve(params, batch=True))

    @abstractmethod
    def check_priors(self) -> None:
        """Check that no prior reaches values that the model has no answer for.

        Raises
        ------
        ConfigError
            A prior that leaves the grid of an exact model; a surrogate's stay in its box.
        """

    def identity(self) -> dict[str, Any]:
        """Return everything that determines the numbers of this model, in JSON's own types."""
        return {
            "model": type(self).__name__,
            "spec": self.spec.fingerprint(),
            "bands": self.observation.fingerprint,
            "ssp": self.ssp_name,
        }

    @property
    @abstractmethod
    def ssp_name(self) -> str:
        """Name of the SSP grid."""

    @property
    @abstractmethod
    def mass_remaining(self) -> np.ndarray | None:
        """Surviving mass fraction of the SSP grid, (n_met, n_age), if it has the table."""

    def _short(self) -> str:
        bands = short(self.filter_names if self._observation else ())
        return f"{self.ssp_name}; {bands}; {self.spec.n_free} free parameters"

    # --- one galaxy, many galaxies --------------------------------------------------------

    def _one(self, params: Mapping[str, Any] | None, units: str) -> Array:
        check_process()
        check_has_bands(self.observation)
        return self._single.flux({} if params is None else params, units)

    def _batch(self, params: Mapping[str, Any], units: str) -> Array:
        check_process()
        p = self.spec.resolve(params, batch=True)
        check_has_bands(self.observation)
        evaluator = self._evaluators.choose(p)
        if in_trace(p):
            return _rows_in_trace(evaluator, self.packer.pack(p), units, self.execution)[0]
        self._guard.check(p)
        flux, log10_mass = _row_map(units)(evaluator, self.packer.pack(p), self.execution.sizes)
        warn_no_stars(np.asarray(log10_mass))
        return flux


def check_has_bands(observation: Observation) -> None:
    """Raise ConfigError for an observation of spectra alone."""
    if not observation.filters:
        raise ConfigError(
            f"This model has no bands, only spectra ({', '.join(observation.spectrum_names)}): "
            "predict_spectrum and predict_observation serve them; add bands by "
            "(Instrument.SDSS() + Instrument.DESI()).observation()."
        )


# Compiled once for all models of the same structure.


@partial(jax.jit, static_argnames=("units", "execution"))
def _rows_in_trace(
    evaluator: Any, packed: Packed, units: str, execution: Execution
) -> tuple[Array, Array]:
    return map_traced(lambda one: flux_of(evaluator, units, one.unpack()), packed, execution)


@cache
def _row_map(units: str) -> RowMap:
    return RowMap(lambda evaluator, one: flux_of(evaluator, units, one.unpack()))


@partial(jax.jit, static_argnames=("stars", "n"))
def _sfh(stars: Stars, packed: Packed, n: int) -> tuple[dict[str, Array], Array]:
    return sfh_curve(stars, packed.unpack(), n)
