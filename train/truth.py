"""Held-out galaxies with their exact fluxes in float64, whatever the process computes in."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emulator.scaling import OutputScaling
from train.problem import Problem
from train.rows import RowMaker


class Truth(NamedTuple):
    """Free parameters by name (n, …), raw inputs (n, n_in), exact fluxes (n, n_bands) float64."""

    params: dict[str, np.ndarray]
    inputs: np.ndarray
    flux: np.ndarray


def held_out(problem: Problem, stream: int, n: int) -> Truth:
    """Draw ``n`` galaxies at random and compute them in float64.

    ``stream`` keeps them apart from training rows. The parameters are drawn in float32, so
    that both precisions see the same numbers.

    Raises
    ------
    ArithmeticError
        The exact model itself gives no finite flux for some of them.
    """
    maker = RowMaker(problem, problem.config.run.seed + stream, "random")
    with jax.enable_x64(False):
        drawn = maker.draw(0, n)
    with jax.enable_x64(True):
        flux = maker.flux(drawn)
    good = np.isfinite(flux).all(axis=1) & (flux.max(axis=1) > 0.0)
    if not good.any():
        raise ArithmeticError("the exact model gives no finite flux anywhere in the prior.")
    kept = {name: values[good] for name, values in drawn.items()}
    return Truth(kept, maker.inputs(kept), flux[good])


def predicted(problem: Problem, params: Any, scaling: OutputScaling, truth: Truth) -> np.ndarray:
    """Return the emulated unit fluxes (n, n_bands) of held-out galaxies, in float64."""
    flux = problem.predict_many(params, scaling, jnp.asarray(truth.inputs))
    return np.asarray(flux, dtype=np.float64)
