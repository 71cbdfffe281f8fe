"""``modified_blackbody`` and ``casey2012`` against their papers, scipy and astropy."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import BlackBody
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import lambertw

from tengri.components.dust.emission import EMISSION_MODELS
from tengri.components.dust.emission.casey2012 import turnover_um

C_UM_S = 2.99792458e14
DEFAULTS = {"dust_T": 35.0, "dust_beta_ir": 1.6, "dust_alpha_mir": 2.0, "dust_lambda_0_um": 200.0}


def lnu(name, um, **p):
    return np.asarray(EMISSION_MODELS[name].spectrum(np.atleast_1d(um) * 1e4, DEFAULTS | p))


def peak_um(name, lo, hi, power=0.0, **p):
    """Return where ν^power L_ν is largest [µm]."""
    found = minimize_scalar(
        lambda x: -np.log(lnu(name, np.exp(x), **p)[0]) + power * x,
        bounds=(np.log(lo), np.log(hi)), method="bounded", options={"xatol": 1e-8},
    )  # fmt: skip
    return float(np.exp(found.x))


def planck(um, temperature):
    return BlackBody(temperature=temperature * u.K)(um * u.um).value


def integral(lnu_of_um):
    """Return ∫ L_ν dν over 4 µm to 3 cm."""
    return quad(lambda x: lnu_of_um(np.exp(x)) * C_UM_S / np.exp(x), np.log(4.0), np.log(3e4),
                limit=500, epsrel=1e-8)[0]  # fmt: skip


# --- modified black body ----------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [15.0, 35.0, 80.0])
def test_wien_displacement(temperature):
    """β = 0: CODATA 2018 b′ = 5.878 925 757e10 Hz/K, and b = 2897.771 955 µm K in L_λ = ν² L_ν."""
    p = {"dust_T": temperature, "dust_beta_ir": 0.0}
    um = C_UM_S / (5.878925757e10 * temperature)
    assert peak_um("modified_blackbody", um / 2, um * 2, **p) == pytest.approx(um, rel=1e-6)
    um = 2897.771955 / temperature
    assert peak_um("modified_blackbody", um / 2, um * 2, 2.0, **p) == pytest.approx(um, rel=1e-6)


@pytest.mark.parametrize("beta", [1.0, 1.6, 2.5])
def test_displacement_with_emissivity(beta):
    """x = hν/kT at the peak solves x = (3+β)(1 − e^−x): Lambert's W."""
    n = 3.0 + beta
    x = n + lambertw(-n * np.exp(-n)).real
    um = 14387.768775 / (35.0 * x)
    assert peak_um("modified_blackbody", 50, 300, dust_beta_ir=beta) == pytest.approx(um, rel=1e-6)


@pytest.mark.parametrize("temperature", [15.0, 80.0])
@pytest.mark.parametrize("beta", [1.0, 1.6, 2.5])
def test_modified_blackbody_is_astropys_normalised(temperature, beta):
    um = np.geomspace(1500.0 / temperature, 3e3, 40)

    def shape(um):
        return (100.0 / um) ** beta * planck(um, temperature)

    expected = shape(um) / integral(shape)
    got = lnu("modified_blackbody", um, dust_T=temperature, dust_beta_ir=beta)
    assert got == pytest.approx(expected, rel=2e-6)


# --- Casey 2012 ---------------------------------------------------------------------------------


def paper(um, temperature, beta, alpha, lambda0):
    """Equation 3 and table 1 of Casey (2012) in SI units, N_bb = 1."""
    h, k, c = 6.62607015e-34, 1.380649e-23, 2.99792458e8

    def grey_body(m):
        return ((1 - np.exp(-((lambda0 * 1e-6 / m) ** beta))) * (c / m) ** 3
                / np.expm1(h * c / (m * k * temperature)))  # fmt: skip

    lam, b = um * 1e-6, (26.68, 6.246, 1.905e-4, 7.243e-5)
    lam_c = 0.75e-6 / ((b[0] + b[1] * alpha) ** -2 + (b[2] + b[3] * alpha) * temperature)
    n_pl = grey_body(lam_c) * lam_c**-alpha
    return grey_body(lam) + n_pl * lam**alpha * np.exp(-((lam / lam_c) ** 2))


@pytest.mark.parametrize("temperature", [20.0, 35.0, 70.0])
@pytest.mark.parametrize("alpha", [1.5, 2.0, 2.5])
def test_shape_of_the_paper(temperature, alpha):
    um = np.geomspace(8.0, 1000.0, 60)  # what the paper fits and integrates
    theirs = paper(um, temperature, 1.6, alpha, 200.0)
    ours = lnu("casey2012", um, dust_T=temperature, dust_alpha_mir=alpha)
    # our cut-off at 1 µm changes the power law by 2.4e-4 at 8 µm
    assert ours / ours[-1] == pytest.approx(theirs / theirs[-1], rel=3e-4)


def test_turnover_by_hand():
    # (26.68 + 2·6.246)⁻² + (1.905e-4 + 2·7.243e-5)·35 = 6.517e-4 + 1.17377e-2; 0.75 / that
    assert float(turnover_um(2.0, 35.0)) == pytest.approx(60.54, abs=0.01)


def test_limits_of_the_grey_body():
    """Thick dust is a black body, thin dust ν^β B_ν, where the power law has faded."""
    um = np.array([400.0, 800.0])
    thick = lnu("casey2012", um, dust_lambda_0_um=2000.0, dust_beta_ir=4.0, dust_T=60.0)
    assert thick[0] / thick[1] == pytest.approx(planck(400.0, 60.0) / planck(800.0, 60.0), rel=1e-6)
    um = np.array([1500.0, 3000.0])
    thin = lnu("casey2012", um, dust_lambda_0_um=1.0)
    expected = lnu("modified_blackbody", um)
    assert thin[0] / thin[1] == pytest.approx(expected[0] / expected[1], rel=1e-4)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 3.0])
def test_mid_infrared_slope_is_alpha(alpha):
    a, b = lnu("casey2012", [5.0, 6.0], dust_alpha_mir=alpha)
    assert np.log(b / a) / np.log(6.0 / 5.0) == pytest.approx(alpha, abs=0.03)
