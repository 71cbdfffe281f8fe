"""``EmulatedSpectrumModel``: the exact equations on a grid of few eigenspectra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from emulator.spectral.artefact import SpectralArtefact
from tengri.components.stellar.ssp import load_ssp_data
from tengri.constants import MAG_PER_LN
from tengri.errors import ConfigError, DataError, unknown
from tengri.forward.model import SEDModel
from tengri.forward.summary import ModelSummary
from tengri.forward.units import CGS
from tengri.observation import Observation
from tengri.observation.bands import band_matrix
from tengri.observation.spectrograph import Spectrograph
from tengri.parameters import Parameters


class EmulatedSpectrumModel(SEDModel):
    """A surrogate of ``SEDModel`` that has its spectra, and all that follows from them.

    Spectra, lines, bands at any redshift and derived quantities with the same calls, dicts, units
    and errors as the exact model. The stars' light is a mixture of few eigenspectra; everything
    else is computed as the exact model computes it. Nothing is learnt over a box: only the
    metallicities of the grid have ends.

    Parameters
    ----------
    artefact : SpectralArtefact
        From `emulator.reading.read_any` or fresh from training.
    spec : Parameters, optional
        Any spec; by default the one that it carries.
    observation : Observation, optional
        Any bands; by default those that it was judged in.
    out_of_domain : str
        What happens for metallicities off the grid, as in ``SEDModel``.
    units : str
        Unit of ``predict_photometry``, default erg/s/cm²/Hz.

    Raises
    ------
    ConfigError
        Gas that it was not made for; a band beyond its wavelengths; an unknown unit or mode.

    Examples
    --------
    >>> fast = emulator.load("spectrum_compact", spec=spec)                # doctest: +SKIP
    >>> fast.predict_rest_sed({"dust_tau_diff": 0.5})                      # doctest: +SKIP
    """

    #: How it was made, and whose idea that is.
    methods: ClassVar[dict[str, str]] = {"few eigenspectra": "Gabriel & Zamir 1979"}

    def __init__(
        self,
        artefact: SpectralArtefact,
        spec: Parameters | None = None,
        observation: Observation | None = None,
        out_of_domain: str = "raise",
        units: str = CGS,
    ) -> None:
        spec = artefact.spec if spec is None else spec
        if not isinstance(spec, Parameters):
            raise ConfigError(f"spec must be Parameters(...), got {type(spec).__name__}.")
        if observation is None:
            observation = Observation(photometry=artefact.photometry)
        self.artefact, self.out_of_domain = artefact, out_of_domain
        self.grid = artefact.grid_for(spec.composition)
        cosmology = artefact.cosmology_object()
        super().__init__(spec, self.grid.ssp, observation, cosmology, units, out_of_domain)

    def __reduce__(self) -> Any:
        """Models are values: what was compiled or computed from them stays behind."""
        given = self.artefact, self.spec, self.observation, self.out_of_domain, self.units
        return EmulatedSpectrumModel, given

    def identity(self) -> dict[str, Any]:
        """Return everything that determines the numbers of this model, in JSON's own types."""
        return super().identity() | {"artefact_sha256": self.artefact.sha256}

    # --- other views of the same surrogate ------------------------------------------------

    def with_spec(self, spec: Parameters) -> EmulatedSpectrumModel:
        """Return the surrogate under another spec."""
        given = self.artefact, spec, self.observation, self.out_of_domain, self.units
        return EmulatedSpectrumModel(*given)

    def with_observation(self, observation: Observation) -> EmulatedSpectrumModel:
        """Return the surrogate with other bands."""
        given = self.artefact, self.spec, observation, self.out_of_domain, self.units
        return EmulatedSpectrumModel(*given)

    def exact_model(self, ssp: Any = None) -> SEDModel:
        """Return the exact model that this surrogate stands for: same spec, bands, cosmology.

        Parameters
        ----------
        ssp : SSPData, optional
            The whole grid; loaded by its name if absent.

        Raises
        ------
        DataError
            The grid is not at hand, or is another one (both hashes are given).
        """
        if ssp is None:
            ssp = load_ssp_data(self.grid.name + ".h5")
        if ssp.sha256 != self.grid.about["sha256"]:
            raise DataError(
                f"The surrogate stands for the SSP grid {self.grid.name!r} (sha256 "
                f"{self.grid.about['sha256']}); this one is {ssp.name!r} (sha256 {ssp.sha256})."
            )
        return SEDModel(self.spec, ssp, self.observation, self.cosmology, self.units)

    # --- how far to trust it --------------------------------------------------------------

    @property
    def accuracy(self) -> dict[str, Any]:
        """Errors against the exact model, as measured after training."""
        return self.artefact.accuracy

    def spectrum_errors(self, level: int | str = 68) -> np.ndarray:
        """Return the relative error of L_ν that a share of galaxies stays below, (n_wave,).

        Parameters
        ----------
        level : int or str
            Share in per cent, one of those in the artefact: of galaxies of its prior in which
            the pixel has more than 1e-3 of the largest λL_λ. On the wavelengths of
            ``predict_rest_sed``.
        """
        known = self.artefact.errors
        if str(level) not in known:
            raise unknown("level of error bars [%]", str(level), known)
        wave = self.artefact.grids[0].axes["wave"]
        return np.interp(self.galaxy.wave, wave, known[str(level)])

    def pixel_errors(
        self, pixels: Spectrograph, redshift: ArrayLike, level: int | str = 68
    ) -> Array:
        """Return `spectrum_errors` at the centres of pixels, (n_pixel,), for any one redshift.

        Relative errors of f_ν; the redshift may be traced. What the likelihood of spectra adds to
        the errors of the data. Neighbouring pixels err together less and less with their
        distance; they are taken as independent.
        """
        at_rest = jnp.asarray(pixels.wave, float) / (1.0 + jnp.asarray(redshift, float))
        errors = jnp.asarray(self.spectrum_errors(level), float)
        return jnp.interp(at_rest, jnp.asarray(self.galaxy.wave, float), errors)

    def predict_errors(
        self, params: Mapping[str, Any] | None = None, level: int | str = 68
    ) -> np.ndarray:
        """Return bounds of errors in the bands [mag], (n_bands,) or of a batch (n, n_bands).

        The errors of pixels as if all of a band had the same sign: the average over the band of
        `spectrum_errors`. ``params``, of one galaxy or of a batch, say the redshift; omitted: the
        largest over the redshifts of the prior.
        """
        lo, hi = self._sources.prior
        if params is None:
            return self._bars(np.linspace(lo, hi, 9), level).max(axis=0)
        batch = any(np.ndim(v) for n, v in params.items() if n in self.packer.scalars)
        z = np.asarray(self.spec.resolve(params, batch=batch)["redshift"], np.float64)
        return self.errors_at(None, z, level)

    def errors_at(
        self, magnitudes: ArrayLike | None, redshift: ArrayLike, level: int | str = 68
    ) -> np.ndarray:
        """Return `predict_errors` of galaxies at redshifts (…), whatever their brightness."""
        z = np.asarray(redshift, np.float64)
        nodes = np.linspace(z.min(), z.max(), 33) if z.size > 33 else np.unique(z)
        bars = self._bars(nodes, level)
        return np.stack([np.interp(z, nodes, band) for band in bars.T], axis=-1)

    def _bars(self, z: np.ndarray, level: int | str) -> np.ndarray:
        """Return the average over each band [mag] of the errors of pixels, (n_z, n_bands)."""
        errors, wave = self.spectrum_errors(level), self.galaxy.wave
        filters = self.observation.photometry.filters
        weights = [band_matrix(wave, filters, float(at)) for at in z]
        return MAG_PER_LN * np.stack([(w @ errors) / w.sum(axis=1) for w in weights])

    @property
    def emulation_covariance(self) -> np.ndarray:
        """Covariance of the surrogate's own errors [mag²], (n_bands, n_bands).

        Of `predict_errors` at 68 %, independent between bands.
        """
        return np.diag(self.predict_errors() ** 2)

    # --- words ----------------------------------------------------------------------------

    def describe(self) -> ModelSummary:
        """Return what `summary` prints, in parts: of the exact model, and the eigenspectra."""
        rank = {part: mixed.shape[-1] for part, mixed in self.grid.loadings.items()}
        found = super().describe()
        facts = {
            "target": f"spectrum, of {self.artefact.created}",
            "eigenspectra": ", ".join(f"{n} of the {part}" for part, n in rank.items()),
        }
        title = f"EmulatedSpectrumModel on {self.grid.name}"
        return replace(found, title=title, facts={**found.facts, **facts})
