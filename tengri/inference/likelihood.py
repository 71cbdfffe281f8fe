r"""The likelihood of one galaxy's fluxes, and its density in the coordinates of a fit.

Measured bands have the multivariate normal of `tengri.forward.posterior`: the covariance of the
data plus that of the surrogate's own errors at the predicted fluxes. An upper limit :math:`F_l` is
a censored measurement (Sawicki 2012, PASP 124, 1208, eq. A7),

.. math:: L = \Phi\left(\frac{F_l - F}{\sigma}\right)

With ``Noise(outliers=ε)`` each band is an outlier with probability ε, whose error is larger by
``factor`` (Hogg, Bovy & Lang 2010, arXiv:1008.4686, section 3); bands are then independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.stats import norm

from tengri.constants import LN_PER_MAG, MAG_PER_LN
from tengri.errors import ParameterError
from tengri.forward.evaluator import Evaluator, flux_of
from tengri.inference.magnitude_prior import MagnitudePrior
from tengri.inference.observations import UNIT, Case
from tengri.inference.space import LN_2PI, Space, log_normal
from tengri.numerics.small_matrices import whitened

#: Keeps the root of a certain upper limit differentiable.
TINY = 1e-12


@dataclass(frozen=True)
class Noise:
    """Options of the likelihood.

    Attributes
    ----------
    outliers : float
        Probability that a band is an outlier; 0: none is.
    factor : float
        How many times larger the error of an outlier is.
    """

    outliers: float = 0.0
    factor: float = 10.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.outliers < 0.5 or not self.factor > 1.0:
            raise ParameterError(
                "Noise needs 0 <= outliers < 0.5 and factor > 1, got "
                f"outliers={self.outliers:g} and factor={self.factor:g}."
            )


class Fitness(NamedTuple):
    """How well predictions fit one galaxy, each (…).

    Attributes
    ----------
    log_likelihood : Array
        Log density of the data; -inf where a prediction is not finite.
    chi2 : Array
        χ² of the measured bands.
    """

    log_likelihood: Array
    chi2: Array


def fitness(flux: Array, case: Case, covariance: Any, noise: Noise = Noise()) -> Fitness:
    """Return the log density of the data at predicted fluxes, and χ².

    Parameters
    ----------
    flux : Array, shape (n_bands, …)
        Predictions [nJy]; many draws of one galaxy are the last axis.
    case : Case
    covariance : array, shape (n_bands, n_bands) or (n_bands, n_bands, …), or None
        Of the surrogate's errors [mag²]; None for an exact model.
    noise : Noise
    """
    case = _along(case, flux)
    good = jnp.all(jnp.isfinite(flux) | ~case.seen, axis=0)
    model = _over_errors(flux, case)
    white, log_det = _whitened(model, model, case, covariance)
    squares = jnp.sum(white * white, axis=0)
    if noise.outliers > 0.0:
        measured = _log_mixture(model, case, covariance, noise)
    else:
        width = jnp.where(measured_bands(case), jnp.log(case.error) + 0.5 * LN_2PI, 0.0)
        measured = -0.5 * squares - log_det - jnp.sum(width, axis=0)
    if case.limit is not None:
        measured = measured + jnp.sum(_log_below(model, case, covariance), axis=0)
    return Fitness(jnp.where(good, measured, -jnp.inf), squares)


def residuals(flux: Array, case: Case, covariance: Any) -> Array:
    """Return residuals (n_bands,) whose squares sum to -2 ln L but for the normalisation.

    The covariance counts as a constant: a Gauss-Newton step takes no slope of it.
    """
    model = _over_errors(flux, case)
    white, _ = _whitened(model, jax.lax.stop_gradient(model), case, covariance)
    if case.limit is None:
        return white
    below = jnp.sqrt(TINY - 2.0 * _log_below(model, case, covariance))
    return jnp.where(case.limit, below, white)


def measured_bands(case: Case) -> Any:
    """Return which bands have a flux that is no limit, in the shape of the case."""
    return case.seen if case.limit is None else case.seen & ~case.limit


def _along(case: Case, flux: Array) -> Case:
    """Return the case with its bands along the first axis of the fluxes."""

    def spread(x: Any) -> Any:
        return None if x is None else jnp.reshape(x, (*jnp.shape(x), *(1,) * (flux.ndim - 1)))

    by_band = ("flux", "error", "seen", "limit", "correlation")
    return case._replace(**{name: spread(getattr(case, name)) for name in by_band})


def _over_errors(flux: Array, case: Case) -> Array:
    """Return the prediction over the errors of the data, 0 for bands that do not count."""
    lit = case.seen & jnp.isfinite(flux)
    return jnp.where(lit, flux, 0.0) / case.error


def own_variance(model: Array, covariance: Any) -> Array | float:
    """Return the variance of the surrogate's errors over that of the data, (n_bands, …)."""
    if covariance is None:
        return 0.0
    own = jnp.einsum("bb...->b...", _along_draws(covariance, model))
    return LN_PER_MAG**2 * model * model * own


def _along_draws(covariance: Any, model: Array) -> Array:
    """Return the covariance (n_bands, n_bands, …) beside predictions (n_bands, …)."""
    covariance = jnp.asarray(covariance)
    return covariance.reshape(*covariance.shape, *(1,) * (model.ndim + 1 - covariance.ndim))


def _whitened(model: Array, at: Array, case: Case, covariance: Any) -> tuple[Array, Array]:
    """Return white residuals (n_bands, …) and ln det of the root of their covariance.

    Both over the errors of the data; the surrogate's own errors are those at the prediction ``at``.
    """
    measured = measured_bands(case)
    apart = jnp.where(measured, model - case.flux / case.error, 0.0)
    if covariance is None and case.correlation is None:
        return apart, jnp.zeros(apart.shape[1:])
    both = measured[:, None] & measured[None, :]
    unit = jnp.eye(len(model)).reshape(len(model), len(model), *(1,) * (model.ndim - 1))
    total = unit if case.correlation is None else jnp.where(both, case.correlation, unit)
    if covariance is not None:
        own = LN_PER_MAG**2 * at[:, None] * at[None, :] * _along_draws(covariance, model)
        total = total + jnp.where(both, own, 0.0)
    return whitened(total, apart)


def _log_mixture(model: Array, case: Case, covariance: Any, noise: Noise) -> Array:
    measured = measured_bands(case)
    apart = jnp.where(measured, model - case.flux / case.error, 0.0)
    own = own_variance(model, covariance)
    parts = [
        jnp.log(share) - 0.5 * apart * apart / variance - 0.5 * jnp.log(variance)
        for share, variance in (
            (1.0 - noise.outliers, jnp.ones_like(apart) + own),
            (noise.outliers, noise.factor**2 + jnp.zeros_like(apart) + own),
        )
    ]
    each = jnp.logaddexp(*parts) - jnp.log(case.error) - 0.5 * LN_2PI
    return jnp.sum(jnp.where(measured, each, 0.0), axis=0)


def _log_below(model: Array, case: Case, covariance: Any) -> Array:
    """Return ln Φ of upper limits; 0 for other bands."""
    room = jnp.where(case.limit, case.flux / case.error - model, 0.0)
    spread = jnp.sqrt(1.0 + own_variance(model, covariance))
    return jnp.where(case.limit, norm.logcdf(room / spread), 0.0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Density:
    """The posterior of any galaxy of a catalogue in the coordinates of a `Space`.

    Attributes
    ----------
    evaluator : Evaluator
        The light of one galaxy: exact or emulated.
    covariance : array, shape (n_bands, n_bands), or None
        Of the surrogate's own errors [mag²], over all galaxies.
    space : Space
    noise : Noise
    amplitude : str or None
        The parameter that is log10 of a factor of all fluxes, if there is one.
    magnitude_prior : MagnitudePrior or None
        Of a free redshift, beside that of the spec.
    by_colours : pytree or None
        The covariance of the galaxy at hand, ``at(magnitudes, redshift, jax.numpy)``, where the
        surrogate knows it: that of `tengri.forward.posterior`.
    """

    evaluator: Evaluator
    covariance: Any
    space: Space = field(metadata={"static": True})
    noise: Noise = field(metadata={"static": True})
    amplitude: str | None = field(metadata={"static": True})
    magnitude_prior: MagnitudePrior | None = field(default=None, metadata={"static": True})
    by_colours: Any = None

    @property
    def place(self) -> int | None:
        """Where the amplitude stands in a vector."""
        return None if self.amplitude is None else self.space.starts[self.amplitude]

    def params(self, xi: Array, case: Case) -> dict[str, Array]:
        """Return the parameters of one galaxy that are not fixed by the spec."""
        known: Mapping[str, Any] = {} if case.redshift is None else {"redshift": case.redshift}
        return {**self.space.params(xi), **known}

    def flux(self, xi: Array, case: Case) -> Array:
        """Return the predicted fluxes [nJy], (n_bands,); NaN where there is no answer."""
        return flux_of(self.evaluator, UNIT, self.params(xi, case))[0]

    def fitness(self, flux: Array, xi: Array, case: Case) -> Fitness:
        """Return `fitness` of predictions (n_bands, …) [nJy] at vectors (…, size)."""
        return fitness(flux, case, self.own_covariance(flux, xi, case), self.noise)

    def own_covariance(self, flux: Array, xi: Array, case: Case) -> Array | None:
        """Return the covariance of the surrogate's own errors [mag²] at predicted fluxes.

        (n_bands, n_bands, …) by colours and redshift where they are known, else that of all
        galaxies; None of an exact model.
        """
        if self.by_colours is None:
            return None if self.covariance is None else jnp.asarray(self.covariance)
        lit = jnp.isfinite(flux) & (flux > 0.0)
        magnitudes = -MAG_PER_LN * jnp.log(jnp.where(lit, flux, 1.0))
        faintest = jnp.max(jnp.where(lit, magnitudes, -jnp.inf), axis=0)
        magnitudes = jnp.where(lit, magnitudes, jnp.where(jnp.any(lit, axis=0), faintest, 0.0))
        z = self._redshifts(xi, case)
        own = self.by_colours.at(jnp.moveaxis(magnitudes, 0, -1), z, jnp)
        return jnp.moveaxis(own, (-2, -1), (0, 1))

    def _redshifts(self, xi: Array, case: Case) -> Array:
        """Return the redshifts (…) of vectors (…, size)."""
        if case.redshift is not None:
            return jnp.broadcast_to(case.redshift, xi.shape[:-1])
        if "redshift" not in self.space.names:
            return jnp.broadcast_to(self.evaluator.fixed.values["redshift"], xi.shape[:-1])
        each = jax.vmap(lambda v: self.space.params(v)["redshift"])
        return each(xi.reshape(-1, xi.shape[-1])).reshape(xi.shape[:-1])

    def log_redshift_prior(self, xi: Array, case: Case) -> Array:
        """Return the log density of the galaxy's own prior of its redshift, if it has one."""
        if "redshift" not in self.space.names:
            return jnp.zeros(())
        return self.log_own_prior(self.space.params(xi)["redshift"], case)

    def log_own_prior(self, z: Array, case: Case) -> Array:
        """Return the same at a redshift: of a normal prior, and of one by magnitude."""
        total = jnp.zeros(())
        if case.redshift_prior is not None:
            mean, width = case.redshift_prior
            apart = (z - mean) / width
            total = total - 0.5 * apart * apart - jnp.log(width) - 0.5 * LN_2PI
        if (prior := self.magnitude_prior) is not None:
            total = total + prior.log_density(z, case.flux[prior.place], case.seen[prior.place])
        return total

    def _redshift_residual(self, xi: Array, case: Case) -> Array | None:
        if case.redshift_prior is None:
            return None
        z = self.space.params(xi)["redshift"]
        return (z - case.redshift_prior[0]) / case.redshift_prior[1]

    def log_posterior(self, xi: Array, case: Case) -> Array:
        """Return the log density at ``xi`` (size,), normalised but for the evidence."""
        likelihood = self.fitness(self.flux(xi, case), xi, case).log_likelihood
        return likelihood + self.log_redshift_prior(xi, case) + log_normal(xi)

    def residuals(self, xi: Array, case: Case) -> tuple[Array, Array]:
        """Return whitened residuals of data and redshift, and whether the model has an answer.

        (n_bands,) or, with a prior of the redshift, (n_bands + 1,).
        """
        flux = self.flux(xi, case)
        answered = jnp.all(jnp.isfinite(flux) | ~case.seen)
        r = residuals(flux, case, jax.lax.stop_gradient(self.own_covariance(flux, xi, case)))
        apart = self._redshift_residual(xi, case)
        return (r if apart is None else jnp.append(r, apart)), answered


def own_errors(model: Any) -> dict[str, Any]:
    """Return what a density holds of a model's own errors: over all galaxies, and by colours."""
    return {"covariance": own_covariance(model),
            "by_colours": getattr(model, "covariance_by_colours", None)}  # fmt: skip


def own_covariance(model: Any) -> np.ndarray | None:
    """Return the covariance of a model's own errors [mag²], None where it makes none."""
    found = np.asarray(model.emulation_covariance)
    return found if found.any() else None
