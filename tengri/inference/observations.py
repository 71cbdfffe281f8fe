r"""Measured fluxes of a catalogue, as likelihoods take them: nJy, with what is known of each.

A band counts where flux and error are numbers, the error is positive, and neither is a value that
catalogues write for "nothing" (``SENTINELS``). Fluxes may be negative. An upper limit enters as a
censored measurement (see `tengri.inference.likelihood`). An error floor is added in quadrature as
a share of the flux, :math:`\sigma^2 + (f\,\mathrm{max}(F, 0))^2`; zero points [mag] are added to
the magnitudes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from tengri.constants import LN_PER_MAG
from tengri.errors import ParameterError, unknown
from tengri.forward.measurements import measured
from tengri.forward.units import LOG10_UNIT, UNITS
from tengri.parameters.validate import default_float
from tengri.quantities import plain_values, unit_of

#: The unit of every flux in a fit.
UNIT = "nJy"
#: Values that stand for no measurement.
SENTINELS = (-9999.0, -999.0, -99.9, -99.0)
#: In magnitudes also these.
MAGNITUDE_SENTINELS = (*SENTINELS, 99.0, 99.9, 999.0, 9999.0)
#: An upper limit without an error is taken for one at so many σ.
LIMIT_SIGMA = 3.0

#: Bits of a galaxy's flag; a posterior is usable where none of the first five is set.
FLAGS = {
    "no band was measured": 1,
    "no usable redshift": 2,
    "no answer of the model": 4,
    "not converged": 8,
    "surrogate not exact enough": 16,
    "a band was dropped": 32,
    "poor fit": 64,
    "piled up at a prior's edge": 128,
}
UNUSABLE = 1 | 2 | 4 | 8 | 16


class Case(NamedTuple):
    """One galaxy; of many, every field has a leading axis (n,).

    Attributes
    ----------
    flux, error : array, shape (n_bands,)
        In nJy; 0 and 1 where the band was not measured.
    seen : array of bool, shape (n_bands,)
        Whether the band counts.
    limit : array of bool, shape (n_bands,), or None
        Whether its flux is an upper limit; None where no band of the catalogue has one.
    correlation : array, shape (n_bands, n_bands), or None
        Of the errors; None where they are independent.
    redshift : array, shape (), or None
        Where it is known.
    redshift_prior : array, shape (2,), or None
        Mean and width of a normal prior of the redshift beside that of the spec.
    index : int
        Number of the row: seeds its random numbers.
    """

    flux: Any
    error: Any
    seen: Any
    limit: Any
    correlation: Any
    redshift: Any
    redshift_prior: Any
    index: Any


@dataclass(frozen=True, eq=False)
class Observations:
    """Measurements of n galaxies.

    Attributes
    ----------
    bands : tuple of str
    cases : Case
        With leading axes (n,).
    flag : ndarray of int, shape (n,)
        Sums of ``FLAGS`` that the data alone decide.
    """

    bands: tuple[str, ...]
    cases: Case
    flag: np.ndarray

    def __len__(self) -> int:
        return len(self.flag)

    @classmethod
    def of(
        cls,
        flux: Any,
        error: Any,
        bands: Sequence[str],
        *,
        units: str = UNIT,
        limit: Any = None,
        redshift: Any = None,
        redshift_error: Any = None,
        floor: float | Mapping[str, float] = 0.0,
        zero_points: Mapping[str, float] | None = None,
        first: int = 0,
    ) -> Observations:
        """Read measurements; what cannot be used is flagged row by row.

        Parameters
        ----------
        flux, error : array, shape (n, n_bands)
            In ``units``, or with units of their own; masked, null, NaN and ``SENTINELS`` are no
            measurement. ``error`` may be covariances (n, n_bands, n_bands).
        bands : sequence of str
            Names of the columns.
        units : str
            A flux unit, or ``mag_ab``.
        limit : array of bool, shape (n, n_bands), optional
            Where the flux is an upper limit; its error is ``LIMIT_SIGMA``-th of it if not given.
        redshift : array, shape (n,), optional
            Known redshifts, or the centres of normal priors where there is a ``redshift_error``.
        redshift_error : array, shape (n,), optional
            Widths of those priors.
        floor : float or mapping
            Error floor as a share of the flux, for all bands or by name.
        zero_points : mapping, optional
            Offsets [mag] by band.
        first : int
            Number of the first row in its catalogue.

        Raises
        ------
        ParameterError
            Shapes that do not fit, unknown bands or units, numbers that are none.
        """
        f, e, seen = in_njy(flux, error, units)
        n_bands = len(bands)
        if f.ndim != 2 or f.shape[1] != n_bands or e.shape not in (f.shape, (*f.shape, n_bands)):
            raise ParameterError(
                f"Data of {n_bands} bands need flux (n, {n_bands}) and error (n, {n_bands}) or "
                f"covariances (n, {n_bands}, {n_bands}); got {f.shape} and {e.shape}."
            )
        f, e = _calibrated(f, e, bands, zero_points or {})
        censored = _flags_of(limit, f.shape)
        sigma = e if e.ndim == 2 else np.sqrt(np.diagonal(e, axis1=1, axis2=2))
        with np.errstate(invalid="ignore"):
            unknown_error = censored & ~(sigma > 0.0) & (f > 0.0)
            sigma = np.where(unknown_error, f / LIMIT_SIGMA, sigma)
            good = seen & np.isfinite(f) & np.isfinite(sigma) & (sigma > 0.0)
        correlation = None if e.ndim == 2 else _correlation(e, sigma, good)
        share = _by_band(floor, bands, "floor", 0.0)
        sigma = np.where(censored, sigma, np.hypot(sigma, share * np.maximum(f, 0.0)))
        z, z_prior, no_redshift = _redshifts(redshift, redshift_error, len(f))
        flag = np.where(good.any(axis=1), 0, FLAGS["no band was measured"])
        flag |= np.where(good.all(axis=1), 0, FLAGS["a band was dropped"])
        flag |= np.where(no_redshift, FLAGS["no usable redshift"], 0)
        number = default_float()
        cases = Case(
            np.where(good, f, 0.0).astype(number), np.where(good, sigma, 1.0).astype(number),
            good, None if limit is None else censored & good, correlation, z, z_prior,
            np.arange(first, first + len(f), dtype=np.int32),
        )  # fmt: skip
        return cls(tuple(bands), cases, flag.astype(np.int32))

    def rows(self, index: Any) -> Observations:
        """Return some galaxies: a slice, numbers, or a mask."""
        taken = Case(*(None if x is None else x[index] for x in self.cases))
        return Observations(self.bands, taken, self.flag[index])

    def flagged(self, name: str, where: np.ndarray) -> Observations:
        """Return the same data with one of ``FLAGS`` set in some rows."""
        return replace(self, flag=self.flag | np.where(where, FLAGS[name], 0).astype(np.int32))

    def recalibrated(self, zero_points: Mapping[str, float]) -> Observations:
        """Return the same data with offsets [mag] added to the magnitudes.

        Raises
        ------
        UnknownNameError
            A band that was not observed.
        """
        factor = 10.0 ** (-0.4 * _by_band(zero_points, self.bands, "zero point", 0.0))
        factor, seen = factor.astype(default_float()), self.cases.seen
        flux = np.where(seen, self.cases.flux * factor, 0.0)
        error = np.where(seen, self.cases.error * factor, 1.0)
        return replace(self, cases=self.cases._replace(flux=flux, error=error))

    def select(self, bands: Sequence[str]) -> Observations:
        """Return the measurements of some bands, in their order.

        Raises
        ------
        UnknownNameError
            A band that was not observed.
        """
        for name in bands:
            if name not in self.bands:
                raise unknown("band of the data", name, self.bands)
        at = [self.bands.index(name) for name in bands]
        c = self.cases
        both = None if c.correlation is None else c.correlation[:, at][:, :, at]
        cases = c._replace(
            flux=c.flux[:, at], error=c.error[:, at], seen=c.seen[:, at], correlation=both,
            limit=None if c.limit is None else c.limit[:, at],
        )  # fmt: skip
        return replace(self, bands=tuple(bands), cases=cases)


def in_njy(flux: Any, error: Any, units: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (flux, error) in nJy, and which are measurements by their own values.

    Parameters
    ----------
    flux : array, shape (…)
    error : array, shape (…), or covariances (n, n_bands, n_bands)
    units : str
        Of numbers that have none: a flux unit, or ``mag_ab``.
    """
    if units not in UNITS:
        raise unknown("flux unit", units, UNITS)
    stated = unit_of(flux)
    magnitudes = "mag" in str(stated) if stated is not None else units == "mag_ab"
    own_f, own_e = (plain_values(v, "any", "The flux", unit_of(v))[0] for v in (flux, error))
    nothing = MAGNITUDE_SENTINELS if magnitudes else SENTINELS
    seen = np.isfinite(own_f) & ~np.isin(own_f, nothing)
    if own_e.shape == own_f.shape:
        seen &= ~np.isin(own_e, nothing)
    if stated is not None or unit_of(error) is not None:
        return *measured(flux, error, UNIT), seen
    if not magnitudes:
        factor = 10.0 ** (LOG10_UNIT[units] - LOG10_UNIT[UNIT])
        return own_f * factor, own_e * factor ** (1 + own_e.ndim - own_f.ndim), seen
    safe = np.where(seen, own_f, 0.0)
    f = 10.0 ** (-0.4 * safe + LOG10_UNIT["maggies"] - LOG10_UNIT[UNIT])
    slope = LN_PER_MAG * f
    if own_e.ndim > own_f.ndim:
        return f, own_e * slope[:, :, None] * slope[:, None, :], seen
    return f, own_e * slope, seen


def _calibrated(
    f: np.ndarray, e: np.ndarray, bands: Sequence[str], zero_points: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return fluxes and errors with offsets [mag] added to the magnitudes."""
    factor = 10.0 ** (-0.4 * _by_band(zero_points, bands, "zero point", 0.0))
    both = factor if e.ndim == 2 else factor[:, None] * factor
    return f * factor, e * both


def _by_band(
    given: float | Mapping[str, float], bands: Sequence[str], what: str, default: float
) -> np.ndarray:
    """Return a number for each band, (n_bands,)."""
    if not isinstance(given, Mapping):
        return np.full(len(bands), float(given))
    for name in given:
        if name not in bands:
            raise unknown(f"band of a {what}", name, bands)
    return np.array([float(given.get(name, default)) for name in bands])


def _flags_of(limit: Any, shape: tuple[int, ...]) -> np.ndarray:
    if limit is None:
        return np.zeros(shape, bool)
    found = np.ma.filled(np.ma.asarray(limit), False).astype(bool)
    if found.shape != shape:
        raise ParameterError(f"limit needs the shape of the fluxes {shape}; got {found.shape}.")
    return found


def _correlation(covariance: np.ndarray, sigma: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Return the correlation of the errors, the unit matrix for bands that are not there."""
    safe = np.where(good, sigma, 1.0)
    scaled = covariance / safe[:, :, None] / safe[:, None, :]
    both = good[:, :, None] & good[:, None, :] & np.isfinite(scaled)
    found = np.where(both, scaled, np.eye(good.shape[1]))
    found = 0.5 * (found + np.swapaxes(found, 1, 2))
    least = np.linalg.eigvalsh(found)[:, 0]
    if (least <= good.shape[1] * np.finfo(default_float()).eps).any():
        row = int(np.argmin(least))
        raise ParameterError(f"The covariance of row {row} is not positive definite.")
    return found.astype(default_float())


def _redshifts(
    redshift: Any, width: Any, n: int
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray]:
    """Return (known redshifts, priors (n, 2), which rows have none)."""
    if redshift is None:
        return None, None, np.zeros(n, bool)
    z = plain_values(redshift, "", "redshift")[0]
    if z.shape != (n,):
        raise ParameterError(f"redshift needs the shape ({n},); got {z.shape}.")
    with np.errstate(invalid="ignore"):
        bad = ~(np.isfinite(z) & (z > 0.0)) | np.isin(z, MAGNITUDE_SENTINELS)
    number = default_float()
    if width is None:
        return np.where(bad, 1.0, z).astype(number), None, bad
    sigma = plain_values(width, "", "redshift_error")[0]
    if sigma.shape != (n,):
        raise ParameterError(f"redshift_error needs the shape ({n},); got {sigma.shape}.")
    with np.errstate(invalid="ignore"):
        bad |= ~(np.isfinite(sigma) & (sigma > 0.0))
    prior = np.where(bad[:, None], [[1.0, 1.0]], np.stack([z, sigma], axis=1))
    return None, prior.astype(number), bad
