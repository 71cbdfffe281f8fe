"""The networks of other emulators, with random weights: what they cost, not what they know.

``cosmopower`` is CosmoPower(-JAX)'s 4 × 512 with learnt activations (Spurio Mancini+2022),
``photulator`` one 4 × 128 per band (Alsing+2020), ``parrot`` 5 × 512 GELU (Mathews+2023).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from emulator.networks import build_network

SHAPES = {
    "cosmopower": {"name": "mlp", "width": 512, "depth": 4, "activation": "speculator"},
    "photulator": {"name": "per_output", "width": 128, "depth": 4, "activation": "speculator"},
    "parrot": {"name": "mlp", "width": 512, "depth": 5, "activation": "gelu"},
}


def forward(kind: str, n: int, n_in: int, n_bands: int) -> Callable[[], jax.Array]:
    """Return a call that evaluates n galaxies, inputs and outputs scaled already."""
    network = build_network(**SHAPES[kind])
    weights = network.init(jax.random.key(0), n_in, n_bands)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (n, n_in)).astype(np.float32)
    block = 512 if jax.default_backend() == "cpu" else n
    blocks = jax.numpy.asarray(x.reshape(-1, min(block, n), n_in))
    fn = jax.jit(lambda w, x: jax.lax.map(lambda rows: network.apply(w, rows), x))
    return lambda: fn(weights, blocks)
