"""``SEDModel``: the exact forward model behind the common shell."""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.stellar.metallicity import LOG10_ZSUN
from tengri.components.stellar.nebular import check_grid_has
from tengri.components.stellar.ssp import SSPData
from tengri.constants import LSUN_ERG_S
from tengri.cosmology import Cosmology, as_cosmology
from tengri.errors import ConfigError, ParameterError
from tengri.forward.bandpath import BandPath
from tengri.forward.derived import derived_quantities
from tengri.forward.dilution import log10_dilution
from tengri.forward.galaxy import Galaxy, Population, SSPFlux
from tengri.forward.one_redshift import Box, NodePath, OneRedshift, few_enough
from tengri.forward.shell import (
    BandModel,
    Bands,
    Vector,
    check_stars,
    is_traced,
    warn_no_stars,
)
from tengri.forward.units import CGS
from tengri.observation import Observation
from tengri.observation.bands import coverage
from tengri.parameters import Parameters
from tengri.parameters.plain import PlainFloats
from tengri.parameters.resolve import default_float

MAX_REDSHIFT = 20.0
WORTH_A_PATH = 65536  # galaxies at one redshift that pay for compiling a path of their own
DUST_EMISSION_AA = 3.0e4  # redward of rest 3 µm dust emission outshines the stars


class SEDResult(NamedTuple):
    """A spectrum: ``wavelength`` [Å] and ``sed``, each (n_wave,)."""

    wavelength: Array
    sed: Array


class SEDModel(BandModel):
    """The exact, differentiable model of a galaxy's spectral energy distribution.

    Parameters
    ----------
    spec : Parameters
        Components, priors and fixed values.
    ssp : SSPData
        Spectra of simple stellar populations, from ``load_ssp_data``.
    observation : Observation, optional
        The bands; without them only spectra and histories can be predicted.
    cosmology : optional
        An astropy cosmology or one of ``tengri.cosmology``; default flat ΛCDM with
        H0 = 67.66 km/s/Mpc, Om0 = 0.30966.
    units : str
        Unit of ``predict_photometry``, default erg/s/cm²/Hz.

    Notes
    -----
    Everything is computed in the process's default float: float32 unless the user enabled
    x64. All methods can be used inside ``jax.jit``, ``vmap`` and ``grad``; there the checks
    of values (not those of names and shapes) are left out, and what cannot be computed is NaN.

    Examples
    --------
    >>> spec = Parameters(sfh_dpl_tau_gyr=(1, 6), redshift=0.1)            # doctest: +SKIP
    >>> model = SEDModel(spec, load_ssp_data(),
    ...                  observation=Instrument.SDSS().observation())       # doctest: +SKIP
    >>> model.predict_magnitudes({"sfh_dpl_tau_gyr": 3.0})                  # doctest: +SKIP
    """

    def __init__(
        self,
        spec: Parameters,
        ssp: SSPData,
        observation: Observation | None = None,
        cosmology: Any = None,
        units: str = CGS,
    ) -> None:
        _check_arguments(spec, ssp, observation)
        check_grid_has(ssp, {name: spec.fixed_value(name) for name in spec.inert})
        super().__init__(spec, observation, units)
        self.ssp = ssp
        self.cosmology: Cosmology = as_cosmology(cosmology)
        self.stars = self.galaxy = Galaxy(spec.composition, ssp, self.cosmology)
        self._paths: dict[Hashable, BandPath] = {}
        self._arrays: dict[Hashable, Any] = {}
        self._prior_z = _redshift_range(spec)
        self._box = Box.of(spec) if few_enough(spec.composition) else None
        if observation is not None:
            self._check_reach(*self._prior_z)
            self._warn_infrared(*self._prior_z)

    @property
    def ssp_name(self) -> str:
        """Name of the SSP grid."""
        return self.ssp.name

    def identity(self) -> dict[str, Any]:
        """Return what decides every number that this model gives, JSON-serialisable."""
        return super().identity() | {
            "ssp_sha256": self.ssp.sha256,
            "cosmology": self.cosmology.describe(),
        }

    def _in_domain(self, p: Mapping[str, Any]) -> np.ndarray:
        """Redshift above zero, metallicities on the grid."""
        lo, hi = self._logzsol_range()
        names = self.spec.composition.metallicity.logzsol_names
        on_grid = [(p[name] >= lo) & (p[name] <= hi) for name in names]
        return np.logical_and.reduce([super()._in_domain(p), *on_grid])

    # --- spectra --------------------------------------------------------------------------

    def predict_rest_sed(self, params: Mapping[str, Any] | None = None) -> SEDResult:
        """Return the rest-frame spectrum.

        Returns
        -------
        SEDResult
            ``wavelength`` in vacuum Å at rest, ``sed`` = L_ν in erg/s/Hz, without IGM.
        """
        return SEDResult(jnp.asarray(self.galaxy.wave, float), self._spectrum("rest", params))

    def predict_rest_sed_batch(self, params: Mapping[str, Any]) -> SEDResult:
        """Return rest-frame spectra of n galaxies: ``sed`` is (n, n_wave), one compiled call."""
        return SEDResult(
            jnp.asarray(self.galaxy.wave, float), self._spectrum("rest", params, batch=True)
        )

    def predict_rest_components_batch(self, params: Mapping[str, Any]) -> dict[str, Array]:
        """Return the terms of `predict_rest_sed_batch`, (n, n_wave) each: stars, dust, agn."""
        return self._spectrum("parts", params, batch=True)

    def predict_obs_sed(self, params: Mapping[str, Any] | None = None) -> SEDResult:
        """Return the observed spectrum.

        Returns
        -------
        SEDResult
            ``wavelength`` in vacuum Å as observed, ``sed`` = f_ν in erg/s/cm²/Hz, IGM
            applied.
        """
        p = self.spec.resolve({} if params is None else params)
        wave = jnp.asarray(self.galaxy.wave, float) * (1.0 + jnp.asarray(p["redshift"], float))
        return SEDResult(wave, self._spectrum("observed", params))

    def predict_spectrum(self, wave_obs: Any, params: Mapping[str, Any] | None = None) -> Array:
        """Return f_ν [erg/s/cm²/Hz] at the observed vacuum wavelengths ``wave_obs`` [Å].

        Linear interpolation of the observed spectrum, at the resolution of the SSP grid.

        Raises
        ------
        ParameterError
            Wavelengths outside the spectrum at this redshift.
        """
        sed = self.predict_obs_sed(params)
        wave = _wavelengths(wave_obs)
        if not isinstance(sed.wavelength, jax.core.Tracer):
            lo, hi = float(sed.wavelength[0]), float(sed.wavelength[-1])
            if not (wave.size and np.all((wave >= lo) & (wave <= hi))):
                raise ParameterError(
                    f"wave_obs must lie within {lo:.5g}–{hi:.5g} Å, the reach of the SSP grid at "
                    f"this redshift; got {_range(wave)}."
                )
        return jnp.interp(jnp.asarray(wave, float), sed.wavelength, sed.sed)

    def _spectrum(self, frame: str, params: Mapping[str, Any] | None, batch: bool = False) -> Any:
        p = self.spec.resolve({} if params is None else params, batch=batch)
        flux = self._cached("spectrum", self.galaxy.flux)

        def one(flux: SSPFlux, v: Vector) -> tuple[Any, Array]:
            return self._sed(frame, flux, self._unpack(v))

        key = ("sed", frame, batch)
        if key not in self._compiled:
            self._compiled[key] = jax.jit(jax.vmap(one, in_axes=(None, 0)) if batch else one)
        if is_traced(p):
            return self._compiled[key](flux, self._pack(p))[0]
        self._check(p, fluxes=frame == "observed", bands=False)
        sed, log10_mass = self._compiled[key](flux, self._pack(p))
        if batch:
            warn_no_stars(np.asarray(log10_mass))
        else:
            check_stars(p, log10_mass)
        return sed

    def _sed(self, frame: str, flux: Any, p: Mapping[str, Array]) -> tuple[Any, Array]:
        light, population = self.galaxy.light(flux, p)
        rest_scale = 10.0 ** (light.log10_scale + math.log10(LSUN_ERG_S))
        if frame == "parts":
            sed: Any = {name: lnu * rest_scale for name, lnu in light.parts.items()}
        elif frame == "rest":
            sed = light.lnu * rest_scale
        else:
            scale = light.log10_scale + self._log10_dilution(p["redshift"])
            sed = light.lnu * self.galaxy.igm(p) * 10.0**scale
        return sed, population.log10_mass

    # --- derived quantities ---------------------------------------------------------------

    def predict_derived(self, params: Mapping[str, Any] | None = None) -> dict[str, Array]:
        """Return derived quantities: see `tengri.forward.derived.derived_quantities`."""
        p = self.spec.resolve({} if params is None else params)
        flux = self._cached("spectrum", self.galaxy.flux)
        remaining = self.ssp.ssp_mass_remaining
        if "derived" not in self._compiled:
            self._compiled["derived"] = jax.jit(
                lambda flux, v: derived_quantities(self.galaxy, flux, self._unpack(v), remaining)
            )
        if is_traced(p):
            return self._compiled["derived"](flux, self._pack(p))
        self._check(p, fluxes=False, bands=False)
        derived = self._compiled["derived"](flux, self._pack(p))
        check_stars(p, jnp.log10(derived["stellar_mass"]))
        return derived

    # --- what the shell asks for ----------------------------------------------------------

    def _path(self, p: Mapping[str, Any]) -> Hashable:
        """Return the path that serves: one redshift, the prior's interval, or every redshift."""
        z, (lo, hi) = p["redshift"], self._prior_z
        if is_traced({"redshift": z}):
            return (0.0, MAX_REDSHIFT) if lo == hi else (lo, hi)
        z_min, z_max = float(np.min(z)), float(np.max(z))
        # the prior's ends as they arrive in float32: 0.05 is another number there
        lowest, highest = (float(default_float()(end)) for end in (lo, hi))
        if z_min == z_max and self._few_nodes(p):
            is_fixed = lowest == highest == z_min
            one = OneRedshift(lo, hi) if is_fixed else OneRedshift(z_min, z_max)
            if is_fixed or one in self._paths or _n_rows(p) >= WORTH_A_PATH:
                return one
        return (lo, hi) if lowest <= z_min and z_max <= highest else (0.0, MAX_REDSHIFT)

    @cached_property
    def _unchecked(self) -> tuple[Hashable, PlainFloats | None]:
        lo, hi = self._prior_z
        ranges = {"redshift": (lo, hi)}
        ranges |= dict.fromkeys(self.spec.composition.metallicity.logzsol_names,
                                self._logzsol_range())  # fmt: skip
        if lo < hi or self._box is None:
            return (lo, hi), self._plain_floats(ranges)
        return OneRedshift(lo, hi), self._plain_floats(ranges | dict(self._box.items()))

    def _few_nodes(self, p: Mapping[str, Any]) -> bool:
        """Say whether the screens are inside the box in which few wavelengths tell them.

        What is free stays in its prior inside jit; a fixed value that is overridden may not.
        """
        if self._box is None:
            return False
        traced = [name for name in self._box if is_traced({name: p[name]})]
        known = {name: p[name] for name in self._box if name not in traced}
        may_leave = any(self.spec.is_fixed(name) for name in traced)
        return not may_leave and bool(np.all(self._box.holds(known)))

    def band_path(self, path: Any) -> BandPath:
        """Return (and keep) a path."""
        if path not in self._paths:
            filters = self.observation.photometry.filters
            whole = BandPath(self.spec.composition, self.ssp, self.cosmology, self.galaxy.wave,
                             filters, path[0], path[1])  # fmt: skip
            if isinstance(path, OneRedshift) and self._box is not None:
                whole = NodePath(whole, self._box, path.z_lo)
            self._paths[path] = whole
        return self._paths[path]

    def _constants(self, path: Any) -> Any:
        band_path = self.band_path(path)
        return self._cached(path, band_path.arrays)

    def _cached(self, key: Hashable, make: Any) -> Any:
        """Keep arrays per default float: x64 may be switched between calls."""
        full_key = (key, default_float())
        if full_key not in self._arrays:
            with jax.ensure_compile_time_eval():
                self._arrays[full_key] = make()
        return self._arrays[full_key]

    def _bands(self, path: Any, constants: Any, p: Mapping[str, Array]) -> Bands:
        band_path = self.band_path(path)
        flux, projection = constants
        light, population = band_path.galaxy.light(flux, p)
        z = p["redshift"]
        bands = projection.project(light.lnu * band_path.galaxy.igm(p), z)
        bands = jnp.where(self._reached(z, path) & band_path.serves(p), bands, jnp.nan)
        return Bands(light.log10_scale + self._log10_dilution(z), bands, population.log10_mass)

    def _kernel(self, path: Any, constants: Any, p: Mapping[str, Array]) -> tuple[Array, Array]:
        """Return what 1 Msun of each age gives: a pure function, without an AGN.

        Its light in the bands (n_bands, n_bin), in units of ``10**self.galaxy.log10_flux_unit``
        Lsun/Hz at the source, and what dust absorbs of it (n_bin,), in that unit times 1 Hz; the
        latter only where the spec has dust emission, without which the spectrum is cut. Both are
        linear in the age weights: the kernel is their gradient.
        """
        band_path, (flux, projection) = self.band_path(path), constants
        galaxy, z = band_path.galaxy, p["redshift"]
        metals, n_bin = galaxy.metals(p), len(galaxy.bins.edges) - 1

        def stars(ages: Array) -> tuple[Array, Array]:
            light = galaxy.light_of(flux, Population(jnp.zeros(()), metals * ages), p)
            return light.parts["stars"], light.absorbed

        (lnu, absorbed), slope = jax.vjp(stars, jnp.full(n_bin, 1.0 / n_bin))
        rows, nothing = projection.rows(z) * galaxy.igm(p), jnp.zeros_like(absorbed)
        (bands,) = jax.vmap(lambda row: slope((row, nothing)))(rows)
        (heat,) = slope((jnp.zeros_like(lnu), jnp.ones_like(absorbed)))
        unit = 10.0 ** (galaxy.log10_flux_unit - self.galaxy.log10_flux_unit)
        return jnp.where(self._reached(z, path)[:, None], unit * bands, jnp.nan), unit * heat

    def _reached(self, z: Array, path: Any) -> Array:
        """Say which bands the spectrum reaches at ``z``, within the interval of ``path``."""
        eps = 4.0 * jnp.finfo(jnp.zeros(()).dtype).eps
        first, last = self._filter_ends()
        wave = self.galaxy.wave
        inside = (z > 0.0) & (z >= path[0] * (1 - eps)) & (z <= path[1] * (1 + eps))
        return inside & (first >= wave[0] * (1 + z)) & (last <= wave[-1] * (1 + z))

    def _filter_ends(self) -> tuple[np.ndarray, np.ndarray]:
        waves = self.observation.photometry.filter_waves
        return np.array([w[0] for w in waves]), np.array([w[-1] for w in waves])

    def _log10_dilution(self, z: Array) -> Array:
        """Return log10 of the factor L_ν [Lsun/Hz] → f_ν [erg/s/cm²/Hz]."""
        return log10_dilution(self.cosmology, z)

    # --- checks outside jit ---------------------------------------------------------------

    def _check(self, p: Mapping[str, Any], fluxes: bool = True, bands: bool = True) -> None:
        z = np.asarray(p["redshift"])
        if fluxes and not np.all(z > 0.0):
            raise ParameterError(
                f"Fluxes need redshift > 0, got {_range(z)}: a galaxy at z = 0 has no "
                "luminosity distance. For a rest-frame spectrum use predict_rest_sed."
            )
        if bands and self._observation is not None:
            self._check_reach(float(z.min()), float(z.max()))
        self._warn_metallicity(p)

    def _check_reach(self, z_lo: float, z_hi: float) -> None:
        """Raise if a band leaves the spectrum somewhere between two redshifts."""
        wave, filters = self.galaxy.wave, self.observation.photometry.filters
        covered = coverage(wave[0], wave[-1], filters, z_lo, z_hi)
        if not covered.all():
            missing = [f"{f.name} ({f.wave[0]:.5g}–{f.wave[-1]:.5g} Å)"
                       for f, ok in zip(filters, covered) if not ok]  # fmt: skip
            raise ConfigError(
                f"Outside the reach of the spectrum for z = {_range(np.unique([z_lo, z_hi]))}: "
                f"{', '.join(missing)}. The SSP grid covers {self.galaxy.wave[0]:.4g}–"
                f"{self.galaxy.wave[-1]:.4g} Å at rest: drop the band, narrow the redshifts or "
                "use a grid that reaches further."
            )

    def _warn_infrared(self, z_lo: float, z_hi: float) -> None:
        if self.spec.composition.dust_emission is not None:
            return
        names = [f.name for f in self.observation.photometry.filters
                 if f.pivot / (1.0 + z_lo) > DUST_EMISSION_AA]  # fmt: skip
        if names:
            warnings.warn(
                f"{', '.join(names)} see rest wavelengths beyond 3 µm, where dust emission "
                "dominates, but the model has none: set dust_emission='dl07'.",
                stacklevel=3,
            )

    def _warn_metallicity(self, p: Mapping[str, Any]) -> None:
        lo, hi = self._logzsol_range()
        for name in self.spec.composition.metallicity.logzsol_names:
            value = np.asarray(p[name])
            if np.any(value < lo) or np.any(value > hi):
                warnings.warn(
                    f"{name} = {_range(value)} is outside the SSP grid ({lo:.2f}…{hi:.2f}): "
                    "clamped to its edge.",
                    stacklevel=4,
                )

    def _logzsol_range(self) -> tuple[float, float]:
        """Return log10(Z/Zsun) of the first and the last node of the grid."""
        return self.galaxy.lgmet[0] - LOG10_ZSUN, self.galaxy.lgmet[-1] - LOG10_ZSUN

    # --- words ----------------------------------------------------------------------------

    def summary(self) -> str:
        """Return a readable description: grid, bands (with marks), parameters."""
        lines = [f"SEDModel on {self.ssp.name}", f"cosmology: {self.cosmology}"]
        if self._observation is not None:
            lines.append(f"bands ({self.units}):")
            lines += [f"  {f.name:<16s} pivot {f.pivot:>10.1f} Å{self._mark(f.pivot)}"
                      for f in self.observation.photometry.filters]  # fmt: skip
        return "\n".join([*lines, self.spec.summary()])

    def _mark(self, pivot: float) -> str:
        no_dust = self.spec.composition.dust_emission is None
        beyond = pivot / (1.0 + self._prior_z[0]) > DUST_EMISSION_AA
        return "   beyond rest 3 µm, without dust emission" if no_dust and beyond else ""

    def __repr__(self) -> str:
        bands = ", ".join(self.filter_names) if self._observation else "no bands"
        return f"SEDModel({self.ssp.name}; {bands}; {self.spec.n_free} free parameters)"


def _redshift_range(spec: Parameters) -> tuple[float, float]:
    """Return the redshifts that the spec's prior allows."""
    prior = spec.get_distribution("redshift")
    if prior.is_fixed:
        z = float(spec.fixed_value("redshift"))
        return z, z
    lo, hi = prior.bounds
    return max(float(lo), 0.0), min(float(hi), MAX_REDSHIFT)


def _n_rows(p: Mapping[str, Any]) -> int:
    return max(np.shape(value)[0] if np.ndim(value) else 1 for value in p.values())


def _check_arguments(spec: Any, ssp: Any, observation: Any) -> None:
    if not isinstance(spec, Parameters):
        raise ConfigError(f"spec must be Parameters(...), got {type(spec).__name__}.")
    if not isinstance(ssp, SSPData):
        raise ConfigError(f"ssp must come from load_ssp_data(), got {type(ssp).__name__}.")
    if observation is not None and not isinstance(observation, Observation):
        raise ConfigError(
            f"observation must be an Observation, got {type(observation).__name__}; an "
            "Instrument has one: Instrument.SDSS().observation(), or for names "
            'Instrument.from_names(["sdss_g"]).observation().'
        )


def _wavelengths(wave: Any) -> np.ndarray:
    try:
        return np.asarray(wave, dtype=float)
    except (TypeError, ValueError):
        raise ParameterError(f"wave_obs must be wavelengths in Å, not {wave!r}.") from None


def _range(values: Any) -> str:
    a = np.atleast_1d(np.asarray(values, dtype=float))
    if a.size == 0:
        return "nothing"
    return f"{a[0]:g}" if a.size == 1 else f"{a.min():g}…{a.max():g}"
