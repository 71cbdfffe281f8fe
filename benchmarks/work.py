"""The work that every contender does: one population of galaxies, one grid, one set of bands.

A tsnorm history, a metallicity distribution of 0.1 dex, Calzetti dust in two components, free
redshift (or one), no intergalactic absorption.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.grids.ages import log_midpoint_edges

FIXED_Z = 0.5
#: more and more bands, one list after the other
INSTRUMENTS = ("SDSS", "PANSTARRS", "LSST", "VISTA", "TWOMASS")


def spec(fixed_redshift: bool = False) -> Parameters:
    """Return the priors of the population."""
    return Parameters(
        sfh_tsnorm_log_peak_sfr=(-1.0, 3.0),
        sfh_tsnorm_peak_lbt_gyr=(0.5, 6.0),
        sfh_tsnorm_width_gyr=(0.5, 5.0),
        sfh_tsnorm_skew=(-0.5, 0.5),
        sfh_tsnorm_trunc=(1.0, 5.0),
        met_logzsol=(-2.0, 0.2),
        dust_tau_bc=(0.0, 2.0),
        dust_tau_diff=(0.0, 2.0),
        dust_law="calzetti",
        igm_model="none",
        redshift=FIXED_Z if fixed_redshift else (0.01, 1.0),
    )


def of_the_notebook() -> Parameters:
    """Return the spec of the notebook's last cell: one galaxy, its metallicity swept."""
    return Parameters(
        sfh_tsnorm_log_peak_sfr=1.0,
        sfh_tsnorm_peak_lbt_gyr=2.0,
        sfh_tsnorm_width_gyr=1.5,
        sfh_tsnorm_skew=0.2,
        sfh_tsnorm_trunc=3.0,
        met_logzsol=(-2.0, 0.2),
        dust_tau_bc=0.5,
        dust_tau_diff=(0.0, 2.0),
        dust_slope=-0.7,
        redshift=0.05,
    )


def young() -> Parameters:
    """Return the priors of populations that are hardest in float32: lines outshine their stars."""
    return Parameters(
        mean_sfh_type="const",
        sfh_const_log_total_mass=(7.0, 11.0),
        sfh_const_start_gyr=(1e-3, 1e-2),
        met_logzsol=(-2.0, -1.0),
        dust_tau_bc=(0.0, 2.0),
        dust_tau_diff=(0.0, 2.0),
        dust_law="calzetti",
        igm_model="none",
        redshift=(0.01, 1.0),
    )


def spec_for_surrogate() -> Parameters:
    """Return the same histories, metals and redshifts with the dust that the kernel has learnt."""
    own = spec()
    priors = {name: own.get_distribution(name) for name in own.free_params}
    return Parameters(**priors, dust_slope=-0.7)


def grid_of(name: str, n_wave: int = 0) -> Any:
    """Return an SSP grid: ``embedded``, ``97x1775`` (stars alone, thinned), or a file."""
    if name == "embedded":
        ssp = load_ssp_data()
        return ssp if not n_wave else thinned(ssp, len(ssp.ssp_lg_age_gyr), n_wave)
    if name == "97x1775":
        return thinned(load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5"), 97, 1775)
    return load_ssp_data(name)


def thinned(ssp: Any, n_age: int, n_wave: int) -> Any:
    """Return a grid with that many of its ages and wavelengths, the ends included."""
    age = np.linspace(0, len(ssp.ssp_lg_age_gyr) - 1, n_age).round().astype(int)
    wave = np.linspace(0, len(ssp.ssp_wave) - 1, n_wave).round().astype(int)
    remaining = ssp.ssp_mass_remaining
    return replace(
        ssp,
        ssp_wave=ssp.ssp_wave[wave],
        ssp_lg_age_gyr=ssp.ssp_lg_age_gyr[age],
        ssp_flux=ssp.ssp_flux[:, age][:, :, wave],
        ssp_mass_remaining=None if remaining is None else remaining[:, age],
        age_edges_gyr=log_midpoint_edges(ssp.ssp_lg_age_gyr[age]),
        ionising=None,
    )


@dataclass(frozen=True)
class Work:
    """One population on one grid, seen through one set of bands.

    Attributes
    ----------
    ssp : SSPData
    bands : tuple of str
    n : int
        Galaxies.
    """

    ssp: Any
    bands: tuple[str, ...]
    n: int

    @cached_property
    def model(self) -> SEDModel:
        """The exact model, free redshift."""
        return _model(spec(), self.ssp, self.bands)

    @cached_property
    def at_one_redshift(self) -> SEDModel:
        """The exact model, redshift fixed."""
        return _model(spec(fixed_redshift=True), self.ssp, self.bands)

    @cached_property
    def galaxies(self) -> dict[str, jax.Array]:
        """Prior draws, each (n,), in the process's default float."""
        drawn = self.model.spec.sample_batch(jax.random.key(1), self.n)
        return {name: jnp.asarray(values, float) for name, values in drawn.items()}

    @property
    def filters(self) -> Any:
        """The curves of the bands."""
        return self.model.observation.photometry.filters


def _model(priors: Parameters, ssp: Any, bands: tuple[str, ...]) -> SEDModel:
    observation = Instrument.from_names(list(bands)).observation()
    return SEDModel(priors, ssp, observation, units="maggies")


def fluxes(priors: Parameters, ssp: Any, bands: tuple[str, ...], galaxies: Any) -> np.ndarray:
    """Return the exact band fluxes [maggies] of galaxies, (n, n_bands), in the default float."""
    model = _model(priors, ssp, bands)
    given = {name: np.asarray(values, float) for name, values in galaxies.items()}
    return np.asarray(model.predict_photometry_batch(given), np.float64)


def bands_of(n: int) -> tuple[str, ...]:
    """Return the first n bands of the instruments of this benchmark."""
    names = [f for name in INSTRUMENTS for f in getattr(Instrument, name)().filter_names]
    return tuple(names[:n])
