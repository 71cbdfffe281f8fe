"""Nebular emission on the stellar grid, against the embedded nebular grid and atomic physics."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.stellar.ionising import IonisingLight
from tengri.components.stellar.nebular import Gas
from tengri.components.stellar.nebular_table import cloudy_table
from tengri.constants import C_AA_PER_S
from tengri.errors import ConfigError, DataError, ParameterError

PLANCK = 6.62607015e-27
H_BETA, H_ALPHA, OIII = 4862.7, 6564.6, 5008.2
CLEAR = {"dust_tau_bc": 0.0, "dust_tau_diff": 0.0, "redshift": 0.1}
YOUNG = {"sfh_const_log_total_mass": 8.0, "sfh_const_start_gyr": 0.006, "met_logzsol": 0.0}


@pytest.fixture(scope="module")
def stars():
    return load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")


@pytest.fixture(scope="module")
def free(stars):
    spec = Parameters(**YOUNG, **CLEAR, nebular="cloudy", neb_logU=(-4, 0), neb_fesc=(0, 1))
    return SEDModel(spec, stars)


@pytest.fixture(scope="module")
def bare(stars):
    return SEDModel(Parameters(**YOUNG, **CLEAR), stars)


def sed(model, **p):
    result = model.predict_rest_sed(p)
    return np.asarray(result.wavelength), np.asarray(result.sed)


def nebular(free, bare, **p):
    """Return wavelengths and the model's light minus that of its stars [erg/s/Hz]."""
    wave, lnu = sed(free, **p)
    return wave, lnu - np.interp(wave, *sed(bare))


def line(wave, lnu, centre, half=8.0):
    """Return the luminosity [erg/s] above the straight continuum beside a line."""
    fine = np.linspace(centre - half, centre + half, 8001)
    llam = np.interp(fine, wave, lnu) * C_AA_PER_S / fine**2
    floor = np.interp(fine, [fine[0], fine[-1]], [llam[0], llam[-1]])
    return np.trapezoid(llam - floor, fine)


def photons(wave, lnu):
    below = wave < 911.75
    return np.trapezoid(lnu[below] / wave[below], wave[below]) / PLANCK


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*beyond rest 3 µm", "ignore:.*beyond 3 µm")
def test_the_nebular_grid_is_the_special_case(stars):
    """Every band that holds 1e-3 of the brightest one agrees to 1e-4.

    From nothing but newborn stars to a Gyr of star formation, poor to rich, z from 0.05 to 8.
    """
    sets = (Instrument.GALEX(), Instrument.SDSS(), Instrument.LSST(), Instrument.JWST_NIRCam())
    names = [f.name for i in sets for f in i.observation().photometry.filters]
    observation = Instrument.from_names(names).observation()
    free = {"sfh_const_log_total_mass": 9.0, "sfh_const_start_gyr": (0.001, 1.0),
            "met_logzsol": (-2.0, 0.2), "redshift": (0.05, 8.0)}  # fmt: skip
    dust = {"dust_tau_bc": 0.5, "dust_tau_diff": 0.3, "lya_escape": "case_b"}
    component = SEDModel(Parameters(**free, **dust, nebular="cloudy"), stars, observation)
    baked = SEDModel(Parameters(**free, **dust), load_ssp_data(), observation)
    np.testing.assert_array_equal(component.galaxy.wave, baked.galaxy.wave)
    starts, metals = (0.0012, 0.008, 0.05, 0.6), (-1.9, -0.7, 0.2)
    rows = np.stack(np.meshgrid(starts, metals, np.geomspace(0.05, 8.0, 32)), axis=-1)
    names = ("sfh_const_start_gyr", "met_logzsol", "redshift")
    p = dict(zip(names, rows.reshape(-1, 3).T))
    ours, theirs = (np.asarray(m.predict_photometry_batch(p)) for m in (component, baked))
    bright = theirs > 1e-3 * theirs.max(axis=1, keepdims=True)
    assert bright.mean() > 0.7
    assert np.abs(ours[bright] / theirs[bright] - 1.0).max() < 1e-4


def test_the_nebular_grid_is_the_special_case_population_by_population(stars):
    """Node by node of the spectrum too, for each young bin and metallicity alone.

    But for the nodes beside the Lyman limit, where the nebular grid was held positive as a whole,
    and for populations with nodes of the table that have been replaced: the grid has the source's.
    """
    baked = load_ssp_data()
    young = np.arange(int(np.searchsorted(baked.age_edges_gyr, 0.01)))
    gas = Gas(cloudy_table(), stars, young)
    spectra = gas.spectra(baked.ssp_wave, stars.ssp_flux[:, young])
    p = {"neb_logU": jnp.asarray(-3.0)}
    single = jnp.eye(7 * len(young)).reshape(-1, 7, len(young))
    weights = np.asarray(jax.vmap(lambda w: gas.weights(p, w))(single))
    ours = (weights @ spectra).reshape(7, len(young), -1)
    theirs = baked.ssp_flux[:, young].astype(float)
    faint = 1e-3 * theirs.max(axis=-1, keepdims=True)
    near_limit = np.abs(baked.ssp_wave - 912.0) < 10.0
    error = np.abs(ours - theirs) / np.maximum(theirs, faint)
    as_in_source = np.ones(error.shape[:2], bool)
    as_in_source[6] = False
    as_in_source[5] = 10.0 ** stars.ssp_lg_age_gyr[young] < 0.0063
    assert error[..., ~near_limit][as_in_source].max() < 2e-4


def test_hydrogen_recombines_as_in_case_b(free, bare):
    """Hα/Hβ = 2.86, L(Hβ) = 4.8e-13 erg per photon at 10⁴ K (Osterbrock & Ferland 2006)."""
    wave, gas = nebular(free, bare, neb_logU=-3.0, neb_fesc=0.0)
    h_beta = line(wave, gas, H_BETA)
    # N II is 15 Å to either side; ±7 Å hold one triangle of Hα
    assert line(wave, gas, H_ALPHA, 7.0) / h_beta == pytest.approx(2.86, rel=0.05)
    assert h_beta / photons(*sed(bare)) == pytest.approx(4.8e-13, rel=0.06)


def test_oxygen_answers_to_the_ionisation_parameter(free, bare):
    ratio = [
        line(wave, gas, OIII, 7.0) / line(wave, gas, H_BETA)
        for wave, gas in (nebular(free, bare, neb_logU=u, neb_fesc=0.0)
                          for u in (-4.0, -3.5, -3.2, -3.0, -2.5, -2.0))
    ]  # fmt: skip
    assert np.all(np.diff(ratio) > 0.0)
    assert ratio[-1] > 10.0 * ratio[0]


def test_between_nodes_the_light_is_linear_in_log_u(free):
    (_, low), (_, middle), (_, high) = (
        sed(free, neb_logU=u, neb_fesc=0.1) for u in (-2.5, -2.3, -2.0)
    )
    np.testing.assert_allclose(middle, 0.6 * low + 0.4 * high, rtol=1e-9)


def test_what_escapes_is_starlight(free, bare):
    wave, lnu = sed(free, neb_logU=-2.2, neb_fesc=1.0)
    np.testing.assert_allclose(lnu, np.interp(wave, *sed(bare)), rtol=1e-6)
    closed = photons(*sed(free, neb_logU=-2.2, neb_fesc=0.0))
    half = photons(*sed(free, neb_logU=-2.2, neb_fesc=0.5))
    all_photons = photons(*sed(bare))
    assert closed < 1e-3 * all_photons
    assert half == pytest.approx(0.5 * all_photons, rel=2e-3)
    gas, less = (nebular(free, bare, neb_logU=-2.2, neb_fesc=f) for f in (0.0, 0.4))
    red = gas[0] > 1000.0
    np.testing.assert_allclose(less[1][red], 0.6 * gas[1][red], rtol=1e-6, atol=1e-7 * lnu.max())


def test_gas_hides_behind_both_dust_screens(stars):
    """At λ = 5500 Å, where k = 1, all light of birth clouds loses τ_bc + τ_diff."""
    clear, dusty = (
        sed(SEDModel(Parameters(**YOUNG, nebular="cloudy", redshift=0.1, **dust), stars))
        for dust in ({"dust_tau_bc": 0.0, "dust_tau_diff": 0.0},
                     {"dust_tau_bc": 0.8, "dust_tau_diff": 0.4})
    )  # fmt: skip
    at = [np.interp(5500.0, *s) for s in (clear, dusty)]
    assert at[1] / at[0] == pytest.approx(np.exp(-1.2), rel=1e-4)


def test_old_stars_light_no_gas(stars):
    old = YOUNG | {"sfh_const_start_gyr": 9.0, "sfh_const_end_gyr": 0.5}
    wave, lnu = sed(SEDModel(Parameters(**old, **CLEAR, nebular="cloudy"), stars))
    expected = np.interp(wave, *sed(SEDModel(Parameters(**old, **CLEAR), stars)))
    np.testing.assert_allclose(lnu, expected, rtol=1e-7)  # stored fluxes are float32


def test_gradients_are_finite_in_single_precision(stars, float32):
    spec = Parameters(**YOUNG, **CLEAR, nebular="cloudy", neb_logU=(-4, 0), neb_fesc=(0, 1))
    model = SEDModel(spec, stars, Instrument.from_names(["sdss_u", "sdss_r"]).observation())

    def flux(u, f):
        return model.predict_photometry({"neb_logU": u, "neb_fesc": f}) * 1e25

    u, f = (a.ravel().astype(np.float32)
            for a in np.meshgrid(np.linspace(-4, 0, 17), [0.0, 0.3, 1.0]))  # fmt: skip
    slope = jax.jacfwd(flux, argnums=(0, 1))
    value, slopes = jax.jit(jax.vmap(lambda *at: (flux(*at), slope(*at))))(u, f)
    assert value.dtype == np.float32 and np.isfinite(value).all()
    assert all(np.isfinite(s).all() for s in slopes)
    assert np.all(slopes[1] < 0.0)


def test_gradients_of_what_acts_where_it_is_mentioned(stars, float32):
    free = {"neb_logz": (-2.0, 0.2), "neb_fesc_lya": (0.0, 1.0)}
    spec = Parameters(**YOUNG, **{**CLEAR, "redshift": 0.3}, nebular="cloudy", **free)
    model = SEDModel(spec, stars, Instrument.from_names(["galex_fuv", "sdss_r"]).observation())

    def flux(z, f):
        return model.predict_photometry({"neb_logz": z, "neb_fesc_lya": f}) * 1e25

    z, f = (a.ravel().astype(np.float32)
            for a in np.meshgrid([-2.0, -0.9, 0.0, 0.2], [0.0, 0.3, 1.0]))  # fmt: skip
    by_z, by_f = jax.jit(jax.vmap(jax.jacfwd(flux, argnums=(0, 1))))(z, f)
    assert by_z.dtype == np.float32 and np.isfinite(by_z).all() and np.isfinite(by_f).all()
    assert np.all(by_f[:, 0] > 0.0) and np.all(by_f[:, 1] == 0.0)
    assert np.all(by_z[:, 1] != 0.0)


def test_grids_with_other_nodes_are_served(stars, free):
    """Half of the wavelengths, metallicities and ages: lines keep their flux per photon."""
    ages = np.arange(0, len(stars.ssp_lg_age_gyr), 2)
    coarse = replace(
        stars,
        ssp_lgmet=stars.ssp_lgmet[1:] + 0.05,
        ssp_lg_age_gyr=stars.ssp_lg_age_gyr[ages],
        ssp_wave=stars.ssp_wave[::2],
        ssp_flux=stars.ssp_flux[1:, ages, ::2],
        ssp_mass_remaining=None,
        age_edges_gyr=np.append(stars.age_edges_gyr[ages], 20.0),
        ionising=None,
    )
    gas, bare = (SEDModel(Parameters(**YOUNG, **CLEAR, **nebular_), coarse)
                 for nebular_ in ({"nebular": "cloudy"}, {}))  # fmt: skip
    wave, lnu = nebular(gas, bare)
    per_photon = line(wave, lnu, H_BETA) / photons(*sed(bare))
    assert per_photon == pytest.approx(4.8e-13, rel=0.06)


def test_what_is_measured_on_the_grid_is_close_to_what_is_stored(stars):
    stored = stars.ionising
    measured = IonisingLight.measured(stars.ssp_wave, stars.ssp_flux, stars.ssp_lg_age_gyr)
    young = slice(0, stored.behind_gas.shape[1])
    np.testing.assert_allclose(measured.photons[:, young], stored.photons[:, young], rtol=1e-3)
    # in every bin but the first, which holds all ages below 1 Myr, the mean lies in the bin
    inside = np.diff(np.log10(stars.age_edges_gyr[1:]))[: young.stop - 1]
    off = np.abs(stored.lg_age_gyr - stars.ssp_lg_age_gyr)[:, 1 : young.stop]
    assert np.all(off < 0.5 * inside + 1e-6) and off.max() > 1e-3


def test_datasets_that_do_not_belong_together_are_refused(stars):
    contents = {"ssp_wave": stars.ssp_wave, "ssp_flux": stars.ssp_flux[:, :, :300],
                "ssp_ionising_photons": stars.ionising.photons,
                "ssp_ionising_lg_age_gyr": stars.ionising.lg_age_gyr}  # fmt: skip
    with pytest.raises(DataError, match="lacks ssp_flux_behind_gas"):
        IonisingLight.stored(contents)
    wide = np.pad(stars.ionising.behind_gas, ((0, 0), (0, 0), (0, 100)))
    with pytest.raises(DataError, match="more than ssp_flux"):
        IonisingLight.stored({**contents, "ssp_flux_behind_gas": wide})


def test_a_cut_grid_says_what_to_do(stars):
    young = stars.age_edges_gyr[:-1] < 0.005
    cut = replace(
        stars,
        ssp_lg_age_gyr=stars.ssp_lg_age_gyr[young],
        ssp_flux=stars.ssp_flux[:, young],
        ssp_mass_remaining=None,
        age_edges_gyr=np.append(stars.age_edges_gyr[:-1][young], 20.0),
    )
    spec = Parameters(**YOUNG, **CLEAR, nebular="cloudy")
    with pytest.raises(DataError, match="ionising=None"):
        SEDModel(spec, cut)
    assert np.isfinite(sed(SEDModel(spec, replace(cut, ionising=None)))[1]).all()


def test_light_is_not_counted_twice(stars):
    spec = Parameters(**YOUNG, **CLEAR, nebular="cloudy")
    with pytest.raises(ConfigError, match=r"load_ssp_data\(.ssp_bc03_miles_kroupa_noneb"):
        SEDModel(spec, load_ssp_data())
    told = replace(stars, gas=None, name="ssp_mist_c3k_a_chabrier_wNE_logGasU-3.0_logGasZ0.0")
    with pytest.raises(ConfigError, match="count twice"):
        SEDModel(spec, told)
    red = stars.ssp_wave > 1000.0
    cut = replace(stars, ssp_wave=stars.ssp_wave[red], ssp_flux=stars.ssp_flux[:, :, red])
    with pytest.raises(ConfigError, match="ionising light"):
        SEDModel(spec, cut)


def test_gas_that_the_grid_contradicts_is_refused(stars):
    """A fixed value without the component would be taken for what the light shows."""
    told = Parameters(**YOUNG, **CLEAR, neb_logU=-2.0, neb_fesc=0.0)
    with pytest.raises(ConfigError, match=r"neb_logU = -2 cannot.*nebular='cloudy'.*noneb"):
        SEDModel(told, load_ssp_data())
    SEDModel(told, stars)  # inert, as any other: there is no gas at all
    SEDModel(Parameters(**YOUNG, **CLEAR, neb_logU=-3.0, neb_fesc=0.0), load_ssp_data())


def test_gas_of_the_metallicity_of_its_stars_is_the_tied_one(stars):
    young = np.arange(int(np.searchsorted(stars.age_edges_gyr, 0.01)))
    gas, rng = Gas(cloudy_table(), stars, young), np.random.default_rng(0)
    for node, lgmet in enumerate(stars.ssp_lgmet):
        w = jnp.zeros((7, len(young))).at[node].set(rng.random(len(young)))
        tied, own = (
            gas.weights({"neb_logU": jnp.asarray(-2.7), **p}, w)
            for p in ({}, {"neb_logz": jnp.asarray(lgmet - np.log10(0.0142))})
        )
        np.testing.assert_allclose(own, tied, rtol=1e-9, atol=1e-9 * float(tied.max()))


def test_gas_has_a_metallicity_of_its_own(stars, bare):
    """Photons are those of the stars whatever the gas is made of; oxygen follows the gas."""
    spec = Parameters(**YOUNG, **CLEAR, nebular="cloudy", neb_logz=(-2.0, 0.2))
    model = SEDModel(spec, stars)
    tied = SEDModel(Parameters(**YOUNG, **CLEAR, nebular="cloudy"), stars)
    spectra = [nebular(model, bare, neb_logz=z) for z in (-2.0, -1.0, -0.4, 0.0)]
    beta, oxygen = ([line(*light, at, 7.0) for light in spectra] for at in (H_BETA, OIII))
    np.testing.assert_allclose(beta, beta[0], rtol=0.1)
    assert oxygen[0] < 0.2 * oxygen[2] and oxygen[3] < oxygen[2]  # cold gas emits less again
    same = nebular(tied, bare)
    assert line(*spectra[3], H_BETA) == pytest.approx(line(*same, H_BETA), rel=0.02)
    slope = jax.jacfwd(lambda z: model.predict_rest_sed({"neb_logz": z}).sed)
    for end in (-2.0, 0.2):
        assert np.isfinite(slope(end)).all()


def test_a_metallicity_of_gas_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"neb_logz = -0.5 cannot change the nebular light"):
        SEDModel(Parameters(**YOUNG, **CLEAR, neb_logz=-0.5), load_ssp_data())
    with pytest.raises(ParameterError, match="neb_logz"):
        Parameters(**YOUNG, **CLEAR, neb_logz=(-0.5, 0.1))


def test_values_beyond_the_table_are_refused(free):
    with pytest.raises(ParameterError, match="neb_logU"):
        free.predict_rest_sed({"neb_logU": -4.5, "neb_fesc": 0.0})
    with pytest.raises(ParameterError, match="neb_fesc"):
        free.predict_rest_sed({"neb_logU": -3.0, "neb_fesc": 1.1})
    for beyond in (-2.2, 0.9):
        with pytest.raises(ParameterError, match="neb_logz"):
            Parameters(nebular="cloudy", neb_logz=beyond)
