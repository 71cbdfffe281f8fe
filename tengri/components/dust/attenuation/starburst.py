"""Attenuation of starbursts and of galaxies at z ~ 2, without free parameters.

All are published as k(λ) = A(λ)/E(B-V), piecewise polynomials in 1/λ with λ in µm.
"""

from __future__ import annotations

from tengri.components.array_module import Floats, array_module
from tengri.components.dust.attenuation.law import DustLaw, Shape, extended, fixed, polynomial

#: A_V/E(B-V) of the starburst curve.
R_V_STARBURST = 4.05


def calzetti00(um: Floats) -> Floats:
    """Return k of Calzetti et al. (2000), eq. 4; published for 0.12–2.2 µm."""
    x = 1.0 / um
    blue = polynomial(x, [-2.156, 1.509, -0.198, 0.011])
    red = polynomial(x, [-1.857, 1.040])
    return 2.659 * array_module(um).where(um < 0.63, blue, red) + R_V_STARBURST


def leitherer02(um: Floats) -> Floats:
    """Return k of Leitherer et al. (2002), eq. 14; published for 0.097–0.18 µm."""
    return polynomial(1.0 / um, [5.472, 0.671, -9.218e-3, 2.620e-3])


def reddy15(um: Floats) -> Floats:
    """Return k of Reddy et al. (2015), eqs. 8 and 9; published for 0.15–2.85 µm."""
    x = 1.0 / um
    blue = polynomial(x, [-5.726, 4.004, -0.525, 0.029])
    red = polynomial(x, [-2.672, -0.010, 1.532, -0.412])
    return array_module(um).where(um < 0.60, blue, red) + 2.505


def starburst(leitherer_below_um: float) -> Shape:
    """Return Leitherer's curve below a wavelength [µm] and Calzetti's above, continued."""

    def joined(um: Floats) -> Floats:
        blue, red = leitherer02(um), calzetti00(um)
        return array_module(um).where(um < leitherer_below_um, blue, red)

    return extended(joined, 0.097, 2.2)


CALZETTI = DustLaw(
    "calzetti",
    (),
    fixed(extended(calzetti00, 0.12, 2.2)),
    "Calzetti et al. 2000, ApJ 533, 682",
)

LEITHERER02 = DustLaw(
    "leitherer02",
    (),
    fixed(starburst(leitherer_below_um=0.18)),
    "Leitherer et al. 2002, ApJS 140, 303, below 1800 Å; Calzetti et al. 2000 above",
)

REDDY15 = DustLaw(
    "reddy15",
    (),
    # The published curve reaches zero at its red end: its tangent there would not be a tail.
    fixed(extended(reddy15, 0.15, 2.6)),
    "Reddy et al. 2015, ApJ 806, 259",
)
