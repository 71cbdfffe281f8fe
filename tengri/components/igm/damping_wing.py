r"""The damping wing of neutral gas between the galaxies, by Miralda-Escudé (1998, ApJ 501, 15).

Gas of one neutral fraction x fills the space between the source at z and the end of reionisation at
``Z_END``. At λ = λ_α (1 + δ), redward of Lyman α at rest, its optical depth is (eqs. 11, 12 there)

.. math::

    \tau = x\, \tau_{GP}(z)\, \frac{R_\alpha}{\pi} (1 + \delta)^{3/2} [I(x_2) - I(x_1)], \quad
    x_2 = \frac{1}{1 + \delta}, \quad x_1 = \frac{1 + z_{end}}{(1 + z)(1 + \delta)}

.. math::

    I(x) = \frac{x^{9/2}}{1 - x} + \frac97 x^{7/2} + \frac95 x^{5/2} + 3 x^{3/2} + 9 x^{1/2}
           - \frac92 \ln \frac{1 + x^{1/2}}{1 - x^{1/2}}

with the optical depth τ_GP of Gunn & Peterson (1965) of neutral gas of the mean density and R_α =
Λ/(4π ν_α). Below ``CORE`` in δ (30 km/s), where the wing becomes the line, τ stays what it is
there.

Blueward, where the line of this gas itself absorbs, a share x of what the mean model lets through
is dark. Below Lyman α at ``Z_END``, in the higher Lyman lines and in the continuum the mean model
stands. A source at z ≤ ``Z_END`` has no wing. There is no ionised bubble around it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.constants import C_AA_PER_S, G_CGS, LYMAN_ALPHA_AA, M_PROTON_G, MPC_CM
from tengri.priors import Uniform
from tengri.registry import Param, Versioned

IGM_XHI = Param("igm_xhi", 0.0, Uniform(0.0, 1.0), (0.0, 1.0), "",
                "neutral hydrogen fraction, averaged over volume, of the gas from z = 6 to the "
                "galaxy: damping wing", family="igm", symbol=r"$\bar x_{\rm HI}$")  # fmt: skip

#: End of reionisation.
Z_END = 6.0
#: Ω_b h², Ω_m h² (Planck Collaboration 2020, A&A 641, A6) and the mass fraction of helium.
OMEGA_B_H2, OMEGA_M_H2, HELIUM = 0.02237, 0.1424, 0.2453
#: Λ of Lyman α [1/s], and R_α.
DECAY = 6.265e8
R_ALPHA = DECAY * LYMAN_ALPHA_AA / (4.0 * math.pi * C_AA_PER_S)
CORE = 1e-4

_HUBBLE_100 = 1e7 / MPC_CM
_HYDROGEN_TODAY = (
    (1.0 - HELIUM) * OMEGA_B_H2 * 3.0 * _HUBBLE_100**2 / (8.0 * math.pi * G_CGS) / M_PROTON_G
)
#: τ_GP(z) = τ_GP(0) (1+z)^1.5, in a Universe of matter.
GUNN_PETERSON_TODAY = (
    3.0 * (LYMAN_ALPHA_AA * 1e-8) ** 3 * DECAY * _HYDROGEN_TODAY
    / (8.0 * math.pi * _HUBBLE_100 * math.sqrt(OMEGA_M_H2))
)  # fmt: skip


def gunn_peterson(z: Any) -> Any:
    """Return the optical depth in Lyman α of neutral gas of the mean density at ``z``."""
    return GUNN_PETERSON_TODAY * (1.0 + z) ** 1.5


def path(x: Any, xp: Any = jnp) -> Any:
    """Return I(x) for 0 ≤ x < 1."""
    root = xp.sqrt(x)
    powers = x**4 / (1.0 - x) + 9.0 / 7.0 * x**3 + 9.0 / 5.0 * x**2 + 3.0 * x + 9.0
    return root * powers - 4.5 * (xp.log1p(root) - xp.log1p(-root))


def optical_depth(wave_rest: np.ndarray, z: Array) -> Array:
    """Return τ of neutral gas (n_wave,) at and redward of Lyman α at rest; 0 up to ``Z_END``."""
    nearest = 1.0 / np.maximum(wave_rest / LYMAN_ALPHA_AA, 1.0 + CORE)
    share = jnp.minimum((1.0 + Z_END) / (1.0 + z), 1.0)
    through = jnp.asarray(path(nearest, np)) - path(jnp.asarray(nearest) * share)
    scale = gunn_peterson(z) * (R_ALPHA / math.pi)
    return scale * jnp.asarray(nearest**-1.5) * jnp.where(share < 1.0, through, 0.0)


@dataclass(frozen=True)
class DampingWing(Versioned):
    """Neutral gas around the galaxy: see the top of the file."""

    family: ClassVar[str] = "igm"

    name: str = "damping_wing"
    params: tuple[Param, ...] = (IGM_XHI,)
    reference: str = "Miralda-Escudé 1998, ApJ 501, 15"

    def nodes(self) -> np.ndarray:
        """Return rest wavelengths [Å] at which the wing must be known."""
        return LYMAN_ALPHA_AA * (1.0 + np.append(0.0, np.geomspace(CORE, 0.2, 60)))

    def transmission(self, wave_rest: np.ndarray, p: Mapping[str, Array]) -> Array:
        """Return the transmitted fraction (n_wave,) beside that of the mean model.

        ``p`` holds ``igm_xhi`` and ``redshift``; ``wave_rest`` [Å] is concrete.
        """
        wave, z, neutral = np.asarray(wave_rest, np.float64), p["redshift"], p["igm_xhi"]
        in_line = jnp.asarray(wave / LYMAN_ALPHA_AA) * (1.0 + z) > 1.0 + Z_END
        blue = jnp.where(in_line, 1.0 - neutral, 1.0)
        wing = jnp.exp(-neutral * optical_depth(wave, z))
        return jnp.where(wave < LYMAN_ALPHA_AA, blue, wing)


DAMPING_WING = DampingWing()
