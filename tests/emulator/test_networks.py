"""One contract for every network; the arithmetic of each piece against its formula."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emulator.networks import (
    ACTIVATIONS,
    NETWORKS,
    REDSHIFT_FEATURES,
    build_network,
    n_weights,
)
from tengri.errors import ConfigError, UnknownNameError

N_IN, N_OUT = 4, 3
# every network with every activation, and with every kind of redshift feature
ALL = [
    (name, activation, redshift)
    for name in NETWORKS
    for activation, redshift in zip(ACTIVATIONS, itertools.cycle(REDSHIFT_FEATURES))
]


def built(name, activation="silu", redshift="none", **options):
    network = build_network(
        name, width=8, depth=2, activation=activation, redshift=redshift, z_column=1,
        n_features=3, knots=5, **options,
    )  # fmt: skip
    return network, network.init(jax.random.key(1), N_IN, N_OUT)


@pytest.mark.parametrize(
    ("name", "activation", "redshift"),
    [pytest.param(*case, marks=() if case[0] == "mlp" else pytest.mark.slow) for case in ALL],
)
def test_contract(name, activation, redshift):
    network, weights = built(name, activation, redshift)
    x = jax.random.uniform(jax.random.key(0), (6, N_IN), jnp.float32, -1, 1)
    y = network.apply(weights, x)
    assert y.shape == (6, N_OUT) and y.dtype == jnp.float32
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(weights))
    one = jax.vmap(lambda row: network.apply(weights, row))(x)
    assert np.allclose(one, y, atol=1e-6)
    leaves = jax.tree_util.tree_leaves_with_path(weights)
    found = {"/".join(k.key for k in path): leaf.shape for path, leaf in leaves}
    assert found == network.shapes(N_IN, N_OUT)
    assert build_network(**network.to_dict()) == network
    gradient = jax.jit(jax.grad(lambda w: jnp.sum(network.apply(w, x) ** 2)))(weights)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))
    assert np.abs(y).max() < 0.5  # untrained, it answers close to the mean


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n == "per_output" else ()) for n in NETWORKS],
)
def test_float32_whatever_the_process_uses(name):
    network, weights = built(name, redshift="table")
    x = np.linspace(-1, 1, N_IN)
    wide = network.apply(weights, jnp.asarray(x))
    with jax.enable_x64(False):
        narrow = network.apply(weights, jnp.asarray(x))
    assert wide.dtype == narrow.dtype == jnp.float32
    assert np.array_equal(wide, narrow)


def test_mlp_is_what_its_names_say():
    network, w = built("mlp", "tanh")
    x = np.linspace(-1, 1, N_IN)
    h = np.tanh(x @ w["layer_0"]["kernel"] + w["layer_0"]["bias"])
    h = np.tanh(h @ w["layer_1"]["kernel"] + w["layer_1"]["bias"])
    assert np.allclose(network.apply(w, x), h @ w["out"]["kernel"] + w["out"]["bias"], atol=1e-6)


def test_speculator_activation():
    network, w = built("mlp", "speculator")
    w["act_0"] = {"alpha": jnp.full(8, 0.7), "beta": jnp.full(8, 0.2)}
    x = np.linspace(-1, 1, N_IN)
    h = x @ w["layer_0"]["kernel"] + w["layer_0"]["bias"]
    h = (0.2 + 0.8 / (1 + np.exp(-0.7 * h))) * h
    h = h @ w["layer_1"]["kernel"] + w["layer_1"]["bias"]
    h = h / (1 + np.exp(-h))  # α = 1, β = 0 is silu
    assert np.allclose(network.apply(w, x), h @ w["out"]["kernel"] + w["out"]["bias"], atol=1e-6)


def test_smoothstep_is_close_to_gelu_and_twice_differentiable():
    smooth, gelu = ACTIVATIONS["smoothstep"], ACTIVATIONS["gelu"]
    x = jnp.linspace(-6.0, 6.0, 2401, dtype=jnp.float64)
    assert float(jnp.abs(smooth(x) - gelu(x)).max()) < 0.05
    assert float(smooth(jnp.float64(-3.0))) == 0.0 and float(smooth(jnp.float64(3.0))) == 3.0
    assert float(jax.grad(smooth)(0.0)) == 0.5
    slope = jax.vmap(jax.grad(smooth))(x)  # has a rule of its own
    numeric = (smooth(x + 1e-3) - smooth(x - 1e-3)) / 2e-3
    assert float(jnp.abs(slope - numeric).max()) < 1e-3
    bend = jax.vmap(jax.grad(jax.grad(smooth)))(x)
    assert float(jnp.abs(jnp.diff(bend)).max()) < 0.02  # no jump, where the polynomials end either


def test_table_is_linear_between_its_knots_and_constant_outside():
    network, w = built("mlp", "tanh", "table")
    table = np.arange(15.0).reshape(5, 3) ** 2
    w["redshift"]["table"] = jnp.asarray(table, jnp.float32)
    w["layer_0"]["kernel"] = 1e-3 * w["layer_0"]["kernel"]

    def features(z):
        x = np.array([0.0, z, 0.0, 0.0])
        h = np.concatenate([x, [np.interp(np.clip(z, -1, 1), np.linspace(-1, 1, 5), column)
                                for column in table.T]])  # fmt: skip
        h = np.tanh(h @ w["layer_0"]["kernel"] + w["layer_0"]["bias"])
        h = np.tanh(h @ w["layer_1"]["kernel"] + w["layer_1"]["bias"])
        return x, h @ w["out"]["kernel"] + w["out"]["bias"]

    for z in (-1.5, -1.0, -0.99, -0.5, 0.1, 1.0, 1.2):
        x, expected = features(z)
        assert np.allclose(network.apply(w, x), expected, atol=2e-6), z


def test_tables_of_other_inputs_bring_their_kinks():
    """A tent over one input, which no smooth layer has, reaches the output as it is."""
    network, w = built("mlp", "tanh", tables=(2,), table_knots=5, table_features=1)
    w["table_2"]["table"] = jnp.asarray([[0.0], [0.0], [1e-3], [0.0], [0.0]])
    kernel = np.zeros(w["layer_0"]["kernel"].shape, "f4")
    kernel[-1] = 1.0
    w["layer_0"] = {"kernel": jnp.asarray(kernel), "bias": jnp.zeros(8)}
    w["layer_1"]["bias"] = jnp.zeros(8)
    x = np.zeros((81, N_IN))
    x[:, 2] = np.linspace(-1, 1, 81)
    tent = 1e-3 * np.clip(1 - 2 * np.abs(x[:, 2]), 0, 1)
    gain = np.ones(8) @ w["layer_1"]["kernel"] @ w["out"]["kernel"]
    seen = np.asarray(network.apply(w, x)) - w["out"]["bias"]
    assert np.allclose(seen, tent[:, None] * gain, atol=2e-6)


def test_number_of_weights():
    _, w = built("mlp")
    assert n_weights(w) == 4 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("mpl", {}, "Did you mean mlp"),
        ("mlp", {"activation": "sillu"}, "Did you mean silu"),
        ("mlp", {"redshift": "fouriere"}, "Did you mean fourier"),
        ("mlp", {"widht": 3}, "Did you mean width"),
    ],
)
def test_unknown_names(name, options, words):
    with pytest.raises(UnknownNameError, match=words):
        build_network(name, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"depth": 1000},
        {"width": 2.5},
        {"knots": 1},
        {"redshift": "table"},
        {"tables": (1, 1)},
        {"tables": (-1,)},
        {"tables": ("z",)},
        {"tables": 3},
    ],
)
def test_bad_sizes(options):
    with pytest.raises(ConfigError):
        build_network("mlp", **options)
    with pytest.raises(ConfigError, match="z_column=9"):
        build_network("mlp", redshift="table", z_column=9).init(jax.random.key(0), 3, 2)
    with pytest.raises(ConfigError, match="tables=7"):
        build_network("mlp", tables=(0, 7)).init(jax.random.key(0), 3, 2)
