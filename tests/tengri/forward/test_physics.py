"""Statements about the model galaxy, each against numbers worked out here, outside the model."""

from __future__ import annotations

import warnings
from dataclasses import replace

import astropy.cosmology
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, Uniform
from tengri.components.dust.attenuation import LAWS
from tengri.constants import LSUN_ERG_S
from tengri.errors import ParameterError
from tests.tengri.forward.conftest import SEED

C_AA = 2.99792458e18
CONST = {"sfh_const_log_total_mass": 10.0, "sfh_const_start_gyr": 0.02, "redshift": 0.1}
NO_DUST = {"dust_tau_bc": 0.0, "dust_tau_diff": 0.0}


@pytest.fixture(scope="module")
def coarse_ssp(ssp):
    """Four ages; the second bin, 3–30 Myr, straddles the 10 Myr at which birth clouds end."""
    ages = [int(np.argmin(np.abs(ssp.ssp_lg_age_gyr - lg))) for lg in (-2.8, -2.0, -1.0, 0.5)]
    wave = slice(None, None, 3)
    return replace(
        ssp,
        ssp_lg_age_gyr=ssp.ssp_lg_age_gyr[ages],
        ssp_wave=ssp.ssp_wave[wave],
        ssp_flux=ssp.ssp_flux[:, ages, wave],
        ssp_mass_remaining=ssp.ssp_mass_remaining[:, ages],
        age_edges_gyr=np.array([0.0, 0.003, 0.03, 1.0, 20.0]),
    )


def rest(ssp, **given) -> np.ndarray:
    """Return the spectrum with Lyα as light like any other: `test_lyman_alpha.py` has the rest."""
    spec = Parameters(**given, lya_escape="case_b")
    return np.asarray(SEDModel(spec, ssp).predict_rest_sed().sed)


def test_a_bin_that_straddles_10_myr_is_split_exactly(coarse_ssp):
    """20 Myr of constant formation: 15 % in the first bin, 85 % in the second, 35 of them young."""
    spec = Parameters(**CONST, **NO_DUST, met_logzsol=-0.1)
    formed = jax.jit(SEDModel(spec, coarse_ssp).galaxy.ssp_weights)(spec.resolve({}))
    by_age = np.asarray(formed.weights.sum(axis=0))
    np.testing.assert_allclose(by_age, [0.15, 0.35, 0.5, 0.0, 0.0], atol=1e-9)

    share = np.asarray(formed.weights.sum(axis=1))
    flux = np.einsum("m,maw->aw", share, coarse_ssp.ssp_flux.astype(float))
    young, old = 0.15 * flux[0] + 0.35 * flux[1], 0.5 * flux[1]
    k = LAWS["smc"].curve(coarse_ssp.ssp_wave, {})
    expected = 1e10 * LSUN_ERG_S * (np.exp(-0.7 * k) * young + old)
    dusty = {"dust_tau_bc": 0.7, "dust_tau_diff": 0.0, "dust_law": "smc"}
    np.testing.assert_allclose(rest(coarse_ssp, **CONST, **dusty, met_logzsol=-0.1), expected,
                               rtol=1e-8)  # fmt: skip


def test_each_component_has_its_own_law(coarse_ssp):
    laws = {"dust_law_bc": "smc", "dust_law_diff": "calzetti"}
    k_bc, k_diff = (LAWS[name].curve(coarse_ssp.ssp_wave, {}) for name in laws.values())
    young = {**CONST, "sfh_const_start_gyr": 0.009}
    old = {**CONST, "sfh_const_start_gyr": 9.0, "sfh_const_end_gyr": 2.0}
    lit = slice(int(np.searchsorted(coarse_ssp.ssp_wave, 1000.0)), None)
    for history, k in ((young, 0.4 * k_bc + 0.9 * k_diff), (old, 0.9 * k_diff)):
        dusty = rest(coarse_ssp, **history, **laws, dust_tau_bc=0.4, dust_tau_diff=0.9)
        clear = rest(coarse_ssp, **history, **laws, **NO_DUST)
        np.testing.assert_allclose(dusty[lit] / clear[lit], np.exp(-k[lit]), rtol=1e-7)


def test_an_unset_law_is_a_power_law_with_the_slope(coarse_ssp):
    old = {**CONST, "sfh_const_start_gyr": 9.0, "sfh_const_end_gyr": 2.0}
    clear, dusty = (
        rest(coarse_ssp, **old, dust_slope=-1.1, dust_tau_bc=0.0, dust_tau_diff=tau)
        for tau in (0.0, 0.5)
    )
    lit = coarse_ssp.ssp_wave > 1000.0
    curve = (coarse_ssp.ssp_wave / 5500.0) ** -1.1
    np.testing.assert_allclose((dusty / clear)[lit], np.exp(-0.5 * curve)[lit], rtol=1e-7)


def test_cosmology_is_the_one_given(coarse_ssp):
    """Stars of fixed ages: another cosmology changes the flux by the ratio of distances²."""
    observation = Instrument.SDSS().observation()
    theirs = astropy.cosmology.FlatLambdaCDM(H0=72.0, Om0=0.25, Tcmb0=0.0)
    default = astropy.cosmology.FlatLambdaCDM(H0=67.66, Om0=0.30966, Tcmb0=0.0)
    spec = Parameters(**{**CONST, "redshift": 0.7})
    other, ours = (
        SEDModel(spec, coarse_ssp, observation, cosmology=c).predict_photometry()
        for c in (theirs, None)
    )
    ratio = (default.luminosity_distance(0.7) / theirs.luminosity_distance(0.7)) ** 2
    np.testing.assert_allclose(other / ours, float(ratio), rtol=3e-6)
    # and the age of the Universe, where a history reaches that far
    flat = Parameters(sfh_const_log_total_mass=10.0, sfh_const_start_gyr=20.0, redshift=0.7)
    times = SEDModel(flat, coarse_ssp, cosmology=theirs).predict_sfh(n_linear=5)["t_gyr"]
    assert float(times[-1]) == pytest.approx(theirs.age(0.7).to_value("Gyr"), rel=1e-6)


@pytest.fixture(scope="module")
def two_free(coarse_ssp):
    """Metallicity is free; so is the diffuse dust, which has a default."""
    spec = Parameters(**CONST, dust_tau_diff=Uniform(0.0, 3.0, default=0.8), met_logzsol=(-1, 0.2))
    return SEDModel(spec, coarse_ssp, Instrument.SDSS().observation(), units="mag_ab")


def test_what_a_call_leaves_out(two_free):
    stated = two_free.predict_photometry({"met_logzsol": -0.2, "dust_tau_diff": 0.8})
    np.testing.assert_allclose(two_free.predict_photometry({"met_logzsol": -0.2}), stated)
    # an omitted Fixed takes its value, a given one is overridden, a scalar serves every galaxy
    rows = {"met_logzsol": np.array([0.1, -0.2] * 4)}
    near = two_free.predict_photometry_batch(rows)
    np.testing.assert_allclose(near[1], stated, rtol=1e-9)
    np.testing.assert_allclose(two_free.predict_photometry_batch({**rows, "redshift": 0.1}), near)
    assert np.all(two_free.predict_photometry_batch({**rows, "redshift": 0.3}) > near + 1.0)
    with pytest.raises(ParameterError, match="met_logzsol"):
        two_free.predict_photometry({"dust_tau_diff": 0.8})


def test_sobol_rows_go_through_the_model(two_free):
    first = two_free.predict_photometry_batch(two_free.spec.sample_sobol(8, seed=3))
    assert first.shape == (8, 5) and np.isfinite(first).all()
    later = two_free.predict_photometry_batch(two_free.spec.sample_sobol(8, seed=3, skip=5))
    np.testing.assert_allclose(later[:3], first[5:], rtol=1e-9)


@pytest.mark.slow
def test_histories_without_stars_are_refused_by_every_prediction(coarse_ssp):
    spec = Parameters(**{**SEED, "sfh_tsnorm_peak_lbt_gyr": 12.0, "sfh_tsnorm_width_gyr": 0.2,
                         "redshift": (0.1, 8.0)})  # fmt: skip
    model = SEDModel(spec, coarse_ssp)
    for predict in (model.predict_rest_sed, model.predict_obs_sed, model.predict_derived,
                    model.predict_sfh):  # fmt: skip
        with pytest.raises(ParameterError, match="No stars by z = 7"):
            predict({"redshift": 7.0})
    with pytest.warns(UserWarning, match=r"2 of 3 galaxies formed no stars.*rows 0, 2"):
        model.predict_rest_sed_batch({"redshift": np.array([7.0, 0.1, 7.5])})


# --- derived quantities, from the returned spectrum --------------------------------------------


@pytest.fixture(scope="module")
def derived(ssp):
    model = SEDModel(Parameters(**SEED, lya_escape="case_b"), ssp)
    sed = model.predict_rest_sed()
    return np.asarray(sed.wavelength), np.asarray(sed.sed), model.predict_derived()


def mean_over(wave, lnu, lo, hi):
    """Mean over wavelength on a fine grid."""
    fine = np.linspace(lo, hi, 200_001)
    return np.trapezoid(np.interp(fine, wave, lnu), fine) / (hi - lo)


def test_break_and_ultraviolet_slope_are_those_of_the_spectrum(derived):
    wave, lnu, d = derived
    dn4000 = mean_over(wave, lnu, 4000.0, 4100.0) / mean_over(wave, lnu, 3850.0, 3950.0)
    assert float(d["dn4000"]) == pytest.approx(dn4000, rel=1e-5)
    inside = (wave >= 1268.0) & (wave <= 2580.0)
    x, y = np.log(wave[inside]), np.log(lnu[inside] * C_AA / wave[inside] ** 2)
    slope = np.polyfit(x, y, 1, w=np.sqrt(np.gradient(x)))[0]
    assert float(d["uv_slope"]) == pytest.approx(slope, abs=1e-6)
    f_10pc = mean_over(wave, lnu, 1450.0, 1550.0) / (4 * np.pi * (10 * 3.0856775814913673e18) ** 2)
    assert float(d["m_uv"]) == pytest.approx(-2.5 * np.log10(f_10pc) - 48.6, abs=1e-4)


def test_luminosities_balance(derived, ssp):
    """What dust takes from the stars is the difference between the spectra without and with it."""
    wave, lnu, d = derived
    nu = C_AA / wave
    clear = rest(ssp, **{**SEED, **NO_DUST})
    assert float(d["l_bol"]) == pytest.approx(-np.trapezoid(lnu, nu) / LSUN_ERG_S, rel=1e-6)
    absorbed = -np.trapezoid(clear - lnu, nu) / LSUN_ERG_S
    assert float(d["l_dust"]) == pytest.approx(absorbed, rel=1e-6)
    glowing = SEDModel(Parameters(**SEED, dust_emission="dl07", lya_escape="case_b"), ssp)
    dust = glowing.predict_rest_components_batch({"redshift": np.array([0.1])})["dust"][0]
    emitted = -np.trapezoid(np.asarray(dust), C_AA / glowing.galaxy.wave)
    assert emitted / LSUN_ERG_S == pytest.approx(absorbed, rel=2e-3)


def test_masses_rates_and_ages_of_a_constant_history(ssp):
    spec = Parameters(sfh_const_log_total_mass=10.0, sfh_const_start_gyr=2.0, met_logzsol=-0.4,
                      redshift=0.1)  # fmt: skip
    d = SEDModel(spec, ssp).predict_derived()
    assert float(d["stellar_mass"]) == pytest.approx(1e10, rel=1e-9)
    assert float(d["sfr_10myr"]) == pytest.approx(5.0, rel=1e-6)
    assert float(d["sfr_100myr"]) == pytest.approx(5.0, rel=1e-6)
    assert float(d["ssfr"]) == pytest.approx(5e-10, rel=1e-6)
    assert float(d["mass_weighted_age_gyr"]) == pytest.approx(1.0, rel=0.01)
    assert float(d["mass_weighted_logzsol"]) == pytest.approx(-0.4, abs=1e-3)
    surviving = np.asarray(ssp.ssp_mass_remaining)[:, np.abs(ssp.ssp_lg_age_gyr - 0.0).argmin()]
    assert float(d["stellar_mass_surviving"]) / 1e10 == pytest.approx(surviving[3], abs=0.08)


def test_spectra_do_not_need_the_bands_to_be_reached(ssp):
    """A model of the far ultraviolet gives optical spectra at a redshift where its band is lost."""
    short = ssp.ssp_wave > 1000.0
    cut = replace(ssp, ssp_wave=ssp.ssp_wave[short], ssp_flux=ssp.ssp_flux[:, :, short])
    observation = Instrument.from_names(["galex_fuv"]).observation()
    model = SEDModel(Parameters(**{**SEED, "redshift": 0.1}), cut, observation)
    flux = model.predict_spectrum([5000.0, 6000.0], {"redshift": 1.0})
    sed = model.predict_obs_sed({"redshift": 1.0})
    np.testing.assert_allclose(
        flux, np.interp([5000.0, 6000.0], sed.wavelength, sed.sed), rtol=1e-9
    )
    absorbed = np.asarray(model.predict_obs_sed({"redshift": 4.0}).sed)
    at_4 = np.asarray(model.galaxy.wave)
    assert absorbed[at_4 < 1210.0].max() < 0.9 * absorbed[(at_4 > 1220.0) & (at_4 < 1300.0)].max()


def test_every_prediction_works_in_jit_and_grad(seed_model):
    def numbers(z):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            p = {"redshift": z}
            d = seed_model.predict_derived(p)
            return jnp.array([
                jnp.log(seed_model.predict_spectrum(np.array([5000.0]), p)[0]),
                jnp.log(seed_model.predict_obs_sed(p).sed[900]),
                jnp.log(seed_model.predict_sfh(p, n_linear=10)["sfr"][3]),
                jnp.log(d["stellar_mass"]), d["dn4000"], d["m_uv"],
            ])  # fmt: skip

    jacobian = jax.jit(jax.jacfwd(numbers))(0.1)
    h = 1e-4
    numeric = (numbers(0.1 + h) - numbers(0.1 - h)) / (2 * h)
    np.testing.assert_allclose(jacobian, numeric, rtol=1e-4, atol=1e-6)
