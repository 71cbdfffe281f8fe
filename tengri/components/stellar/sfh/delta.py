r"""All stars formed at one age, a single burst: ``delta``.

A grid of stellar populations knows the light of age bins, of middles c_i. Light at an age a between
two of them is interpolated, linearly in log a as in other codes: the mass is shared out,

.. math:: m_i = \frac{\ln c_{i+1} - \ln a}{\ln c_{i+1} - \ln c_i}, \qquad m_{i+1} = 1 - m_i,

so that it is continuous in a, and that of one bin alone at its middle. Masses younger than a given
age, and the mean age, are those of the burst itself. The SFR shown is the mass in each bin over the
width of the bin. A burst older than the Universe is one at the Big Bang.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.array_module import Floats
from tengri.components.stellar.sfh.family import SFHFamily, as_fractions, clipped
from tengri.numerics.extremes import larger, smaller
from tengri.numerics.interpolation import hat_weights
from tengri.priors import LogUniform
from tengri.registry import Param

WIDTH_GYR = 1.0  # over which the unit of SFR forms the unit of mass


def delta_masses(q: Mapping[str, Array], edges: Floats, t_univ: Array) -> tuple[Array, Array]:
    """All of the mass in the bin that holds the age."""
    age = jnp.minimum(q["age_gyr"], t_univ)
    low, high = clipped(edges, t_univ)
    last = (age >= t_univ) & (high >= t_univ) & (low < t_univ)
    inside = ((age >= low) & (age < high)) | last
    return jnp.zeros_like(t_univ), WIDTH_GYR * inside.astype(low.dtype)


def delta_shares(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> tuple[Array, Array]:
    """Share of the two bins whose middles are next to the age, linear in its logarithm."""
    middles = 0.5 * (edges[1:] + edges[:-1])
    if len(middles) == 1:
        return jnp.zeros_like(t_univ), jnp.full(1, WIDTH_GYR, t_univ.dtype)
    age = larger(smaller(q["age_gyr"], t_univ), float(middles[0]))
    return jnp.zeros_like(t_univ), WIDTH_GYR * hat_weights(jnp.log(age), np.log(middles))


def delta_ages(q: Mapping[str, Array], edges: np.ndarray, t_univ: Array) -> Array:
    """The age of the burst in every bin."""
    return jnp.broadcast_to(smaller(q["age_gyr"], t_univ), (len(edges) - 1,))


_AGE = Param(
    "sfh_delta_age_gyr",
    1.0,
    LogUniform(1e-3, 12.0),
    (0.0, 30.0),
    "Gyr",
    "lookback time of the burst",
    symbol=r"$t_{\rm burst}$",
)
DELTA = SFHFamily(
    "delta",
    "sfh_delta_",
    (_AGE,),
    None,
    "all stars of one age, interpolated between those of the grid",
    default_amplitude="log_total_mass",
    mass=delta_masses,
    ages=delta_ages,
    shares=delta_shares,
    amplitude_kinds=("log_total_mass",),
    fractional_times=as_fractions((_AGE,), age=(0.3, 0.001, 0.99)),
)
