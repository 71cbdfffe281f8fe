r"""Zero points of a catalogue, solved for jointly with its galaxies.

Every galaxy i has parameters :math:`\xi_i` (standard normal priors) and all share offsets
:math:`\delta` [mag], with normal priors of width w about 0, that are added to the magnitudes:

.. math:: \tfrac12 \sum_i \left( |r_i(\xi_i, \delta)|^2 + |\xi_i|^2 \right)
    + \tfrac12 |\delta|^2 / w^2

is minimised: modes of all galaxies at given offsets, then the Gauss-Newton step of the offsets in
which every galaxy follows (its parameters are eliminated, as in the profile of a hierarchical
model), until the offsets stay. With slopes :math:`J_i` in :math:`\xi_i` and :math:`K_i` in
:math:`\delta` the curvature is

.. math:: A = \sum_i K_i^T \left( 1 - J_i (1 + J_i^T J_i)^{-1} J_i^T \right) K_i + 1 / w^2 .

Errors are those of a sandwich (Huber 1967), :math:`A^{-1} B A^{-1}` with the scatter B of the
galaxies' own gradients, and hold where galaxies scatter more than their errors say. A galaxy whose
χ² is above twice its bands counts less. An offset common to all bands is one of all masses: there
is the prior alone. What the model does not have is taken for an offset too.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.constants import LN_PER_MAG
from tengri.errors import DataError, unknown
from tengri.forward.batching import Execution, RowMap, Sizes
from tengri.forward.photometric_model import PhotometricModel
from tengri.inference.fitter import UNFITTED, FitSettings, Fitter
from tengri.inference.importance import SamplingPlan, modes
from tengri.inference.laplace import curvature
from tengri.inference.likelihood import Density
from tengri.inference.observations import Case, Observations
from tengri.numerics.small_matrices import cholesky, inverse_lower

#: Width of the prior of an offset [mag].
WIDTH = 0.1
#: An offset beyond as many widths is no calibration of a camera.
UNLIKELY = 2.0
#: Galaxies that are asked, the brightest in units of their errors; more say little more.
MOST_ROWS = 400
#: Fewest measured bands of a galaxy that says anything, and fewest galaxies.
FEWEST_BANDS, FEWEST_ROWS = 4, 8
#: Rounds, and the step [σ] that ends them.
ROUNDS, STILL = 12, 0.1
#: χ² for each band above which a galaxy counts less.
POOR = 2.0
MANY = Execution(Sizes(8, 64), Sizes(64, 64))


@dataclass(frozen=True, eq=False)
class ZeroPoints:
    """Offsets [mag] that are added to the magnitudes of each band.

    Attributes
    ----------
    bands : tuple of str
    offset, error : ndarray, shape (n_bands,)
        An offset that was held at 0 has the error 0.
    rows : int
        Galaxies that were asked.
    rounds : int
    chi2_before, chi2_after : float
        Median over the galaxies.
    settled : bool
        Whether the last round moved no offset by more than a part of its error.
    """

    bands: tuple[str, ...]
    offset: np.ndarray
    error: np.ndarray
    rows: int
    rounds: int
    chi2_before: float
    chi2_after: float
    settled: bool = True

    def as_mapping(self) -> dict[str, float]:
        """Return the offsets by band, as `Observations.of` takes them."""
        return {name: float(x) for name, x in zip(self.bands, self.offset)}

    def ordered(self, bands: Sequence[str]) -> ZeroPoints:
        """Return the same with its bands in the order of others that hold them all."""
        places = [self.bands.index(name) for name in bands if name in self.bands]
        return replace(self, bands=tuple(self.bands[i] for i in places),
                       offset=self.offset[places], error=self.error[places])  # fmt: skip

    def apply(self, data: Observations) -> Observations:
        """Return measurements with the offsets added."""
        return data.recalibrated(self.as_mapping())

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-serialisable."""
        return {
            "offset_mag": self.as_mapping(),
            "error_mag": {name: float(x) for name, x in zip(self.bands, self.error)},
            "galaxies": self.rows, "rounds": self.rounds,
            "median_chi2_before": self.chi2_before, "median_chi2_after": self.chi2_after,
            "settled": self.settled,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> ZeroPoints:
        """Return what `to_dict` gave."""
        offset, error = found["offset_mag"], found["error_mag"]
        o, e = (np.array([float(v[b]) for b in offset]) for v in (offset, error))
        return cls(tuple(offset), o, e, found["galaxies"], found["rounds"],
                   found["median_chi2_before"], found["median_chi2_after"],
                   found.get("settled", True))  # fmt: skip

    def __str__(self) -> str:
        """Return a line for each band."""
        lines = [f"{n:<16s} {o:+.3f} ± {e:.3f} mag"
                 for n, o, e in zip(self.bands, self.offset, self.error)]  # fmt: skip
        return "\n".join(lines)


class _Part(NamedTuple):
    """What one galaxy says of the offsets: curvature, gradient, χ²."""

    curvature: Any
    gradient: Any
    chi2: Any


def solve_zero_points(
    model: PhotometricModel,
    data: Observations,
    *,
    reference: str = "",
    width: float = WIDTH,
    rows: int = MOST_ROWS,
    seed: int = 0,
    magnitude_prior: str = "",
    plan: SamplingPlan | None = None,
) -> ZeroPoints:
    """Solve for the offsets of all bands.

    Parameters
    ----------
    model : PhotometricModel
    data : Observations
        Redshifts known, with priors, or free: known ones say most.
    reference : str
        A band whose offset is 0; without one the prior alone holds their common level.
    width : float
        Of the prior of each offset [mag].
    rows : int
        Galaxies that are asked at most: those measured best.
    seed, magnitude_prior, plan
        As of `tengri.inference.fit`.

    Raises
    ------
    DataError
        Too few galaxies with enough bands.
    UnknownNameError
        The reference is no band of the model.
    """
    if reference and reference not in model.filter_names:
        raise unknown("reference band", reference, model.filter_names)
    plan = plan or SamplingPlan()
    settings = FitSettings(method="map", seed=seed, magnitude_prior=magnitude_prior, plan=plan)
    fitter = Fitter.of(model, data, settings)
    data = _best_measured(fitter.outside_flagged(data.select(model.filter_names)), rows)
    free = np.array([name != reference for name in model.filter_names])
    precision = np.where(free, width**-2, 1e12)
    offset = np.zeros(len(free))
    chi2: list[float] = []
    settled = False
    while len(chi2) < ROUNDS and not settled:
        names = dict(zip(model.filter_names, offset))
        cases = data.recalibrated(names).cases
        parts = _part_map(plan)((fitter.density, np.uint32(seed)), cases, MANY.sizes)
        part = _Part(*(np.asarray(x, np.float64) for x in parts))
        chi2.append(float(np.nanmedian(part.chi2)))
        step, covariance = _step(part, np.asarray(data.cases.seen), offset, precision)
        offset = np.where(free, offset + step, 0.0)
        error = np.where(free, np.sqrt(np.diagonal(covariance)), 0.0)
        settled = bool(np.all(np.abs(step[free]) < STILL * error[free]))
    _warn_of_priors(model.filter_names, offset - offset.mean(), width)
    if not settled:
        warnings.warn(
            f"The zero points have not settled after {ROUNDS} rounds: their errors are too small. "
            "Give known redshifts, more galaxies, or a reference band.",
            stacklevel=2,
        )
    return ZeroPoints(tuple(model.filter_names), offset, error, len(data), len(chi2),
                      chi2[0], chi2[-1], settled)  # fmt: skip


def _warn_of_priors(bands: Sequence[str], offset: np.ndarray, width: float) -> None:
    """Warn of offsets that say more about the priors than about the bands."""
    far = [f"{name} {x:+.2f}" for name, x in zip(bands, offset) if abs(x) > UNLIKELY * width]
    if far:
        warnings.warn(
            f"Zero points far from their mean: {', '.join(far)} mag. Priors that do not describe "
            "the galaxies do that, their mean colour is taken for an offset: give narrower ones "
            "(--priors, or the spec of the model), or leave the zero points out.",
            stacklevel=3,
        )


def _step(
    part: _Part, seen: np.ndarray, offset: np.ndarray, precision: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the Gauss-Newton step of the offsets, and their covariance."""
    good = np.isfinite(part.chi2) & np.isfinite(part.gradient).all(axis=1)
    expected = POOR * seen.sum(axis=1)
    weight = np.where(good, np.minimum(1.0, expected / np.maximum(part.chi2, 1e-30)), 0.0)
    gradient = np.where(good[:, None], part.gradient, 0.0) * weight[:, None]
    own = np.where(good[:, None, None], part.curvature, 0.0)
    total = np.einsum("g,gbc->bc", weight, own) + np.diag(precision)
    inverse = np.linalg.inv(total)
    step = -inverse @ (gradient.sum(axis=0) + precision * offset)
    scatter = gradient.T @ gradient + np.diag(precision)
    return step, inverse @ scatter @ inverse


def _best_measured(data: Observations, rows: int) -> Observations:
    """Return the galaxies with enough bands, of the highest total signal to noise."""
    seen = np.asarray(data.cases.seen)
    usable = ((data.flag & UNFITTED) == 0) & (seen.sum(axis=1) >= min(FEWEST_BANDS, seen.shape[1]))
    if usable.sum() < FEWEST_ROWS:
        raise DataError(
            f"Zero points need {FEWEST_ROWS} galaxies of {FEWEST_BANDS} bands or more, and a "
            f"redshift where it is known; there are {int(usable.sum())}."
        )
    ratio = np.where(seen, np.asarray(data.cases.flux) / np.asarray(data.cases.error), 0.0)
    power = np.where(usable, np.sum(ratio * ratio, axis=1), -np.inf)
    best = np.argsort(-power, kind="stable")[: min(rows, int(usable.sum()))]
    return data.rows(np.sort(best))


@cache
def _part_map(plan: SamplingPlan) -> RowMap:
    def one(constants: tuple[Density, Array], case: Case) -> _Part:
        density, seed = constants
        key = jax.random.fold_in(jax.random.key(seed), case.index)
        found = modes(density, case, key, plan)

        def residual(offset: Array) -> Array:
            # added to magnitudes, an offset makes flux and error fainter by the same factor
            factor = jnp.exp(-LN_PER_MAG * offset)
            moved = case._replace(flux=case.flux * factor, error=case.error * factor)
            return density.residuals(found.xi, moved)[0]

        zero = jnp.zeros(case.flux.shape, found.xi.dtype)
        slope, own = jax.jacfwd(residual)(zero), found.slope
        root = inverse_lower(cholesky(curvature(own)))
        inverse = root.T @ root
        across = own.T @ slope
        gradient = slope.T @ found.residual
        gradient = gradient - across.T @ (inverse @ (own.T @ found.residual + found.xi))
        profile = slope.T @ slope - across.T @ inverse @ across
        return _Part(profile, gradient, jnp.sum(found.residual**2))

    return RowMap(one)
