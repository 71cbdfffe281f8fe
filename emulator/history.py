"""Star formation without spectra, which a surrogate computes exactly and without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.cosmology import Cosmology, FlatLambdaCDM, TabulatedCosmology
from tengri.errors import DataError
from tengri.parameters import Parameters

#: One bin from now to the Big Bang.
ALL_TIME_GYR = np.array([0.0, 30.0])
#: Draws that look for the least mass that a history of the prior forms, and what is taken off.
N_DRAWS, MARGIN_DEX = 2048, 0.5

COSMOLOGIES = {c.__name__: c for c in (FlatLambdaCDM, TabulatedCosmology)}


def cosmology_to_dict(cosmology: Cosmology) -> dict[str, Any]:
    """Return kind and numbers of a cosmology, JSON-serialisable."""
    values = {f.name: getattr(cosmology, f.name) for f in fields(cosmology)}  # type: ignore[arg-type]
    numbers = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    return {"name": type(cosmology).__name__, **numbers}


def cosmology_from_dict(data: Mapping[str, Any]) -> Cosmology:
    """Rebuild what `cosmology_to_dict` describes."""
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    kind = given.pop("name", None)
    if kind not in COSMOLOGIES:
        raise DataError(f"Unknown cosmology {kind!r}; known: {', '.join(COSMOLOGIES)}.")
    return COSMOLOGIES[kind](**given)


def log10_mass(spec: Parameters, cosmology: Cosmology, p: Mapping[str, Array]) -> Array:
    """Return log10 of the mass [Msun] that one galaxy formed by its epoch."""
    t_univ = cosmology.age_gyr(p["redshift"])
    return spec.composition.sfh.formed(p, ALL_TIME_GYR, t_univ)[0]


def least_log10_mass(spec: Parameters, cosmology: Cosmology, amplitude: str) -> float:
    """Return log10 of the least mass that the prior's histories form per unit amplitude.

    From Sobol draws, less a margin. Below -1e3 where a history can miss the age of the Universe.
    """
    p = spec.resolve(spec.sample_sobol(N_DRAWS), batch=True)
    unit = {name: jnp.asarray(v, float) for name, v in p.items()}
    unit[amplitude] = jnp.zeros(N_DRAWS)
    mass = jax.jit(jax.vmap(lambda row: log10_mass(spec, cosmology, row)))(unit)
    return float(np.min(np.asarray(mass, np.float64))) - MARGIN_DEX
