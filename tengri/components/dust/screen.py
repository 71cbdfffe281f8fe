r"""Two-component dust screen of Charlot & Fall (2000, ApJ 539, 718).

Every star sees the diffuse dust; stars younger than 10 Myr also see their birth cloud:

.. math::

    T(\lambda, t) = \exp[-\tau_{diff} k_{diff}(\lambda) - \tau_{bc} k_{bc}(\lambda) [t < t_{birth}]]

with ``k(5500 Å) = 1``, so that both τ are V-band optical depths (A_V = 1.086 τ).
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from tengri.priors import Uniform
from tengri.registry import Param

REFERENCE = "Charlot & Fall 2000, ApJ 539, 718"

T_BIRTH_GYR = 0.01

SCREEN_PARAMS = (
    Param("dust_tau_bc", 1.0, Uniform(0.0, 4.0), (0.0, 100.0), "",
          "V-band optical depth of the birth clouds (stars younger than 10 Myr)"),
    Param("dust_tau_diff", 0.3, Uniform(0.0, 3.0), (0.0, 100.0), "",
          "V-band optical depth of the diffuse dust (all stars)"),
)  # fmt: skip


def transmissions(p: Mapping[str, Array], k_bc: Array, k_diff: Array) -> tuple[Array, Array]:
    """Return the transmitted fractions ``(birth cloud, diffuse)``, each (n_wave,).

    Parameters
    ----------
    p : mapping
        Holds ``dust_tau_bc`` and ``dust_tau_diff``.
    k_bc, k_diff : Array, shape (n_wave,)
        Attenuation curves, 1 at 5500 Å.
    """
    return jnp.exp(-p["dust_tau_bc"] * k_bc), jnp.exp(-p["dust_tau_diff"] * k_diff)
