r"""Nebular emission of the gas around young stars, driven by their ionising photons.

.. math::

    L_\nu = \sum_{Z, t < 10\,Myr} m_{Zt} \left[ f_{esc} S_{Zt}
            + (1 - f_{esc}) (S'_{Zt} + Q_{Zt} N_\nu(Z, t, U)) \right], \quad
    Q = \int_{\lambda < 912} \frac{S}{h \lambda} d\lambda

``m`` is the mass formed, ``S`` the light of the stars and ``S'`` what is left of it behind the
gas, nothing below the Lyman limit. ``Q`` are the ionising photons per second and solar mass, ``N``
the light per photon, linear in logU, log Z and log age between the nodes of the table and held at
its ends; the age is the mean over the photons. Gas has the metallicity of its stars, or one of its
own where ``neb_logz`` is mentioned.

Oxygen: the gas of the table has 12 + log(O/H) = 8.71 + log10(Z/0.02), that is 8.56 + log10(Z/Zsun)
with Zsun = 0.0142.

``neb_fesc`` is the share f_esc of the young stars' light, at all wavelengths, that leaves through
holes in the gas: it lights none and keeps its ionising photons. It is not what an observer calls
the escape fraction of a galaxy, for dust is still in front: both screens, or the diffuse one alone
with ``escape="picket_fence"`` (`tengri.components.dust.screen`).

Shapes: n_met metallicities and n_young age bins of the SSP grid; n_node = n_logu · n_z · n_t nodes
of the table, those in age that young stars reach; n_lit = n_node + n_met · n_young.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.ionising import IonisingLight
from tengri.components.stellar.lyman_alpha import LyaLine
from tengri.components.stellar.metallicity import LOG10_ZSUN
from tengri.components.stellar.nebular_table import NebularTable, cloudy_table, source_table
from tengri.components.stellar.ssp import SSPData
from tengri.errors import ConfigError
from tengri.grids.files import STELLAR_SSP
from tengri.grids.ionising import UNIT_PHOTONS
from tengri.numerics.interpolation import fixed_hat_weights, hat_weights
from tengri.numerics.linalg import einsum, matmul
from tengri.numerics.low_rank import Matrix, sum_of_rows
from tengri.priors import Uniform
from tengri.registry import Change, Param, Registry, Versioned

Params = Mapping[str, Array]

# Half of all ionising photons of hot stars can lie blueward of 500 Å; the He II limit is safe.
BLUEST_NEEDED_AA = 228.0
# Per second and Msun: stars up to 3 Myr have some 4e46, of 10 Myr 1e44, of 30 Myr 1e42.
LEAST_PHOTONS = 1e45

PARAMS = (
    Param("neb_logU", -3.0, Uniform(-4.0, 0.0), (-4.0, 0.0), "log10",
          "log10 of the ionisation parameter of the gas", symbol=r"$\log_{10} U$"),
    Param("neb_fesc", 0.0, Uniform(0.0, 1.0), (0.0, 1.0), "",
          "share of the young stars' light, ionising photons included, that no gas is in front of",
          symbol=r"$f_{\rm esc}$"),
)  # fmt: skip
LOGZ = Param("neb_logz", 0.0, Uniform(-2.0, 0.2), (-2.15, 0.84), "dex",
             "log10(Z/0.0142) of the gas, where it is not that of its stars; "
             "12 + log(O/H) = 8.56 + neb_logz", family="nebular",
             symbol=r"$\log_{10} Z_{\rm gas}/Z_\odot$")  # fmt: skip


@dataclass(frozen=True)
class NebularModel(Versioned):
    """A nebular component: its name, parameters, reference, and what reads its table."""

    family: ClassVar[str] = "nebular"

    name: str
    params: tuple[Param, ...]
    reference: str
    table: Callable[[], NebularTable]

    @property
    def all_params(self) -> tuple[Param, ...]:
        """Every parameter that may be used: a metallicity of the gas included."""
        return self.params if LOGZ in self.params else (*self.params, LOGZ)

    def with_logz(self) -> NebularModel:
        """Return the same gas with a metallicity of its own."""
        return replace(self, params=self.all_params)


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
        self._light = ssp.ionising or IonisingLight.measured(
            ssp.ssp_wave, ssp.ssp_flux, ssp.ssp_lg_age_gyr
        )
        self._to_z = fixed_hat_weights(ssp.metals.lgmet_of_rows, table.lgmet)
        to_age = fixed_hat_weights(self._light.lg_age_gyr[:, young], table.lg_age_gyr)
        self._ages = np.flatnonzero(to_age.any(axis=(0, 1)))
        # photons of each node in age per solar mass of young stars, (n_met, n_young, n_t)
        self._photons = self._light.photons[:, young, None] * to_age[..., self._ages]
        _check_lit(ssp, self._photons)

    @property
    def grids(self) -> tuple[np.ndarray, ...]:
        """What decides the sums, for a digest: photons, and weights and nodes of the table."""
        return self._photons, self._to_z, self.table.logu

    def spectra(self, wave: np.ndarray, young: np.ndarray, lyman_alpha: bool = True) -> np.ndarray:
        """Return L_ν [Lsun/Hz] of the gas and of what it leaves of the stars, (n_lit, n_wave).

        ``young`` (n_met, n_young, n_wave) is the light of the young stars at ``wave``; Lyα may be
        left out, where it is a term of its own.
        """
        return self._with_stars(self.table.spectra(wave, self._ages, lyman_alpha), wave, young)

    def continuum(self, wave: np.ndarray, young: np.ndarray) -> np.ndarray:
        """Return `spectra` without any line, (n_lit, n_wave), at any ``wave``."""
        return self._with_stars(self.table.continuum_at(wave, self._ages), wave, young)

    def _with_stars(self, glow: np.ndarray, wave: np.ndarray, young: np.ndarray) -> np.ndarray:
        nodes = glow, self._light.passed(wave, young)
        return np.concatenate([light.reshape(-1, len(wave)) for light in nodes])

    def lines(self) -> np.ndarray:
        """Return the luminosity of each line of the table's ``line_list`` [Lsun], (n_node, n)."""
        luminosities = self.table.luminosities(self._ages)
        return luminosities.reshape(-1, luminosities.shape[-1])

    def lines_of(self, p: Params, w: Array, lines: Array) -> Array:
        """Return what the gas emits in each line, (n_line,), for ``lines`` (n_node, n_line)."""
        return (1.0 - p["neb_fesc"]) * matmul(self.weights(p, w)[: len(lines)], lines)

    def lyman_alpha(self, wave: np.ndarray) -> LyaLine | None:
        """Return the line of each of `spectra`; None where ``wave`` does not hold it."""
        peak, profile = self.table.lyman_alpha(wave, self._ages)
        if not profile.any():
            return None
        stars = np.zeros(self._photons.shape[0] * self._photons.shape[1])
        return LyaLine(np.concatenate([peak.reshape(-1), stars]), profile)

    def weights(self, p: Params, w: Array) -> Array:
        """Return the share of each spectrum, (n_lit,), for young stars ``w`` (n_met, n_young)."""
        photons = einsum("mk,mkt->mt", w, jnp.asarray(self._photons, float))
        if LOGZ.name in p:
            own = hat_weights(p[LOGZ.name] + LOG10_ZSUN, self.table.lgmet)
            lit = jnp.outer(own, photons.sum(axis=0))
        else:
            lit = matmul(jnp.asarray(self._to_z.T, float), photons)
        logu = hat_weights(p["neb_logU"], self.table.logu)
        return jnp.concatenate([jnp.outer(logu, lit).reshape(-1), w.reshape(-1)])

    def around(self, p: Params, stars: Array, w: Array, spectra: Matrix) -> Array:
        """Return the light of young stars, some of it through the gas around them, (n_wave,)."""
        escaped, lit = self.apart(p, stars, w, spectra)
        return escaped + lit

    def apart(self, p: Params, stars: Array, w: Array, spectra: Matrix) -> tuple[Array, Array]:
        """Return that light in two: what passes the gas by, and gas with what it leaves."""
        escaping = p["neb_fesc"]
        return escaping * stars, (1.0 - escaping) * sum_of_rows(self.weights(p, w), spectra)

    def lyman_alpha_of(self, p: Params, w: Array, peak: Array) -> Array:
        """Return L_ν at the peak of the line that the gas emits, scalar; ``peak`` (n_lit,)."""
        return (1.0 - p["neb_fesc"]) * matmul(self.weights(p, w), peak)


def _check_stellar(ssp: SSPData) -> None:
    if has_gas(ssp):
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


def _check_lit(ssp: SSPData, photons: np.ndarray) -> None:
    if not photons.max() * UNIT_PHOTONS > LEAST_PHOTONS:
        raise ConfigError(
            f"The parameters of the gas change nothing on the grid {ssp.name}: its youngest stars, "
            f"of {1e3 * 10 ** ssp.ssp_lg_age_gyr[0]:.3g} Myr, have no ionising light. Take a grid "
            f"that begins at 1–3 Myr, for example load_ssp_data({STELLAR_SSP!r}), or leave "
            "nebular= out."
        )


def check_grid_has(ssp: SSPData, fixed: Mapping[str, float]) -> None:
    """Raise for values of the gas that the nebular light of a grid contradicts.

    Parameters
    ----------
    ssp : SSPData
        The grid, used as it is: no gas is a component.
    fixed : mapping
        Parameters that were fixed and have no effect. Defaults of the gas are what grids have.
    """
    if has_gas(ssp):
        check_gas_is_fixed(ssp.name, fixed)


def check_gas_is_fixed(name: str, fixed: Mapping[str, float]) -> None:
    """Raise for values of the gas that are not those of a grid with nebular light, by name."""
    idle = [f"{q.name} = {fixed[q.name]:g}" for q in (*PARAMS, LOGZ)
            if fixed.get(q.name, q.default) != q.default]  # fmt: skip
    if idle:
        raise ConfigError(
            f"{' and '.join(idle)} cannot change the nebular light that is part of the grid "
            f"{name}. Set nebular='cloudy' and take load_ssp_data({STELLAR_SSP!r}), or leave "
            "it out."
        )


def holds_gas(name: str) -> bool:
    """Return whether a grid has nebular light by its name."""
    return "_wNE" in name


def has_gas(ssp: SSPData) -> bool:
    """Return whether nebular light is part of a grid: by its spectra, else as its file says."""
    if ssp.gas is not None:
        return ssp.gas
    return bool(ssp.nebular or ssp.attrs.get("nebular_included", False) or holds_gas(ssp.name))


_REFERENCE = "Ferland et al. 2017, RMxAA 53, 385; Carnall et al. 2018, MNRAS 480, 4379"

CLOUDY = NebularModel(
    "cloudy",
    PARAMS,
    _REFERENCE,
    cloudy_table,
    changes=(
        Change(
            "nodes of its table that lost ionising photons, at Z >= 0.05 and around stars of "
            "8 Myr and more, take the light of their neighbours",
            before=NebularModel("cloudy", PARAMS, _REFERENCE, source_table),
        ),
    ),
)

NEBULAR_MODELS: Registry[NebularModel] = Registry("nebular model", CLOUDY)
