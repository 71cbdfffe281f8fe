"""Damping wing and damped absorber against integrals, other formulas and published numbers."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import voigt_profile

from tengri.components.igm import ABSORBER, DAMPING_WING, absorber, damping_wing
from tengri.constants import C_KM_S, LYMAN_ALPHA_AA

#: π e²/(m_e c) [cm² Hz].
CLASSICAL = 0.026540


# --- damping wing: Miralda-Escudé (1998) ------------------------------------------------------


def wing_by_integration(wave, z, z_end=6.0):
    """Eqs. 9 to 11: the cross-section of a two-level atom, summed up along the path."""
    hubble = np.sqrt(0.1424) * 1e7 / 3.0856776e24  # [1/s] at z = 0, of matter alone
    hydrogen = 0.7547 * 0.02237 * 1.8783e-29 / 1.67262e-24
    nu_alpha, decay, c = 2.99792458e18 / LYMAN_ALPHA_AA, 6.265e8, 2.99792458e10

    def per_redshift(at):
        nu = nu_alpha * LYMAN_ALPHA_AA / wave * (1 + at) / (1 + z)
        sigma = (3 * (LYMAN_ALPHA_AA * 1e-8) ** 2 * decay**2 / (8 * np.pi)
                 * (nu / nu_alpha) ** 4 / (2 * np.pi * (nu - nu_alpha)) ** 2)  # fmt: skip
        return hydrogen * (1 + at) ** 3 * sigma * c / (hubble * (1 + at) ** 2.5)

    return quad(per_redshift, z_end, z, epsrel=1e-8, limit=200)[0]


@pytest.mark.parametrize("z", [6.1, 7.0, 9.0, 13.0])
def test_the_wing_is_the_integral_along_the_path(z):
    wave = LYMAN_ALPHA_AA * (1.0 + np.array([1e-3, 5e-3, 0.02, 0.1]))
    expected = [wing_by_integration(w, z) for w in wave]
    got = damping_wing.optical_depth(wave, jnp.asarray(z))
    np.testing.assert_allclose(got, expected, rtol=1e-3)


def test_the_gunn_peterson_depth_is_the_published_one():
    """Umeda et al. (2024): 3.88e5 ((1+z)/7)^1.5; Dijkstra (2014, PASA 31, 40): 7.0e5 at z = 9."""
    assert damping_wing.gunn_peterson(6.0) == pytest.approx(3.88e5, rel=0.01)
    assert damping_wing.gunn_peterson(9.0) == pytest.approx(7.0e5, rel=0.07)


@pytest.mark.parametrize("velocity", [150.0, 300.0, 600.0])
def test_the_wing_is_dijkstras_rule(velocity):
    """Dijkstra (2014), eq. 30, for a long path: τ = 2.3 x (600 km/s / Δv) ((1+z)/10)^1.5."""
    wave = np.array([LYMAN_ALPHA_AA * (1.0 + velocity / C_KM_S)])
    for z in (9.0, 12.0):
        tau = float(damping_wing.optical_depth(wave, jnp.asarray(z))[0])
        assert tau == pytest.approx(2.3 * 600 / velocity * ((1 + z) / 10) ** 1.5, rel=0.15)


def test_nodes_resolve_the_wing():
    """The dark width of the wing, linear between its nodes, to 0.05 Å."""
    fine = LYMAN_ALPHA_AA * (1.0 + np.append(0.0, np.geomspace(1e-5, 0.19, 4001)))
    for z, neutral in ((6.3, 1.0), (8.0, 0.05), (8.0, 1.0), (12.0, 1.0)):
        p = {"igm_xhi": jnp.asarray(neutral), "redshift": jnp.asarray(z)}
        dark, coarse = (1.0 - np.asarray(DAMPING_WING.transmission(w, p))
                        for w in (fine, DAMPING_WING.nodes()))  # fmt: skip
        linear = np.interp(fine, DAMPING_WING.nodes(), coarse)
        assert abs(np.trapezoid(linear - dark, fine)) < 0.05


# --- damped absorber --------------------------------------------------------------------------


def test_lines_are_voigt_profiles():
    """Lyman α in frequency, by another function: σ = π e²/(m_e c) f φ(ν)."""
    wave = np.array([1195.0, 1213.0, 1215.6, 1215.67, 1216.0, 1225.0, 1260.0])
    nu, nu_alpha = 2.99792458e18 / wave, 2.99792458e18 / LYMAN_ALPHA_AA
    doppler = nu_alpha * absorber.DOPPLER_KM_S / C_KM_S
    phi = voigt_profile(nu - nu_alpha, doppler / np.sqrt(2.0), 6.265e8 / (4 * np.pi))
    got = absorber.line_cross_section(wave)
    np.testing.assert_allclose(got, CLASSICAL * 0.41620 * phi, rtol=5e-3)


def test_tepper_garcia_gives_the_same_profile():
    """Tepper-García (2006, MNRAS 369, 2025), eq. 25, away from the centre."""
    wave = np.array([1190.0, 1210.0, 1214.0, 1217.0, 1222.0, 1250.0])
    b, c = absorber.DOPPLER_KM_S * 1e5, 2.99792458e10
    width = LYMAN_ALPHA_AA * b / c
    a = 6.265e8 * (LYMAN_ALPHA_AA * 1e-8) ** 2 / (4 * np.pi * c * width * 1e-8)
    x = (LYMAN_ALPHA_AA / wave - 1.0) * c / b
    p, q = x**2, 1.5 / x**2
    h0 = np.exp(-p)
    h = h0 - a / np.sqrt(np.pi) / p * (h0 * h0 * (4 * p * p + 7 * p + 4 + q) - q - 1)
    expected = 0.0149736 * 0.41620 * LYMAN_ALPHA_AA * 1e-8 / b * h
    np.testing.assert_allclose(absorber.line_cross_section(wave), expected, rtol=5e-3)


def test_nodes_resolve_the_absorber():
    fine, nodes = np.linspace(1100.0, 1500.0, 20001), ABSORBER.nodes()
    for log_n in (20.0, 21.5, 22.5):
        p = {"igm_log_nhi_dla": jnp.asarray(log_n)}
        linear = np.interp(fine, nodes, np.asarray(ABSORBER.transmission(nodes, p)))
        missed = np.trapezoid(linear - np.asarray(ABSORBER.transmission(fine, p)), fine)
        assert abs(missed) < 3e-3 * 7.3 * 10 ** (0.5 * (log_n - 20.0))


@pytest.mark.parametrize("log_n", [20.3, 21.0, 21.5])
def test_the_equivalent_width_is_that_of_damped_lines(log_n):
    """Draine (2011), eq. 9.24: W = 7.3 Å (N / 1e20 cm⁻²)^½ in the damped regime."""
    wave = np.linspace(1100.0, 1500.0, 20001)
    t = np.asarray(ABSORBER.transmission(wave, {"igm_log_nhi_dla": jnp.asarray(log_n)}))
    width = 7.3 * 10 ** (0.5 * (log_n - 20.0))
    assert np.trapezoid(1.0 - t, wave) == pytest.approx(width, rel=0.04)


def test_strengths_are_the_tabulated_ones():
    """Morton (2003, ApJS 149, 205), table 2."""
    f = absorber.oscillator_strength(np.arange(2, 7))
    np.testing.assert_allclose(f, [0.4164, 0.07912, 0.02900, 0.01394, 0.007799], rtol=1e-3)


def test_photoionisation_is_verners_fit():
    """Verner et al. (1996, ApJ 465, 487): the fit of H I."""
    ev = np.array([13.7, 20.0, 30.0, 54.4, 136.0, 500.0])
    y = ev / 0.4298
    fit = 5.475e4 * (y - 1) ** 2 * y ** (0.5 * 2.963 - 5.5) * (1 + np.sqrt(y / 32.88)) ** -2.963
    np.testing.assert_allclose(absorber.photoionisation(12398.42 / ev), fit * 1e-18, rtol=0.02)
