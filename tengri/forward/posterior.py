r"""A photometric model as pure functions of one vector, for samplers.

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

from tengri.constants import LN_PER_MAG
from tengri.errors import ParameterError, unknown
from tengri.forward.measurements import measured
from tengri.parameters import Parameters
from tengri.parameters.validate import default_float
from tengri.process import check_process

#: Largest difference of two entries of a correlation matrix that should be equal: float32's.
ASYMMETRY = 1e-5
COORDINATES = ("unbounded", "unit")


class MeasuredFluxes(NamedTuple):
    """Measured fluxes over their errors, (n_bands,), and the correlation of the errors.

    A band without a measurement (masked, null, NaN, or an infinite error) has ``seen`` False and
    counts for nothing. ``log_norm`` is Σ ln σ + (n/2) ln 2π of those seen. Of many galaxies every
    field has a leading axis (n,): map over it with ``jax.vmap``.
    """

    flux: np.ndarray
    error: np.ndarray
    correlation: np.ndarray
    seen: np.ndarray
    log_norm: Any

    @classmethod
    def of(cls, flux: Any, error: Any, n_bands: int, units: str) -> MeasuredFluxes:
        """Check and normalise fluxes (…, n_bands) with errors (…, n_bands) or covariances.

        Raises
        ------
        ParameterError
            Another shape, errors that are not positive, a covariance that is not symmetric or
            not positive definite, no band that was measured, a unit that is not understood.
        """
        f, e = measured(flux, error, units)
        _check_shapes(f, e, n_bands)
        sigma = e if e.ndim == f.ndim else _root_diagonal(e)
        seen = np.isfinite(f) & np.isfinite(sigma)
        correlation = np.broadcast_to(np.eye(n_bands), (*f.shape, n_bands))
        if e.ndim > f.ndim:
            seen, scaled = _without_gaps(e, sigma, seen)
            correlation = _checked_correlation(scaled, seen)
        if not ((sigma[seen] > 0.0).all() and seen.any(axis=-1).all()):
            bad = ~seen.any(axis=-1) | (seen & ~(sigma > 0.0)).any(axis=-1)
            where = "" if f.ndim == 1 else f" (row {int(np.argmax(bad))})"
            raise ParameterError(f"Errors must be positive, and one band at least measured{where}.")
        sigma = np.where(seen, sigma, 1.0)
        norm = np.log(sigma).sum(axis=-1) + 0.5 * seen.sum(axis=-1) * math.log(2.0 * math.pi)
        flux_over_error = np.where(seen, f, 0.0) / sigma
        return cls(flux_over_error, sigma, correlation, seen, norm if f.ndim > 1 else float(norm))


def _check_shapes(f: np.ndarray, e: np.ndarray, n_bands: int) -> None:
    fits = f.ndim in (1, 2) and f.shape[-1] == n_bands and e.shape in (f.shape, (*f.shape, n_bands))
    if not fits:
        raise ParameterError(
            f"Data need flux ({n_bands},) and error ({n_bands},) or a covariance "
            f"({n_bands}, {n_bands}), or rows of them; got {f.shape} and {e.shape}."
        )


def _root_diagonal(covariance: np.ndarray) -> np.ndarray:
    """Return the standard deviations; NaN where the variance is negative, which is refused."""
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    if (variance < 0.0).any():
        raise ParameterError(f"A variance is negative ({np.nanmin(variance):.3g}).")
    return np.sqrt(variance)


def _without_gaps(
    covariance: np.ndarray, sigma: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (seen, correlation): bands whose covariance with a seen one is unknown are out."""
    safe = np.where(seen & (sigma > 0.0), sigma, 1.0)
    scaled = covariance / safe[..., :, None] / safe[..., None, :]
    both = seen[..., :, None] & seen[..., None, :]
    unknown_pair = both & ~np.isfinite(scaled)
    seen = seen & ~(unknown_pair | np.swapaxes(unknown_pair, -1, -2)).any(axis=-1)
    both = seen[..., :, None] & seen[..., None, :]
    return seen, np.where(both, scaled, np.eye(seen.shape[-1]))


def _checked_correlation(scaled: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the correlation matrix, symmetric to the last bit.

    Raises
    ------
    ParameterError
        Not symmetric, or not positive definite in the process's default float.
    """
    lopsided = np.abs(scaled - np.swapaxes(scaled, -1, -2)).max()
    if lopsided > ASYMMETRY:
        raise ParameterError(
            f"The covariance is not symmetric: two entries that must be equal differ by "
            f"{lopsided:.3g} of the product of their errors."
        )
    symmetric = 0.5 * (scaled + np.swapaxes(scaled, -1, -2))
    least = float(np.linalg.eigvalsh(symmetric).min())
    if not least > seen.shape[-1] * np.finfo(default_float()).eps:
        raise ParameterError(
            f"The covariance is not positive definite: the smallest eigenvalue of its correlation "
            f"matrix is {least:.3g}. Correlations must lie below 1, and no combination of bands "
            "may be without error: add the noise of each band to the diagonal."
        )
    return symmetric


class Predicts(Protocol):
    """Methods of a photometric model that a posterior needs."""

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

    def predict_photometry(self, params: Mapping[str, Any], units: str | None = None) -> Array:
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
        return self._flux(u)

    def _flux(self, u: ArrayLike | Mapping[str, Any], units: str | None = None) -> Array:
        params = u if isinstance(u, Mapping) else self.params(u)
        return self.model.predict_photometry(params, units)

    def data(self, flux: Any, error: Any) -> MeasuredFluxes:
        """Return measurements in the model's units, ready for `log_likelihood`.

        Parameters
        ----------
        flux : array, shape (n_bands,) or (n, n_bands)
            Masked, null or NaN where there is no measurement. Plain numbers are in the model's
            units; a quantity of astropy (f_ν, AB magnitudes) is converted.
        error : array, shape as ``flux`` or with one more axis (n_bands,)
            Standard deviations, or the covariance. A band with a masked entry there was not
            measured; an unknown covariance of two bands takes both out.

        Raises
        ------
        ParameterError
            See `MeasuredFluxes.of`.
        """
        return MeasuredFluxes.of(flux, error, len(self.model.filter_names), self.model.units)

    def log_prior(self, u: Array) -> Array:
        """Return the log density of the prior in these coordinates, a scalar."""
        check_process()
        if self.coordinates == "unit":
            u = jnp.asarray(u)
            return jnp.where(jnp.all((u >= 0.0) & (u <= 1.0)), 0.0, -jnp.inf)
        spec = self.model.spec
        return spec.log_prior(spec.from_unbounded(u)) + spec.log_abs_det(u)

    def log_likelihood(self, u: Array | Mapping[str, Any], data: MeasuredFluxes) -> Array:
        """Return ln N(data | model, C), a scalar; -inf where the model has no answer."""
        flux, good = self._predicted(u, data)
        residual = flux - jnp.asarray(data.flux, float)
        factor = cho_factor(self._covariance(flux, data, self._own_covariance(u)), lower=True)
        half_log_det = jnp.sum(jnp.log(jnp.diag(factor[0])))
        chi2 = jnp.sum(residual * cho_solve(factor, residual))
        log_n = -0.5 * chi2 - half_log_det - data.log_norm
        return jnp.where(good, log_n, -jnp.inf)

    def _predicted(self, u: Array | Mapping[str, Any], data: MeasuredFluxes) -> tuple[Array, Array]:
        """Return the fluxes of the bands that were seen over the errors, and if all are finite.

        Of the others nothing is left, neither value nor slope: they are out before any logarithm
        is taken, for that of a band without light has no slope.
        """
        if self.model.units == "mag_ab":
            flux = self._flux(u, "maggies")
            lit = data.seen & (flux > 0.0) & jnp.isfinite(flux)
            value = -2.5 * jnp.log10(jnp.where(lit, flux, 1.0))
        else:
            flux = self._flux(u)
            lit = data.seen & jnp.isfinite(flux)
            value = jnp.where(lit, flux, 0.0)
        return value / jnp.asarray(data.error, float), jnp.all(lit | ~jnp.asarray(data.seen))

    def _own_covariance(self, u: Array | Mapping[str, Any]) -> Array:
        """Return the covariance of the model's own errors [mag²] for the galaxy at ``u``."""
        known = getattr(self.model, "emulation_covariance_at", None)  # of surrogates alone
        if known is None:
            return jnp.asarray(self.model.emulation_covariance, float)
        params = u if isinstance(u, Mapping) else self.params(u)
        maggies = self._flux(params, "maggies")
        lit = jnp.isfinite(maggies) & (maggies > 0.0)
        magnitudes = -2.5 * jnp.log10(jnp.where(lit, maggies, 1.0))
        faint = jnp.max(jnp.where(lit, magnitudes, -jnp.inf))
        magnitudes = jnp.where(lit, magnitudes, faint)
        return known(magnitudes, self.model.spec.resolve(params)["redshift"])

    def _covariance(self, flux: Array, data: MeasuredFluxes, own: Array) -> Array:
        """Return C over the errors of the data; ``flux`` is over them too."""
        if self.model.units == "mag_ab":
            inverse = jnp.where(data.seen, 1.0 / jnp.asarray(data.error, float), 0.0)
            return jnp.asarray(data.correlation, float) + jnp.outer(inverse, inverse) * own
        return jnp.asarray(data.correlation, float) + LN_PER_MAG**2 * jnp.outer(flux, flux) * own

    def log_posterior(self, u: Array, data: MeasuredFluxes) -> Array:
        """Return `log_prior` + `log_likelihood`, the density that a sampler explores."""
        return self.log_prior(u) + self.log_likelihood(u, data)
