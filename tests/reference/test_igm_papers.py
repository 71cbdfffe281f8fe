r"""Intergalactic absorption against what its papers start from.

Inoue et al. (2014) derive their formulas from a distribution of absorbers (their eqs. 4 to 8
and table 1). Here the optical depths are integrated numerically from that distribution and from
atomic data, without any of the derived coefficients: a slip in copying one of them shows.
The published equations are also evaluated literally, line by line and case by case.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import wofz

from tengri.components.igm import IGM_MODELS, inoue14, madau95
from tengri.components.igm.lyman_series import LYMAN_SERIES

# --- Inoue et al. (2014): the distribution of absorbers ----------------------------------

N_LOWEST, N_CUTOFF = 1e12, 1e21  # cm^-2
SIGMA_LIMIT = 6.30e-18  # photoionisation cross-section at the Lyman limit [cm²]
DOPPLER = 28.0e5  # cm/s
LOG_N = np.linspace(np.log(N_LOWEST), np.log(100 * N_CUTOFF), 6001)
N = np.exp(LOG_N)

BETA = {"laf": 1.7, "dla": 0.9}
#: z-evolution: number at the first break, breaks in 1+z, exponents of 1+z between them.
EVOLUTION = {"laf": (500.0, (2.2, 5.7), (0.2, 2.7, 4.5)), "dla": (1.1, (3.0,), (1.0, 2.0))}


def column_density_weights(kind):
    """g(N) dN on the grid, normalised to 1."""
    g = N ** (1.0 - BETA[kind]) * np.exp(-N / N_CUTOFF)
    return g / np.trapezoid(g, LOG_N) * np.gradient(LOG_N)


WEIGHTS = {kind: column_density_weights(kind) for kind in BETA}


def absorbers(kind, u):
    """Absorbers per unit redshift at u = 1+z."""
    number, breaks, exponents = EVOLUTION[kind]
    edges = (0.0, *breaks, np.inf)
    at_edge = number
    for i, exponent in enumerate(exponents):
        if u < edges[i + 1]:
            anchor = breaks[0] if i == 0 else edges[i]
            return at_edge * (u / anchor) ** exponent
        if i > 0:
            at_edge *= (edges[i + 1] / edges[i]) ** exponent
    raise AssertionError


def continuum_opacity(kind, R_over_u):
    """Mean of 1 - exp(-τ) over the absorbers; σ falls as λ³ below the limit."""
    return np.sum(WEIGHTS[kind] * -np.expm1(-N * SIGMA_LIMIT * R_over_u**3))


def continuum_from_distribution(kind, R, u_source):
    nearest = max(R, 1.0)
    return quad(
        lambda u: absorbers(kind, u) * continuum_opacity(kind, R / u),
        nearest, u_source, points=[b for b in (2.2, 3.0, 5.7) if nearest < b < u_source] or None,
        epsrel=1e-5,
    )[0]  # fmt: skip


# The paper's closed form lets the forest reach down to N = 0, which adds 2 %.
@pytest.mark.parametrize("kind, tolerance", [("laf", 0.026), ("dla", 1e-3)])
def test_lyman_continuum_from_the_distribution_of_absorbers(kind, tolerance):
    model = {"laf": inoue14.laf_continuum, "dla": inoue14.dla_continuum}[kind]
    for z in (0.6, 1.5, 2.5, 4.0, 5.5, 7.0):
        rest_ratio = np.array([0.3, 0.6, 0.8, 0.95])
        expected = [continuum_from_distribution(kind, r * (1 + z), 1 + z) for r in rest_ratio]
        np.testing.assert_allclose(
            model(rest_ratio, jnp.asarray(1.0 + z)), expected, rtol=tolerance, err_msg=f"z={z}"
        )


#: Level: wavelength [Å], oscillator strength, damping constant [1/s] (Morton 2003).
ATOMIC = {
    2: (1215.67, 0.4164, 6.265e8),
    3: (1025.722, 0.07912, 1.897e8),
    4: (972.537, 0.02900, 8.127e7),
}


def equivalent_width(level):
    """Rest equivalent width [Å] for each column density, by the Voigt profile."""
    wavelength, strength, damping = ATOMIC[level]
    cm = wavelength * 1e-8
    a = damping * cm / (4 * np.pi * DOPPLER)
    centre = 0.014971876 * strength * cm / DOPPLER  # τ0/N = √π e²/(m_e c) f λ / b
    x = np.concatenate([np.linspace(0.0, 8.0, 400), np.geomspace(8.02, 1e5, 700)])
    depth = -np.expm1(-np.outer(N * centre, wofz(x + 1j * a).real))
    return 2.0 * np.trapezoid(depth, x, axis=1) * wavelength * DOPPLER / 2.99792458e10


@pytest.mark.parametrize("level", ATOMIC)
def test_forest_line_coefficients_from_the_curve_of_growth(level):
    wavelength = ATOMIC[level][0]
    mean_width = np.sum(WEIGHTS["laf"] * equivalent_width(level))
    row = LYMAN_SERIES[LYMAN_SERIES[:, 0] == level][0]
    for u, coefficient, exponent in zip((1.8, 4.0, 6.5), row[2:5], inoue14.LAF_EXPONENTS):
        # τ = dn/dz · W (1+z) / λ_line at the redshift of the absorbers, u = 1+z
        expected = absorbers("laf", u) * mean_width * u / wavelength
        assert coefficient * u**exponent == pytest.approx(expected, rel=0.1)


def test_every_line_of_the_table_evolves_like_the_absorbers():
    """The columns differ by the evolution alone; along the series the strengths fall smoothly."""
    a1, a2, a3, d1, d2 = LYMAN_SERIES[:, 2:].T
    np.testing.assert_allclose(a2 / a1, 2.2 ** (1.2 - 3.7), rtol=1e-3)
    np.testing.assert_allclose(a3 / a2, 5.7 ** (3.7 - 5.5), rtol=1e-3)
    np.testing.assert_allclose(d2 / d1, 1.0 / 3.0, rtol=1e-3)
    for strength in (a1, d1):
        steps = np.diff(np.log(strength))
        assert np.all(steps < 0.0)
        assert np.all(np.abs(np.diff(steps)[6:]) < 0.03)


# --- Inoue et al. (2014): the published equations, evaluated literally --------------------


def published_optical_depth(wave_obs, z):
    """Eqs. 20 to 29, one wavelength at a time."""
    tau, R = 0.0, wave_obs / 911.8
    for _, line, a1, a2, a3, d1, d2 in LYMAN_SERIES:
        if not line < wave_obs < line * (1 + z):
            continue
        r = wave_obs / line
        tau += a1 * r**1.2 if r < 2.2 else a2 * r**3.7 if r < 5.7 else a3 * r**5.5
        tau += d1 * r**2.0 if r < 3.0 else d2 * r**3.0
    if wave_obs < 911.8 * (1 + z):
        if z < 1.2:
            tau += 0.325 * (R**1.2 - (1 + z) ** -0.9 * R**2.1)
        elif z < 4.7:
            if R < 2.2:
                tau += 2.55e-2 * (1 + z) ** 1.6 * R**2.1 + 0.325 * R**1.2 - 0.250 * R**2.1
            else:
                tau += 2.55e-2 * ((1 + z) ** 1.6 * R**2.1 - R**3.7)
        elif R < 2.2:
            tau += 5.22e-4 * (1 + z) ** 3.4 * R**2.1 + 0.325 * R**1.2 - 3.14e-2 * R**2.1
        elif R < 5.7:
            tau += 5.22e-4 * (1 + z) ** 3.4 * R**2.1 + 0.218 * R**2.1 - 2.55e-2 * R**3.7
        else:
            tau += 5.22e-4 * ((1 + z) ** 3.4 * R**2.1 - R**5.5)
        if z < 2.0:
            tau += 0.211 * (1 + z) ** 2 - 7.66e-2 * (1 + z) ** 2.3 * R**-0.3 - 0.135 * R**2
        elif R < 3.0:
            tau += 0.634 + 4.70e-2 * (1 + z) ** 3 - 1.78e-2 * (1 + z) ** 3.3 * R**-0.3
            tau += -0.135 * R**2 - 0.291 * R**-0.3
        else:
            tau += 4.70e-2 * (1 + z) ** 3 - 1.78e-2 * (1 + z) ** 3.3 * R**-0.3 - 2.92e-2 * R**3
    return tau


REDSHIFTS = (0.3, 0.9, 1.19, 1.6, 2.1, 3.0, 3.7, 4.69, 4.71, 5.5, 6.2, 7.0, 9.0)


@pytest.mark.parametrize("z", REDSHIFTS)
def test_inoue_is_the_published_equations(z):
    rest = np.concatenate([np.linspace(1220.0 / (1 + z), 1214.0, 150), LYMAN_SERIES[:, 1]])
    rest = rest[rest * (1 + z) > 1216.0]
    expected = np.exp([-published_optical_depth(w * (1 + z), z) for w in rest])
    value = np.asarray(IGM_MODELS["inoue"].transmission(rest, z))
    # Three digits of the continuum coefficients let its pieces miss each other by so much.
    np.testing.assert_allclose(value, expected, atol=7e-3)
    above_limit = rest > 912.4
    np.testing.assert_allclose(value[above_limit], expected[above_limit], atol=1e-4)


def test_lyman_alpha_forest_matches_measured_opacity():
    """Becker et al. (2013, MNRAS 430, 2067): τ_eff = 0.751 ((1+z)/4.5)^2.90 - 0.132."""
    z_source = 5.0
    for z in np.linspace(2.5, 4.4, 9):
        rest = np.array([1215.67 * (1 + z) / (1 + z_source)])
        tau = inoue14.line_group(rest, LYMAN_SERIES[:1], jnp.asarray(1 + z_source))
        assert float(tau[0]) == pytest.approx(0.751 * ((1 + z) / 4.5) ** 2.90 - 0.132, rel=0.08)


# --- Madau (1995) -------------------------------------------------------------------------


def madau_continuum_from_distribution(c, u_source):
    """Eq. 16 with the absorbers of eq. 10, integrated over column density and redshift."""

    def opacity(u, lo, hi, amplitude, exponent):
        n = np.geomspace(lo, hi, 400)
        sigma = 6.3e-18 * (c / u) ** 3
        return amplitude * np.trapezoid(n**-1.5 * -np.expm1(-n * sigma), n) * u**exponent

    return quad(
        lambda u: opacity(u, 2e12, 1.59e17, 2.4e7, 2.46) + opacity(u, 1.59e17, 1e20, 1.9e8, 0.68),
        c, u_source, epsrel=1e-4,
    )[0]  # fmt: skip


@pytest.mark.parametrize("z", [2.0, 3.5, 5.0])
def test_madau_continuum_from_the_distribution_of_absorbers(z):
    # The paper calls its approximation good to 5 %.
    ratio = np.array([0.75, 0.85, 0.95])
    expected = [madau_continuum_from_distribution(r * (1 + z), 1 + z) for r in ratio]
    np.testing.assert_allclose(madau95.continuum(ratio, jnp.asarray(1.0 + z)), expected, rtol=0.06)


@pytest.mark.parametrize("z", [1.0, 3.0, 4.5])
def test_madau_is_the_published_equations(z):
    rest = np.linspace(1300.0 / (1 + z), 1210.0, 200)
    x, tau = 1 + z, np.zeros(rest.size)
    obs = rest * x
    for line, a in ((1215.67, 0.0036), (1025.72, 0.0017), (972.54, 0.0012), (949.74, 0.00093)):
        tau += np.where(rest < line, a * (obs / line) ** 3.46, 0.0)
    c = np.clip(obs / 912.0, 1.0, None)
    photo = 0.25 * c**3 * (x**0.46 - c**0.46) + 9.4 * c**1.5 * (x**0.18 - c**0.18)
    photo -= 0.7 * c**3 * (c**-1.32 - x**-1.32) + 0.023 * (x**1.68 - c**1.68)
    tau += np.where(rest < 912.0, photo, 0.0)
    np.testing.assert_allclose(IGM_MODELS["madau"].transmission(rest, z), np.exp(-tau), rtol=1e-10)


def test_inoue_transmits_more_lyman_continuum_than_madau():
    """Abstract of Inoue et al. (2014): Madau overestimates it by more than 0.5 mag at z > 3."""
    rest = np.array([850.0])
    for z in (3.0, 4.0):
        inoue, madau = (IGM_MODELS[n].transmission(rest, z)[0] for n in ("inoue", "madau"))
        assert 2.5 * np.log10(inoue / madau) > 0.5
