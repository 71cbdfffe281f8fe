"""Quantities that follow from the draws of a fit: masses, rates, ages, attenuation."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.constants import LN_PER_MAG
from tengri.forward.batching import Execution, RowMap, Sizes
from tengri.forward.derived import sfh_quantities
from tengri.forward.galaxy import Stars
from tengri.inference.likelihood import Density
from tengri.inference.observations import Case
from tengri.parameters.validate import default_float

EXECUTION = Execution(Sizes(2, 32), Sizes(256, 256))


def derived_draws(model: Any, density: Density, cases: Case, xi: np.ndarray) -> dict[str, Array]:
    """Return derived quantities of draws, each (n, m).

    Parameters
    ----------
    model : PhotometricModel
        Its stars and their table of surviving mass.
    density : Density
    cases : Case
        Of n galaxies.
    xi : ndarray, shape (n, m, size)

    Returns
    -------
    dict
        Those of `tengri.forward.derived.sfh_quantities`, and ``a_v``, the attenuation in V by the
        diffuse dust [mag], where it is a screen in front of all stars.
    """
    remaining = model.mass_remaining
    table = None if remaining is None else jnp.asarray(np.asarray(remaining, default_float()))
    rows = cases, np.asarray(xi, default_float())
    return _map(model.stars)((density, table), rows, EXECUTION.sizes)


@cache
def _map(stars: Stars) -> RowMap:
    def one(constants: tuple[Density, Any], row: tuple[Case, Array]) -> dict[str, Array]:
        (density, table), (case, xi) = constants, row

        def quantities(v: Array) -> dict[str, Array]:
            p = density.evaluator.fixed.complete(density.params(v, case))
            found = sfh_quantities(stars, p, table)
            if "dust_tau_diff" in p:
                found["a_v"] = p["dust_tau_diff"] / LN_PER_MAG
            return found

        return jax.vmap(quantities)(xi)

    return RowMap(one)
