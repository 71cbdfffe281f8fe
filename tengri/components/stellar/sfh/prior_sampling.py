"""Curves drawn from the prior of a history: what a family's defaults allow."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import partial
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.sfh.bin_edges import SETTING, BinEdges
from tengri.components.stellar.sfh.gp_sfh import make_log_age_grid
from tengri.components.stellar.sfh.history import StarFormationHistory
from tengri.components.stellar.sfh.registry import SFH_FAMILIES
from tengri.errors import ParameterError, unknown
from tengri.priors import Distribution, Fixed, Uniform
from tengri.registry import Param

# of the default cosmology, flat ΛCDM with H0 = 67.66 and Om0 = 0.30966, today [Gyr]
T_UNIV_GYR = 13.787
# what a mixture or a modulator acts on when it is asked for alone
BASE = "const"


def sample_sfh_prior(
    family: str | Iterable[str],
    key: Array,
    n: int = 20,
    age_grid_yr: np.ndarray | None = None,
    **overrides: Any,
) -> tuple[Array, Array]:
    """Draw star-formation histories from the registry's priors, as seen today.

    Parameters
    ----------
    family : str or list of str
        ``burst`` and ``field`` alone act on a constant history.
    key : Array
        JAX random key; every parameter has its own stream, so that an override leaves the other
        draws as they were.
    n : int
        Number of curves.
    age_grid_yr : (n_age,), optional
        Lookback times [yr]; by default 256 from 1 Myr to the Big Bang, uniform in log.
    **overrides
        Distributions, numbers or ``(lo, hi)`` by full parameter name
        (``sfh_dpl_alpha=Uniform(0.5, 1.5)``); the setting ``sfh_bin_edges_gyr``.

    Returns
    -------
    age_grid_yr : (n_age,)
    curves : (n, n_age)
        SFR [Msun/yr].

    Raises
    ------
    UnknownNameError
        A family, or an override that the family does not have.
    """
    bins = BinEdges.of(overrides.pop(SETTING, None))
    history = StarFormationHistory.build(_with_base(family), overrides, bins=bins)
    known = {p.name: p for p in history.params}
    for name in overrides:
        if name not in known:
            raise unknown("SFH parameter", name, known)
    draws = {name: _draw(param, overrides.get(name), key, n) for name, param in known.items()}
    ages = 10.0 ** make_log_age_grid() if age_grid_yr is None else np.asarray(age_grid_yr, float)
    age = jnp.asarray(ages)
    return age, _curves(history, draws, age / 1e9)


@partial(jax.jit, static_argnums=0)
def _curves(history: StarFormationHistory, draws: dict[str, Array], t_gyr: Array) -> Array:
    return jax.vmap(lambda p: history.sfr(p, t_gyr, T_UNIV_GYR))(draws)


def _with_base(types: str | Iterable[str]) -> tuple[str, ...]:
    names = (types,) if isinstance(types, str) else tuple(types)
    additive = any(SFH_FAMILIES[name].kind == "additive" for name in names)
    return names if additive else (BASE, *names)


def _draw(param: Param, override: object, key: Array, n: int) -> Array:
    """Return n draws, (n, *shape), from the override or the registry's prior."""
    if -1 in param.shape and override is None:
        raise ParameterError(f"{param.name} is a table: there is no prior to draw it from.")
    prior = param.prior if override is None else _distribution(param.name, override)
    if isinstance(prior, Fixed):
        return jnp.broadcast_to(jnp.asarray(prior.value, float), (n, *np.shape(prior.value)))
    return prior.sample(jax.random.fold_in(key, zlib.crc32(param.name.encode())), (n, *param.shape))


def _distribution(name: str, value: object) -> Distribution:
    if isinstance(value, Distribution):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        return Uniform(*value)
    if isinstance(value, Real) or np.ndim(value) > 0:  # type: ignore[arg-type]
        return Fixed(value)
    raise ParameterError(f"{name}: give a distribution, a number or (lo, hi); got {value!r}.")
