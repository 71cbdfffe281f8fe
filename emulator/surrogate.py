"""``EmulatedSEDModel``: a trained surrogate behind the interface of the exact model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from emulator.artefact import Artefact
from emulator.compatibility import (
    band_indices,
    check_exact_parts,
    check_spec,
    joined,
    spec_of_its_time,
)
from emulator.domain import TrainedDomain
from emulator.error_bars import CovarianceByColours, ErrorBars
from emulator.evaluator import EmulatedEvaluators
from emulator.guard import EmulatedGuard
from tengri.components.stellar.metal_nodes import MetalNodes
from tengri.components.stellar.nebular import check_gas_is_fixed, holds_gas
from tengri.components.stellar.ssp import load_ssp_data
from tengri.errors import ConfigError, DataError
from tengri.forward.batching import Execution, Sizes
from tengri.forward.derived import sfh_quantities
from tengri.forward.galaxy import Stars
from tengri.forward.model import SEDModel
from tengri.forward.no_stars import check_stars
from tengri.forward.packing import Packed, in_trace
from tengri.forward.photometric_model import PhotometricModel
from tengri.forward.summary import BAND_HEAD, ModelSummary, band_rows
from tengri.forward.units import CGS
from tengri.observation import Observation, Photometry
from tengri.parameters import Parameters
from tengri.parameters.validate import default_float
from tengri.process import check_process

#: Galaxies of a chunk, on a processor and on an accelerator.
CHUNKS = 16384, 65536


def _refusal(what: str) -> Callable[..., NoReturn]:
    """Return a method that raises: a photometric surrogate has no spectrum."""

    def refuse(self: EmulatedSEDModel, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise ConfigError: it takes a spectrum, which a photometric surrogate does not have."""
        raise ConfigError(
            f"This surrogate cannot give {what}. It gives photometry and magnitudes in "
            f"{joined(self.filter_names)}, their error bars, predict_sfh and the part of "
            "predict_derived that follows from the star-formation history. For spectra build "
            "the exact model: surrogate.exact_model()."
        )

    return refuse


class EmulatedSEDModel(PhotometricModel):
    """A surrogate of ``SEDModel`` for a fixed set of bands.

    The same calls with the same dicts, units and errors as the exact model. Amplitude and
    distance are exact, and so is everything that follows from the star-formation history alone;
    a network gives the colours, in float32 whatever the process's default float.

    Parameters
    ----------
    artefact : Artefact
        From `emulator.artefact.read` or fresh from training.
    spec : Parameters, optional
        A narrower spec: parameters fixed, or priors tightened, inside the trained box. The
        amplitude is free to be anything.
    observation : Observation, optional
        Some of the trained bands, in any order.
    out_of_domain : str
        What happens outside the trained box, ``raise``, ``warn``, ``clip`` or ``nan``; see
        `emulator.domain`.
    units : str
        Unit of ``predict_photometry``, default erg/s/cm²/Hz.

    Raises
    ------
    ConfigError
        Other components or curves than trained; an unknown band, unit or mode.
    ParameterError
        A spec that reaches outside the trained box.

    Examples
    --------
    >>> fast = emulator.load("sdss")                                       # doctest: +SKIP
    >>> fast.predict_magnitudes({**params, "redshift": 0.1})               # doctest: +SKIP
    """

    def __init__(
        self,
        artefact: Artefact,
        spec: Parameters | None = None,
        observation: Observation | None = None,
        out_of_domain: str = "raise",
        units: str = CGS,
    ) -> None:
        self.artefact = artefact = artefact.completed()
        self.cosmology = artefact.cosmology_object()
        if spec is not None:
            spec = spec_of_its_time(spec, artefact)
        self.domain = _domain(artefact, artefact.spec if spec is None else spec, out_of_domain)
        if spec is not None:
            check_spec(spec, artefact, self.domain, self.cosmology)
        self._index = band_indices(observation, artefact.photometry)
        filters = tuple(artefact.photometry.filters[i] for i in self._index)
        used = artefact.spec if spec is None else spec
        check_exact_parts(used, artefact.target)
        if used.composition.nebular is None and holds_gas(artefact.ssp["name"]):
            idle = {name: used.fixed_value(name) for name in used.inert}
            check_gas_is_fixed(artefact.ssp["name"], idle)
        emitting = self._stars(artefact.target.emitting(used, artefact.spec))
        evaluators = EmulatedEvaluators(artefact, used, self.domain, emitting, self._index, filters)
        self.error_bars = ErrorBars(artefact, self._index)
        super().__init__(
            used,
            Observation(photometry=Photometry(filters)),
            units,
            stars=self._stars(used),
            evaluators=evaluators,
            guard=EmulatedGuard(self.domain, evaluators.times, self.cosmology),
            execution=Execution(
                Sizes(artefact.target.block, CHUNKS[0]), Sizes(CHUNKS[1], CHUNKS[1]), recompute=True
            ),
        )

    def __reduce__(self) -> Any:
        """Models are values: what was compiled or computed from them stays behind."""
        given = self.artefact, self.spec, self.observation, self.domain.mode, self.units
        return EmulatedSEDModel, given

    def _stars(self, spec: Parameters) -> Stars:
        ssp = self.artefact.ssp
        return Stars(spec.composition, self.cosmology, ssp["age_edges"], MetalNodes(ssp["lgmet"]))

    @property
    def ssp_name(self) -> str:
        """Name of the SSP grid that it was trained on."""
        return self.artefact.ssp["name"]

    @property
    def mass_remaining(self) -> np.ndarray | None:
        """Surviving mass fraction of that grid, (n_met, n_age), if it has the table."""
        remaining: np.ndarray | None = self.artefact.ssp["mass_remaining"]
        return remaining

    def identity(self) -> dict[str, Any]:
        """Return everything that determines the numbers of this model, in JSON's own types."""
        return super().identity() | {
            "artefact_sha256": self.artefact.sha256,
            "out_of_domain": self.domain.mode,
        }

    @property
    def software(self) -> tuple[str, ...]:  # type: ignore[override]
        """What it is computed with, and the paper of its activation, keys of the references."""
        learnt = self.artefact.network.activation == "speculator"
        return ("jax", "flax", "Alsing2020") if learnt else ("jax", "flax")

    def check_priors(self) -> None:
        """Check nothing: a spec that reaches outside the trained box has no surrogate."""

    # --- other views of the same surrogate ------------------------------------------------

    def with_spec(self, spec: Parameters) -> EmulatedSEDModel:
        """Return the surrogate under a narrower spec."""
        return self._like(spec=spec)

    def with_observation(self, observation: Observation) -> EmulatedSEDModel:
        """Return the surrogate with some of the trained bands, in the observation's order."""
        return self._like(observation=observation)

    def _like(self, **changes: Any) -> EmulatedSEDModel:
        given = {"spec": self.spec, "observation": self.observation,
                 "out_of_domain": self.domain.mode, "units": self.units}  # fmt: skip
        return EmulatedSEDModel(self.artefact, **{**given, **changes})

    def exact_model(self, ssp: Any = None) -> SEDModel:
        """Return the exact model that this surrogate stands for: same spec, bands, cosmology.

        Parameters
        ----------
        ssp : SSPData, optional
            The grid of the training; loaded by its name if absent.

        Raises
        ------
        DataError
            The grid is not at hand, or is another one (both hashes are given).
        """
        if ssp is None:
            ssp = load_ssp_data(self.artefact.ssp["name"] + ".h5")
        check_ssp(self.artefact, ssp)
        return SEDModel(self.spec, ssp, self.observation, self.cosmology, self.units)

    # --- star formation: exact ------------------------------------------------------------

    def predict_derived(self, params: Mapping[str, Any] | None = None) -> dict[str, Array]:
        """Return what follows from the history alone, exactly: masses, rates, ages.

        See `tengri.forward.derived.sfh_quantities`. What needs a spectrum (``l_dust``,
        ``dn4000``, ``uv_slope`` …) takes the exact model.
        """
        p = self.spec.resolve({} if params is None else params)
        check_process()
        remaining = self.mass_remaining
        table = (
            None if remaining is None else jax.device_put(np.asarray(remaining, default_float()))
        )
        derived = _sfh_quantities(self.stars, self.packer.pack(p), table)
        if not in_trace(p):
            check_stars(p, jnp.log10(derived["stellar_mass"]))
        return derived

    # --- how far to trust it --------------------------------------------------------------

    @property
    def accuracy(self) -> dict[str, Any]:
        """Errors against the exact model, as measured after training."""
        return self.artefact.accuracy

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the residuals between bands [mag²], (n_bands, n_bands)."""
        return self.error_bars.covariance

    @property
    def emulation_covariance(self) -> np.ndarray:
        """Covariance of the surrogate's own errors [mag²], (n_bands, n_bands)."""
        return self.covariance

    @property
    def covariance_by_colours(self) -> CovarianceByColours | None:
        """That of the galaxy at hand as a pytree, where the artefact knows it."""
        return self.error_bars.by_colours

    def emulation_covariance_at(self, magnitudes: ArrayLike, redshift: ArrayLike) -> Array:
        """Return that of galaxies of AB magnitudes (…, n_bands) [mag²], (…, n_bands, n_bands).

        It may be traced. That of all galaxies where the artefact knows none by colours, or some of
        the trained bands are not wanted.
        """
        return jnp.asarray(self.error_bars.covariance_at(magnitudes, redshift, jnp), float)

    def predict_errors(
        self, params: Mapping[str, Any] | None = None, level: int | str = 68
    ) -> np.ndarray:
        """Return half widths of split-conformal intervals [mag].

        Parameters
        ----------
        params : mapping, optional
            One galaxy or, with arrays (n,), a batch: the intervals are those of its colours and
            redshift, where the artefact knows them. Omitted: those of all galaxies together.
        level : int or str
            Coverage in per cent, one of those in the artefact.

        Returns
        -------
        ndarray, shape (n_bands,) or (n, n_bands)
            Infinite where a band is fainter than 1e-4 of the galaxy's brightest one: there the
            error is small in flux, but nothing is promised in magnitudes.
        """
        if params is None:
            return self.error_bars.overall(level)
        scalars = self.packer.scalars
        batch = any(np.ndim(v) for n, v in params.items() if n in scalars)
        predict = self.predict_magnitudes_batch if batch else self.predict_magnitudes
        redshift = self.spec.resolve(params, batch=batch)["redshift"]
        return self.errors_at(np.asarray(predict(params)), redshift, level)

    def errors_at(
        self, magnitudes: ArrayLike, redshift: ArrayLike, level: int | str = 68
    ) -> np.ndarray:
        """Return `predict_errors` of galaxies whose AB magnitudes (…, n_bands) are known."""
        return self.error_bars.at(magnitudes, redshift, level)

    # --- what it cannot give --------------------------------------------------------------

    predict_rest_sed = _refusal("a rest-frame spectrum")
    predict_rest_sed_batch = _refusal("rest-frame spectra")
    predict_rest_components_batch = _refusal("the components of a spectrum")
    predict_obs_sed = _refusal("an observed spectrum")
    predict_spectrum = _refusal("a spectrum")
    predict_spectrum_batch = _refusal("spectra")
    line_list = property(_refusal("emission lines"))
    predict_lines = _refusal("emission lines")
    predict_lines_batch = _refusal("emission lines")
    predict_absolute_magnitudes = _refusal("magnitudes in other bands at rest")
    predict_absolute_magnitudes_batch = _refusal("magnitudes in other bands at rest")
    predict_rest_colours = _refusal("colours in other bands at rest")
    predict_rest_colours_batch = _refusal("colours in other bands at rest")

    # --- words ----------------------------------------------------------------------------

    def describe(self) -> ModelSummary:
        """Return what `summary` prints, in parts: error bars by band, trained range by name."""
        art, filters = self.artefact, self.observation.photometry.filters
        bars = {f"{level} % [mmag]": tuple(f"{1e3 * bars[i]:.1f}" for i in self._index)
                for level, bars in art.error_bars.items()}  # fmt: skip
        facts = {
            "cosmology": str(self.cosmology),
            "units": self.units,
            "target": f"{art.target.name}, of {art.created}",
            "network": str(art.network),
            "out_of_domain": self.domain.mode,
        }
        if bars:
            facts["error bars"] = "half widths, by band, that hold for this share of galaxies"
        trained = {r.name: r.shown for r in self.domain.ranges}
        return ModelSummary(
            f"EmulatedSEDModel on {art.ssp['name']}",
            facts,
            (*BAND_HEAD, *bars),
            band_rows(filters, *bars.values()),
            self.spec.describe().with_column("trained on", trained),
        )


def _domain(artefact: Artefact, spec: Parameters, mode: str) -> TrainedDomain:
    """Return the guard of an artefact under a spec."""
    target = artefact.target
    trained = TrainedDomain.of(artefact.spec, target.guarded(artefact.spec), mode)
    by_grid = target.guarded_by_grid(spec.composition)
    return trained.with_metallicities(by_grid, artefact.ssp["lgmet"]) if by_grid else trained


@partial(jax.jit, static_argnames="stars")
def _sfh_quantities(stars: Stars, packed: Packed, remaining: Array | None) -> dict[str, Array]:
    return sfh_quantities(stars, packed.unpack(), remaining)


def check_ssp(artefact: Any, ssp: Any) -> None:
    """Raise DataError, with both hashes, if ``ssp`` is not the grid of the training."""
    if ssp.sha256 != artefact.ssp["sha256"]:
        raise DataError(
            f"The surrogate was trained on the SSP grid {artefact.ssp['name']!r} (sha256 "
            f"{artefact.ssp['sha256']}); this one is {ssp.name!r} (sha256 {ssp.sha256})."
        )
