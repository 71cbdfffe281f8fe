r"""The starburst curve with a variable slope and a 2175 Å bump.

The base k'(λ) is Calzetti et al. (2000), below 1500 Å Leitherer et al. (2002); the slope is
changed by (λ/5500 Å)^δ, the bump is the Drude profile D(λ). They differ in where the bump
enters and in what its strength means.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from tengri.components.array_module import Floats, array_module
from tengri.components.dust.attenuation.law import (
    PIVOT,
    PIVOT_UM,
    DustLaw,
    Values,
    microns,
    not_below_lyman_limit,
    once_not_held,
)
from tengri.components.dust.attenuation.starburst import R_V_STARBURST, starburst
from tengri.priors import Uniform
from tengri.registry import Param

BUMP_UM, BUMP_FWHM_UM = 0.2175, 0.035

base = starburst(leitherer_below_um=0.15)


def drude(um: Floats) -> Floats:
    """Return the profile of the bump, 1 at its centre (Noll et al. 2009, eq. 9)."""
    width2 = (um * BUMP_FWHM_UM) ** 2
    return width2 / ((um**2 - BUMP_UM**2) ** 2 + width2)


class Ingredients(NamedTuple):
    """What the three laws combine; each (n_wave,)."""

    starburst: Array  # k'(λ) / R_V
    drude: Array
    log_wave: Array  # ln(λ / 5500 Å)


def ingredients(um: Floats) -> Ingredients:
    """Return the parts of the curve that no parameter changes."""
    log_wave = array_module(um).log(not_below_lyman_limit(um) / PIVOT)
    return Ingredients(*map(jnp.asarray, (base(um) / R_V_STARBURST, drude(um), log_wave)))


def noll_form(um: Floats, bump: ArrayLike, delta: ArrayLike) -> Array:
    """Return A(λ)/A_V of Noll et al. (2009), eq. 8: the slope tilts curve and bump alike."""
    k, profile, log_wave = ingredients(um)
    return (k + bump * profile / R_V_STARBURST) * jnp.exp(delta * log_wave)


def salim_form(um: Floats, bump: ArrayLike, delta: ArrayLike) -> Array:
    """Return A(λ)/A_V of Salim et al. (2018), eqs. 3 to 5: the bump is added to the tilted curve.

    R_V follows from the slope, so that the bump strength is in units of E(B-V) of the new curve.
    """
    k, profile, log_wave = ingredients(um)
    b_over_v = (R_V_STARBURST + 1.0) * jnp.exp(delta * np.log(0.44 / 0.55))
    r_v = R_V_STARBURST / (b_over_v - R_V_STARBURST)
    return k * jnp.exp(delta * log_wave) + bump * profile / r_v


def noll09(wave_aa: Floats, p: Values) -> Array:
    """Return the curve of Noll et al. (2009), 1 at 5500 Å."""
    shape = p["dust_bump_strength"], p["dust_delta"]
    return noll_form(microns(wave_aa), *shape) / noll_form(PIVOT_UM, *shape)


def kriek_conroy(wave_aa: Floats, p: Values) -> Array:
    """Return Noll's curve with the bump that Kriek & Conroy (2013), eq. 3, tie to the slope."""
    bump = p["dust_bump_strength"] * (0.85 - 1.9 * jnp.asarray(p["dust_delta"]))
    shape = bump, p["dust_delta"]
    return noll_form(microns(wave_aa), *shape) / noll_form(PIVOT_UM, *shape)


def salim18(wave_aa: Floats, p: Values) -> Array:
    """Return the curve of Salim et al. (2018), 1 at 5500 Å."""
    shape = p["dust_bump_strength"], p["dust_delta"]
    return salim_form(microns(wave_aa), *shape) / salim_form(PIVOT_UM, *shape)


def delta(highest: float) -> Param:
    """Return the slope parameter, which a law allows up to ``highest``."""
    return Param("dust_delta", 0.0, Uniform(-1.0, 0.4), (-2.0, highest), "",
                 "slope relative to the starburst curve; negative is steeper",
                 symbol=r"$\delta$")  # fmt: skip


AMPLITUDE = Param("dust_bump_strength", 3.0, Uniform(0.0, 6.0), (0.0, 20.0), "",
                  "amplitude of the 2175 Å bump in k(λ); about 3 in the Milky Way",
                  symbol=r"$E_{\rm bump}$")  # fmt: skip
FACTOR = Param("dust_bump_strength", 1.0, Uniform(0.0, 2.0), (0.0, 10.0), "",
               "2175 Å bump relative to 0.85 - 1.9 dust_delta",
               symbol=r"$E_{\rm bump}$")  # fmt: skip

NOLL09 = once_not_held(
    DustLaw(
        "noll09",
        (AMPLITUDE, delta(highest=1.0)),
        noll09,
        "Noll et al. 2009, A&A 507, 1793",
    )
)

KRIEK_CONROY = once_not_held(
    DustLaw(
        "kriek_conroy",
        # Where 0.85 - 1.9 δ is negative the bump would be a hole.
        (FACTOR, delta(highest=0.44)),
        kriek_conroy,
        "Kriek & Conroy 2013, ApJ 775, L16",
    )
)

SALIM18 = once_not_held(
    DustLaw(
        "salim18",
        # From δ = 0.98 on R_V is no longer positive.
        (AMPLITUDE, delta(highest=0.9)),
        salim18,
        "Salim, Boquien & Lee 2018, ApJ 859, 11",
    )
)
