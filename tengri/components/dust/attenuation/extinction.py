"""Extinction curves of the Milky Way and the Magellanic Clouds, used as attenuation laws."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from tengri.components.array_module import Floats, array_module
from tengri.components.dust.attenuation.law import (
    PIVOT_UM,
    DustLaw,
    Shape,
    Values,
    fixed,
    microns,
    not_below_lyman_limit,
    once_not_held,
    polynomial,
)
from tengri.priors import Uniform
from tengri.registry import Param

#: a(x) and b(x), each (n_wave,).
Pair = tuple[Floats, Floats]


def ccm89(um: Floats) -> Pair:
    """Return a(x) and b(x) of Cardelli, Clayton & Mathis (1989), eqs. 2 to 5; x = 1/λ in 1/µm.

    Published for 0.3 < x < 10. The infrared power law goes on redward; blueward the far-UV
    polynomial goes on to the Lyman limit, where the curve becomes constant.
    """
    x, xp = 1.0 / not_below_lyman_limit(um), array_module(um)
    far_uv, uv, optical = x >= 8.0, x >= 3.3, x >= 1.1
    parts = _ccm_infrared(x), _ccm_optical(x), _ccm_uv(x), _ccm_far_uv(x)
    a, b = (
        xp.where(far_uv, p3, xp.where(uv, p2, xp.where(optical, p1, p0)))
        for p0, p1, p2, p3 in zip(*parts)
    )
    return a, b


def _ccm_infrared(x: Floats) -> Pair:
    return 0.574 * x**1.61, -0.527 * x**1.61


def _ccm_optical(x: Floats) -> Pair:
    y = x - 1.82
    a = [1.0, 0.17699, -0.50447, -0.02427, 0.72085, 0.01979, -0.77530, 0.32999]
    b = [0.0, 1.41338, 2.28305, 1.07233, -5.38434, -0.62251, 5.30260, -2.09002]
    return polynomial(y, a), polynomial(y, b)


def _ccm_uv(x: Floats) -> Pair:
    y = array_module(x).where(x < 5.9, 0.0, x - 5.9)
    f_a = polynomial(y, [0.0, 0.0, -0.04473, -0.009779])
    f_b = polynomial(y, [0.0, 0.0, 0.2130, 0.1207])
    a = 1.752 - 0.316 * x - 0.104 / ((x - 4.67) ** 2 + 0.341) + f_a
    b = -3.090 + 1.825 * x + 1.206 / ((x - 4.62) ** 2 + 0.263) + f_b
    return a, b


def _ccm_far_uv(x: Floats) -> Pair:
    y = x - 8.0
    a = [-1.073, -0.628, 0.137, -0.070]
    b = [13.670, 4.257, -0.420, 0.374]
    return polynomial(y, a), polynomial(y, b)


def cardelli(wave_aa: Floats, p: Values) -> Array:
    """Return a(x) + b(x)/R_V, 1 at 5500 Å."""
    r_v = p["dust_Rv"]
    a, b = map(jnp.asarray, ccm89(microns(wave_aa)))
    a_pivot, b_pivot = map(jnp.asarray, ccm89(PIVOT_UM))
    return (a + b / r_v) / (a_pivot + b_pivot / r_v)


def pei92(terms: list[tuple[float, float, float, float]]) -> Shape:
    r"""Return the sum of a Pei (1992) fit, eq. 20; published from 0.01 to 1000 µm.

    .. math:: \xi(\lambda) = \sum_i
        a_i / [(\lambda/\lambda_i)^{n_i} + (\lambda_i/\lambda)^{n_i} + b_i]

    ``terms`` lists (a, λ [µm], b, n): background, far-UV, 2175 Å, 9.7 µm, 18 µm, far infrared.
    """

    def shape(um: Floats) -> Floats:
        return sum(
            (a / ((um / at) ** n + (at / um) ** n + b) for a, at, b, n in terms),
            start=array_module(um).zeros_like(um),
        )

    return shape


# Pei (1992), table 4.
MILKY_WAY_TERMS = [
    (165.0, 0.047, 90.0, 2.0),
    (14.0, 0.08, 4.00, 6.5),
    (0.045, 0.22, -1.95, 2.0),
    (0.002, 9.7, -1.95, 2.0),
    (0.002, 18.0, -1.80, 2.0),
    (0.012, 25.0, 0.00, 2.0),
]
LMC_TERMS = [
    (175.0, 0.046, 90.0, 2.0),
    (19.0, 0.08, 5.50, 4.5),
    (0.023, 0.22, -1.95, 2.0),
    (0.005, 9.7, -1.95, 2.0),
    (0.006, 18.0, -1.80, 2.0),
    (0.020, 25.0, 0.00, 2.0),
]
SMC_TERMS = [
    (185.0, 0.042, 90.0, 2.0),
    (27.0, 0.08, 5.50, 4.0),
    (0.005, 0.22, -1.95, 2.0),
    (0.010, 9.7, -1.95, 2.0),
    (0.012, 18.0, -1.80, 2.0),
    (0.030, 25.0, 0.00, 2.0),
]

CARDELLI = DustLaw(
    "cardelli",
    (
        Param("dust_Rv", 3.1, Uniform(2.0, 6.0), (2.0, 6.0), "",
              "ratio of total to selective extinction A_V/E(B-V)", symbol="$R_V$"),
    ),
    cardelli,
    "Cardelli, Clayton & Mathis 1989, ApJ 345, 245",
)  # fmt: skip

PEI92 = "Pei 1992, ApJ 395, 130"

SMC = once_not_held(DustLaw("smc", (), fixed(pei92(SMC_TERMS)), PEI92))
LMC = once_not_held(DustLaw("lmc", (), fixed(pei92(LMC_TERMS)), PEI92))
MW = once_not_held(DustLaw("mw", (), fixed(pei92(MILKY_WAY_TERMS)), PEI92))
