"""How the keyword values of ``Parameters`` are read: numbers, tuples, priors, names, FREE."""

from __future__ import annotations

import enum
import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tengri.errors import ParameterError
from tengri.numpyro_priors import from_numpyro, is_numpyro
from tengri.priors import Distribution, Fixed, Uniform, all_numbers, as_number
from tengri.quantities import is_array
from tengri.registry import Param


class Sentinel(enum.Enum):
    """Values that stand for something the registry knows."""

    FREE = "FREE"

    def __repr__(self) -> str:
        return self.value


#: Let a parameter vary over the registry's default prior.
FREE = Sentinel.FREE


class Mirror(NamedTuple):
    """A parameter that takes its value from another one."""

    source: str


#: Names of other versions of this interface, accepted with a DeprecationWarning.
ALIASES: dict[str, str] = {
    "sfh_alpha": "sfh_dpl_alpha",
    "sfh_beta": "sfh_dpl_beta",
    "sfh_tau_peak_gyr": "sfh_dpl_tau_gyr",
    "psd_sigma": "sfh_field_psd_sigma",
    "psd_tau_myr": "sfh_field_psd_tau_myr",
    "dust_tdust": "dust_T",
    "dust_fpah": "dust_f_pah",
    "agn_fracAGN": "agn_ir_frac",
    "agn_frac_agn": "agn_band_frac",
    "agn_frac": "agn_lum_ratio",
}

#: Values of settings that have been renamed: setting → old → new.
VALUE_ALIASES: dict[str, dict[str, str]] = {
    "mean_sfh_type": {"double_powerlaw": "dpl"},
    "agn_model": {"multicolor_agn": "standard"},
}


def rename(given: Mapping[str, Any], known: Mapping[str, Any], stacklevel: int) -> dict[str, Any]:
    """Return ``given`` with aliases of names and of setting values replaced, with a warning.

    An alias whose target is not ``known`` stays, to be reported under the name that was typed.
    """
    renamed: dict[str, Any] = {}
    for name, value in given.items():
        target = ALIASES.get(name, name)
        if name in known or target not in known:
            target = name
        elif target in given:
            raise ParameterError(f"{name!r} is an old name of {target!r}; both are given.")
        else:
            _warn_renamed(name, target, stacklevel + 1)
        renamed[target] = _rename_value(target, value, stacklevel + 1)
    return renamed


def _rename_value(name: str, value: Any, stacklevel: int) -> Any:
    table = VALUE_ALIASES.get(name, {})
    if isinstance(value, (list, tuple)):
        return [_rename_value(name, v, stacklevel + 1) for v in value] if table else value
    if not isinstance(value, str) or value not in table:
        return value
    _warn_renamed(f"{name}={value}", f"{name}={table[value]}", stacklevel + 1)
    return table[value]


def _warn_renamed(old: str, new: str, stacklevel: int) -> None:
    warnings.warn(f"{old!r} is now {new!r}.", DeprecationWarning, stacklevel=stacklevel + 1)


def read_value(param: Param, value: Any) -> Distribution | Mirror:
    """Return the prior, or the mirror, that a keyword value stands for."""
    if is_numpyro(value):
        value = from_numpyro(value, param.name)
    if isinstance(value, Distribution):
        return _checked_shape(param, value.in_unit(param.unit, param.name))
    if value is FREE:
        return _registry_prior(param)
    if isinstance(value, Mirror):
        return value
    if isinstance(value, str):
        return Mirror(value)
    if isinstance(value, tuple) and param.shape == ():
        return _interval(param, value)
    if value is None or isinstance(value, (type, dict, set)):
        raise ParameterError(f"{param.name}={value!r} is not a parameter value. {FORMS}")
    return _checked_shape(param, _fixed(param, value))


FORMS = (
    "Give a number (fixed), a tuple (lo, hi) or a prior such as Uniform(lo, hi) (free), FREE "
    "(the registry's prior) or the name of the parameter to follow."
)


def _registry_prior(param: Param) -> Distribution:
    if param.prior.is_fixed:
        raise ParameterError(f"{param.name} has no default prior: give one, e.g. Uniform(lo, hi).")
    return param.prior


def _interval(param: Param, value: tuple) -> Distribution:
    if len(value) != 2:
        raise ParameterError(f"{param.name}={value!r}: a tuple means Uniform(lo, hi), two numbers.")
    lo, hi = (
        as_number(edge, f"{param.name} {side}", param.unit)
        for edge, side in zip(value, ("lo", "hi"))
    )
    return Uniform(lo, hi)


def _fixed(param: Param, value: Any) -> Fixed:
    if param.shape == () and is_array(value):
        shape = np.asarray(value, object).shape
        raise ParameterError(
            f"{param.name} is a single number; the spec got an array of shape {shape}. "
            "Arrays over galaxies go into the dict of a batch call."
        )
    if param.shape == ():
        return Fixed(as_number(value, param.name, param.unit))
    return Fixed(all_numbers(value, param.name, param.unit))


def _checked_shape(param: Param, prior: Distribution) -> Distribution:
    """Check an array-valued Fixed; one number serves every element."""
    if not isinstance(prior, Fixed):
        return prior
    shape = np.shape(prior.value)
    if shape == () or shape_fits(shape, param.shape):
        return prior
    raise ParameterError(
        f"{param.name} has shape {param.shape}, its fixed value has shape {shape}."
    )


def shape_fits(shape: tuple[int, ...], declared: tuple[int, ...]) -> bool:
    """Say whether ``shape`` is the declared one; -1 there stands for any length."""
    return len(shape) == len(declared) and all(d in (-1, s) for s, d in zip(shape, declared))


def fill_in(param: Param) -> Distribution:
    """Return what an absent parameter becomes: fixed at its default; latent vectors stay free."""
    if param.shape != ():
        return param.prior
    if math.isnan(param.default):
        raise ParameterError(f"{param.name} has no default: give it a value or a prior.")
    return Fixed(param.default)


#: Relative slack of hard bounds: a bound that has been through float32 is still the bound.
SLACK = 4.0 * float(np.finfo(np.float32).eps)


def slackened(bounds: tuple[float, float]) -> tuple[float, float]:
    """Return finite limits a rounding error outside ``bounds``; NaN and inf fail them."""
    huge = float(np.finfo(np.float32).max)
    lo, hi = (min(max(b, -huge), huge) for b in bounds)
    return lo - SLACK * abs(lo) if lo > -huge else lo, hi + SLACK * abs(hi) if hi < huge else hi


def check_bounds(param: Param, prior: Distribution, what: str) -> None:
    """Raise when ``prior`` reaches outside the hard bounds of ``param``."""
    lo, hi = slackened(param.bounds)
    low, high = (f(edge) for f, edge in zip((np.min, np.max), prior.reach))
    reaches = (low < lo and math.isfinite(param.bounds[0])) or (
        high > hi and math.isfinite(param.bounds[1])
    )
    if reaches:
        raise ParameterError(
            f"{what} = {prior!r} reaches outside the hard bounds of {param.name}, "
            f"[{param.bounds[0]:g}, {param.bounds[1]:g}]{_unit(param)}."
            + ("" if prior.is_fixed else " Narrow it with lo= and hi=.")
        )


def _unit(param: Param) -> str:
    return f" {param.unit}" if param.unit else ""
