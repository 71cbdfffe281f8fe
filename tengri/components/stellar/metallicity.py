"""Stellar metallicity: weights over an SSP grid's nodes, and its history.

``met_logzsol`` is log10(Z / 0.0142) whatever solar value the grid itself adopts. Stars of one
age have a Gaussian distribution of 0.1 dex in log10 Z; the spectrum is the mean of the linear
interpolant in log10 Z over it. The weights are thus hat functions convolved with the Gaussian:
infinitely differentiable, summing to 1, exact for a spectrum linear in log10 Z.

Outside the grid the interpolant is held at its end node: weights go over smoothly into (1, 0, …)
and (…, 0, 1), and more than about 0.5 dex outside the gradient vanishes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr
from jax.typing import ArrayLike

from tengri.errors import ConfigError, DataError
from tengri.numerics.extremes import larger, smaller
from tengri.priors import Uniform
from tengri.registry import Param, Registry, Versioned

ZSUN = 0.0142  # Asplund et al. 2009, ARA&A 47, 481 (protosolar)
LOG10_ZSUN = float(np.log10(ZSUN))
SCATTER_DEX = 0.1

Params = Mapping[str, Array]


def weights(lgmet_abs: ArrayLike, nodes: np.ndarray, scatter: float = SCATTER_DEX) -> Array:
    """Return the share of each metallicity node.

    Parameters
    ----------
    lgmet_abs : (...)
        Mean log10 Z of the stars (absolute, not relative to solar).
    nodes : (n_met,)
        log10 Z of the grid, ascending.
    scatter : float
        Standard deviation of log10 Z [dex], > 0.

    Returns
    -------
    Array, (..., n_met)
        Not negative; sums to 1.
    """
    nodes = np.asarray(nodes, float)
    if nodes.ndim != 1 or (np.diff(nodes) <= 0).any():
        raise DataError("Metallicity nodes must be one ascending axis of log10 Z.")
    mean = jnp.asarray(lgmet_abs, float)[..., None]
    if len(nodes) == 1:
        return jnp.ones_like(mean)
    along = tuple(range(mean.ndim - 1))
    node, step = (np.expand_dims(x, along) for x in (nodes, np.diff(nodes)))
    above = _mean_excess((mean - jnp.asarray(node, float)) / scatter) * scatter
    # share of the upper node of each interval, averaged: 0 far below it and 1 far above
    upper = (above[..., :-1] - above[..., 1:]) / jnp.asarray(step, float)
    ends = jnp.ones_like(mean), jnp.zeros_like(mean)
    steps = jnp.concatenate([ends[0], upper, ends[1]], axis=-1)
    return jnp.maximum(steps[..., :-1] - steps[..., 1:], 0.0)


def _mean_excess(z: Array) -> Array:
    """Mean of max(z + x, 0) over a standard normal x: z Φ(z) + φ(z)."""
    return z * ndtr(z) + jnp.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


class Formation(NamedTuple):
    """When the stars of a galaxy formed.

    Attributes
    ----------
    mean_age_gyr : Array, scalar
        Mean lookback time of formation, by mass.
    since : callable
        ``age_gyr -> `` fraction of the mass that formed since that lookback time.
    t_univ_gyr : Array, scalar
        Age of the Universe at the epoch of observation.
    """

    mean_age_gyr: Array
    since: Callable[[ArrayLike], Array]
    t_univ_gyr: Array


@dataclass(frozen=True)
class MetallicityHistory(Versioned):
    """How metallicity depends on age.

    Attributes
    ----------
    name : str
    params : tuple of Param
        Those that are metallicities have that role: the grid of stars bounds them.
    logzsol : callable
        ``(p, edges_gyr, t_univ_gyr) -> log10(Z/Zsun)``, scalar or one per age bin ``(n_age,)``.
    mixture : callable
        ``(p, edges_gyr, t_univ_gyr) -> ((share, logzsol), …)``: populations that share each bin.
    mean : callable
        ``(p, formation) -> log10(Z/Zsun)`` averaged over the mass formed, scalar.

    Raises
    ------
    ConfigError
        Parameters of which none is a metallicity.
    """

    family: ClassVar[str] = "metallicity"

    name: str
    params: tuple[Param, ...]
    logzsol: Callable[[Params, np.ndarray, Array], Array]
    mixture: Callable[[Params, np.ndarray, Array], tuple[tuple[Array | float, Array], ...]]
    mean: Callable[[Params, Formation], Array]
    reference: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.params and not self.logzsol_names:
            raise ConfigError(
                f"No parameter of the metallicity history {self.name!r} is a metallicity: declare "
                "those that are, log10(Z/0.0142), with Param(…, role='metallicity')."
            )

    @property
    def logzsol_names(self) -> tuple[str, ...]:
        """Names of the parameters that are metallicities."""
        return tuple(p.name for p in self.params if p.role == "metallicity")

    def bin_weights(
        self, p: Params, edges_gyr: np.ndarray, t_univ_gyr: Array, nodes: np.ndarray
    ) -> Array:
        """Return the share of each node in each age bin, ``(n_met, n_age)`` or ``(n_met, 1)``."""
        total = sum(
            jnp.atleast_1d(share)[:, None] * jnp.atleast_2d(weights(lz + LOG10_ZSUN, nodes))
            for share, lz in self.mixture(p, edges_gyr, t_univ_gyr)
        )
        return jnp.asarray(total).T


def _limits(edges_gyr: np.ndarray, t_univ_gyr: Array) -> tuple[Array, Array]:
    """Lower and upper ends of the bins, none before the Big Bang."""
    low = jnp.minimum(jnp.asarray(edges_gyr[:-1], float), t_univ_gyr)
    return low, jnp.minimum(jnp.asarray(edges_gyr[1:], float), t_univ_gyr)


def _delta(p: Params, edges_gyr: np.ndarray, t_univ_gyr: Array) -> Array:
    return p["met_logzsol"]


def _ramp(p: Params, edges_gyr: np.ndarray, t_univ_gyr: Array) -> Array:
    low, high = _limits(edges_gyr, t_univ_gyr)
    lookback = 0.5 * (low + high) / t_univ_gyr
    return p["met_logzsol_final"] + (p["met_logzsol_0"] - p["met_logzsol_final"]) * lookback


def _ramp_mean(p: Params, formation: Formation) -> Array:
    lookback = formation.mean_age_gyr / formation.t_univ_gyr  # log Z is linear in it
    return p["met_logzsol_final"] + (p["met_logzsol_0"] - p["met_logzsol_final"]) * lookback


def _older(p: Params, edges_gyr: np.ndarray, t_univ_gyr: Array) -> Array:
    """Share of each bin's time that lies before the step."""
    low, high = _limits(edges_gyr, t_univ_gyr)
    width = high - low
    share = (high - p["met_step_age_gyr"]) / jnp.where(width > 0, width, 1.0)
    return jnp.where(width > 0, smaller(larger(0.0, share), 1.0), 1.0)


def _two_step(p: Params, edges_gyr: np.ndarray, t_univ_gyr: Array) -> Array:
    older = _older(p, edges_gyr, t_univ_gyr)
    return older * p["met_logzsol_old"] + (1 - older) * p["met_logzsol_young"]


def _two_step_mixture(
    p: Params, edges_gyr: np.ndarray, t_univ_gyr: Array
) -> tuple[tuple[Array, Array], ...]:
    older = _older(p, edges_gyr, t_univ_gyr)
    return (older, p["met_logzsol_old"]), (1 - older, p["met_logzsol_young"])


def _two_step_mean(p: Params, formation: Formation) -> Array:
    young = formation.since(p["met_step_age_gyr"])
    return young * p["met_logzsol_young"] + (1 - young) * p["met_logzsol_old"]


def _logzsol_param(name: str, default: float, description: str, when: str = "") -> Param:
    prior, bounds = Uniform(-2.0, 0.2), (-4.0, 1.0)
    symbol = rf"$\log_{{10}} Z_{{\star{when}}}/Z_\odot$"
    return Param(name, default, prior, bounds, "dex", description, role="metallicity",
                 symbol=symbol)  # fmt: skip


METALLICITY_HISTORIES: Registry[MetallicityHistory] = Registry(
    "metallicity history",
    MetallicityHistory(
        "delta",
        (_logzsol_param("met_logzsol", 0.0, "log10(Z/0.0142) of all stars"),),
        _delta,
        lambda *args: ((1.0, _delta(*args)),),
        lambda p, formation: p["met_logzsol"],
        "one mean at all ages, Gaussian in log Z; Hearin+2023, MNRAS 521, 1741",
    ),
    MetallicityHistory(
        "two_step",
        (
            _logzsol_param(
                "met_logzsol_old", -0.5, "log10(Z/0.0142) before the step", r", \rm old"
            ),
            _logzsol_param(
                "met_logzsol_young", 0.0, "log10(Z/0.0142) after the step", r", \rm young"
            ),
            Param(
                "met_step_age_gyr",
                1.0,
                Uniform(0.1, 10.0),
                (1e-4, 30.0),
                "Gyr",
                "lookback time of the step",
                symbol=r"$t_{\rm step}$",
            ),
        ),
        _two_step,
        _two_step_mixture,
        _two_step_mean,
        "Leung+2024, MNRAS 528, 4029",
    ),
    MetallicityHistory(
        "ramp",
        (
            _logzsol_param("met_logzsol_0", -1.0, "log10(Z/0.0142) at the Big Bang", r", \rm 0"),
            _logzsol_param(
                "met_logzsol_final", 0.0, "log10(Z/0.0142) at the epoch observed", r", \rm final"
            ),
        ),
        _ramp,
        lambda *args: ((1.0, _ramp(*args)),),
        _ramp_mean,
        "linear in lookback time between the Big Bang and the epoch of observation",
    ),
)
