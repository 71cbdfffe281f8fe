"""``EmulatedSEDModel``: a trained surrogate behind the shell of the exact model."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from emulator.artefact import Artefact
from emulator.beside import Beside
from emulator.domain import Domain
from emulator.narrower import band_indices, check_spec, joined
from emulator.targets import Emission
from emulator.twins import Twins
from tengri.analysis.accuracy import BRIGHT
from tengri.errors import ConfigError, DataError, ParameterError, unknown
from tengri.forward.derived import sfh_quantities
from tengri.forward.dilution import log10_dilution
from tengri.forward.galaxy import Stars
from tengri.forward.model import SEDModel
from tengri.forward.shell import BandModel, Bands, check_stars, is_traced
from tengri.forward.units import CGS
from tengri.observation import Observation, Photometry
from tengri.parameters import Parameters
from tengri.parameters.plain import PlainFloats
from tengri.parameters.resolve import default_float


class Path(NamedTuple):
    """Which specialisation serves a call.

    ``traced``: inside a JAX transformation, where no check can raise. ``exact_mass``: the
    amplitude is so low that a history may have formed no star.
    """

    traced: bool
    exact_mass: bool


class EmulatedSEDModel(BandModel):
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

    # larger blocks, for a network's layers are matrix products
    chunk_sizes, block_sizes = (16384, 65536), (1024, 65536)
    recomputes = True

    def __init__(
        self,
        artefact: Artefact,
        spec: Parameters | None = None,
        observation: Observation | None = None,
        out_of_domain: str = "raise",
        units: str = CGS,
    ) -> None:
        self.artefact = artefact = artefact.completed()
        guarded = artefact.target.guarded(artefact.spec)
        self.domain = Domain.of(artefact.spec, guarded, out_of_domain)
        self.cosmology = artefact.cosmology_object()
        if spec is not None:
            check_spec(spec, artefact, self.domain, self.cosmology)
        self._index = band_indices(observation, artefact.photometry)
        filters = tuple(artefact.photometry.filters[i] for i in self._index)
        super().__init__(
            artefact.spec if spec is None else spec,
            Observation(photometry=Photometry(filters)),
            units,
        )
        self.stars = self._stars(self.spec)
        # a learnt history is asked for under the names of the training, an exact one is the spec's
        learnt = artefact.target.amplitude is not None
        self.twins = Twins.between(self.spec, artefact.spec) if learnt else Twins({})
        self._emitting = self._stars(artefact.spec) if learnt else self.stars
        self._age_gyr = jax.jit(self.cosmology.age_gyr)
        z = self.domain.by_name["redshift"]
        self.beside = Beside.build(
            artefact.target, self.spec.composition, filters, float(z.lo), float(z.hi)
        )
        self._weights = (
            jax.tree.map(np.asarray, artefact.params),
            artefact.in_scaling,
            artefact.out_scaling,
        )
        self._on_device: Any = None

    def _stars(self, spec: Parameters) -> Stars:
        ssp = self.artefact.ssp
        return Stars(spec.composition, self.cosmology, ssp["age_edges"], ssp["lgmet"])

    def _as_trained(self, p: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return parameters under the names of the training."""
        return self.twins.apply(p, self._age_gyr(p["redshift"])) if self.twins else p

    @property
    def ssp_name(self) -> str:
        """Name of the SSP grid that it was trained on."""
        return self.artefact.ssp["name"]

    def identity(self) -> dict[str, Any]:
        """Return what decides every number that this model gives, JSON-serialisable."""
        return super().identity() | {
            "artefact_sha256": self.artefact.sha256,
            "out_of_domain": self.domain.mode,
        }

    def _in_domain(self, p: Mapping[str, Any]) -> np.ndarray:
        p = {name: np.asarray(value) for name, value in self._as_trained(p).items()}
        return super()._in_domain(p) & self.domain.inside_rows(p)

    @property
    def software(self) -> tuple[str, ...]:  # type: ignore[override]
        """What it is computed with, and the paper of its activation, keys of the references."""
        learnt = self.artefact.network.activation == "speculator"
        return ("jax", "flax", "Alsing2020") if learnt else ("jax", "flax")

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
            from tengri import load_ssp_data

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
        remaining = self.artefact.ssp["mass_remaining"]
        fn = self._jitted("derived", lambda q: sfh_quantities(self.stars, q, remaining))
        derived = fn(self._pack(p))
        if not is_traced(p):
            check_stars(p, jnp.log10(derived["stellar_mass"]))
        return derived

    def _jitted(self, key: Hashable, fn: Callable[[dict[str, Array]], Any]) -> Any:
        """Compile (and keep) a function of the complete dict of one galaxy."""
        if key not in self._compiled:
            self._compiled[key] = jax.jit(lambda v: fn(self._unpack(v)))
        return self._compiled[key]

    # --- how far to trust it --------------------------------------------------------------

    @property
    def accuracy(self) -> dict[str, Any]:
        """Errors against the exact model, as measured after training."""
        return self.artefact.accuracy

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the residuals between bands [mag²], (n_bands, n_bands)."""
        if self.artefact.covariance is None:
            raise ConfigError("This surrogate carries no residual covariance.")
        return self.artefact.covariance[np.ix_(self._index, self._index)]

    @property
    def emulation_covariance(self) -> np.ndarray:
        """Covariance of the surrogate's own errors [mag²], (n_bands, n_bands)."""
        return self.covariance

    def predict_errors(
        self, params: Mapping[str, Any] | None = None, level: int | str = 68
    ) -> np.ndarray:
        """Return half widths of split-conformal intervals [mag].

        Parameters
        ----------
        params : mapping, optional
            One galaxy or, with arrays (n,), a batch: the intervals are those of its redshift,
            where the artefact knows them. Omitted: those of all redshifts together.
        level : int or str
            Coverage in per cent, one of those in the artefact.

        Returns
        -------
        ndarray, shape (n_bands,) or (n, n_bands)
            Infinite where a band is fainter than 1e-4 of the galaxy's brightest one: there the
            error is small in flux, but nothing is promised in magnitudes.
        """
        bars = self.artefact.error_bars
        if str(level) not in bars:
            raise unknown("level of error bars [%]", str(level), bars)
        if params is None:
            return np.asarray(bars[str(level)])[list(self._index)]
        batch = any(np.ndim(v) for n, v in params.items() if n in self.scalar_names)
        magnitude = np.asarray((self._batch if batch else self._single)(params, "mag_ab"))
        redshift = self.spec.resolve(params, batch=batch)["redshift"]
        return self.errors_at(magnitude, redshift, level)

    def errors_at(
        self, magnitudes: ArrayLike, redshift: ArrayLike, level: int | str = 68
    ) -> np.ndarray:
        """Return `predict_errors` of galaxies whose AB magnitudes (…, n_bands) are known."""
        bars, magnitude = self.predict_errors(level=level), np.asarray(magnitudes)
        by_redshift = self.artefact.error_bars_z
        if by_redshift:
            inner = by_redshift["edges"][1:-1]
            bars = by_redshift[str(level)][np.searchsorted(inner, np.asarray(redshift))]
            bars = bars[..., list(self._index)]
        limit = magnitude.min(axis=-1, keepdims=True) - 2.5 * np.log10(BRIGHT)
        return np.where(magnitude <= limit, bars, np.inf)

    # --- what the shell asks for ----------------------------------------------------------

    def _path(self, p: Mapping[str, Any]) -> Path:
        name, least = self.artefact.target.amplitude, self.artefact.log10_mass_min
        if name is None:
            return Path(is_traced(p), exact_mass=True)
        amplitude = p[name]
        if isinstance(amplitude, jax.core.Tracer):
            lowest = float(self.spec.get_distribution(name).bounds[0])
        else:
            lowest = amplitude.item() if amplitude.ndim == 0 else float(np.min(amplitude))
        return Path(is_traced(p), lowest + least < 0.0)

    @cached_property
    def _unchecked(self) -> tuple[Path, PlainFloats | None]:
        boxes = {b.name: (b.low, b.high) for b in self.domain.boxes if np.ndim(b.low) == 0}
        name, least = self.artefact.target.amplitude, self.artefact.log10_mass_min
        if name is not None:
            boxes[str(name)] = (-least, np.inf)  # stars are certain
        path = Path(traced=False, exact_mass=name is None)
        return path, None if self.twins else self._plain_floats(boxes)

    def _constants(self, path: Any) -> Any:
        if self._on_device is None:
            with jax.ensure_compile_time_eval():
                learnt = jax.tree.map(jnp.asarray, self._weights)
                self._on_device = (*learnt, self.beside.arrays())
        return self._on_device

    def _alone(self, path: Any) -> Any:
        """Return the constants for one galaxy: of that the cache holds all bands together."""
        weights, in_scaling, out_scaling, beside = self._constants(path)
        return weights, in_scaling, replace(out_scaling, undivided=True), beside

    def _bands(self, path: Any, constants: Any, p: Mapping[str, Array]) -> Bands:
        p = self._as_trained(p)
        q = self.domain.clip(p) if self.domain.mode == "clip" else p
        light = self._emission(constants, q)
        flux = light.flux.astype(default_float())
        valid = q["redshift"] > 0.0
        if self.domain.masks(path.traced):
            valid &= self.domain.inside(p)
        scale = log10_dilution(self.cosmology, jnp.where(valid, q["redshift"], 1.0))
        mass = self._log10_mass(path, q) if light.log10_mass is None else light.log10_mass
        return Bands(light.log10_scale + scale, jnp.where(valid, flux, jnp.nan), mass)

    def _emission(self, constants: Any, p: Mapping[str, Array]) -> Emission:
        """Return the light in the chosen bands: the network, and what is known beside it."""
        weights, in_scaling, out_scaling, beside = constants
        target, network = self.artefact.target, self.artefact.network
        v = network.apply(weights, in_scaling.forward(target.inputs(p)))
        light = target.emission(v, out_scaling, p, self._emitting)
        if self._index != tuple(range(target.n_bands)):
            light = light._replace(flux=light.flux[np.array(self._index)])
        return self.beside.added(light, beside, p)

    def _log10_mass(self, path: Path, p: Mapping[str, Array]) -> Array:
        """Return log10 of the mass formed or, where stars are certain, a lower bound of it.

        The integral over the history would cost more than the network.
        """
        if path.exact_mass:
            return self._emitting.formed(p)[0]
        return p[str(self.artefact.target.amplitude)] + self.artefact.log10_mass_min

    def _check(self, p: Mapping[str, Any]) -> None:
        z = p["redshift"]
        if not (z > 0.0).all():
            raise ParameterError(
                f"Fluxes need redshift > 0, got {float(z.min()):g}: a galaxy at z = 0 has no "
                "luminosity distance."
            )
        if self.twins:
            p = {name: np.asarray(value) for name, value in self._as_trained(p).items()}
        self.domain.check(p)

    # --- what it cannot give --------------------------------------------------------------

    def predict_rest_sed(self, params: Mapping[str, Any] | None = None) -> NoReturn:
        """Raise: a photometric surrogate has no spectrum."""
        self._refuse("a rest-frame spectrum")

    def predict_obs_sed(self, params: Mapping[str, Any] | None = None) -> NoReturn:
        """Raise: a photometric surrogate has no spectrum."""
        self._refuse("an observed spectrum")

    def predict_spectrum(self, wave_obs: Any, params: Mapping[str, Any] | None = None) -> NoReturn:
        """Raise: a photometric surrogate has no spectrum."""
        self._refuse("a spectrum")

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigError(
            f"This surrogate cannot give {what}. It gives photometry and magnitudes in "
            f"{joined(self.filter_names)}, their error bars, predict_sfh and the part of "
            "predict_derived that follows from the star-formation history. For spectra build "
            "the exact model: surrogate.exact_model()."
        )

    # --- words ----------------------------------------------------------------------------

    def summary(self) -> str:
        """Return a readable description: bands, accuracy, box, parameters."""
        art = self.artefact
        lines = [
            f"Surrogate '{art.target.name}' of SEDModel on {art.ssp['name']}, {art.created}",
            f"cosmology: {self.cosmology}",
            f"bands ({self.units}): {', '.join(self.filter_names)}",
            f"network: {art.network}",
            f"out_of_domain: {self.domain.mode}",
            "trained box:",
            *(f"  {box.name:<28s} {box.shown}" for box in self.domain.boxes if not box.is_fixed),
        ]
        for level, bars in art.error_bars.items():
            shown = (f"{1e3 * bars[i]:.1f}" for i in self._index)
            lines.append(f"error bars at {level} % [mmag]: {' '.join(shown)}")
        return "\n".join([*lines, self.spec.summary()])

    def __repr__(self) -> str:
        bands = joined(self.filter_names)
        return f"EmulatedSEDModel({bands}; {self.spec.n_free} free parameters)"


def check_ssp(artefact: Artefact, ssp: Any) -> None:
    """Raise DataError, with both hashes, if ``ssp`` is not the grid of the training."""
    if ssp.sha256 != artefact.ssp["sha256"]:
        raise DataError(
            f"The surrogate was trained on the SSP grid {artefact.ssp['name']!r} (sha256 "
            f"{artefact.ssp['sha256']}); this one is {ssp.name!r} (sha256 {ssp.sha256})."
        )
