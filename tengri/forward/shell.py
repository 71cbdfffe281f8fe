"""The shell that every photometric model wears: dicts in, band fluxes out.

A model only says how ONE galaxy's parameters become band fluxes (``_bands``). Checking the
dict, filling in fixed values, units, compilation, batching and padding are done here, once,
for the exact model and the surrogate alike.
"""

from __future__ import annotations

import math
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.errors import ConfigError, ParameterError
from tengri.forward.blocks import Blocks, Sizes
from tengri.forward.derived import sfh_curve
from tengri.forward.flat import FlatFunction
from tengri.forward.galaxy import Stars
from tengri.forward.onepiece import OnePiece
from tengri.forward.units import check_units, to_units
from tengri.observation import Observation
from tengri.parameters import Parameters
from tengri.parameters.plain import PlainFloats
from tengri.parameters.resolve import default_float

#: How long a single call looks for its answer before it goes to sleep [s].
AWAIT_S = 5e-4


class Bands(NamedTuple):
    """Band fluxes ``flux * 10**log10_scale`` [erg/s/cm²/Hz] of one galaxy.

    ``flux`` (n_bands,) is of order one; ``log10_mass`` is the mass formed [Msun].
    """

    log10_scale: Array
    flux: Array
    log10_mass: Array


class Vector(NamedTuple):
    """A parameter dict packed for a compiled function.

    ``scalars`` (…, n_scalar) in the order of ``scalar_names``; ``arrays`` holds vector-valued
    parameters (latent fields, tabulated histories) by name.
    """

    scalars: Any
    arrays: dict[str, Any]


class BandModel(ABC):
    """Base of ``SEDModel`` and the surrogate.

    Parameters
    ----------
    spec : Parameters
        Names, priors and fixed values of the parameters.
    observation : Observation or None
        The bands; None for a model that only makes spectra.
    units : str
        Unit of ``predict_photometry``: ``erg/s/cm2/Hz``, ``maggies``, ``Jy``, ``mJy``,
        ``uJy``, ``nJy`` or ``mag_ab``.
    """

    #: when and with which metals the stars formed; exact in every model
    stars: Stars
    #: galaxies per compiled call and galaxies evaluated at once in it, on a processor and on an
    #: accelerator: see `tengri.forward.blocks`
    chunk_sizes, block_sizes = (1024, 65536), (128, 4096)
    #: whether reverse mode computes a block anew rather than keep what it needs of it: cheaper
    #: where a block touches much memory for little arithmetic
    recomputes = False
    #: what it is computed with, keys of ``tengri/references.bib``
    software: tuple[str, ...] = ("jax",)

    def __init__(self, spec: Parameters, observation: Observation | None, units: str) -> None:
        self.spec = spec
        self._observation = observation
        self.units = check_units(units)
        params = spec.composition.params
        self.scalar_names = tuple(n for n, p in params.items() if p.shape == ())
        self.array_names = tuple(n for n, p in params.items() if p.shape != ())
        self._compiled: dict[Hashable, Any] = {}

    @property
    def sizes(self) -> Sizes:
        """Rows of a block and of a chunk, on this machine."""
        accelerated = jax.default_backend() != "cpu"
        return Sizes(self.block_sizes[accelerated], self.chunk_sizes[accelerated])

    # --- what a model must say ------------------------------------------------------------

    @abstractmethod
    def _path(self, p: Mapping[str, Any]) -> Hashable:
        """Return which specialisation serves these parameters (they may be tracers)."""

    @abstractmethod
    def _constants(self, path: Hashable) -> Any:
        """Return the arrays of that specialisation, a pytree in the process's default float."""

    def _alone(self, path: Hashable) -> Any:
        """Return them as a call for one galaxy by itself wants them."""
        return self._constants(path)

    @abstractmethod
    def _bands(self, path: Hashable, constants: Any, p: Mapping[str, Array]) -> Bands:
        """Return the band fluxes of one galaxy: a pure function."""

    @abstractmethod
    def _check(self, p: Mapping[str, Any]) -> None:
        """Raise for concrete values that this model cannot serve (``p`` is complete)."""

    # --- what users call ------------------------------------------------------------------

    @property
    def observation(self) -> Observation:
        """The bands."""
        if self._observation is None:
            raise ConfigError(
                "This model has no bands: give SEDModel(spec, ssp, "
                "observation=Instrument.SDSS().observation())."
            )
        return self._observation

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Bands in the order of the last axis."""
        return self.observation.photometry.names

    def predict_photometry(self, params: Mapping[str, Any] | None = None) -> Array:
        """Return the band fluxes of one galaxy.

        Parameters
        ----------
        params : mapping, optional
            Parameter values. A value overrides ``Fixed``; an omitted ``Fixed`` takes its
            value; an omitted free parameter is an error unless its prior has a ``default``.

        Returns
        -------
        Array, shape (n_bands,)
            f_ν in ``units``. In erg/s/cm²/Hz a galaxy is so faint that the square of its
            flux underflows in float32: for a χ² choose nJy, µJy or maggies.

        Raises
        ------
        ParameterError
            Unknown, missing, non-finite or unphysical parameters; z ≤ 0; no stars by t(z).
        ConfigError
            A band that the spectrum does not reach at this redshift.
        """
        return self._single(params, self.units)

    def predict_magnitudes(self, params: Mapping[str, Any] | None = None) -> Array:
        """Return AB magnitudes of one galaxy, shape (n_bands,); see `predict_photometry`."""
        return self._single(params, "mag_ab")

    def predict_photometry_batch(self, params: Mapping[str, Any]) -> Array:
        """Return the band fluxes of n galaxies.

        Parameters
        ----------
        params : mapping
            As in `predict_photometry`, each value of shape (n,) or a scalar, which then
            serves all galaxies.

        Returns
        -------
        Array, shape (n, n_bands)
            f_ν in ``units``. A galaxy that formed no stars by t(z) has NaN fluxes; a warning
            counts such rows and names them.
        """
        return self._batch(params, self.units)

    def predict_magnitudes_batch(self, params: Mapping[str, Any]) -> Array:
        """Return AB magnitudes of n galaxies, (n, n_bands); see `predict_photometry_batch`."""
        return self._batch(params, "mag_ab")

    def predict_sfh(
        self, params: Mapping[str, Any] | None = None, n_linear: int = 1000
    ) -> dict[str, Array]:
        """Return the star-formation history of one galaxy.

        Parameters
        ----------
        params : mapping, optional
            As in `predict_photometry`.
        n_linear : int
            Number of times.

        Returns
        -------
        dict
            ``t_gyr`` (n_linear,), lookback times from the epoch of observation to the Big Bang
            [Gyr], and ``sfr`` (n_linear,) [Msun/yr].

        Raises
        ------
        ParameterError
            Parameters as in `predict_photometry`; no stars by t(z); less than two times.
        """
        if isinstance(n_linear, bool) or not isinstance(n_linear, int) or n_linear < 2:
            raise ParameterError(f"n_linear is a number of times, 2 or more; got {n_linear!r}.")
        p = self.spec.resolve({} if params is None else params)
        key = ("sfh", n_linear)
        if key not in self._compiled:
            self._compiled[key] = jax.jit(
                lambda v: sfh_curve(self.stars, self._unpack(v), n_linear)
            )
        curve, log10_mass = self._compiled[key](self._pack(p))
        if not is_traced(p):
            check_stars(p, log10_mass)
        return curve

    def batched(self, fn: Callable[[dict[str, Array]], Any]) -> Callable[[Mapping[str, Any]], Any]:
        """Return a function of one galaxy as a function of a batch.

        For gradients, likelihoods and all else that is asked of each galaxy by itself. Evaluated
        as `predict_photometry_batch` is: in blocks that fit the processor's cache, on all cores,
        with no new compilation for another number of galaxies. Inside ``jit`` it is blocks alone.

        Parameters
        ----------
        fn : callable
            A function of the parameters of one galaxy that JAX can trace; returns an array or a
            pytree of arrays.

        Returns
        -------
        callable
            Takes parameters as `predict_photometry_batch` does, and raises where that does; ``fn``
            sees those that are given. Returns the results with a leading axis (n, …). Keep it: it
            holds what was compiled.

        Raises
        ------
        ConfigError
            ``fn`` is no function.

        Examples
        --------
        >>> model = SEDModel(spec, ssp, observation, units="nJy")          # doctest: +SKIP
        >>> chi2 = lambda p: (((model.predict_photometry(p) - data) / sigma) ** 2).sum()
        >>> slopes = model.batched(jax.grad(chi2))                         # doctest: +SKIP
        >>> slopes(spec.sample_batch(key, 10_000))["dust_tau_diff"]        # doctest: +SKIP
        """
        if not callable(fn):
            raise ConfigError(
                f"batched takes a function of one galaxy's parameters, e.g. jax.grad(chi2), "
                f"not its result; got {type(fn).__name__}."
            )
        blocks = Blocks(lambda _, one: fn(one), self.sizes)

        def call(params: Mapping[str, Any]) -> Any:
            p = self.spec.resolve(params, batch=True)
            rows = {name: value for name, value in p.items() if name in params}
            if is_traced(p):
                return jax.lax.map(fn, rows, batch_size=self.sizes.block)
            self._check(p)
            return blocks(None, rows)

        return call

    # --- what a sampler asks --------------------------------------------------------------

    def flat_function(self, coordinates: str = "unbounded") -> FlatFunction:
        """Return the model as pure functions of one vector: see `tengri.forward.flat`.

        Parameters
        ----------
        coordinates : {"unbounded", "unit"}
            All of R^n, for gradient samplers, or the unit cube, for nested ones.
        """
        return FlatFunction(self, coordinates)

    @property
    def emulation_covariance(self) -> np.ndarray:
        """Covariance of the model's own errors [mag²], (n_bands, n_bands): none if exact."""
        return np.zeros((len(self.filter_names),) * 2)

    # --- what a catalogue asks ------------------------------------------------------------

    def in_domain(self, params: Mapping[str, Any]) -> np.ndarray:
        """Return which galaxies of a batch this model can answer for, (n,) of bool.

        Values must be inside the hard bounds (``spec.within_bounds``).
        """
        return self._in_domain(self.spec.resolve(params, batch=True))

    def _in_domain(self, p: Mapping[str, Any]) -> np.ndarray:
        return np.asarray(p["redshift"]) > 0.0

    def identity(self) -> dict[str, Any]:
        """Return what decides every number that this model gives, JSON-serialisable."""
        return {
            "model": type(self).__name__,
            "spec": self.spec.fingerprint(),
            "bands": self.observation.fingerprint,
            "ssp": self.ssp_name,
        }

    @property
    def ssp_name(self) -> str:
        """Name of the SSP grid."""
        raise NotImplementedError

    # --- one galaxy -----------------------------------------------------------------------

    def _single(self, params: Mapping[str, Any] | None, units: str) -> Array:
        params = {} if params is None else params
        path, packer = self._unchecked
        scalars = None if packer is None else packer.pack(params, default_float())
        if scalars is not None:
            v = Vector(scalars, {})
        else:
            p = self.spec.resolve(params)
            path, v = self._path(p), self._pack(p)
            if is_traced(p):
                return self._compile("single", self._flux, path, units)(self._constants(path), v)[0]
            self._check(p)
        flux, log10_mass = self._compile_single(path, units)(v)
        await_briefly(flux)
        if math.isnan(sum(np.asarray(flux).tolist())):  # of few numbers the quickest way to ask
            check_stars(self.spec.resolve(params), log10_mass)
        return flux

    @property
    @abstractmethod
    def _unchecked(self) -> tuple[Hashable, PlainFloats | None]:
        """The specialisation that serves plain floats, and their packer: see `_plain_floats`."""

    def _plain_floats(self, ranges: Mapping[str, tuple[float, float]]) -> PlainFloats | None:
        """Return the packer of floats in ``ranges``, where `_check` would find nothing to say."""
        if self.array_names:
            return None
        above_zero = max(ranges["redshift"][0], float(np.finfo(np.float32).tiny))
        redshift = above_zero, ranges["redshift"][1]
        return self.spec.plain_floats(self.scalar_names, {**ranges, "redshift": redshift})

    def _flux(self, path: Hashable, units: str, constants: Any, v: Vector) -> tuple[Array, Array]:
        """Return (fluxes of one galaxy in ``units``, log10 mass formed)."""
        bands = self._bands(path, constants, self._unpack(v))
        flux = to_units(bands.log10_scale, bands.flux, units)
        return jnp.where(bands.log10_mass >= 0.0, flux, jnp.nan), bands.log10_mass

    # --- many galaxies --------------------------------------------------------------------

    def _batch(self, params: Mapping[str, Any], units: str) -> Array:
        p = self.spec.resolve(params, batch=True)
        path = self._path(p)
        if is_traced(p):
            return self._compile("batch", self._rows, path, units)(
                self._constants(path), self._pack(p)
            )[0]
        self._check(p)
        flux, log10_mass = self._blocks(path, units)(self._constants(path), self._pack(p))
        warn_no_stars(np.asarray(log10_mass))
        return flux

    def _blocks(self, path: Hashable, units: str) -> Blocks:
        """Return `_flux` as a function of many rows."""
        key = ("blocks", path, units, self.sizes)
        if key not in self._compiled:
            self._compiled[key] = Blocks(
                lambda constants, v: self._flux(path, units, constants, v), self.sizes
            )
        return self._compiled[key]

    def _rows(self, path: Hashable, units: str, constants: Any, v: Vector) -> tuple[Array, Array]:
        """Evaluate rows inside a trace, block by block."""

        def row(one: Vector) -> tuple[Array, Array]:
            return self._flux(path, units, constants, one)

        if len(v.scalars) <= self.sizes.block:
            return jax.vmap(row)(v)
        row = jax.checkpoint(row) if self.recomputes else row
        return jax.lax.map(row, v, batch_size=self.sizes.block)

    # --- dicts and vectors ----------------------------------------------------------------

    def _compile(self, kind: str, fn: Any, path: Hashable, units: str) -> Any:
        key = (kind, path, units)
        if key not in self._compiled:
            self._compiled[key] = jax.jit(lambda constants, v: fn(path, units, constants, v))
        return self._compiled[key]

    def _compile_single(self, path: Hashable, units: str) -> Callable[[Vector], Any]:
        """Return `_flux` as a function of the packed parameters, in one piece.

        With the constants in it, for handing them over takes as long as a surrogate's answer.
        """
        key = ("one piece", path, units)
        if key not in self._compiled:
            self._compiled[key] = OnePiece(lambda v: self._flux(path, units, self._alone(path), v))
        return self._compiled[key]

    def _pack(self, p: Mapping[str, Any]) -> Vector:
        """Pack a complete dict: one array for all scalars keeps the dispatch cheap."""
        scalars = [p[n] for n in self.scalar_names]
        arrays = {n: p[n] for n in self.array_names}
        if is_traced(p):
            columns = [jnp.asarray(s, float) for s in scalars]
            return Vector(jnp.stack(jnp.broadcast_arrays(*columns), axis=-1), arrays)
        dtype = default_float()
        if any(s.ndim for s in scalars):
            packed = np.stack(np.broadcast_arrays(*scalars), axis=-1).astype(dtype, copy=False)
        else:
            packed = np.array([s.item() for s in scalars], dtype)
        return Vector(packed, {n: np.asarray(a, dtype) for n, a in arrays.items()})

    def _unpack(self, v: Vector) -> dict[str, Array]:
        return {n: v.scalars[i] for i, n in enumerate(self.scalar_names)} | v.arrays


def await_briefly(x: Array) -> None:
    """Look whether ``x`` is there until it is, for a moment; then leave it to whoever needs it.

    A thread that sleeps until then is woken by the kernel, which can take longer than the call.
    """
    until = time.perf_counter() + AWAIT_S
    while not x.is_ready() and time.perf_counter() < until:  # type: ignore[attr-defined]
        pass


def is_traced(p: Mapping[str, Any]) -> bool:
    """Say whether any value is a tracer: then checks of values are left out."""
    return any(isinstance(v, jax.core.Tracer) for v in p.values())


def check_stars(p: Mapping[str, Any], log10_mass: Array) -> None:
    """Raise for a history that formed less than one solar mass."""
    mass = float(log10_mass)
    if mass >= 0.0:
        return
    formed = f"10^{mass:.3g} Msun" if mass > -20.0 else "nothing"
    raise ParameterError(
        f"No stars by z = {float(p['redshift']):.4g}: the history forms {formed} "
        "before the epoch of observation. Bring the peak into the age of the Universe at that "
        "redshift (times as fractions, sfh_…_frac, always fit), or set sfh_…_log_total_mass."
    )


def warn_no_stars(log10_mass: np.ndarray) -> None:
    """Warn, with count and row numbers, about galaxies without stars."""
    rows = np.flatnonzero(~(log10_mass >= 0.0))
    if rows.size:
        shown = ", ".join(map(str, rows[:10])) + (" …" if rows.size > 10 else "")
        warnings.warn(
            f"{rows.size} of {log10_mass.size} galaxies formed no stars by t(z) and have NaN "
            f"fluxes: rows {shown}.",
            stacklevel=4,
        )
