"""``SEDModel``: the exact forward model behind the common interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.line_list import LineList
from tengri.components.stellar.nebular import check_grid_has
from tengri.components.stellar.ssp_data import SSPData
from tengri.cosmology import Cosmology, as_cosmology
from tengri.errors import ConfigError
from tengri.forward.at_rest import RestFrame
from tengri.forward.batching import Execution, Sizes
from tengri.forward.derived import derived_quantities
from tengri.forward.exact import ExactEvaluator
from tengri.forward.exact_evaluators import ExactEvaluators, redshift_range
from tengri.forward.exact_guard import ExactGuard
from tengri.forward.grid_parameters import check_metals, check_prior, warn_of_prior
from tengri.forward.grid_spectra import GridSpectra
from tengri.forward.line_predictions import LinePredictions
from tengri.forward.lines import Lines
from tengri.forward.no_stars import check_stars
from tengri.forward.packing import Packed, in_trace
from tengri.forward.photometric_model import PhotometricModel, check_has_bands
from tengri.forward.small_call import compiled_quickly
from tengri.forward.spectra import SpectralFrame, as_wavelengths, check_reach
from tengri.forward.summary import BAND_HEAD, ModelSummary, band_rows
from tengri.forward.units import CGS
from tengri.observation import Observation
from tengri.observation.spectrograph import Spectrograph
from tengri.parameters import Parameters
from tengri.parameters.validate import default_float
from tengri.process import check_process

EXECUTION = Execution(Sizes(128, 1024), Sizes(4096, 65536))
BEYOND = "beyond rest 3 µm, without dust emission"


class SEDResult(NamedTuple):
    """A spectrum: ``wavelength`` [Å] and ``sed``, each (n_wave,)."""

    wavelength: Array
    sed: Array


class SEDModel(PhotometricModel):
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
    out_of_domain : str
        What happens for metallicities off the grid: ``raise``, ``warn`` (the stars at its end,
        with a warning; inside ``jit`` NaN), ``clip`` (the same stars, always) or ``nan``; see
        `tengri.domain`. ``in_domain`` says of which galaxies of a batch that is so.

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
        out_of_domain: str = "warn",
    ) -> None:
        _check_arguments(spec, ssp, observation)
        spec.check_physics()
        check_metals(spec, ssp)
        check_grid_has(ssp, {name: spec.fixed_value(name) for name in spec.inert})
        self.ssp = ssp
        self.cosmology: Cosmology = as_cosmology(cosmology)
        grid = GridSpectra.of(spec.composition, ssp, self.cosmology)
        filters = () if observation is None else observation.filters
        self.galaxy = grid.galaxy
        self._exact = ExactGuard.of(grid.galaxy, filters, out_of_domain)
        ranges, mode = self._exact.metallicities, self._exact.mode
        self._sources = ExactEvaluators(spec, grid, filters, ranges, mode)
        warn_of_prior(spec, ssp)
        super().__init__(
            spec,
            observation,
            units,
            stars=grid.galaxy,
            evaluators=self._sources,
            guard=self._exact,
            execution=EXECUTION,
        )
        own = self.packer, self._sources, self._exact
        self._spectra = SpectralFrame(spec, ssp, *own)
        self._lines = LinePredictions(spec, ssp, *own, EXECUTION)
        self._at_rest = RestFrame(spec, *own, EXECUTION)
        if filters:
            self._exact.check_reach(*self._sources.prior)
            self._exact.warn_infrared(self._sources.prior[0])

    def __reduce__(self) -> Any:
        """Models are values: what was compiled or computed from them stays behind."""
        own = self.cosmology, self.units, self._exact.mode
        given = self.spec, self.ssp, self._observation, *own
        return SEDModel, given

    @property
    def ssp_name(self) -> str:
        """Name of the SSP grid."""
        return self.ssp.name

    @property
    def mass_remaining(self) -> np.ndarray | None:
        """Surviving mass fraction of the SSP grid, (n_met, n_age), if it has the table."""
        return self.ssp.ssp_mass_remaining

    def identity(self) -> dict[str, Any]:
        """Return everything that determines the numbers of this model, in JSON's own types."""
        return super().identity() | {
            "ssp_sha256": self.ssp.sha256,
            "cosmology": self.cosmology.describe(),
            "out_of_domain": self._exact.mode,
        }

    def check_priors(self) -> None:
        """Raise ConfigError where the prior of a metallicity leaves the grid of stars."""
        check_prior(self.spec, self.ssp)

    def evaluator(self, z_range: tuple[float, float] | None = None) -> ExactEvaluator:
        """Return the exact evaluator: see `PhotometricModel.evaluator`."""
        check_process()
        check_has_bands(self.observation)
        return self._sources.over(z_range)

    # --- spectra --------------------------------------------------------------------------

    def predict_rest_sed(self, params: Mapping[str, Any] | None = None) -> SEDResult:
        """Return the rest-frame spectrum.

        Returns
        -------
        SEDResult
            ``wavelength`` in vacuum Å at rest, ``sed`` = L_ν in erg/s/Hz, without IGM.
        """
        sed = self._spectra.predict("rest", params)
        return SEDResult(jnp.asarray(self.galaxy.wave, float), sed)

    def predict_rest_sed_batch(self, params: Mapping[str, Any]) -> SEDResult:
        """Return rest-frame spectra of n galaxies: ``sed`` is (n, n_wave), one compiled call."""
        sed = self._spectra.predict("rest", params, batch=True)
        return SEDResult(jnp.asarray(self.galaxy.wave, float), sed)

    def predict_rest_components_batch(self, params: Mapping[str, Any]) -> dict[str, Array]:
        """Return the terms of `predict_rest_sed_batch`, (n, n_wave): stars, lya, dust, agn."""
        return self._spectra.predict("parts", params, batch=True)

    def predict_obs_sed(self, params: Mapping[str, Any] | None = None) -> SEDResult:
        """Return the observed spectrum.

        Returns
        -------
        SEDResult
            ``wavelength`` in vacuum Å as observed, ``sed`` = f_ν in erg/s/cm²/Hz, behind
            the IGM and, where the spec names ``mw_ebv``, the dust of the Milky Way.
        """
        sed = self._spectra.predict("observed", params)
        z = self.spec.resolve({} if params is None else params)["redshift"]
        wave = jnp.asarray(self.galaxy.wave, float) * (1.0 + jnp.asarray(z, float))
        return SEDResult(wave, sed)

    def predict_spectrum(
        self, wave_obs: Any = None, params: Mapping[str, Any] | None = None, **sigma_kms: Any
    ) -> Array:
        """Return f_ν [erg/s/cm²/Hz] at observed wavelengths, or in pixels.

        Parameters
        ----------
        wave_obs : array, Spectrograph or str, optional
            Vacuum wavelengths [Å or with a unit]: the spectrum between its nodes, as sharp as the
            SSP grid. A `Spectrograph`, or the name of one of the observation, which may be left
            out where there is one: photons in pixels (`tengri.forward.pixel_spectra`).
        params : mapping, optional
            As in `predict_obs_sed`.
        **sigma_kms
            ``vel_sigma_kms`` of the stars (default 0) and ``gas_sigma_kms`` of the lines of gas
            (default 100) [km/s], 0 to 1000, for a spectrograph; may be traced. Where the first is,
            ``max_sigma_kms`` is how far it may go: less than 1000 is less work, more gives NaN.

        Raises
        ------
        ParameterError
            Wavelengths outside the spectrum at this redshift, masked or not finite, or in a
            unit that is no length; velocities out of bounds.
        ConfigError
            Velocities without a spectrograph, or of lines that are not known one by one.
        """
        if wave_obs is None or isinstance(wave_obs, str):
            wave_obs = self.observation.spectrograph(wave_obs)
        if isinstance(wave_obs, Spectrograph) or sigma_kms:
            return self._spectra.pixels(wave_obs, params, **sigma_kms)
        wave = as_wavelengths(wave_obs)
        sed = self.predict_obs_sed(params)
        check_reach(wave, sed.wavelength)
        return jnp.interp(jnp.asarray(wave, float), sed.wavelength, sed.sed)

    def predict_spectrum_batch(
        self, spectrograph: Any, params: Mapping[str, Any], **sigma_kms: Any
    ) -> Array:
        """Return f_ν [erg/s/cm²/Hz] of n galaxies in pixels, (n, n_pixel).

        A `Spectrograph`, the name of one of the observation or None, and velocities of all of
        them, as in `predict_spectrum`.
        """
        if spectrograph is None or isinstance(spectrograph, str):
            spectrograph = self.observation.spectrograph(spectrograph)
        return self._spectra.pixels(spectrograph, params, batch=True, **sigma_kms)

    def too_sharp(
        self, pixels: Spectrograph, params: Mapping[str, Any] | None = None, vel_sigma_kms: Any = 0
    ) -> np.ndarray:
        """Return in which pixels the SSP grid is less sharp than what is asked for, (n_pixel,)."""
        return self._spectra.too_sharp(pixels, params, vel_sigma_kms)

    # --- lines ----------------------------------------------------------------------------

    @property
    def line_list(self) -> LineList:
        """Names and vacuum wavelengths of the emission lines."""
        return self._lines.line_list

    def predict_lines(self, params: Mapping[str, Any] | None = None) -> Lines:
        """Return the emission lines of gas and nucleus: see `tengri.forward.lines`.

        Returns
        -------
        Lines
            Luminosities, observed fluxes and equivalent widths (n_line,); ``lines["Ha_6565"]``.

        Raises
        ------
        ConfigError, ParameterError
            Nebular light without a table of lines, or none; parameters as in `predict_rest_sed`.
        """
        return self._lines.predict(params, batch=False)

    def predict_lines_batch(self, params: Mapping[str, Any]) -> Lines:
        """Return the emission lines of n galaxies, (n, n_line)."""
        return self._lines.predict(params, batch=True)

    # --- at rest, from 10 pc --------------------------------------------------------------

    def predict_absolute_magnitudes(
        self, instrument: Any, params: Mapping[str, Any] | None = None
    ) -> Array:
        """Return absolute AB magnitudes in rest-frame bands: see `tengri.forward.at_rest`.

        Parameters
        ----------
        instrument : Instrument or Observation
            The bands, which need not be those of the model.
        params : mapping, optional
            As in `predict_photometry`; the redshift, which may be 0, is that of the stars' age.

        Returns
        -------
        Array, shape (n_bands,)
            As attenuated by the galaxy's own dust, without the intergalactic medium.

        Raises
        ------
        ConfigError, ParameterError
            A band that the spectrum does not reach at rest; parameters as in `predict_photometry`.
        """
        return self._at_rest.magnitudes(instrument, params, batch=False)

    def predict_absolute_magnitudes_batch(
        self, instrument: Any, params: Mapping[str, Any]
    ) -> Array:
        """Return absolute magnitudes of n galaxies, (n, n_bands)."""
        return self._at_rest.magnitudes(instrument, params, batch=True)

    def predict_rest_colours(
        self, instrument: Any, params: Mapping[str, Any] | None = None
    ) -> Array:
        """Return rest-frame colours [mag]: absolute magnitudes of neighbours, bluer less redder.

        Shape (n_bands - 1,), in the order of the bands; see `predict_absolute_magnitudes`.
        """
        return self._at_rest.colours(instrument, params, batch=False)

    def predict_rest_colours_batch(self, instrument: Any, params: Mapping[str, Any]) -> Array:
        """Return rest-frame colours of n galaxies, (n, n_bands - 1)."""
        return self._at_rest.colours(instrument, params, batch=True)

    # --- derived quantities ---------------------------------------------------------------

    def predict_derived(self, params: Mapping[str, Any] | None = None) -> dict[str, Array]:
        """Return derived quantities: see `tengri.forward.derived.derived_quantities`."""
        return _derived_of(self, self._sources, self._exact, params)

    # --- words ----------------------------------------------------------------------------

    def describe(self) -> ModelSummary:
        """Return what `summary` prints, in parts; bands that see unlit dust have a mark."""
        filters = self._observation.filters if self._observation else ()
        spectra = self._observation.spectrographs if self._observation else ()
        z = redshift_range(self.spec)[0] if filters else 0.0
        marks = tuple(BEYOND if self._exact.lacks_dust(f, z) else "" for f in filters)
        return ModelSummary(
            f"SEDModel on {self.ssp.name}",
            {"cosmology": str(self.cosmology), "units": self.units}
            | {f"spectrum {one.name}": str(one) for one in spectra},
            (*BAND_HEAD, "note"),
            band_rows(filters, marks),
            self.spec.describe(),
        )


def _derived_of(
    model: SEDModel, sources: ExactEvaluators, guard: ExactGuard, params: Mapping[str, Any] | None
) -> dict[str, Array]:
    check_process()
    p = model.spec.resolve({} if params is None else params)
    remaining = model.ssp.ssp_mass_remaining
    table = None if remaining is None else jax.device_put(np.asarray(remaining, default_float()))
    derived = _derived(sources.spectral(in_trace(p)), model.packer.pack(p), table)
    if not in_trace(p):
        guard.check(p, fluxes=False, bands=False)
        if model.spec.composition.has_stars:
            check_stars(p, jnp.log10(derived["stellar_mass"]))
    return derived


@compiled_quickly
def _derived(
    evaluator: ExactEvaluator, packed: Packed, remaining: Array | None
) -> dict[str, Array]:
    return derived_quantities(evaluator, packed.unpack(), remaining)


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
