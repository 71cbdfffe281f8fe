r"""The spectrum of one galaxy beside a model, up to a smooth calibration.

Fluxes of spectra are known less well than their shape from pixel to pixel: the model is multiplied
by a polynomial (Johnson et al. 2021, ApJS 254, 22, section 3.2.5; Cappellari 2017, MNRAS 466, 798)

.. math:: P(\lambda) = 1 + \sum_{k=0}^{n} c_k T_k(x), \quad c_k \sim N(0, s)

with Chebyshev polynomials T of x, from -1 at the first pixel to 1 at the last. The data
are linear in c, so that the integral over all of them is a Gaussian (Rasmussen & Williams 2006,
eq. 2.43): with residuals r and columns U = s m T, both over the errors,

.. math:: -2 \ln L = |r - U c|^2 + |c|^2 + \ln |1 + U^T U| + 2 \sum \ln \sigma + N \ln 2\pi,
          \quad (1 + U^T U) \, c = U^T r

A surrogate of spectra adds its own errors, a share ε of the light, to those of the data:
σ² → σ² + (ε m)², pixel by pixel.

Shapes: n_pixel pixels, n_term = n + 1 terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_solve

from tengri.errors import ConfigError, ParameterError
from tengri.forward.measurements import measured
from tengri.numerics.linalg import matmul
from tengri.observation.spectrograph import Spectrograph
from tengri.quantities import plain_values, unit_of


@dataclass(frozen=True)
class Calibration:
    """A multiplicative polynomial.

    Attributes
    ----------
    order : int
        Of the highest Chebyshev polynomial; 0 is a factor alone.
    sigma : float
        Standard deviation of the prior of each coefficient.
    marginalise : bool
        Whether the coefficients are integrated out, or are parameters of the fit.

    Raises
    ------
    ConfigError
        An order below 0, or a ``sigma`` that is not positive.
    """

    order: int
    sigma: float = 0.1
    marginalise: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.order, bool) or not isinstance(self.order, int) or self.order < 0:
            raise ConfigError(f"The order of a calibration is 0, 1, 2 …; got {self.order!r}.")
        if not 0.0 < self.sigma < math.inf:
            raise ConfigError(f"sigma of a calibration must be positive, got {self.sigma!r}.")

    def terms(self, pixels: Spectrograph) -> np.ndarray:
        """Return the Chebyshev polynomials at the pixels, (n_pixel, n_term)."""
        first, last = pixels.wave[[0, -1]]
        x = 2.0 * (pixels.wave - first) / (last - first) - 1.0
        return np.polynomial.chebyshev.chebvander(x, self.order)


class MeasuredSpectrum(NamedTuple):
    """A spectrum over its errors, (n_pixel,); pixels that count for nothing have ``seen`` False.

    ``log_norm`` is Σ ln σ + (n/2) ln 2π of those seen.
    """

    flux: Any
    error: Any
    seen: Any
    log_norm: Any

    @classmethod
    def of(cls, flux: Any, error: Any, pixels: Spectrograph, units: str) -> MeasuredSpectrum:
        """Check and normalise a spectrum.

        Parameters
        ----------
        flux, error : array, shape (n_pixel,)
            f_ν in ``units``, or with a unit of astropy, f_λ too. Masked, null, NaN, or an infinite
            error: not measured.
        pixels : Spectrograph
        units : str
            A linear unit of `tengri.forward.units`.

        Raises
        ------
        ParameterError
            Another shape, errors that are not positive, no pixel that was measured, a unit that
            is not understood.
        """
        f, e = measured(_as_fnu(flux, pixels), _as_fnu(error, pixels), units)
        n = len(pixels)
        if f.shape != (n,) or e.shape != (n,):
            raise ParameterError(
                f"The spectrum {pixels.name} has {n} pixels; got flux {f.shape} and error "
                f"{e.shape}."
            )
        seen = np.isfinite(f) & np.isfinite(e)
        if not (seen.any() and (e[seen] > 0.0).all()):
            raise ParameterError(
                f"Errors of the spectrum {pixels.name} must be positive, and one pixel at least "
                "measured: mask pixels of no weight, or give them an infinite error."
            )
        sigma = np.where(seen, e, 1.0)
        norm = float(np.log(sigma).sum() + 0.5 * seen.sum() * math.log(2.0 * math.pi))
        return cls(np.where(seen, f, 0.0) / sigma, sigma, seen, norm)


def _as_fnu(value: Any, pixels: Spectrograph) -> Any:
    """Return f_λ as f_ν, anything else as it is."""
    if (stated := unit_of(value)) is None:
        return value
    from astropy import units as u

    try:
        unit = u.Unit(stated)
        per_wave = unit.is_equivalent("erg / (s cm2 Angstrom)")
    except (ValueError, TypeError, AttributeError):
        return value
    if not per_wave:
        return value
    numbers, _ = plain_values(value, unit, "The spectrum")
    if numbers.shape != pixels.wave.shape:
        return numbers * u.Unit("erg / (s cm2 Hz)")  # the shape is refused with the others
    at = u.spectral_density(pixels.wave * u.Angstrom)
    return (numbers * unit).to("erg / (s cm2 Hz)", equivalencies=at)


def log_likelihood(
    flux: Array,
    data: MeasuredSpectrum,
    terms: Array | None,
    noise_factor: Any = 1.0,
    own: Array | None = None,
) -> Array:
    """Return the log density of a spectrum at a prediction, -inf where one is not finite.

    Parameters
    ----------
    flux : Array, shape (n_pixel,)
        In the units of the data.
    data : MeasuredSpectrum
    terms : Array, shape (n_pixel, n_term), or None
        s T of a calibration that is integrated out.
    noise_factor : scalar
        By which all errors are larger than stated.
    own : Array, shape (n_pixel,), optional
        Relative error of the prediction itself; none where it is exact.
    """
    residual, model, larger, good = _residual(flux, data, noise_factor, own)
    norm = data.log_norm + jnp.sum(jnp.where(data.seen, jnp.log(larger), 0.0))
    if terms is None:
        chi2 = jnp.sum(residual**2)
    else:
        columns = model[:, None] * terms
        c, factor = _best(columns, residual)
        chi2 = jnp.sum((residual - matmul(columns, c)) ** 2) + jnp.sum(c**2)
        norm = norm + jnp.sum(jnp.log(jnp.diagonal(factor)))
    return jnp.where(good, -0.5 * chi2 - norm, -jnp.inf)


def best_polynomial(
    flux: Array,
    data: MeasuredSpectrum,
    terms: Array,
    noise_factor: Any = 1.0,
    own: Array | None = None,
) -> Array:
    """Return the mean of P given all else, (n_pixel,); arguments as in `log_likelihood`."""
    residual, model, _, _ = _residual(flux, data, noise_factor, own)
    return 1.0 + matmul(terms, _best(model[:, None] * terms, residual)[0])


def _residual(
    flux: Array, data: MeasuredSpectrum, noise_factor: Any, own: Array | None
) -> tuple[Array, Array, Array, Array]:
    """Return residuals and model over all errors, these over the stated ones, if all is finite."""
    finite = jnp.isfinite(flux)
    model = jnp.where(data.seen & finite, flux, 0.0) / jnp.asarray(data.error, float)
    apart = jnp.asarray(data.flux, float) - model
    good = jnp.all(finite | ~jnp.asarray(data.seen))
    larger = jnp.broadcast_to(jnp.asarray(noise_factor, float), model.shape)
    if own is not None:
        larger = jnp.hypot(larger, own * model)
    return apart / larger, model / larger, larger, good


def _best(columns: Array, residual: Array) -> tuple[Array, Array]:
    """Return the most probable coefficients over s, and the lower Cholesky factor of 1 + UᵀU."""
    precision = jnp.eye(columns.shape[1]) + matmul(columns.T, columns)
    factor = jnp.linalg.cholesky(precision)
    return cho_solve((factor, True), matmul(columns.T, residual)), factor
