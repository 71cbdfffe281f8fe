"""Gradient matching: training rows that also know how the exact model changes along one direction.

The loss of Sobolev training (Czarnecki+2017, arXiv:1706.04859), with one random direction per row
instead of the whole Jacobian: its expectation is the same, its price one forward derivative. The
redshift stays out of the directions, for bands change abruptly where breaks cross their edges.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from emulator.scaling import InputScaling
from emulator.targets import Target
from tengri import Parameters, SEDModel
from tengri.errors import ConfigError
from tengri.forward.batching import RowMap, Sizes
from tengri.forward.exact import ExactEvaluator
from train.rowset import Rows


class Slopes:
    """Exact directional derivatives of network targets.

    Parameters
    ----------
    spec : Parameters
    model : SEDModel
        The exact model.
    target : Target
    in_scaling : InputScaling
    sizes : Sizes
        How many rows are made at once.
    seed : int
        Of the directions.

    Raises
    ------
    ConfigError
        A latent field among the inputs, or nothing but the redshift.
    """

    def __init__(
        self, spec: Parameters, model: SEDModel, target: Target, in_scaling: InputScaling,
        sizes: Sizes, seed: int,
    ) -> None:  # fmt: skip
        columns = target.columns
        if len(set(columns)) != len(columns) or set(columns) == {"redshift"}:
            raise ConfigError(
                "optimiser.sobolev needs scalar parameters besides the redshift among the inputs: "
                f"they are {', '.join(dict.fromkeys(columns))}."
            )
        self.model, self.target, self.in_scaling = model, target, in_scaling
        self.sizes, self.seed = sizes, seed
        self._free = np.array([name != "redshift" for name in columns])
        self._others = _not_inputs(spec, columns)
        self._along = RowMap(self._slope)

    def directions(self, rows: Rows) -> np.ndarray:
        """Return unit vectors in scaled inputs (n, n_in), a function of the row numbers."""
        rng = np.random.default_rng((self.seed, rows.start))
        u = rng.normal(size=rows.inputs.shape) * self._free
        return (u / np.linalg.norm(u, axis=1, keepdims=True)).astype(np.float32)

    def along(self, rows: Rows, directions: np.ndarray) -> np.ndarray:
        """Return the derivatives of the network targets along the directions, (n, n_out)."""
        x = np.asarray(self.in_scaling.forward(rows.inputs))
        exact = self.model.evaluator()
        return np.asarray(self._along(exact, (x, directions), self.sizes))

    def _slope(self, exact: ExactEvaluator, row: tuple[Array, Array]) -> Array:
        """Return the derivative along the direction ``u`` of a row (x, u) in scaled inputs."""
        target = self.target
        others = {name: jnp.asarray(v, float) for name, v in self._others.items()}

        def outputs(x: Array) -> Array:
            raw = self.in_scaling.inverse(x)
            p = {**others, **{n: jnp.asarray(v, float) for n, v in zip(target.columns, raw)}}
            return target.outputs(target.truth(exact, p)[None], raw[None])[0]

        x, u = row
        return jax.jvp(outputs, (x,), (u,))[1]


def _not_inputs(spec: Parameters, columns: tuple[str, ...]) -> dict[str, Any]:
    """Return what is not an input: fixed values, and some amplitude or history."""
    one = {name: np.asarray(v) for name, v in spec.sample(jax.random.key(0)).items()}
    p = spec.resolve({name: one[name] for name in spec.free_params})
    return {name: v for name, v in p.items() if name not in columns}
