"""The exact model as its users see it: conservation, limits, precision, errors."""

from __future__ import annotations

from dataclasses import replace

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.utils.masked import Masked
from scipy.integrate import quad
from scipy.special import erfc

from tengri import Instrument, Parameters, SEDModel
from tengri.components.dust.attenuation import LAWS
from tengri.constants import LSUN_ERG_S, MPC_CM
from tengri.errors import ConfigError, ParameterError
from tengri.forward.batching import Execution, Sizes
from tests.compilations import compilations
from tests.tengri.forward.conftest import SEED

FREE = {"met_logzsol": -0.3, "dust_tau_diff": 0.3, "redshift": 0.1}


def test_golden_formed_mass_and_rates(seed_model):
    derived = seed_model.predict_derived()
    # The kernel of the seed, integrated by quadrature from now to the Big Bang at z = 0.1
    t_univ = float(seed_model.cosmology.age_gyr(0.1))

    def sfr(t):
        x = (t - 2.0) / 1.5
        y = x * np.exp(0.2 * np.arcsinh(x))
        return 10.0 * np.exp(-0.5 * y**2) * 0.5 * erfc(x / (np.sqrt(2.0) * 3.0))

    mass = quad(sfr, 0.0, t_univ, epsrel=1e-10)[0] * 1e9
    assert derived["stellar_mass"] == pytest.approx(mass, rel=1e-5)
    assert derived["sfr_100myr"] == pytest.approx(quad(sfr, 0, 0.1)[0] / 0.1, rel=1e-4)
    assert derived["sfr_10myr"] == pytest.approx(quad(sfr, 0, 0.01)[0] / 0.01, rel=1e-4)
    assert 0.5 < derived["stellar_mass_surviving"] / derived["stellar_mass"] < 0.9


def test_rest_sed_is_the_weighted_sum_of_ssps(seed_model, ssp):
    """One bin's worth of stars gives back that SSP, dust free."""
    clear = {"dust_tau_bc": 0.0, "dust_tau_diff": 0.0, "lya_escape": "case_b"}
    spec = Parameters(**{**SEED, **clear})
    model = SEDModel(spec, ssp)
    p = {k: jnp.asarray(v) for k, v in spec.resolve({}).items()}
    formed = jax.jit(model.galaxy.ssp_weights)(p)
    w = np.asarray(formed.weights)
    assert w.sum() == pytest.approx(1.0, rel=1e-12)
    flux = ssp.ssp_flux.astype(float)[:, model.galaxy.bins.node]
    expected = 10.0 ** float(formed.log10_mass) * np.einsum("ma,maw->w", w, flux) * LSUN_ERG_S
    np.testing.assert_allclose(model.predict_rest_sed().sed, expected, rtol=1e-9)


def test_screen_attenuates_as_declared(ssp):
    """Old stars see only the diffuse screen, so a galaxy without young ones fades by e^-τk."""
    base = {**SEED, "sfh_tsnorm_peak_lbt_gyr": 9.0, "sfh_tsnorm_width_gyr": 0.5,
            "dust_law": "calzetti", "dust_tau_bc": 3.0}  # fmt: skip
    clear = SEDModel(Parameters(**{**base, "dust_tau_diff": 0.0}), ssp).predict_rest_sed()
    dusty = SEDModel(Parameters(**{**base, "dust_tau_diff": 1.2}), ssp).predict_rest_sed()
    k = LAWS["calzetti"].curve(np.asarray(clear.wavelength), {})
    np.testing.assert_allclose(dusty.sed / clear.sed, np.exp(-1.2 * np.asarray(k)), rtol=1e-6)


def test_young_stars_see_both_screens(ssp):
    young = {"sfh_const_start_gyr": 0.008, "dust_tau_diff": 0.4, "redshift": 0.1}
    clear = SEDModel(Parameters(**{**young, "dust_tau_bc": 0.0}), ssp).predict_rest_sed()
    dusty = SEDModel(Parameters(**{**young, "dust_tau_bc": 1.0}), ssp).predict_rest_sed()
    i = int(np.argmin(np.abs(np.asarray(clear.wavelength) - 5500.0)))
    assert dusty.sed[i] / clear.sed[i] == pytest.approx(np.exp(-1.0), rel=2e-3)


def test_photometry_equals_integral_of_observed_sed(seed_model):
    """The band flux is the photon-weighted mean of what predict_obs_sed returns."""
    sed = seed_model.predict_obs_sed()
    wave, fnu = np.asarray(sed.wavelength), np.asarray(sed.sed)
    flux = np.asarray(seed_model.predict_photometry())
    for f, value in zip(seed_model.observation.photometry.filters, flux):
        grid = np.unique(np.concatenate([wave, f.wave, np.linspace(f.wave[0], f.wave[-1], 20001)]))
        grid = grid[(grid >= f.wave[0]) & (grid <= f.wave[-1])]
        t = np.interp(grid, f.wave, f.trans) / grid
        expected = np.trapezoid(np.interp(grid, wave, fnu) * t, grid) / np.trapezoid(t, grid)
        assert value == pytest.approx(expected, rel=2e-6)


def test_observed_sed_conserves_luminosity(seed_model):
    """∫ f_ν dν · 4π d² = ∫ L_ν dν where the IGM does not absorb."""
    rest, observed = seed_model.predict_rest_sed(), seed_model.predict_obs_sed()
    d = float(seed_model.cosmology.luminosity_distance_mpc(0.1)) * MPC_CM
    red = np.asarray(rest.wavelength) > 1300.0
    nu_rest = 2.99792458e18 / np.asarray(rest.wavelength)[red]
    l_rest = -np.trapezoid(np.asarray(rest.sed)[red], nu_rest)
    l_obs = -np.trapezoid(np.asarray(observed.sed)[red], nu_rest / 1.1) * 4 * np.pi * d**2
    assert l_obs == pytest.approx(l_rest, rel=1e-9)


@pytest.mark.parametrize(
    ("units", "factor"),
    [("nJy", 1e32),
     pytest.param("uJy", 1e29, marks=pytest.mark.slow),
     pytest.param("mJy", 1e26, marks=pytest.mark.slow),
     pytest.param("maggies", 1 / 3.6307805e-20, marks=pytest.mark.slow)],
)  # fmt: skip
def test_units_agree(seed_model, ssp, units, factor):
    cgs = np.asarray(seed_model.predict_photometry())
    assert np.all((cgs > 1e-30) & (cgs < 1e-24))
    other = SEDModel(seed_model.spec, ssp, seed_model.observation, units=units)
    np.testing.assert_allclose(other.predict_photometry(), cgs * factor, rtol=1e-6)


def test_magnitudes_are_those_of_the_fluxes(seed_model, ssp):
    cgs = np.asarray(seed_model.predict_photometry())
    mags = SEDModel(seed_model.spec, ssp, seed_model.observation, units="mag_ab")
    np.testing.assert_allclose(mags.predict_photometry(), -2.5 * np.log10(cgs) - 48.6, atol=1e-9)
    np.testing.assert_allclose(mags.predict_magnitudes(), mags.predict_photometry(), atol=1e-12)


def test_batch_equals_single_and_chunks_do_not_matter(sdss_model, monkeypatch):
    batch = {k: v for k, v in sdss_model.spec.sample_batch(jax.random.key(0), 37).items()}
    flux = sdss_model.predict_photometry_batch(batch)
    one = sdss_model.predict_photometry({k: v[11] for k, v in batch.items()})
    np.testing.assert_allclose(flux[11], one, rtol=1e-10)
    monkeypatch.setattr(sdss_model, "execution", Execution(Sizes(2, 8), Sizes(2, 8)))
    np.testing.assert_allclose(sdss_model.predict_photometry_batch(batch), flux, rtol=1e-10)


def test_jit_vmap_and_eager_agree(sdss_model):
    p = {k: jnp.asarray(v) for k, v in FREE.items()}
    eager = sdss_model.predict_photometry(p)
    np.testing.assert_allclose(jax.jit(sdss_model.predict_photometry)(p), eager, rtol=1e-10)
    stacked = {k: jnp.stack([v, v]) for k, v in p.items()}
    np.testing.assert_allclose(
        jax.vmap(sdss_model.predict_photometry)(stacked)[1], eager, rtol=1e-10
    )


def test_one_compile_per_shape(sdss_model):
    batches = [sdss_model.spec.sample_batch(jax.random.key(n), n) for n in (5, 7, 8, 6)]
    sdss_model.predict_photometry_batch(batches[0])
    sdss_model.predict_photometry({**FREE, "redshift": 0.2})
    with compilations() as compiled:
        for batch in batches[1:]:
            sdss_model.predict_photometry_batch(batch)
        for z in (0.3, 0.4):
            sdss_model.predict_photometry({**FREE, "redshift": z})
    assert compiled.count == 0


def test_blocks_of_a_batch_give_what_rows_give(sdss_model):
    """A batch of whole blocks and a part of one; the rest of its chunk is not evaluated."""
    n = sdss_model.execution.sizes.block + 3
    batch = sdss_model.spec.sample_batch(jax.random.key(1), n)
    whole = sdss_model.predict_photometry_batch(batch)
    assert whole.shape == (n, 5)
    for rows in (slice(0, 4), slice(n - 4, n)):
        few = sdss_model.predict_photometry_batch({k: v[rows] for k, v in batch.items()})
        np.testing.assert_allclose(whole[rows], few, rtol=1e-10)
    traced = jax.jit(sdss_model.predict_photometry_batch)(
        {k: jnp.asarray(batch[k]) for k in sdss_model.spec.free_params}
    )
    np.testing.assert_allclose(whole, traced, rtol=1e-10)


def test_fixed_and_free_redshift_agree(seed_model, sdss_model):
    free = sdss_model.predict_photometry(FREE)
    fixed = seed_model.predict_photometry() / 10.0 ** (-0.4 * 48.6)
    np.testing.assert_allclose(fixed, free, rtol=1e-9)
    # a Fixed redshift may be overridden, also inside jit
    swept = seed_model.predict_photometry({"redshift": 0.25}) / 10.0 ** (-0.4 * 48.6)
    want = sdss_model.predict_photometry({**FREE, "redshift": 0.25})
    np.testing.assert_allclose(swept, want, rtol=1e-9)
    jitted = jax.jit(lambda z: seed_model.predict_photometry({"redshift": z}))(0.25)
    np.testing.assert_allclose(jitted / 10.0 ** (-0.4 * 48.6), want, rtol=1e-9)


def test_outside_the_window_is_nan_inside_jit(sdss_model):
    flux = jax.jit(lambda z: sdss_model.predict_photometry({**FREE, "redshift": z}))(1.5)
    assert np.all(np.isnan(flux))
    assert np.all(np.isfinite(sdss_model.predict_photometry({**FREE, "redshift": 1.5})))


def test_float32_agrees_with_float64(sdss_model):
    batch = sdss_model.spec.sample_batch(jax.random.key(3), 64)
    exact = np.asarray(sdss_model.predict_photometry_batch(batch))
    with jax.enable_x64(False):
        single = np.asarray(sdss_model.predict_photometry_batch(batch))
    assert single.dtype == np.float32
    bright = exact > 1e-4 * exact.max(axis=1, keepdims=True)
    assert np.abs(single / exact - 1.0)[bright].max() < 1e-4


@pytest.mark.parametrize("units", [pytest.param("mag_ab", marks=pytest.mark.slow), "nJy"])
def test_float32_gradients_are_finite_and_right(ssp, units):
    spec = Parameters(**{**SEED, "met_logzsol": (-2.0, 0.2), "dust_tau_diff": (0.0, 3.0)})
    model = SEDModel(spec, ssp, Instrument.SDSS().observation(), units=units)

    def chi2(p):
        flux = model.predict_photometry(p)
        return jnp.sum((flux / jax.lax.stop_gradient(flux) - 0.9) ** 2)

    p = {"met_logzsol": -0.3, "dust_tau_diff": 0.3}
    want = jax.grad(chi2)(p)
    with jax.enable_x64(False):
        got = jax.grad(chi2)({k: np.float32(v) for k, v in p.items()})
    for name, value in got.items():
        assert np.isfinite(value) and value != 0.0
        assert float(value) == pytest.approx(float(want[name]), rel=2e-3)


def test_z_dependence_of_the_rest_spectrum_is_only_through_time(seed_model):
    """At z = 0 a rest spectrum exists; photometry does not."""
    assert np.all(np.isfinite(seed_model.predict_rest_sed({"redshift": 0.0}).sed))
    with pytest.raises(ParameterError, match="redshift > 0"):
        seed_model.predict_photometry({"redshift": 0.0})


def test_metallicity_outside_the_grid_is_clamped_with_a_warning(sdss_model):
    with pytest.warns(UserWarning, match="clamped"):
        low = sdss_model.predict_photometry({**FREE, "met_logzsol": -3.0})
    with pytest.warns(UserWarning, match="clamped"):
        lower = sdss_model.predict_photometry({**FREE, "met_logzsol": -3.9})
    np.testing.assert_allclose(low, lower, rtol=1e-6)


def test_no_stars_is_an_error_and_a_named_row(ssp):
    spec = Parameters(**{**SEED, "sfh_tsnorm_peak_lbt_gyr": 12.0, "sfh_tsnorm_width_gyr": 0.2,
                         "redshift": (0.1, 8.0)})  # fmt: skip
    model = SEDModel(spec, ssp, Instrument.JWST_NIRCam().observation())
    with pytest.raises(ParameterError, match="No stars by z = 7"):
        model.predict_photometry({"redshift": 7.0})
    with pytest.warns(UserWarning, match=r"1 of 3 galaxies formed no stars.*rows 1"):
        flux = model.predict_photometry_batch({"redshift": np.array([0.2, 7.0, 0.3])})
    assert np.all(np.isnan(flux[1])) and np.all(np.isfinite(flux[np.array([0, 2])]))


def test_infrared_bands_without_dust_emission_are_marked(ssp):
    with pytest.warns(UserWarning, match=r"wise_w2, wise_w3, wise_w4 .* beyond 3 µm"):
        model = SEDModel(Parameters(**SEED), ssp, Instrument.WISE().observation())
    assert "without dust emission" in model.summary()


BAD = {
    "unknown parameter": ({**FREE, "dust_tau_dif": 0.1}, "Did you mean dust_tau_diff"),
    "missing free parameter": ({"met_logzsol": 0.0, "redshift": 0.1}, "dust_tau_diff"),
    "NaN": ({**FREE, "met_logzsol": np.nan}, "met_logzsol"),
    "infinite": ({**FREE, "dust_tau_diff": np.inf}, "dust_tau_diff"),
    "negative optical depth": ({**FREE, "dust_tau_diff": -0.5}, "dust_tau_diff"),
    "text": ({**FREE, "met_logzsol": "solar"}, "met_logzsol"),
    "vector for one galaxy": ({**FREE, "met_logzsol": np.zeros(3)}, "met_logzsol"),
    "z = 0": ({**FREE, "redshift": 0.0}, "redshift > 0"),
    "z < 0": ({**FREE, "redshift": -0.1}, "redshift"),
    "z far": ({**FREE, "redshift": 30.0}, "redshift"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_values_have_one_clear_error(sdss_model, case):
    params, message = BAD[case]
    with pytest.raises((ParameterError, ConfigError), match=message):
        sdss_model.predict_photometry(params)


def test_bad_batches_have_one_clear_error(sdss_model):
    with pytest.raises(ParameterError, match=r"met_logzsol|redshift"):
        sdss_model.predict_photometry_batch(
            {**FREE, "met_logzsol": np.zeros(3), "redshift": np.full(4, 0.1)}
        )
    with pytest.raises(ParameterError, match="redshift"):
        sdss_model.predict_photometry_batch({**FREE, "redshift": np.array([0.1, np.nan])})


def test_bad_construction_has_one_clear_error(ssp):
    spec, observation = Parameters(**SEED), Instrument.SDSS().observation()
    with pytest.raises(ConfigError, match="load_ssp_data"):
        SEDModel(spec, "grid.h5", observation)
    with pytest.raises(ConfigError, match=r"observation\(\)"):
        SEDModel(spec, ssp, Instrument.SDSS())
    with pytest.raises(ConfigError, match="Did you mean mag_ab"):
        SEDModel(spec, ssp, observation, units="mag_abs")
    with pytest.raises(ConfigError, match="no bands"):
        SEDModel(spec, ssp).predict_photometry()
    blue = ssp.ssp_wave < 2e4
    twomass_ks = Instrument.from_names(["2mass_ks"]).observation()
    optical = replace(ssp, ssp_wave=ssp.ssp_wave[blue], ssp_flux=ssp.ssp_flux[:, :, blue])
    with pytest.raises(ConfigError, match=r"z = 0\.1: .*2mass_ks \(.*The SSP grid covers"):
        SEDModel(spec, optical, Instrument.TWOMASS().observation())
    near = SEDModel(Parameters(**{**SEED, "redshift": 0.3}), optical, twomass_ks)
    with pytest.raises(ConfigError, match="2mass_ks"):
        near.predict_photometry({"redshift": 0.01})


def test_spectrum_interpolates_and_refuses_to_extrapolate(seed_model):
    wave = np.linspace(4000.0, 9000.0, 50)
    sed = seed_model.predict_obs_sed()
    np.testing.assert_allclose(
        seed_model.predict_spectrum(wave), np.interp(wave, sed.wavelength, sed.sed), rtol=1e-9
    )
    with pytest.raises(ParameterError, match="wave_obs must lie within"):
        seed_model.predict_spectrum([1.0, 5000.0])


def test_spectrum_obeys_units_and_masks_of_wavelengths(seed_model):
    wave = np.array([4000.0, 6500.0])
    wanted = seed_model.predict_spectrum(wave)
    for given in (wave / 10 * u.nm, [0.4 * u.um, 6500 * u.AA], np.ma.array(wave, mask=False)):
        np.testing.assert_allclose(seed_model.predict_spectrum(given), wanted, rtol=1e-6)
    masked = np.ma.array(wave, mask=[0, 1]), Masked(wave, mask=[0, 1]) * u.AA
    for missing in (*masked, *([4000.0, gap] for gap in (None, np.nan, np.inf))):
        with pytest.raises(ParameterError, match="wave_obs must be finite; 1 of 2"):
            seed_model.predict_spectrum(missing)
    for wrong, message in ((wave * u.s, "stated in 's'"), (["a"], "real number")):
        with pytest.raises(ParameterError, match=f"wave_obs .*{message}"):
            seed_model.predict_spectrum(wrong)
    with pytest.raises(ParameterError, match="wave_obs is traced"):
        jax.jit(seed_model.predict_spectrum)(wave)
