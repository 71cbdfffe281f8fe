r"""A photometric model as pure functions of one vector: what samplers ask for.

Coordinates are ``unbounded`` (all of R^n, for NUTS and other gradient samplers) or ``unit`` (the
unit cube, for nested samplers); every point of either is inside the prior's bounds. Data have
independent errors or a covariance, and a surrogate adds the covariance of its own errors, which
it carries in magnitudes:

.. math:: C_{ij} = C^{data}_{ij} + (0.4 \ln 10)^2 F_i F_j C^{surrogate}_{ij}

with F the predicted fluxes. Residuals are divided by the data's errors before anything is
squared: a flux of 1e-29 has no square in float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_factor, cho_solve
from jax.typing import ArrayLike

from tengri.errors import ParameterError, unknown
from tengri.parameters import Parameters

POGSON = 0.4 * math.log(10.0)
COORDINATES = ("unbounded", "unit")


class Data(NamedTuple):
    """Measured fluxes over their errors, (n_bands,), and the correlation of the errors.

    A band without a measurement (NaN, or an infinite error) has ``seen`` False and counts for
    nothing. ``log_norm`` is Σ ln σ + (n/2) ln 2π of those seen.
    """

    flux: np.ndarray
    error: np.ndarray
    correlation: np.ndarray
    seen: np.ndarray
    log_norm: float

    @classmethod
    def of(cls, flux: ArrayLike, error: ArrayLike, n_bands: int) -> Data:
        """Check and normalise fluxes (n_bands,) with errors (n_bands,) or a covariance.

        Raises
        ------
        ParameterError
            Another shape, errors that are not positive, no band that was measured.
        """
        f, e = np.asarray(flux, np.float64), np.asarray(error, np.float64)
        if f.shape != (n_bands,) or e.shape not in ((n_bands,), (n_bands, n_bands)):
            raise ParameterError(
                f"Data need flux ({n_bands},) and error ({n_bands},) or a covariance "
                f"({n_bands}, {n_bands}); got {f.shape} and {e.shape}."
            )
        sigma = e if e.ndim == 1 else np.sqrt(np.diag(e))
        seen = np.isfinite(f) & np.isfinite(sigma)
        if not (seen.any() and (sigma[seen] > 0.0).all()):
            raise ParameterError("Errors must be positive, and one band at least measured.")
        sigma = np.where(seen, sigma, 1.0)
        both = np.outer(seen, seen)
        scaled = e / np.outer(sigma, sigma) if e.ndim == 2 else np.eye(n_bands)
        correlation = np.where(both, np.where(both, scaled, 0.0), np.eye(n_bands))
        norm = float(np.log(sigma[seen]).sum() + 0.5 * seen.sum() * math.log(2.0 * math.pi))
        return cls(np.where(seen, f, 0.0) / sigma, sigma, correlation, seen, norm)


class Predicts(Protocol):
    """What a posterior asks of a photometric model."""

    @property
    def spec(self) -> Parameters:
        """Priors and fixed values."""
        ...

    @property
    def units(self) -> str:
        """Unit of the fluxes."""
        ...

    @property
    def filter_names(self) -> tuple[str, ...]:
        """The bands."""
        ...

    @property
    def emulation_covariance(self) -> np.ndarray:
        """Covariance of the model's own errors [mag²], (n_bands, n_bands)."""
        ...

    def predict_photometry(self, params: Mapping[str, Any]) -> Array:
        """Return the band fluxes of one galaxy, (n_bands,)."""
        ...


@dataclass(frozen=True, eq=False)
class Posterior:
    """The model as a function of a vector of its free parameters, or of a dict.

    Made by ``model.flat_function()``. Every method is a pure function: ``jit``, ``vmap`` and
    ``grad`` work on it.

    Attributes
    ----------
    model : PhotometricModel
        Exact or emulated.
    coordinates : {"unbounded", "unit"}

    Examples
    --------
    >>> flat = model.flat_function("unbounded")                             # doctest: +SKIP
    >>> data = flat.data(flux, error)                                       # doctest: +SKIP
    >>> jax.grad(flat.log_posterior)(jnp.zeros(flat.size), data)            # doctest: +SKIP
    """

    model: Predicts
    coordinates: str = "unbounded"

    def __post_init__(self) -> None:
        if self.coordinates not in COORDINATES:
            raise unknown("coordinates", str(self.coordinates), COORDINATES)

    @property
    def names(self) -> list[str]:
        """Free parameters in the order of the vector; a latent field has many entries."""
        return self.model.spec.free_params

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self.model.spec.n_latent

    def params(self, u: ArrayLike) -> dict[str, Array]:
        """Return the complete parameter dict at ``u`` (…, size)."""
        spec = self.model.spec
        free = spec.from_unbounded(u) if self.coordinates == "unbounded" else spec.from_unit(u)
        return {name: free[name] for name in (*self.names, *spec.fixed_params)}

    def vector(self, params: Mapping[str, Any]) -> Array:
        """Return the coordinates (…, size) of a parameter dict: the inverse of `params`."""
        spec = self.model.spec
        return (
            spec.to_unbounded(params) if self.coordinates == "unbounded" else spec.to_unit(params)
        )

    def __call__(self, u: ArrayLike | Mapping[str, Any]) -> Array:
        """Return the band fluxes (n_bands,), in the model's units, at a vector or a dict."""
        params = u if isinstance(u, Mapping) else self.params(u)
        return self.model.predict_photometry(params)

    def data(self, flux: ArrayLike, error: ArrayLike) -> Data:
        """Return measurements in the model's units, ready for `log_likelihood`.

        Parameters
        ----------
        flux : array, shape (n_bands,)
            NaN where there is no measurement.
        error : array, shape (n_bands,) or (n_bands, n_bands)
            Standard deviations, or the covariance.
        """
        return Data.of(flux, error, len(self.model.filter_names))

    def log_prior(self, u: Array) -> Array:
        """Return the log density of the prior in these coordinates, a scalar."""
        if self.coordinates == "unit":
            u = jnp.asarray(u)
            return jnp.where(jnp.all((u >= 0.0) & (u <= 1.0)), 0.0, -jnp.inf)
        spec = self.model.spec
        return spec.log_prior(spec.from_unbounded(u)) + spec.log_abs_det(u)

    def log_likelihood(self, u: Array | Mapping[str, Any], data: Data) -> Array:
        """Return ln N(data | model, C), a scalar; -inf where the model has no answer."""
        flux = self(u) / jnp.asarray(data.error, float)
        good = jnp.all(jnp.isfinite(flux))
        flux = jnp.where(data.seen & good, flux, 0.0)
        residual = flux - jnp.asarray(data.flux, float)
        factor = cho_factor(self._covariance(flux, data), lower=True)
        half_log_det = jnp.sum(jnp.log(jnp.diag(factor[0])))
        chi2 = jnp.sum(residual * cho_solve(factor, residual))
        log_n = -0.5 * chi2 - half_log_det - data.log_norm
        return jnp.where(good, log_n, -jnp.inf)

    def _covariance(self, flux: Array, data: Data) -> Array:
        """Return C over the errors of the data; ``flux`` is over them too."""
        own = jnp.asarray(self.model.emulation_covariance, float)
        if self.model.units == "mag_ab":
            inverse = jnp.where(data.seen, 1.0 / jnp.asarray(data.error, float), 0.0)
            return jnp.asarray(data.correlation, float) + jnp.outer(inverse, inverse) * own
        return jnp.asarray(data.correlation, float) + POGSON**2 * jnp.outer(flux, flux) * own

    def log_posterior(self, u: Array, data: Data) -> Array:
        """Return `log_prior` + `log_likelihood`, the density that a sampler explores."""
        return self.log_prior(u) + self.log_likelihood(u, data)
