"""One network per output: each sees all inputs and none of the others."""

import jax
import numpy as np

from emulator.networks import build_network


def test_outputs_are_networks_of_their_own():
    network = build_network("per_output", width=8, depth=2, activation="speculator")
    weights = network.init(jax.random.key(0), 3, 4)
    x = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
    y = np.asarray(network.apply(weights, x))
    assert y.shape == (16, 4) and np.ptp(y, axis=1).min() > 0.0
    one = jax.tree.map(lambda a: a[2], weights["bands"])
    alone = build_network("mlp", width=8, depth=2, activation="speculator").apply(one, x)
    np.testing.assert_allclose(alone[:, 0], y[:, 2], rtol=1e-5)
    changed = jax.tree.map(lambda a: a.at[2].set(0.0), weights)
    np.testing.assert_array_equal(network.apply(changed, x)[:, [0, 1, 3]], y[:, [0, 1, 3]])
