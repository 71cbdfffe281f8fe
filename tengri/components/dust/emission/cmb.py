r"""Effects of the cosmic microwave background on dust (da Cunha et al. 2013, ApJ 766, 13).

It heats dust as starlight does, and it is the background against which dust is seen:

.. math::

    T(z)^{4+\beta} = T^{4+\beta} + T_0^{4+\beta} [(1+z)^{4+\beta} - 1], \quad
    L_\nu^{seen} = L_\nu \left[ 1 - \frac{B_\nu(T_0 (1+z))}{B_\nu(T(z))} \right]

T is the temperature that the same dust would have in the same starlight at z = 0. What dust takes
from the background it gives back to it, so that what is seen, integrated over frequency, is what
stars gave: for opacity ∝ ν^β

.. math::

    \int \nu^\beta [B_\nu(T(z)) - B_\nu(T_0(1+z))] d\nu
    = \int \nu^\beta [B_\nu(T) - B_\nu(T_0)] d\nu ,

which is the first equation. The energy balance of the models is this one: with ``cmb="dacunha13"``
``L_ν`` stands for what is seen, and its integral is the absorbed starlight, as without.

Dust at high redshift is hardly warmer than the background. All is written in g = ln T(z)/T_0(1+z),
so that no two nearly equal numbers are subtracted.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from tengri.components.blackbody import NU_PER_K
from tengri.constants import C_AA_PER_S, T_CMB_K

REFERENCE = "da Cunha et al. 2013, ApJ 766, 13"

#: Whether models of dust emission have the background.
CMB_EFFECTS = ("none", "dacunha13")


def background(redshift: ArrayLike) -> Array:
    """Return the temperature T_0 (1 + z) [K] of the background."""
    return T_CMB_K * (1.0 + jnp.asarray(redshift, float))


def gain(temperature: ArrayLike, beta: ArrayLike, redshift: ArrayLike) -> Array:
    """Return g = ln of the temperature of dust over that of the background; equation 12.

    ``temperature`` [K] is that of the dust at z = 0, ``beta`` the emissivity index.
    """
    power = 4.0 + jnp.asarray(beta, float)
    by_stars = jnp.expm1(power * jnp.log(jnp.asarray(temperature, float) / T_CMB_K))
    faded = jnp.exp(-power * jnp.log1p(jnp.asarray(redshift, float)))
    return jnp.log1p(by_stars * faded) / power


def heated(temperature: ArrayLike, beta: ArrayLike, redshift: ArrayLike) -> Array:
    """Return the temperature T(z) [K] of dust that has ``temperature`` at z = 0.

    Equation 12; ``beta`` is the emissivity index.
    """
    return background(redshift) * jnp.exp(gain(temperature, beta, redshift))


def contrast(nu: ArrayLike, gained: ArrayLike, redshift: ArrayLike) -> Array:
    """Return 1 − B_ν(T_0(1+z))/B_ν(T(z)) at ``nu`` [Hz] for g = ``gained``; equation 18."""
    # (e^y - e^x)/(e^y - 1) of x = hν/kT and y of the background
    y = jnp.asarray(nu, float) / (NU_PER_K * background(redshift))
    return jnp.expm1(y * jnp.expm1(-jnp.asarray(gained, float))) / jnp.expm1(-y)


def seen_share(wave_rest_aa: ArrayLike, temperature: ArrayLike, redshift: ArrayLike) -> Array:
    """Return the share of the emission at ``wave_rest_aa`` [Å] that is seen against the CMB.

    ``temperature`` is that of the dust at that redshift, T(z); equation 18.
    """
    gained = jnp.log(jnp.asarray(temperature, float) / background(redshift))
    return contrast(C_AA_PER_S / jnp.asarray(wave_rest_aa, float), gained, redshift)
