"""Networks by name: Flax modules that turn scaled inputs (…, n_in) into outputs (…, n_out).

Weights are a plain nested dict of float32 arrays with stable names::

    {"redshift": {"table": …}, "layer_0": {"kernel": …, "bias": …}, "act_0": {…}, …, "out": {…}}

Everything is computed in float32 with full-precision matrix products, whatever the process's
default float: on accelerators a faster product costs millimagnitudes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from tengri.errors import ConfigError, unknown
from tengri.numerics import splines
from tengri.numerics.extremes import larger, smaller

Weights = dict[str, Any]

F32 = jnp.float32
#: Scale of the last layer's first weights: an untrained network answers close to the mean.
LAST_LAYER_SCALE = 1e-2
#: Of a smoothstep's argument: 15/8 of it is the slope of the normal distribution at 0, 1/√2π.
SLOPE = 0.2128


class Speculator(nn.Module):
    """``(β + (1-β) σ(αx)) x`` with α and β learnt per unit (Alsing+2020, ApJS 249, 5)."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return the activation of ``x`` (…, width)."""
        shape = x.shape[-1:]
        alpha = self.param("alpha", nn.initializers.ones, shape, F32)
        beta = self.param("beta", nn.initializers.zeros, shape, F32)
        return (beta + (1.0 - beta) * jax.nn.sigmoid(alpha * x)) * x


def _gelu(x: Array) -> Array:
    """Return the tanh form of GELU (Hendrycks & Gimpel 2016)."""
    return jax.nn.gelu(x, approximate=True)


@jax.custom_jvp
def _smoothstep(x: Array) -> Array:
    """Return x times the quintic step from 0 to 1 (Perlin 2002) that has GELU's slope at 0.

    A GELU without an exponential: polynomials between ±2.3, twice differentiable.
    """
    return x * _step(_within(x))


@_smoothstep.defjvp
def _smoothstep_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Say the derivative, which vanishes outside by itself; autodiff asks where x was clipped."""
    (x,), (dx,) = primals, tangents
    t = _within(x)
    step = _step(t)
    return x * step, (step + x * (30.0 * SLOPE) * (t * (1.0 - t)) ** 2) * dx


def _within(x: Array) -> Array:
    return jnp.clip(0.5 + SLOPE * x, 0.0, 1.0)


def _step(t: Array) -> Array:
    return t**3 * (10.0 + t * (6.0 * t - 15.0))


ACTIVATIONS: dict[str, Callable[[Array], Array] | None] = {
    "silu": jax.nn.silu,
    "gelu": _gelu,
    "tanh": jnp.tanh,
    "smoothstep": _smoothstep,
    "speculator": None,  # has weights: a module of its own
}


class FourierFeatures(nn.Module):
    """``sin(k π x), cos(k π x)`` of the redshift input, k = 1 … n (no weights)."""

    n: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return features (…, 2n) of x (…)."""
        phase = x[..., None] * (jnp.pi * jnp.arange(1, self.n + 1, dtype=F32))
        return jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], axis=-1)


class TableFeatures(nn.Module):
    """A learnt table over an input in [-1, 1], linear between its knots."""

    knots: int
    n: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return features (…, n) of x (…); outside [-1, 1] those of the nearest end."""
        table = self.param("table", nn.initializers.normal(0.1), (self.knots, self.n), F32)
        position = jnp.clip((x + 1.0) * (0.5 * (self.knots - 1)), 0.0, self.knots - 1.0)
        below = jnp.clip(jnp.floor(position), 0, self.knots - 2).astype(jnp.int32)
        right = (position - below.astype(position.dtype))[..., None]
        # indices are clipped above: no second look at them, which costs as much as the reading
        lower, upper = (table.at[knot].get(mode="promise_in_bounds") for knot in (below, below + 1))
        return (1.0 - right) * lower + right * upper


def _features(options: Network, x: Array) -> Array:
    """Append the features of single inputs; call inside a compact module."""
    parts = [x]
    if options.redshift == "fourier":
        parts.append(FourierFeatures(options.n_features)(x[..., options.z_column]))
    if options.redshift == "table":
        table = TableFeatures(options.knots, options.n_features, name="redshift")
        parts.append(table(x[..., options.z_column]))
    for column in options.tables:
        table = TableFeatures(options.table_knots, options.table_features, name=f"table_{column}")
        parts.append(table(x[..., column]))
    return jnp.concatenate(parts, axis=-1)


def _activation(options: Network, index: int, x: Array) -> Array:
    function = ACTIVATIONS[options.activation]
    return Speculator(name=f"act_{index}")(x) if function is None else function(x)


def _dense(width: int, name: str, scale: float = 2.0) -> nn.Dense:
    init = nn.initializers.variance_scaling(scale, "fan_in", "truncated_normal")
    return nn.Dense(
        width, dtype=F32, param_dtype=F32, precision="highest", kernel_init=init, name=name
    )


class MLPModule(nn.Module):
    """Dense layers: ``layer_0 … layer_{depth-1}``, then ``out``."""

    options: Network
    n_out: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return outputs (…, n_out) of scaled inputs (…, n_in)."""
        h = _features(self.options, x)
        for i in range(self.options.depth):
            h = _activation(self.options, i, _dense(self.options.width, f"layer_{i}")(h))
        return _dense(self.n_out, "out", LAST_LAYER_SCALE)(h)


class ResMLPModule(nn.Module):
    """``layer_0``, then blocks h + second_i(act(first_i(act(h)))), then ``out``."""

    options: Network
    n_out: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return outputs (…, n_out) of scaled inputs (…, n_in)."""
        width = self.options.width
        h = _dense(width, "layer_0")(_features(self.options, x))
        for i in range(self.options.depth):
            inner = _dense(width, f"first_{i}")(_activation(self.options, 2 * i, h))
            # half of a plain layer's variance, shared by all blocks: h does not grow with depth
            second = _dense(width, f"second_{i}", 1.0 / self.options.depth)
            h = h + second(_activation(self.options, 2 * i + 1, inner))
        h = _activation(self.options, 2 * self.options.depth, h)
        return _dense(self.n_out, "out", LAST_LAYER_SCALE)(h)


class PerOutputModule(nn.Module):
    """One ``mlp`` for each output, side by side: the plan of Speculator and Photulator."""

    options: Network
    n_out: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return outputs (…, n_out) of scaled inputs (…, n_in)."""
        one = nn.vmap(
            MLPModule, variable_axes={"params": 0}, split_rngs={"params": True},
            in_axes=None, out_axes=-1, axis_size=self.n_out,
        )  # fmt: skip
        return one(self.options, 1, name="bands")(x)[..., 0, :]


class TableModule(nn.Module):
    """Cubic splines of the redshift alone, on equal steps: ``table`` (knots, n_out)."""

    options: Network
    n_out: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return outputs (…, n_out) of scaled inputs (…, n_in); outside those of the end."""
        knots = self.options.knots
        table = self.param("table", nn.initializers.zeros, (knots, self.n_out), F32)
        place = (x[..., self.options.z_column] + 1.0) * (0.5 * (knots - 3))
        place = smaller(larger(place, 0.0), knots - 3.0)
        first = jnp.clip(jnp.floor(place), 0, knots - 4).astype(jnp.int32)
        weights = splines.weights((place - first.astype(place.dtype))[..., None])
        rows = (table.at[first + i].get(mode="promise_in_bounds") for i in range(4))
        return sum(w * row for w, row in zip(weights, rows))


NETWORKS: dict[str, type[nn.Module]] = {
    "mlp": MLPModule,
    "resmlp": ResMLPModule,
    "per_output": PerOutputModule,
    "table": TableModule,
}
REDSHIFT_FEATURES = ("none", "fourier", "table")


@dataclass(frozen=True)
class Network:
    """The architecture of a network: hashable, without weights.

    Attributes
    ----------
    name : str
        ``mlp``, ``resmlp``, ``per_output`` or ``table``.
    width, depth : int
        Units per layer; hidden layers of an ``mlp``, blocks of two of a ``resmlp``.
    activation : str
        ``silu``, ``gelu``, ``tanh``, ``smoothstep`` or ``speculator``.
    redshift : str
        Extra features of the redshift: ``none``, ``fourier`` or ``table``.
    z_column : int
        Which scaled input is the redshift; needed for redshift features.
    n_features, knots : int
        Frequencies of ``fourier``, or features and knots of ``table``; the network ``table`` has
        knots of its own, and no other option but ``z_column``.
    tables : tuple of int
        Scaled inputs that have a learnt table of their own: those in which the exact model itself
        interpolates between nodes, with kinks that smooth layers cannot follow.
    table_features, table_knots : int
        Features and knots of each of these.
    """

    name: str = "mlp"
    width: int = 128
    depth: int = 3
    activation: str = "silu"
    redshift: str = "none"
    z_column: int | None = None
    n_features: int = 16
    knots: int = 256
    tables: tuple[int, ...] = ()
    table_features: int = 8
    table_knots: int = 64

    #: the largest sizes that are accepted, from a user or from a file
    WIDEST: ClassVar[int] = 65536
    DEEPEST: ClassVar[int] = 64

    def __post_init__(self) -> None:
        for kind, value, valid in (
            ("network", self.name, NETWORKS),
            ("activation", self.activation, ACTIVATIONS),
            ("redshift feature", self.redshift, REDSHIFT_FEATURES),
        ):
            if value not in valid:
                raise unknown(kind, str(value), valid)
        fewest = 4 if self.name == "table" else 2  # coefficients of a cubic
        for name, least in (("width", 1), ("n_features", 1), ("knots", fewest),
                            ("table_features", 1), ("table_knots", 2)):  # fmt: skip
            _check_int(name, getattr(self, name), least, self.WIDEST)
        _check_columns(self.tables)
        object.__setattr__(self, "tables", tuple(self.tables))  # a file has a list
        _check_int("depth", self.depth, 1, self.DEEPEST)
        if self.z_column is not None:
            _check_int("z_column", self.z_column, 0, self.WIDEST)
        elif self.redshift != "none" or self.name == "table":
            what = "The network 'table'" if self.name == "table" else f"redshift={self.redshift!r}"
            raise ConfigError(
                f"{what} needs z_column, the place of redshift among the "
                "inputs. With a fixed redshift use redshift='none'."
            )

    def init(self, key: Array, n_in: int, n_out: int) -> Weights:
        """Return first weights."""
        for option, column in (("z_column", self.z_column), *(("tables", c) for c in self.tables)):
            if column is not None and column >= n_in:
                raise ConfigError(f"{option}={column}, but there are {n_in} inputs.")
        return dict(self._module(n_out).init(key, jnp.zeros((1, n_in), F32))["params"])

    def apply(self, weights: Mapping[str, Any], x: Array) -> Array:
        """Return outputs (…, n_out) of scaled inputs ``x`` (…, n_in), in float32."""
        module = self._module(self._n_out(weights))
        return jnp.asarray(module.apply({"params": weights}, x.astype(F32)))

    def shapes(self, n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by path, ``layer_0/kernel`` …; nothing is computed."""
        return dict(_shapes(self, n_in, n_out))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description; ``build_network(**d)`` reads it."""
        return asdict(self)

    def _n_out(self, weights: Mapping[str, Any]) -> int:
        if self.name == "table":
            return int(weights["table"].shape[1])
        own = weights["bands"] if self.name == "per_output" else weights
        return int(own["out"]["bias"].shape[0])

    def _module(self, n_out: int) -> nn.Module:
        return NETWORKS[self.name](self, n_out)  # type: ignore[call-arg]


@lru_cache(maxsize=64)  # tracing Flax takes longer than reading a surrogate
def _shapes(network: Network, n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    struct = jax.eval_shape(lambda key: network.init(key, n_in, n_out), jax.random.key(0))
    leaves = jax.tree_util.tree_leaves_with_path(struct)
    return {"/".join(k.key for k in path): tuple(leaf.shape) for path, leaf in leaves}


def build_network(name: str, **options: Any) -> Network:
    """Return the network of a name, e.g. ``build_network("mlp", width=256, depth=3)``.

    Raises
    ------
    UnknownNameError
        Unknown network, option, activation or redshift feature; near matches are named.
    ConfigError
        An option of the wrong type or size.
    """
    known = [f.name for f in fields(Network)]
    for option in options:
        if option not in known:
            raise unknown("network option", option, known)
    return Network(name, **options)


def n_weights(weights: Mapping[str, Any]) -> int:
    """Return how many numbers the weights hold."""
    return sum(int(leaf.size) for leaf in jax.tree.leaves(weights))


def _check_columns(columns: Any) -> None:
    if not isinstance(columns, (tuple, list)) or len(set(map(repr, columns))) < len(columns):
        raise ConfigError(f"Network option tables must be different inputs, got {columns!r}.")
    for column in columns:
        _check_int("tables", column, 0, Network.WIDEST)


def _check_int(name: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(
            f"Network option {name} must be an integer from {least} to {most}, got {value!r}."
        )
