"""From a configuration to what is trained: the exact model, the target and the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.networks import Network, build_network, n_weights
from emulator.scaling import InputScaling, OutputScaling, trained_range
from emulator.targets import TARGETS, PhotometryTarget
from tengri import Parameters, SEDModel, load_ssp_data
from tengri.described import build_observation, build_spec
from tengri.errors import unknown
from tengri.forward.units import LOG10_UNIT
from train.config import Config
from train.step import Pool


@dataclass(frozen=True)
class Problem:
    """Everything that follows from a configuration and stays the same while training."""

    config: Config
    spec: Parameters
    model: SEDModel
    target: PhotometryTarget
    network: Network
    in_scaling: InputScaling

    @classmethod
    def build(cls, config: Config) -> Problem:
        """Build the exact model and everything around it.

        Raises
        ------
        TengriError
            An unknown parameter, band, instrument, grid, network or option; an empty box; a
            band outside the spectrum at the redshifts of the prior.
        """
        spec = build_spec(config.model.parameters)
        observation = build_observation(config.model.instruments, config.model.bands)
        model = SEDModel(spec, load_ssp_data(config.model.ssp or None), observation)
        if config.network.target not in TARGETS:
            raise unknown("surrogate target", config.network.target, TARGETS)
        target = TARGETS[config.network.target].build(spec, len(model.filter_names))
        network = _network(config, target)
        return cls(config, spec, model, target, network,
                   InputScaling.from_spec(spec, target.input_names))  # fmt: skip

    @property
    def bands(self) -> tuple[str, ...]:
        """Band names in order."""
        return self.model.filter_names

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameter name of each network input."""
        return self.target.columns

    @cached_property
    def boxes(self) -> dict[str, tuple[float, float]]:
        """Range over which each network input is trained."""
        return {n: trained_range(self.spec.get_distribution(n)) for n in self.target.input_names}

    @cached_property
    def exact_chunk(self) -> Any:
        """Unit fluxes (n, n_bands) of packed parameters (n, …), compiled once per precision."""
        model, target, path = self.model, self.target, self.model._prior_z

        def one(constants: Any, row: Any) -> Array:
            return target.unit_bands(model, path, constants, model._unpack(row))

        def chunk(constants: Any, rows: Any) -> Array:
            size = model.block_size  # what fits the cache, as in the model's own batches
            return jax.lax.map(lambda row: one(constants, row), rows, batch_size=size)

        return jax.jit(chunk)

    @cached_property
    def random_rows(self) -> Any:
        """Prior draws (n, …) by name: ``(key, row numbers (n,)) → dict``, each row by itself."""
        sample = self.spec.sample
        return jax.jit(jax.vmap(lambda key, i: sample(jax.random.fold_in(key, i)), (None, 0)))

    def to_maggies(self, drawn: Mapping[str, np.ndarray], flux: np.ndarray) -> np.ndarray:
        """Return unit fluxes (n, n_bands) of galaxies ``drawn`` as maggies, in float64."""
        with jax.enable_x64(True):
            p = {k: jnp.asarray(v) for k, v in self.spec.resolve(drawn, batch=True).items()}
            dilution = jax.vmap(self.model._log10_dilution)(p["redshift"])
            log10_scale = np.asarray(self.target.log10_amplitude(p) + dilution)
        return flux * 10.0 ** (log10_scale - LOG10_UNIT["maggies"])[:, None]

    def init_params(self, key: Array) -> Any:
        """Return first weights."""
        return self.network.init(key, self.target.n_in, self.target.n_out)

    @cached_property
    def n_weights(self) -> int:
        """Numbers in the network."""
        shapes = jax.eval_shape(self.init_params, jax.random.key(0))
        return n_weights(shapes)

    def to_pool(self, scaling: OutputScaling, x: np.ndarray, flux: np.ndarray) -> Pool:
        """Return rows in network units: inputs (n, n_in) raw, fluxes (n, n_bands)."""
        y = scaling.forward(self.target.outputs(jnp.asarray(flux, jnp.float32)))
        return Pool(self.in_scaling.forward(x), y, jnp.asarray(self._weights(flux, scaling)))

    def _weights(self, flux: np.ndarray, scaling: OutputScaling) -> np.ndarray:
        """Return how much each output counts: a band far below the brightest counts less."""
        faint = self.config.optimiser.faint
        if scaling.rotation is not None or not faint:
            return np.ones(flux.shape, np.float32)
        share = flux / flux.max(axis=1, keepdims=True)
        return (share / (share + faint)).astype(np.float32)

    @cached_property
    def predict_many(self) -> Any:
        """`predict`, compiled once: ``(params, scaling, x (n, n_in)) → (n, n_bands)``."""
        return jax.jit(self.predict)

    def predict(self, params: Any, scaling: OutputScaling, x: Array) -> Array:
        """Return unit fluxes (…, n_bands) of raw inputs (…, n_in): a pure function."""
        y = self.network.apply(params, self.in_scaling.forward(x))
        return self.target.flux(scaling.inverse(y))


def _network(config: Config, target: PhotometryTarget) -> Network:
    settings = config.network
    columns = target.columns
    has_z = "redshift" in columns
    return build_network(
        settings.name,
        width=settings.width,
        depth=settings.depth,
        activation=settings.activation,
        redshift=settings.redshift if has_z else "none",
        z_column=columns.index("redshift") if has_z else None,
        knots=settings.knots,
        n_features=settings.features,
    )
