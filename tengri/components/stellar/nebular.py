r"""Nebular emission of the gas around young stars, driven by their ionising photons.

.. math::

    L_\nu^{gas} = (1 - f_{esc}) \sum_{Z, t < 10\,Myr} m_{Zt} Q_{Zt} N_\nu(Z, t, U), \quad
    Q = \int_{\lambda < 912} \frac{L_\nu}{h \lambda} d\lambda

``m`` is the mass formed, ``Q`` the ionising photons per second and solar mass, ``N`` the light
per photon, linear in logU, log Z and log age between the nodes of the table and held at its ends.
Below the Lyman limit young stars keep the share ``neb_fesc`` of their light. Gas has the
metallicity of its stars.

Shapes: n_met metallicities and n_young age bins of the SSP grid; n_node = n_logu · n_z · n_t nodes
of the table, those in age that young stars reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.dust.emission.dl07 import hat_weights
from tengri.components.stellar.nebular_table import (
    LYMAN_LIMIT_AA,
    UNIT_PHOTONS,
    NebularTable,
    cloudy_table,
)
from tengri.components.stellar.ssp import LSUN_ERG_PER_S, SSPData
from tengri.errors import ConfigError
from tengri.grids.files import STELLAR_SSP
from tengri.priors import Uniform
from tengri.registry import Param, Registry

Params = Mapping[str, Array]

PLANCK_ERG_S = 6.62607015e-27
# The photons of the tables were counted up to the last wavelength of their stars below the limit.
COUNTED_AA = 911.5
# Half of all ionising photons of hot stars can lie blueward of 500 Å; the He II limit is safe.
BLUEST_NEEDED_AA = 228.0

PARAMS = (
    Param("neb_logU", -3.0, Uniform(-4.0, 0.0), (-4.0, 0.0), "",
          "log10 of the ionisation parameter of the gas"),
    Param("neb_fesc", 0.0, Uniform(0.0, 1.0), (0.0, 1.0), "",
          "share of the ionising photons that escape from the gas"),
)  # fmt: skip


@dataclass(frozen=True)
class NebularModel:
    """A nebular component: its name, parameters, reference, and what reads its table."""

    name: str
    params: tuple[Param, ...]
    reference: str
    table: Callable[[], NebularTable]


class Gas:
    """The gas around the young stars of an SSP grid.

    Parameters
    ----------
    table : NebularTable
        Light per ionising photon.
    ssp : SSPData
        A grid of stars without nebular emission.
    young : ndarray of int, shape (n_young,)
        Its ages that stand for the bins younger than 10 Myr.

    Raises
    ------
    ConfigError
        If nebular light is part of the grid already, or its ionising light is missing.
    """

    def __init__(self, table: NebularTable, ssp: SSPData, young: np.ndarray) -> None:
        _check_stellar(ssp)
        self.table = table
        self._photons = photon_rate(ssp.ssp_wave, ssp.ssp_flux[:, young]) / UNIT_PHOTONS
        self._to_z = node_weights(ssp.ssp_lgmet, table.lgmet)
        to_age = node_weights(ssp.ssp_lg_age_gyr[young], table.lg_age_gyr)
        self._ages = np.flatnonzero(to_age.any(axis=0))
        self._to_age = to_age[:, self._ages]

    def spectra(self, wave: np.ndarray) -> np.ndarray:
        """Return L_ν [Lsun/Hz] of every node at ``wave``, shape (n_node, n_wave)."""
        return self.table.spectra(wave, self._ages).reshape(-1, len(wave))

    def weights(self, p: Params, w: Array) -> Array:
        """Return the share of each node, (n_node,), for the young stars ``w`` (n_met, n_young)."""
        lit = w * jnp.asarray(self._photons, float)
        lit = jnp.asarray(self._to_z.T, float) @ lit @ jnp.asarray(self._to_age, float)
        logu = hat_weights(p["neb_logU"], self.table.logu)
        return (1.0 - p["neb_fesc"]) * (logu[:, None] * lit.reshape(-1)).reshape(-1)


def escaping(p: Params, wave: np.ndarray) -> Array:
    """Return the share of the light of young stars that passes the gas, shape (n_wave,)."""
    return jnp.where(wave <= LYMAN_LIMIT_AA, p["neb_fesc"], 1.0)


def photon_rate(wave: np.ndarray, lnu: np.ndarray) -> np.ndarray:
    """Return the ionising photons per second of ``lnu`` (..., n_wave) [Lsun/Hz].

    ∫ L_ν dλ/λ / h by trapezoids, the rule by which the photons of the tables were counted.
    """
    last = int(np.searchsorted(wave, COUNTED_AA))
    t = (COUNTED_AA - wave[last - 1]) / (wave[last] - wave[last - 1])
    end = (1.0 - t) * lnu[..., last - 1] + t * lnu[..., last]
    blue = np.append(wave[:last], COUNTED_AA)
    light = np.concatenate([lnu[..., :last], end[..., None]], axis=-1).astype(np.float64)
    return np.trapezoid(light / blue, blue) * (LSUN_ERG_PER_S / PLANCK_ERG_S)


def node_weights(x: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return the weights (n_x, n_node) of linear interpolation at ``x``, held at the ends."""
    passed = np.clip((x[:, None] - nodes[:-1]) / np.diff(nodes), 0.0, 1.0)
    return np.pad(passed, ((0, 0), (1, 0)), constant_values=1.0) - np.pad(passed, ((0, 0), (0, 1)))


def _check_stellar(ssp: SSPData) -> None:
    if ssp.nebular or ssp.attrs.get("nebular_included", False) or "_wNE" in ssp.name:
        raise ConfigError(
            f"Nebular emission is part of the grid {ssp.name} already and would count twice. "
            f"Take the stars alone, load_ssp_data({STELLAR_SSP!r}), or leave nebular= out."
        )
    if not ssp.ssp_wave[0] <= BLUEST_NEEDED_AA:
        raise ConfigError(
            f"Nebular emission needs the ionising light of the stars from {BLUEST_NEEDED_AA:g} Å; "
            f"the grid {ssp.name} starts at {ssp.ssp_wave[0]:.4g} Å. Take one that reaches there, "
            f"for example load_ssp_data({STELLAR_SSP!r}), or leave nebular= out."
        )


CLOUDY = NebularModel(
    "cloudy",
    PARAMS,
    "Ferland et al. 2017, RMxAA 53, 385; Carnall et al. 2018, MNRAS 480, 4379",
    cloudy_table,
)

NEBULAR_MODELS: Registry[NebularModel] = Registry("nebular model", CLOUDY)
