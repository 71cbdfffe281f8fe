"""Bands and spectra of one galaxy in one posterior, as pure functions of one vector, for samplers.

The vector is that of `tengri.forward.posterior`, the free parameters of the spec, followed by the
nuisances of the spectra that are free: velocity dispersions, which all spectra share, and for each
spectrum the coefficients of a calibration that is not integrated out and the factor of its errors
(`tengri.forward.calibration`). Bands and spectra are independent given the parameters; the own
errors of a surrogate, in bands and in pixels, are added to those of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from tengri.errors import ConfigError, unknown
from tengri.forward.calibration import MeasuredSpectrum, best_polynomial, log_likelihood
from tengri.forward.nuisances import DISPERSIONS, NONE, Nuisances
from tengri.forward.posterior import COORDINATES, MeasuredFluxes, Posterior
from tengri.forward.units import LOG10_UNIT, unit_of_spectra
from tengri.numerics.linalg import matmul
from tengri.observation import Observation
from tengri.observation.spectrograph import Spectrograph
from tengri.parameters.transforms import Layout
from tengri.process import check_process


class JointData(NamedTuple):
    """Measurements of an observation: bands, or None, and spectra in its order."""

    photometry: MeasuredFluxes | None
    spectra: tuple[MeasuredSpectrum, ...]


@dataclass(frozen=True, eq=False)
class JointPosterior:
    """The model of bands and spectra as a function of a vector, or of a dict.

    Made by ``model.joint_posterior(Nuisances(…))``. Every method is a pure function: ``jit``,
    ``vmap`` and ``grad`` work on it.

    Attributes
    ----------
    model : PhotometricModel
        Exact or emulated, with ``predict_spectrum`` and an observation with spectra.
    nuisances : Nuisances
    coordinates : {"unbounded", "unit"}

    Raises
    ------
    ConfigError
        A model without spectra, or whose observation has none.
    """

    model: Any
    nuisances: Nuisances = NONE
    coordinates: str = "unbounded"

    def __post_init__(self) -> None:
        if self.coordinates not in COORDINATES:
            raise unknown("coordinates", str(self.coordinates), COORDINATES)
        if not self.observation.spectrographs:
            raise ConfigError(
                "The observation of this model has no spectra: take flat_function, or "
                "(Instrument.SDSS() + Instrument.DESI()).observation()."
            )
        spectra_of(self.model)

    @property
    def observation(self) -> Observation:
        """Bands and spectra."""
        return self.model.observation

    @property
    def units(self) -> str:
        """Unit of spectra: that of the model, maggies where that is a magnitude."""
        return unit_of_spectra(self.model.units)

    @cached_property
    def _galaxy(self) -> Posterior:
        return Posterior(self.model, self.coordinates)

    @cached_property
    def _layout(self) -> Layout:
        own = self.nuisances.priors(self.observation.spectrum_names)
        free = {name: both for name, both in own.items() if not both[0].is_fixed}
        priors = tuple(prior for prior, _ in free.values())
        return Layout(tuple(free), priors, tuple(shape for _, shape in free.values()))

    @cached_property
    def _fixed(self) -> dict[str, float]:
        own = self.nuisances.priors(self.observation.spectrum_names)
        return {name: prior.default for name, (prior, _) in own.items() if prior.is_fixed}

    @property
    def names(self) -> list[str]:
        """Free parameters in the order of the vector; an array has many entries."""
        return [*self._galaxy.names, *self._layout.names]

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self._galaxy.size + self._layout.size

    def params(self, u: ArrayLike) -> dict[str, Any]:
        """Return the complete parameter dict at ``u`` (…, size), nuisances included."""
        u = jnp.asarray(u, float)
        n, own = self._galaxy.size, self._layout
        free = own.from_unbounded if self.coordinates == "unbounded" else own.from_unit
        return {**self._galaxy.params(u[..., :n]), **free(u[..., n:]), **self._fixed}

    def vector(self, params: Mapping[str, Any]) -> Array:
        """Return the coordinates (…, size) of a parameter dict: the inverse of `params`."""
        own = self._layout
        given = {name: value for name, value in params.items() if name not in self._own_names}
        to = own.to_unbounded if self.coordinates == "unbounded" else own.to_unit
        return jnp.concatenate([self._galaxy.vector(given), to(params)], axis=-1)

    @property
    def _own_names(self) -> tuple[str, ...]:
        return (*self._layout.names, *self._fixed)

    def __call__(self, u: ArrayLike | Mapping[str, Any]) -> dict[str, Array]:
        """Return ``photometry`` and each spectrum, with its free calibration, in the units."""
        p = u if isinstance(u, Mapping) else self.params(u)
        found = {one.name: self._spectrum(one, p) for one in self.observation.spectrographs}
        bands = {"photometry": self._galaxy(self._of_galaxy(p))} if self.observation.filters else {}
        return {**bands, **found}

    def data(
        self,
        flux: Any = None,
        error: Any = None,
        spectra: Mapping[str, tuple[Any, Any]] | None = None,
    ) -> JointData:
        """Return measurements, ready for `log_likelihood`.

        Parameters
        ----------
        flux, error : array, shape (n_bands,)
            As in ``Posterior.data``; left out where the observation has no bands.
        spectra : mapping
            Name of each spectrum to its (flux, error), (n_pixel,) each; see `MeasuredSpectrum.of`.

        Raises
        ------
        ConfigError
            Fluxes without bands or bands without fluxes; spectra that are not those of the
            observation.
        ParameterError
            See `MeasuredFluxes.of` and `MeasuredSpectrum.of`.
        """
        if (flux is None) == bool(self.observation.filters):
            raise ConfigError("Give flux and error where the observation has bands, only there.")
        given, known = dict(spectra or {}), self.observation.spectrum_names
        if set(given) != set(known):
            raise ConfigError(
                f"The spectra of this observation are {', '.join(known)}; "
                f"got {', '.join(given) or 'none'}: spectra={{{known[0]!r}: (flux, error)}}."
            )
        bands = None if flux is None else self._galaxy.data(flux, error)
        seen = (
            MeasuredSpectrum.of(*given[one.name], one, self.units)
            for one in self.observation.spectrographs
        )
        return JointData(bands, tuple(seen))

    def log_prior(self, u: Array) -> Array:
        """Return the log density of the prior in these coordinates, a scalar."""
        check_process()
        u = jnp.asarray(u, float)
        if self.coordinates == "unit":
            return jnp.where(jnp.all((u >= 0.0) & (u <= 1.0)), 0.0, -jnp.inf)
        of_galaxy, rest = u[: self._galaxy.size], u[self._galaxy.size :]
        own = self._layout
        mine = own.log_prior(own.from_unbounded(rest)) + own.log_abs_det(rest)
        return self._galaxy.log_prior(of_galaxy) + mine

    def log_likelihood(self, u: Array | Mapping[str, Any], data: JointData) -> Array:
        """Return the log density of bands and spectra, a scalar; -inf without an answer."""
        p = u if isinstance(u, Mapping) else self.params(u)
        total = jnp.zeros(())
        if data.photometry is not None:
            total = self._galaxy.log_likelihood(self._of_galaxy(p), data.photometry)
        for one, measured in zip(self.observation.spectrographs, data.spectra):
            factor = p[f"noise_factor_{one.name}"]
            flux, own = self._spectrum(one, p), self._own_errors(one, p)
            total = total + log_likelihood(flux, measured, self._integrated(one), factor, own)
        return total

    def log_posterior(self, u: Array, data: JointData) -> Array:
        """Return `log_prior` + `log_likelihood`, the density that a sampler explores."""
        return self.log_prior(u) + self.log_likelihood(u, data)

    def polynomials(self, u: Array | Mapping[str, Any], data: JointData) -> dict[str, Array]:
        """Return the calibration of each spectrum, (n_pixel,): its mean where integrated out."""
        p = u if isinstance(u, Mapping) else self.params(u)
        found = {}
        for one, measured in zip(self.observation.spectrographs, data.spectra):
            terms, factor = self._integrated(one), p[f"noise_factor_{one.name}"]
            if terms is None:
                found[one.name] = self._free_polynomial(one, p)
            else:
                flux, own = self._spectrum(one, p), self._own_errors(one, p)
                found[one.name] = best_polynomial(flux, measured, terms, factor, own)
        return found

    def _of_galaxy(self, p: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in p.items() if name not in self._own_names}

    def _spectrum(self, one: Spectrograph, p: Mapping[str, Any]) -> Array:
        """Return the predicted spectrum in the units of the data, with a free calibration."""
        velocities = {name: p[name] for name in DISPERSIONS if name in p}
        if (prior := self.nuisances.vel_sigma_kms) is not None:
            velocities["max_sigma_kms"] = prior.reach[1]
        flux = spectra_of(self.model)(one, self._of_galaxy(p), **velocities)
        # f_ν of 1e-29 erg/s/cm²/Hz has no square in float32
        return flux * 10.0 ** -LOG10_UNIT[self.units] * self._free_polynomial(one, p)

    def _own_errors(self, one: Spectrograph, p: Mapping[str, Any]) -> Array | None:
        """Return the model's own relative errors in pixels, or None of an exact model."""
        known = getattr(self.model, "pixel_errors", None)  # of surrogates alone
        if known is None:
            return None
        return known(one, self.model.spec.resolve(self._of_galaxy(p))["redshift"])

    def _free_polynomial(self, one: Spectrograph, p: Mapping[str, Any]) -> Array:
        if (c := p.get(f"calibration_{one.name}")) is None:
            return jnp.ones(len(one))
        assert self.nuisances.calibration is not None
        return 1.0 + matmul(jnp.asarray(self.nuisances.calibration.terms(one), float), c)

    def _integrated(self, one: Spectrograph) -> Array | None:
        """Return s T of a calibration that is integrated out, else None."""
        own = self.nuisances.calibration
        if own is None or not own.marginalise:
            return None
        return jnp.asarray(own.sigma * own.terms(one), float)


def spectra_of(model: Any) -> Callable[..., Array]:
    """Return ``model.predict_spectrum``, or raise ConfigError."""
    if not hasattr(model, "predict_spectrum"):
        raise ConfigError(
            f"{type(model).__name__} has no spectra: take the exact model, "
            "surrogate.exact_model(), or a surrogate of spectra."
        )
    return model.predict_spectrum
