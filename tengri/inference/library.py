r"""Posteriors from one library of prior draws that all galaxies share: photometric redshifts.

The fluxes of many draws of the prior are made once. What a galaxy's data say of them is matrix
products: with weights :math:`w_b = 1/\sigma_b^2`, data d and predictions F, the amplitude that fits
best and the likelihood there are

.. math:: \hat A = \frac{\sum_b w_b d_b F_b}{\sum_b w_b F_b^2}, \qquad
    \ln L = \hat A \sum_b w_b d_b F_b - \tfrac12 \hat A^2 \sum_b w_b F_b^2 + \mathrm{const},

and the width of the amplitude marginalises over it. Of these approximate weights (bands
independent, the surrogate's own errors left out, the amplitude's prior flat) each galaxy draws
candidates, which get amplitudes of their own (`tengri.inference.amplitude`) and the weights that
the likelihood proper gives them: importance sampling from the prior (Kitzbichler et al. 2007 and
others call such libraries Bayesian), in which no mode of a redshift can be missed that has draws.
How many draws count (Kish) is known before candidates are drawn from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.special import ndtri
from scipy.stats import qmc

from tengri.errors import ConfigError
from tengri.forward.batching import Execution, RowMap, Sizes
from tengri.inference.amplitude import draw_amplitude, log_amplitude_prior, reference
from tengri.inference.diagnostics import resampled
from tengri.inference.importance import Draws
from tengri.inference.likelihood import Density, measured_bands
from tengri.inference.observations import Case
from tengri.parameters.validate import default_float

#: Fewest draws of the library that must count: quantiles are then good to a seventh of a σ.
MIN_LIBRARY_ESS = 50.0
#: Candidates of each galaxy: more than draws of the library count.
CANDIDATES = 1024
#: Galaxies whose weights of all draws are in memory at once.
TOGETHER = 16
#: Cells in ln(1+z) of a prior of the redshift that depends on the galaxy.
Z_CELLS = 1024
PREDICT = Execution(Sizes(64, 4096), Sizes(4096, 65536))
WEIGH = Execution(Sizes(1, 16), Sizes(32, 32))


@dataclass(frozen=True, eq=False)
class Library:
    """Draws of the prior with their fluxes.

    Attributes
    ----------
    density : Density
    xi : ndarray, shape (n, size)
        The coordinate of the amplitude is 0.
    flux : ndarray, shape (n, n_bands)
        In nJy, at the median amplitude.
    drawn : int
        Draws made, those without an answer of the model included.
    """

    density: Density
    xi: np.ndarray
    flux: np.ndarray
    drawn: int

    @classmethod
    def of(cls, density: Density, case: Case, n: int, seed: int) -> Library:
        """Draw a library: n points of a Sobol sequence under the prior.

        Parameters
        ----------
        density : Density
            With an amplitude.
        case : Case
            Any one galaxy.
        n : int
            A power of two.
        seed : int

        Raises
        ------
        ConfigError
            Known redshifts, which differ from galaxy to galaxy; no parameter that is an amplitude.
        """
        if "redshift" not in {*density.space.names, *density.evaluator.fixed.values}:
            raise ConfigError(
                "The method 'library' shares draws between galaxies and needs a free redshift; "
                "for known redshifts take 'importance'."
            )
        if density.place is None:
            raise ConfigError(
                "The method 'library' needs one free amplitude, such as the mass formed, of which "
                "all light is a multiple; take 'importance'."
            )
        rng = np.random.default_rng(seed)
        # shuffled: candidates are taken at even steps, and the sequence repeats itself at such
        unit = rng.permutation(qmc.Sobol(density.space.size, rng=rng).random(n))
        xi = ndtri(unit.clip(1e-7, 1.0 - 1e-7)).astype(default_float())
        xi[:, density.place] = 0.0
        flux = np.asarray(_predict_map()((density, case), xi, PREDICT.sizes))
        answered = np.isfinite(flux).all(axis=1)
        return cls(density, xi[answered], flux[answered].astype(np.float32), n)

    def draws(self, cases: Case, n: int, seed: int) -> tuple[Draws, np.ndarray]:
        """Return weighted draws of galaxies, and how many of the library count for each.

        Parameters
        ----------
        cases : Case
            Of g galaxies.
        n : int
            Draws of each.
        seed : int

        Returns
        -------
        Draws
            Fields (g, n, …).
        ndarray, shape (g,)
            Kish's effective number of draws of the library.
        """
        chosen, log_q, ess = self._candidates(cases, n, seed)
        rows = cases, self.xi[chosen], self.flux[chosen].astype(default_float()), log_q
        constants = self.density, np.uint32(seed)
        return _weigh_map()(constants, rows, WEIGH.sizes), ess

    def _candidates(self, cases: Case, n: int, seed: int) -> tuple[np.ndarray, ...]:
        """Return indices (g, n), ln of their density over the prior (g, n), effective numbers."""
        g = len(cases.index)
        chosen = np.empty((g, n), np.int32)
        log_q, ess = np.empty((g, n), np.float32), np.empty(g)
        cells, edges = self._z_cells()
        for start in range(0, g, TOGETHER):
            rows = np.arange(start, start + TOGETHER).clip(max=g - 1)
            some = Case(*(None if x is None else np.asarray(x)[rows] for x in cases))
            prior = np.asarray(_log_z_prior(self.density, some, edges))
            here = slice(start, min(start + TOGETHER, g))
            weight = np.asarray(_approximate(self.flux, cells, some, prior, self._ends))
            weight = weight[: here.stop - here.start]
            found = resampled(weight.astype(np.float64), n, seed)
            chosen[here] = found
            total, squares = weight.sum(axis=1), np.einsum("gn,gn->g", weight, weight)
            ess[here] = total**2 / np.maximum(squares, 1e-30)
            share = np.take_along_axis(weight, found, axis=1) / np.maximum(total, 1e-30)[:, None]
            log_q[here] = np.log(np.maximum(share * self.drawn, 1e-30))
        return chosen, log_q, ess

    @property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Factors of the fluxes between which the amplitude's prior lies."""
        name = self.density.space.names.index(self.density.amplitude or "")
        ends = np.array(self.density.space.priors[name].reach) - float(reference(self.density))
        low, high = np.float32(10.0) ** ends.clip(-30.0, 30.0).astype(np.float32)
        return np.asarray(low), np.asarray(high)

    def _z_cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the cell of each draw's redshift, and the redshifts of the cells."""
        space = self.density.space
        if "redshift" not in space.names:
            return np.zeros(len(self.xi), np.int32), np.ones(1)
        prior = space.priors[space.names.index("redshift")]
        x = np.log1p(np.asarray(prior.unstandardize(self.xi[:, space.starts["redshift"]])))
        edges = np.linspace(x.min(), x.max(), Z_CELLS)
        cells = np.rint((x - edges[0]) / (edges[1] - edges[0])).astype(np.int32)
        return cells, np.expm1(edges)


@jax.jit
def _log_z_prior(density: Density, cases: Case, z: Array) -> Array:
    """Return each galaxy's own log prior at redshifts, (g, n_z)."""
    return jax.vmap(
        lambda case: jax.vmap(lambda x: density.log_own_prior(x, case))(jnp.asarray(z))
    )(cases)


@jax.jit
def _approximate(flux: Array, cells: Array, cases: Case, log_z: Array, ends: Any) -> Array:
    """Return approximate weights (g, n) of all draws, the largest of each galaxy one."""
    seen = jnp.asarray(measured_bands(cases))
    scale = jnp.maximum(jnp.max(jnp.abs(flux)), 1e-30)
    f = flux / scale
    root = jnp.where(seen, scale / cases.error, 0.0).astype(jnp.float32)
    data = jnp.where(seen, cases.flux / cases.error, 0.0).astype(jnp.float32)
    power = jnp.maximum((root * root) @ (f * f).T, 1e-30)
    match = (root * data) @ f.T
    factor = jnp.clip(match / power, *ends)
    # the amplitude's prior is flat in its logarithm: its width there is σ over its value
    log_width = -jnp.log(jnp.maximum(factor * jnp.sqrt(power), 1.0))
    log_w = factor * match - 0.5 * factor**2 * power + log_width
    log_w = log_w + jnp.take(log_z.astype(jnp.float32), cells, axis=1)
    return jnp.exp(log_w - jnp.max(log_w, axis=1, keepdims=True))


@cache
def _predict_map() -> RowMap:
    def one(constants: tuple[Density, Case], xi: Array) -> Array:
        density, case = constants
        return density.flux(xi, case)

    return RowMap(one)


@cache
def _weigh_map() -> RowMap:
    def one(constants: tuple[Density, Array], row: Any) -> Draws:
        (density, seed), (case, xi, flux, log_q) = constants, row
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), case.index), 2000)
        drawn = draw_amplitude(density, flux, case, key)
        prior = density.space.priors[density.space.names.index(density.amplitude)]
        xi = xi.at[:, density.place].set(prior.standardize(drawn.value))
        flux = flux * drawn.factor[:, None]
        fit = jax.vmap(lambda f, v: density.fitness(f, v, case))(flux, xi)
        likelihood = fit.log_likelihood
        own = jax.vmap(lambda v: density.log_redshift_prior(v, case))(xi)
        amplitude = log_amplitude_prior(density, drawn.value) - drawn.log_density
        log_weight = likelihood + own + amplitude - log_q
        log_weight = jnp.where(jnp.isnan(log_weight), -jnp.inf, log_weight)
        in_own_units = likelihood + own + density.space.log_prior(xi)
        return Draws(xi, log_weight, likelihood, in_own_units, fit.chi2)

    return RowMap(one)
