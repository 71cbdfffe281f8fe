r"""How likely a redshift is for a galaxy of an apparent magnitude (Benítez 2000, ApJ 536, 571).

.. math:: p(z \mid m) = \sum_T f_T(m)\, p(z \mid T, m), \qquad
    p(z \mid T, m) \propto z^{\alpha_T} \exp\{-[z / z_T(m)]^{\alpha_T}\},

.. math:: z_T(m) = z_{0T} + k_T (m - 20), \qquad f_T(m) = f_{0T}\, e^{-g_T (m - 20)}

for early types, spirals and, with what those leave, irregulars: his Table 1, fitted to the F814W
magnitudes (AB) and redshifts of the Hubble Deep Field North and of the Canada-France Redshift
Survey. Types are summed over: our models have none. Magnitudes are held at 20 where they are
brighter and at 32 where they are fainter, or where the flux is not positive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from tengri.constants import LN_PER_MAG

#: By type: early, spiral, irregular.
ALPHA = (2.465, 1.806, 0.906)
Z0 = (0.431, 0.390, 0.0626)
K_Z = (0.0913, 0.0636, 0.123)
#: Of early types and spirals at m = 20, and how fast they become rare.
SHARE = (0.35, 0.50)
K_SHARE = (0.450, 0.147)
#: Magnitudes between which the relations hold.
BRIGHTEST, FAINTEST = 20.0, 32.0
#: AB magnitude of 1 nJy.
AB_NJY = 31.4


@dataclass(frozen=True)
class MagnitudePrior:
    """The prior of Benítez (2000) for a band.

    Attributes
    ----------
    band : str
        The band whose magnitude counts; the relations are those of F814W.
    place : int
        Where it stands among the bands of the model.
    """

    band: str
    place: int = 0

    def log_density(self, z: Array, flux: Any, seen: Any) -> Array:
        """Return ln p(z | m), 0 where the band was not measured; arrays broadcast.

        Parameters
        ----------
        z : Array
        flux : array
            Of the band [nJy].
        seen : array of bool
        """
        found = log_density_at(z, magnitude(flux))
        return jnp.where(seen, found, 0.0)


def magnitude(flux: Any) -> Array:
    """Return AB magnitudes of fluxes [nJy], within the relations' limits."""
    faintest = 10.0 ** (-0.4 * (FAINTEST - AB_NJY))
    return jnp.maximum(AB_NJY - jnp.log(jnp.maximum(flux, faintest)) / LN_PER_MAG, BRIGHTEST)


def log_density_at(z: Array, m: Any) -> Array:
    """Return ln p(z | m) for AB magnitudes in F814W."""
    beyond = m - 20.0
    parts, left = [], jnp.ones_like(beyond)
    for share, decline in zip(SHARE, K_SHARE):
        parts.append(share * jnp.exp(-decline * beyond))
        left = left - parts[-1]
    ln_z = jnp.log(jnp.maximum(z, 1e-6))
    total = jnp.zeros_like(ln_z + beyond)
    for f, alpha, z0, k in zip((*parts, left), ALPHA, Z0, K_Z):
        ln_scaled = ln_z - jnp.log(z0 + k * beyond)
        # ∫ z^α exp(-(z/z_m)^α) dz = z_m^(α+1) Γ(1 + 1/α) / α
        ln_norm = math.lgamma(1.0 + 1.0 / alpha) - math.log(alpha) + jnp.log(z0 + k * beyond)
        total = total + f * jnp.exp(alpha * ln_scaled - jnp.exp(alpha * ln_scaled) - ln_norm)
    return jnp.log(jnp.maximum(total, 1e-30))
