"""Extinction of the Milky Way against another code and published coefficients."""

from __future__ import annotations

import astropy.units as u
import jax.numpy as jnp
import numpy as np
import pytest
from dust_extinction.parameter_averages import CCM89, F99

from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.milky_way import MW_LAWS, MilkyWay
from tengri.observation.filters import load_filter

R_VS = (2.0, 2.7, 3.1, 4.0, 5.5, 6.0)
#: Schlafly & Finkbeiner (2011, ApJ 737, 103), table 6, R_V = 3.1: A_b per E(B−V) of the SFD map.
TABLE_6 = {"u": 4.239, "g": 3.303, "r": 2.285, "i": 1.698, "z": 1.263}


@pytest.mark.parametrize("r_v", R_VS)
def test_fitzpatrick99_is_dust_extinctions(r_v):
    x = np.linspace(0.3, 10.0, 500)
    theirs = F99(r_v)(x / u.um)
    ours = MilkyWay("fitzpatrick99", r_v, "none").extinction(1e4 / x) / r_v
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    k = np.asarray(LAWS["fitzpatrick99"].curve(1e4 / x, {"dust_Rv": r_v}))
    np.testing.assert_allclose(k, theirs / F99(r_v)(1.0 / 0.55 / u.um), rtol=1e-10)


@pytest.mark.parametrize("r_v", R_VS)
def test_cardelli_is_dust_extinctions(r_v):
    x = np.linspace(0.3, 10.0, 500)
    ours = MilkyWay("cardelli", r_v, "none").extinction(1e4 / x) / r_v
    np.testing.assert_allclose(ours, CCM89(r_v)(x / u.um), rtol=1e-10)


@pytest.mark.parametrize("band", TABLE_6)
def test_the_recalibrated_map_is_table_6(band):
    """In the light of a star of 7000 K, a black body here: to a hundredth."""
    curve, wave = load_filter(f"sdss_{band}"), np.linspace(2900.0, 11500.0, 8000)
    photons = (
        wave**-4
        / np.expm1(1.43878e8 / (wave * 7000.0))
        * np.interp(wave, curve.wave, curve.trans, 0.0, 0.0)
    )
    p = {"mw_ebv": jnp.asarray(0.1), "redshift": jnp.asarray(0.0)}
    seen = np.asarray(MilkyWay().transmission(wave, p))
    a = -2.5 * np.log10((photons * seen).sum() / photons.sum()) / 0.1
    assert a == pytest.approx(TABLE_6[band], rel=0.01)


def test_without_recalibration_it_is_the_reddening_of_the_law():
    b, v = 4400.0, 5500.0
    a = MilkyWay(recalibration="none").extinction(np.array([b, v]))
    assert a[1] == pytest.approx(3.1, rel=0.03) and a[0] - a[1] == pytest.approx(1.0, rel=0.06)
    # Cardelli et al. define A_V/E(B−V) at 5494 Å
    a = MilkyWay("cardelli", 3.1, "none").extinction(np.array([1e4 / 1.82]))
    assert a[0] == pytest.approx(3.1, rel=1e-9)


@pytest.mark.parametrize("law", MW_LAWS)
def test_the_table_is_the_law(law):
    galaxy = MilkyWay(law)
    p = {"mw_ebv": jnp.asarray(1.0), "redshift": jnp.asarray(0.7)}
    for lo, hi, error in ((912.0, 3000.0, 3e-4), (3000.0, 1e6, 3e-6)):
        wave = np.geomspace(lo, hi, 9001)
        a = -2.5 * np.log10(np.asarray(galaxy.transmission(wave / 1.7, p)))
        np.testing.assert_allclose(a, galaxy.extinction(wave), atol=error)
