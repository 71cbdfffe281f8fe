"""Ages and distances against ``astropy.cosmology``, and constants against ``astropy.constants``."""

from __future__ import annotations

import astropy.constants as const
import astropy.cosmology as ac
import astropy.units as u
import jax
import numpy as np
import pytest

from tengri import constants
from tengri.cosmology import FlatLambdaCDM, as_cosmology

Z = np.concatenate([np.geomspace(1e-4, 0.01, 30), np.linspace(0.011, 20.0, 300)])

ASTROPY = {
    "default": ac.FlatLambdaCDM(67.66, 0.30966, Tcmb0=0),
    "planck18_with_neutrinos": ac.Planck18,
    "wmap9": ac.WMAP9,
    "w0wa": ac.w0waCDM(70.0, 0.3, 0.7, w0=-0.9, wa=0.3),
    "curved": ac.LambdaCDM(70.0, 0.3, 0.75),
}


def assert_agrees(ours, theirs, rtol):
    for name, value in {
        "age_gyr": theirs.age(Z).to_value("Gyr"),
        "luminosity_distance_mpc": theirs.luminosity_distance(Z).to_value("Mpc"),
        "comoving_distance_mpc": theirs.comoving_transverse_distance(Z).to_value("Mpc"),
    }.items():
        np.testing.assert_allclose(getattr(ours, name)(Z), value, rtol=rtol, err_msg=name)


@pytest.mark.parametrize("h0, om0", [(67.66, 0.30966), (70.0, 0.3), (50.0, 0.9), (73.0, 0.15)])
def test_flat_lambda_cdm(h0, om0):
    theirs = ac.FlatLambdaCDM(h0, om0, Tcmb0=0)
    assert_agrees(FlatLambdaCDM(h0, om0), theirs, rtol=1e-8)
    np.testing.assert_allclose(
        FlatLambdaCDM(h0, om0).lookback_gyr(Z), theirs.lookback_time(Z).to_value("Gyr"), rtol=1e-8
    )


@pytest.mark.parametrize("name", ASTROPY)
def test_any_astropy_cosmology_is_tabulated(name):
    assert_agrees(as_cosmology(ASTROPY[name]), ASTROPY[name], rtol=1e-6)


@pytest.mark.parametrize("name", ["default", "planck18_with_neutrinos"])
def test_single_precision_keeps_a_millionth(name):
    with jax.enable_x64(False):
        assert_agrees(as_cosmology(ASTROPY[name]), ASTROPY[name], rtol=1.5e-6)
        assert_agrees(FlatLambdaCDM(), ASTROPY["default"], rtol=1e-6)


def test_constants():
    cgs = {
        "C_CM_S": const.c,
        "H_ERG_S": const.h,
        "K_ERG_K": const.k_B,
        "SIGMA_SB": const.sigma_sb,
        "G_CGS": const.G,
        "M_PROTON_G": const.m_p,
        "SIGMA_T_CM2": const.sigma_T,
        "LSUN_ERG_S": const.L_sun,
        "MSUN_G": const.M_sun,
        "AU_CM": const.au,
        "PC_CM": const.pc,
        "MPC_CM": 1.0 * u.Mpc,
        "GYR_S": 1.0 * u.Gyr,
        "YR_S": 1.0 * u.yr,
        "AA_CM": 1.0 * u.AA,
        "UM_CM": 1.0 * u.um,
    }
    for name, quantity in cgs.items():
        assert getattr(constants, name) == pytest.approx(quantity.cgs.value, rel=1e-9), name
    light = {"C_AA_PER_S": const.c.to_value("AA/s"), "C_KM_S": const.c.to_value("km/s")}
    for name, value in light.items():
        assert getattr(constants, name) == pytest.approx(value, rel=1e-15), name
