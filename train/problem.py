"""The training problem of a configuration: exact model, target and network."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.artefact import Artefact, read
from emulator.description import SPECTRUM
from emulator.networks import Network, build_network, n_weights
from emulator.published import resolve
from emulator.scaling import InputScaling, OutputScaling, trained_range
from emulator.targets import TARGETS, Target
from emulator.targets.batch import Batch, Penalty, TargetRows
from tengri import Parameters, SEDModel
from tengri.components.stellar.alpha import MET_AFE
from tengri.components.stellar.ssp import load_named_ssp
from tengri.errors import ConfigError, unknown
from tengri.factory import build_observation, build_spec
from tengri.forward.batching import RowMap, Sizes
from train.config import Config
from train.held_out import HeldOut, HeldOutFamily
from train.joining import joined
from train.rowset import Rows
from train.sfh_mixtures import SFHMixtures
from train.sobolev import Slopes
from train.specs import spec_of_family, todays_physics
from train.step import Pool, penalty

#: Rows on which it is measured what leaving components out costs.
TRUNCATION_ROWS = 512
#: Rows that are turned into network units together.
TOGETHER = 8192


@dataclass(frozen=True)
class Problem:
    """Everything that follows from a configuration and stays the same while training."""

    config: Config
    spec: Parameters
    model: SEDModel
    target: Target
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
        physics = {**todays_physics(replace(config.model, physics={})), **config.model.physics}
        config = replace(config, model=replace(config.model, physics=physics))
        spec = build_spec(config.model.parameters, physics)
        observation = build_observation(config.model.instruments, config.model.bands)
        ssp = load_named_ssp(config.model.ssp)
        model = SEDModel(spec, ssp, observation)
        _check_alpha(spec)
        _check_redshift(spec)
        if config.network.target == SPECTRUM:
            raise ConfigError(
                "The target 'spectrum' is decomposed, not trained: it has no rows. `tengri train` "
                "makes it."
            )
        if config.network.target not in TARGETS:
            raise unknown("surrogate target", config.network.target, TARGETS)
        build = TARGETS[config.network.target].build
        target = build(spec, observation.photometry, ssp.age_edges_gyr)
        _check_blocks(config, target)
        _check_table(config, target)
        if target.tabulated:
            target = target.on_grid(model.evaluator())
        return cls(config, spec, model, target, _network(config, target), target.in_scaling(spec))

    @property
    def bands(self) -> tuple[str, ...]:
        """Band names in order."""
        return self.model.filter_names

    @property
    def output_names(self) -> tuple[str, ...]:
        """What the exact model computes for a row, by name: bands, and what dust absorbs."""
        return self.target.row_names(self.bands)

    @property
    def columns(self) -> tuple[str, ...]:
        """Parameter name of each network input."""
        return self.target.columns

    @property
    def inputs(self) -> dict[str, str]:
        """Digests of the files that the numbers depend on and that may change behind our back."""
        found = {
            "the SSP grid": self.model.ssp.sha256,
            "the filter curves": self.model.observation.photometry.fingerprint,
        }
        started = {} if self.start is None else {"the surrogate of run.start": self.start.sha256}
        return {**found, **started}

    @cached_property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Range over which each network input is trained."""
        return {n: trained_range(self.spec.get_distribution(n)) for n in self.target.input_names}

    # --- rows -------------------------------------------------------------------------------

    @property
    def sizes(self) -> Sizes:
        """How rows are made: chunks of ``data.chunk``, in blocks that fit the cache."""
        chunk = self.config.data.chunk
        block = min(self.model.execution.sizes.block, chunk)
        return Sizes(block, chunk // block * block)

    @cached_property
    def truths(self) -> RowMap:
        """Truths (n, n_out) of packed parameters (n, …): ``(evaluator, packed, sizes)``."""
        target = self.target
        return RowMap(lambda exact, row: target.truth(exact, row.unpack()))

    @cached_property
    def random_rows(self) -> Any:
        """Prior draws (n, …) by name: ``(key, row numbers (n,)) → dict``, each row by itself."""
        sample = self.spec.sample
        return jax.jit(jax.vmap(lambda key, i: sample(jax.random.fold_in(key, i)), (None, 0)))

    @cached_property
    def outputs(self) -> Any:
        """Network targets ``(truth (n, n_out), raw inputs (n, n_in)) → (n, n_out)``, compiled."""
        return jax.jit(self.target.outputs)

    def fit_scaling(self, rows: Rows) -> OutputScaling:
        """Return the output scaling of some rows, or that of the surrogate it starts from."""
        if self.start is not None:
            return self.start.out_scaling
        targets = joined((self._targets(Rows(rows.start, rows.inputs[part], rows.flux[part]))
                          for part in _parts(rows)), len(rows.flux))  # fmt: skip
        return self.target.fit_scaling(
            targets,
            pca=self.config.network.whiten or self.n_components > 0,
            components=self.n_components,
            blocks=self.n_blocks,
        )

    def pca_truncation_error(
        self, scaling: OutputScaling, rows: Rows
    ) -> tuple[float, float] | None:
        """Return the truncation error |Δm| [mmag] of the kept components at 50 and 99 %.

        No network is better than that. None where all components are kept.
        """
        if self.n_latent == self.target.n_out:
            return None
        part = slice(0, TRUNCATION_ROWS)
        few = Rows(rows.start, rows.inputs[part], rows.flux[part])
        given = self._target_rows(few, part, self._mixed(few))
        return self.target.pca_truncation_error(given, scaling)

    def to_pool(self, scaling: OutputScaling, rows: Rows) -> Pool:
        """Return rows in network units."""
        mixed = self._mixed(rows)
        batch = joined((self._batch(scaling, rows, mixed, part) for part in _parts(rows)),
                       len(rows.flux))  # fmt: skip
        if self.slopes:
            u = self.slopes.directions(rows)
            batch = batch._replace(u=jnp.asarray(u), slope=jnp.asarray(self.slopes.along(rows, u)))
        table = None if self.mixtures is None else jnp.asarray(self.mixtures.table)
        return Pool(batch, scaling, self.in_scaling, table)

    def _batch(
        self, scaling: OutputScaling, rows: Rows, mixed: np.ndarray | None, part: slice
    ) -> Batch:
        """Return some rows in network units."""
        o = self.config.optimiser
        counted = Penalty(penalty(o.loss), o.faint)
        chosen = None if mixed is None else mixed[part]
        given = self._target_rows(rows, part, chosen)
        batch = self.target.batch(given, self.in_scaling, scaling, counted)
        return batch if chosen is None else batch._replace(w=jnp.asarray(chosen))

    def _target_rows(self, rows: Rows, part: slice, chosen: np.ndarray | None) -> TargetRows:
        """Return some rows as the target takes them; ``chosen`` are their mixtures of ages."""
        some = Rows(rows.start, rows.inputs[part], rows.flux[part])
        ages = None
        if chosen is not None and self.mixtures is not None:
            ages = jnp.asarray(self.mixtures.table[chosen])
        return TargetRows(some.inputs, some.flux, self._targets(some), ages)

    def _targets(self, rows: Rows) -> Array:
        return jnp.asarray(
            self.outputs(jnp.asarray(rows.flux, jnp.float32), jnp.asarray(rows.inputs))
        )

    def _mixed(self, rows: Rows) -> np.ndarray | None:
        """Return the mixtures of ages (n, n_mixtures) that the rows carry, if they do."""
        if self.mixtures is None:
            return None
        redshift, seed = self._redshift(rows), self.config.run.seed
        return self.mixtures.near(redshift, seed, rows.start)

    @cached_property
    def slopes(self) -> Slopes | None:
        """Exact derivatives of the rows, where gradients are matched."""
        if not self.config.optimiser.sobolev:
            return None
        seed = self.config.run.seed
        return Slopes(self.spec, self.model, self.target, self.in_scaling, self.sizes, seed)

    def _redshift(self, rows: Rows) -> np.ndarray:
        if "redshift" in self.columns:
            return rows.inputs[:, self.columns.index("redshift")]
        return np.full(len(rows.inputs), self.spec.fixed_value("redshift"))

    # --- galaxies on which it is judged -------------------------------------------------------

    @cached_property
    def families(self) -> tuple[HeldOutFamily, ...]:
        """The prior itself and the other families of histories that the target asks for."""
        ours = self._family("prior", self.spec, self.model)
        others = self.target.families(self.config.model.histories)
        laws = self.target.other_laws(len(others))
        return (ours, *(self._other(name, law) for name, law in zip(others, laws)))

    def _other(self, name: str, law: str) -> HeldOutFamily:
        spec = spec_of_family(self.config.model, name.split("+"), law)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns about, the first model has said
            model = SEDModel(spec, self.model.ssp, self.model.observation)
        return self._family(f"{name}, {law}" if law else name, spec, model)

    def _family(self, name: str, spec: Parameters, model: SEDModel) -> HeldOutFamily:
        return HeldOutFamily(name, spec, model, self.target, self.network, self.in_scaling)

    @cached_property
    def mixtures(self) -> SFHMixtures | None:
        """The age distributions of the training, where its rows carry any."""
        if not self.target.mixes_ages:
            return None
        return SFHMixtures.draw(self.families, self.config.run.seed)

    def held_out(self, stream: int, n: int) -> HeldOut:
        """Draw galaxies apart from the training rows; ``stream`` says which."""
        return HeldOut.draw(self.families, self.config.run.seed + stream, n)

    # --- the network --------------------------------------------------------------------------

    @property
    def n_blocks(self) -> int:
        """How many parts of the outputs are rotated by themselves."""
        return self.target.n_rows if self.config.network.by_band else 1

    @property
    def n_components(self) -> int:
        """Principal components of each part; 0 for no rotation."""
        return min(self.config.network.components, self.target.n_out // self.n_blocks)

    @property
    def n_latent(self) -> int:
        """What the network gives: the outputs, or their principal components."""
        return self.n_blocks * self.n_components or self.target.n_out

    def init_params(self, key: Array) -> Any:
        """Return first weights."""
        if self.start is not None:
            return jax.tree.map(jnp.asarray, self.start.params)
        return self.network.init(key, self.target.n_in, self.n_latent)

    @cached_property
    def start(self) -> Artefact | None:
        """The surrogate whose weights the training starts from; it may be of older physics.

        Raises
        ------
        ConfigError
            It has another target, network or box.
        """
        if not self.config.run.start:
            return None
        given = read(resolve(self.config.run.start))
        for what, mine, theirs in (
            ("target", self.target, given.target.in_physics_of(self.target)),
            ("network", self.network, given.network),
            ("box", *(s.to_dict() for s in (self.in_scaling, given.in_scaling))),
            ("components", self.n_latent, int(np.shape(given.out_scaling.scale)[0])),
        ):
            if not _equal(mine, theirs):
                raise ConfigError(
                    f"run.start: {self.config.run.start} has another {what} than this "
                    "configuration. Leave run.start out, or take the configuration it was "
                    "trained with (tengri info)."
                )
        return given

    @cached_property
    def n_weights(self) -> int:
        """Numbers in the network."""
        shapes = jax.eval_shape(self.init_params, jax.random.key(0))
        return n_weights(shapes)


def _parts(rows: Rows) -> list[slice]:
    n = len(rows.flux)
    return [slice(first, min(first + TOGETHER, n)) for first in range(0, n, TOGETHER)]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return all(np.array_equal(a[name], b[name]) for name in a)
    return bool(a == b)


def _check_alpha(spec: Parameters) -> None:
    """Raise ConfigError for [α/Fe] among the parameters: no surrogate learns it."""
    if spec.composition.alpha is not None:
        raise ConfigError(
            f"{MET_AFE.name} is a parameter of the exact model alone: leave it out, and fix [α/Fe] "
            'where the grid is named, model.ssp = "FILE,afe=0.2".'
        )


def _check_redshift(spec: Parameters) -> None:
    """Raise ConfigError where the box reaches a redshift without a luminosity distance."""
    prior = spec.get_distribution("redshift")
    lowest = float(np.min(prior.default if prior.is_fixed else prior.bounds[0]))
    if lowest <= 0.0 and not spec.composition.by_distance:
        raise ConfigError(
            f"model.parameters.redshift reaches {lowest:g}, where a galaxy has no luminosity "
            "distance: begin at 0.001 (about 4 Mpc) or above. Nearer galaxies take distance_mpc, "
            "in the spec that loads the surrogate."
        )


def _check_blocks(config: Config, target: Target) -> None:
    """Raise ConfigError where outputs that have no parts are to be rotated part by part."""
    if config.network.by_band and target.n_rows == 1:
        raise ConfigError(
            f"network.by_band keeps components of each part of the outputs: the target "
            f"{target.name!r} has one part, so that there is nothing to keep apart. Leave it out."
        )


def _check_table(config: Config, target: Target) -> None:
    """Raise ConfigError where a table is to be learnt, or a network to be tabulated."""
    if target.tabulated != (config.network.name == "table"):
        other = "is tabulated: set" if target.tabulated else "is learnt from rows: do not set"
        raise ConfigError(f"The target {target.name!r} {other} network.name = 'table'.")


def _network(config: Config, target: Target) -> Network:
    settings = config.network
    columns = target.columns
    has_z = "redshift" in columns
    for name in settings.tables:
        if name not in columns:
            raise unknown("input in network.tables", name, columns)
    return build_network(
        settings.name,
        width=settings.width,
        depth=settings.depth,
        activation=settings.activation,
        redshift=settings.redshift if has_z else "none",
        z_column=columns.index("redshift") if has_z else None,
        knots=settings.knots,
        n_features=settings.features,
        tables=tuple(columns.index(name) for name in settings.tables),
    )
