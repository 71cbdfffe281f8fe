r"""Measured fluxes and their errors, from whatever holds them, in the units of a model.

Fluxes are f_ν in any unit of flux density, in maggies, or AB magnitudes; errors are standard
deviations or covariances (squared units). Between fluxes and magnitudes errors go to first order:

.. math:: \sigma_f = 0.4 \ln 10\, f\, \sigma_m

Numbers without a unit are in the units of the model. Masked, null and NaN: not measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tengri.constants import LN_PER_MAG
from tengri.errors import ParameterError
from tengri.forward.units import LOG10_UNIT, UNITS
from tengri.quantities import plain_values, unit_of


def measured(flux: Any, error: Any, units: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (flux, error) in ``units``, float64, NaN where not measured.

    Parameters
    ----------
    flux : (..., n_bands) array
        With or without a mask and a unit.
    error : (..., n_bands) or (..., n_bands, n_bands) array
        Standard deviations, or covariances: those have one axis more than ``flux``.
    units : str
        Of the model: a key of `tengri.forward.units.LOG10_UNIT`, or ``mag_ab``.

    Raises
    ------
    ParameterError
        No numbers; a unit that is no f_ν; a unit on one of both only, unless it is the model's;
        magnitudes asked of fluxes that are not positive.
    """
    of_flux, of_error = unit_of(flux), unit_of(error)
    if of_flux is None and of_error is None:
        return _numbers(flux, None, "flux"), _numbers(error, None, "error")
    model = _unit(units)
    given, given_error = _known(of_flux, model, "flux"), _known(of_error, model, "error")
    values, errors = _numbers(flux, of_flux, "flux"), _numbers(error, of_error, "error")
    power = 2 if errors.ndim > values.ndim else 1
    if of_flux is None or of_error is None:
        _check_lone(of_flux, of_error, given, given_error, model, power)
    if _is_magnitude(given) == _is_magnitude(model):
        own = _to(_error_unit(given_error), _error_unit(model), errors, "error", power)
        return _to(given, model, values, "flux"), own
    own = _to(_error_unit(given_error), _error_unit(given), errors, "error", power)
    return _across(given, model, values, own, power)


def _across(
    given: Any, model: Any, values: np.ndarray, errors: np.ndarray, power: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (flux, error) from magnitudes to fluxes or back: σ_f = 0.4 ln10 f σ_m."""
    sigma = errors if power == 1 else np.diagonal(errors, axis1=-2, axis2=-1)
    if values.shape != sigma.shape:
        raise ParameterError(f"The shapes do not fit: flux {values.shape}, error {errors.shape}.")
    values = np.where(np.isfinite(sigma), values, np.nan)
    if not _is_magnitude(given) and (values <= 0.0).any():
        raise ParameterError(
            "A flux that is not positive has no magnitude: give the model a flux unit "
            '(units="nJy") to compare it with such data.'
        )
    converted = _to(given, model, values, "flux")
    slope = LN_PER_MAG * converted if _is_magnitude(given) else 1.0 / (LN_PER_MAG * values)
    both = slope if power == 1 else slope[..., :, None] * slope[..., None, :]
    return converted, errors * both


def _numbers(value: Any, unit: Any, name: str) -> np.ndarray:
    """Return float64 values in the unit that ``value`` states, NaN where masked or null."""
    return plain_values(value, "" if unit is None else unit, f"The {name}")[0]


def _unit(units: str) -> Any:
    """Return a model's flux unit as one of astropy."""
    from astropy import units as u

    if units == "mag_ab":
        return u.ABmag
    return u.Unit(10.0 ** LOG10_UNIT[units] * u.Unit("erg / (s cm2 Hz)"))


def _known(stated: Any, model: Any, name: str) -> Any:
    """Return the unit that is stated, else the model's."""
    from astropy import units as u

    if stated is None:
        return model
    if isinstance(stated, str) and stated in UNITS:
        return _unit(stated)
    try:
        unit = u.Unit(stated)
    except (ValueError, TypeError):
        raise ParameterError(f"The {name} is given in {stated}, which is no known unit.") from None
    if getattr(unit, "function_unit", u.mag) != u.mag:
        raise ParameterError(f"The {name} is given in {stated}: give f_ν or AB magnitudes.")
    return unit


def _check_lone(
    of_flux: Any, of_error: Any, given: Any, given_error: Any, model: Any, power: int
) -> None:
    """Raise for a unit on the flux or the error alone, unless it is the model's."""
    own = _error_unit(model)
    if of_error is None and given != model:
        lone, bare, unit = "flux", "error", of_flux
    elif of_flux is None and _error_unit(given_error) not in (own, own**power):
        lone, bare, unit = "error", "flux", of_error
    else:
        return
    raise ParameterError(
        f"The {lone} is given in {unit}, and the {bare} without a unit: give both one."
    )


def _is_magnitude(unit: Any) -> bool:
    return hasattr(unit, "physical_unit")


def _error_unit(unit: Any) -> Any:
    """Return the unit of a difference of two values: mag for AB magnitudes."""
    return getattr(unit, "function_unit", unit)


def _to(source: Any, target: Any, values: np.ndarray, name: str, power: int = 1) -> np.ndarray:
    """Return ``values`` in another unit; of a covariance both may be squared already."""
    from astropy import units as u

    if power == 2:
        target = target**2
        source = source if source.is_equivalent(target) else source**2
    if source == target:
        return values
    try:
        return np.asarray(source.to(target, values, equivalencies=u.zero_point_flux(u.ABflux)))
    except (u.UnitsError, ValueError, TypeError):
        raise ParameterError(
            f"The {name} is given in {source}, which cannot be converted: give f_ν (mJy, nJy …), "
            "AB magnitudes, or plain numbers in the model's units; flux and error alike."
        ) from None
