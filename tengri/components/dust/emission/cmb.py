r"""What the cosmic microwave background does to dust (da Cunha et al. 2013, ApJ 766, 13).

It heats dust as starlight does, and it is the background against which dust is seen:

.. math::

    T(z)^{4+\beta} = T^{4+\beta} + T_0^{4+\beta} [(1+z)^{4+\beta} - 1], \quad
    L_\nu^{seen} = L_\nu \left[ 1 - \frac{B_\nu(T_0 (1+z))}{B_\nu(T(z))} \right]

The emission models leave both out, for energy balance is that of starlight alone. These functions
say how much is at stake, and correct what was observed.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from tengri.components.blackbody import NU_PER_K
from tengri.constants import C_AA_PER_S

T0_K = 2.7255  # Fixsen 2009, ApJ 707, 916


def heated(temperature: ArrayLike, beta: ArrayLike, redshift: ArrayLike) -> Array:
    """Return the temperature T(z) [K] of dust that starlight alone would heat to ``temperature``.

    Equation 12; ``beta`` is the emissivity index.
    """
    power = 4.0 + jnp.asarray(beta, float)
    by_stars = jnp.asarray(temperature, float)
    grown = jnp.expm1(power * jnp.log1p(jnp.asarray(redshift, float)))
    return by_stars * (1.0 + (T0_K / by_stars) ** power * grown) ** (1.0 / power)


def seen_share(wave_rest_aa: ArrayLike, temperature: ArrayLike, redshift: ArrayLike) -> Array:
    """Return the share of the emission at ``wave_rest_aa`` [Å] that is seen against the CMB.

    ``temperature`` is that of the dust at that redshift, T(z); equation 18.
    """
    kelvin = C_AA_PER_S / (NU_PER_K * jnp.asarray(wave_rest_aa, float))
    # 1 - (e^x - 1)/(e^y - 1) of x = hν/kT and y of the background, without e^large
    x, y = kelvin / temperature, kelvin / (T0_K * (1.0 + jnp.asarray(redshift, float)))
    return 1.0 - jnp.exp(x - y) * jnp.expm1(-x) / jnp.expm1(-y)
