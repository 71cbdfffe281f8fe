"""``mean_sfh_type="none"``: a nucleus without stars, through the whole interface."""

from __future__ import annotations

import pickle
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.catalogue import predict_table
from tengri.citations import cited
from tengri.errors import ConfigError, ParameterError

BARE = {"mean_sfh_type": "none", "agn_model": "standard"}
VEIL = {"agn_screen": "diffuse", "dust_emission": "modified_blackbody", "dust_tau_diff": (0.0, 2.0),
        "dust_law_diff": "calzetti", "mw_ebv": 0.05, "agn_type": (1.0, 2.0)}  # fmt: skip
ONE_SOLAR_MASS = {"sfh_const_log_total_mass": 0.0, "sfh_const_start_gyr": 0.5}


@pytest.fixture(scope="module")
def ssp():
    whole = load_ssp_data()
    return replace(whole, ssp_wave=whole.ssp_wave[::3], ssp_flux=whole.ssp_flux[:, :, ::3])


@pytest.fixture(scope="module")
def bands():
    return Instrument.from_names(["galex_nuv", "sdss_g", "sdss_z", "wise_w1"]).observation()


@pytest.fixture(scope="module")
def quasar(ssp, bands):
    spec = Parameters(**BARE, agn_log_lbol=(9.0, 14.0), redshift=(0.1, 3.0))
    return SEDModel(spec, ssp, bands, units="nJy")


@pytest.fixture(scope="module")
def veiled(ssp, bands):
    spec = Parameters(**BARE, **VEIL, agn_log_lbol=(9.0, 14.0), redshift=(0.1, 3.0))
    return SEDModel(spec, ssp, bands, units="nJy")


BATCH = {"agn_log_lbol": np.array([10.0, 12.0, 13.5]), "redshift": np.array([0.2, 1.0, 2.7])}
SCREENED = {**BATCH, "dust_tau_diff": np.array([0.0, 0.5, 1.5]), "agn_type": np.array([1, 1.5, 2])}


def test_it_has_the_parameters_of_the_nucleus_alone(quasar, veiled):
    names = set(quasar.spec.all_params) - {"redshift"}
    assert all(name.startswith("agn_") for name in names)
    more = set(veiled.spec.all_params) - set(quasar.spec.all_params)
    assert more == {"dust_tau_diff", "mw_ebv", "dust_T", "dust_beta_ir"}
    for model in (quasar, veiled):
        assert Parameters.from_dict(model.spec.to_dict()) == model.spec
        assert model.spec.settings["mean_sfh_type"] == ["none"]
        again = model.spec.with_params(agn_ebv=0.1).without_params("agn_ebv")
        assert again == model.spec
    parts = " ".join(item.what for item in cited(quasar))
    assert "star-formation" not in parts and "dust law" not in parts and "nucleus" in parts


@pytest.mark.slow
def test_single_calls_batches_and_catalogues_agree(quasar):
    flux = np.asarray(quasar.predict_photometry_batch(BATCH))
    single = quasar.predict_photometry({name: values[1] for name, values in BATCH.items()})
    np.testing.assert_allclose(single, flux[1], rtol=1e-6)
    made = predict_table(quasar, BATCH)
    np.testing.assert_allclose(made["sdss_g"], flux[:, 1], rtol=1e-6)
    assert (flux > 0.0).all() and not made["out_of_domain"].any()
    with pytest.raises(ParameterError, match="No column for agn_log_lbol"):
        fixed = SEDModel(Parameters(**BARE, redshift=1.0), quasar.ssp, quasar.observation)
        predict_table(fixed, {"redshift": np.ones(2)})


@pytest.mark.slow
@pytest.mark.parametrize("which", ["quasar", "veiled"])
def test_it_is_the_nucleus_around_one_solar_mass(which, request, ssp, bands):
    """The trick of before gives the same light, dust and Milky Way included, to 1e-5."""
    model = request.getfixturevalue(which)
    given = {**BARE, **(VEIL if which == "veiled" else {}), **ONE_SOLAR_MASS}
    given |= {"mean_sfh_type": "const", "agn_log_lbol": (9.0, 14.0), "redshift": (0.1, 3.0)}
    old = SEDModel(Parameters(**given), ssp, bands, units="nJy")
    batch = SCREENED if which == "veiled" else BATCH
    np.testing.assert_allclose(
        model.predict_photometry_batch(batch), old.predict_photometry_batch(batch), rtol=1e-5
    )


@pytest.mark.slow
def test_what_the_screen_takes_dust_emits(veiled):
    """By differencing spectra without stars: with and without the screen."""
    parts = {k: np.asarray(v) for k, v in veiled.predict_rest_components_batch(SCREENED).items()}
    bare = veiled.predict_rest_components_batch({**SCREENED, "dust_tau_diff": np.zeros(3)})
    assert (parts["stars"] == 0.0).all()
    nu = 2.99792458e18 / veiled.galaxy.wave
    lost = -np.trapezoid(np.asarray(bare["agn"]) - parts["agn"], nu, axis=1)
    emitted = -np.trapezoid(parts["dust"], nu, axis=1)
    np.testing.assert_allclose(emitted, lost, rtol=1e-3, atol=1e-6 * lost.max())
    assert emitted[0] == 0.0 and emitted[2] > 0.0
    p = {name: values[2] for name, values in SCREENED.items()}
    assert float(veiled.predict_derived(p)["l_dust"]) * 3.828e33 == pytest.approx(lost[2], rel=1e-3)


@pytest.mark.slow
def test_gradients(veiled):
    """Finite for every free parameter, 0.4 ln 10 · 2.5 mag per dex of L_bol but for the corona."""
    p = {name: jnp.asarray(values[1], float) for name, values in SCREENED.items()}
    slope = jax.jit(jax.jacrev(veiled.predict_magnitudes))(p)
    assert all(np.isfinite(s).all() for s in slope.values())
    assert all(np.any(np.asarray(s) != 0.0) for s in slope.values())
    np.testing.assert_allclose(slope["agn_log_lbol"][1:3], -2.5, rtol=0.1)


@pytest.mark.slow
def test_there_are_no_stars_in_what_is_derived(quasar):
    p = {name: values[1] for name, values in BATCH.items()}
    derived = {k: float(v) for k, v in quasar.predict_derived(p).items()}
    for name in ("stellar_mass", "stellar_mass_surviving", "sfr_10myr", "sfr_100myr", "l_dust"):
        assert derived.pop(name) == 0.0
    assert derived.keys() == {"l_bol", "dn4000", "uv_slope", "m_uv"}
    assert np.isfinite(list(derived.values())).all()
    # the torus is half of L_bol again
    assert derived["l_bol"] == pytest.approx(1.5e12, rel=0.1)
    assert not np.asarray(quasar.predict_sfh(p, n_linear=5)["sfr"]).any()


@pytest.mark.slow
def test_one_redshift_rest_frame_and_copies(quasar, ssp, bands):
    fixed = SEDModel(quasar.spec.with_params(redshift=1.0), ssp, bands, units="nJy")
    p = {"agn_log_lbol": 12.0, "redshift": 1.0}
    expected = quasar.predict_photometry(p)
    np.testing.assert_allclose(fixed.predict_photometry({"agn_log_lbol": 12.0}), expected, 1e-8)
    copy = pickle.loads(pickle.dumps(quasar))
    np.testing.assert_array_equal(copy.predict_photometry(p), expected)
    # an absolute magnitude is five magnitudes brighter for a hundred times the light, or nearly
    faint, bright = (np.asarray(quasar.predict_absolute_magnitudes(Instrument.SDSS(), {**p,
                     "agn_log_lbol": x})) for x in (11.0, 13.0))  # fmt: skip
    np.testing.assert_allclose(faint - bright, 5.0, atol=0.15)
    assert "beyond rest 3 µm" not in fixed.summary()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"agn_model": None}, "leaves no light: set agn_model"),
        ({"agn_frac_5100": 0.5}, "give agn_log_lbol"),
        ({"dust_emission": "dl07"}, "agn_screen='diffuse'"),
        ({"dust_law": "calzetti"}, "agn_screen='diffuse'"),
        ({"nebular": "cloudy"}, "nebular='cloudy' has no effect without stars"),
        ({"met_mode": "ramp"}, "met_mode='ramp' has no effect without stars"),
        ({"sfh_bin_edges_gyr": "stretched"}, "no effect on none"),
        ({"mean_sfh_type": ["none", "dpl"]}, "no family goes with it"),
    ],
)
def test_what_needs_stars_is_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        Parameters(**{**BARE, **given})


@pytest.mark.parametrize("name", ["dust_tau_bc", "dust_tau_diff", "met_logzsol", "dust_f_clear"])
def test_parameters_of_stars_are_not_free(name):
    with pytest.raises(ParameterError, match=f"{name} has no effect"):
        Parameters(**BARE, **{name: (0.0, 0.2)})
    assert name in Parameters(**BARE, **{name: 0.1}).inert


@pytest.mark.slow
def test_host_alone_mixture_and_quasar_alone(ssp, quasar):
    """A share of 0 is the host without a nucleus; a share of 0.9999 the nucleus without a host."""
    host = {"sfh_dpl_log_total_mass": 10.5, "redshift": 0.1}
    host |= {"dust_tau_bc": 0.0, "dust_tau_diff": 0.0}
    alone = SEDModel(Parameters(**host), ssp)
    mixed = SEDModel(Parameters(**host, agn_model="standard", agn_frac_5100=(0.0, 0.9999)), ssp)
    wave = mixed.galaxy.wave
    parts = mixed.predict_rest_components_batch({"agn_frac_5100": np.array([0.0, 0.5, 0.9999])})
    sed = sum(np.asarray(light) for light in parts.values())
    stars = np.asarray(alone.predict_rest_sed().sed)
    seen = (wave > 912.0) & (wave < 3e4)
    own = np.interp(wave[seen], alone.galaxy.wave, stars)
    np.testing.assert_allclose(sed[0][seen], own, rtol=1e-5)
    at = np.searchsorted(wave, 5100.0)
    share = np.asarray(parts["agn"])[:, at] / sed[:, at]
    np.testing.assert_allclose(share, [0.0, 0.5, 0.9999], rtol=2e-3, atol=1e-9)
    # the luminosities that the shares stand for, of 1 µm to 10 keV
    blue, nu = wave <= 1e4, 2.99792458e18 / wave
    disc = np.where(blue, np.asarray(parts["agn"])[1:], 0.0)
    lbol = np.log10(-np.trapezoid(disc, nu, axis=1) / 3.828e33)
    pure = quasar.predict_rest_sed_batch({"agn_log_lbol": lbol, "redshift": np.full(2, 0.1)}).sed
    half, all_but = np.asarray(pure)
    assert len(wave) == len(half)
    optical = (wave > 1000.0) & (wave < 1e5)
    np.testing.assert_allclose(sed[2][optical], all_but[optical], rtol=5e-3)
    # and in between the mixture is the sum of the two
    own = np.interp(wave, alone.galaxy.wave, stars)
    np.testing.assert_allclose(sed[1][seen], (own + half)[seen], rtol=5e-3)
