"""The CMB's share in what is seen of dust: the statements of the documents, and the limits."""

from __future__ import annotations

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.modeling.models import BlackBody

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.dust.emission import EMISSION_MODELS, DustEmission, casey2012, dl07
from tengri.components.dust.emission.cmb import contrast, heated, seen_share
from tengri.constants import T_CMB_K
from tengri.errors import ConfigError, UnknownNameError


def lost(temperature, redshift, observed_um=850.0, beta=1.6):
    """Return the share lost in per cent, from da Cunha et al.'s equations with astropy's B_ν."""
    power = 4 + beta
    t_dust = (temperature**power + T_CMB_K**power * ((1 + redshift) ** power - 1)) ** (1 / power)
    wave = observed_um / (1 + redshift) * u.um
    planck = [
        BlackBody(temperature=t * u.K)(wave).value for t in (T_CMB_K * (1 + redshift), t_dust)
    ]
    return 100.0 * planck[0] / planck[1]


# per cent, as dust/emission/__init__.py and docs/physics.md state them
STATED = {(35.0, 2.0): 0.7, (35.0, 5.0): 3.4, (35.0, 8.0): 14.0,
          (20.0, 2.0): 2.3, (20.0, 5.0): 25.0, (20.0, 8.0): 74.0}  # fmt: skip


@pytest.mark.parametrize("temperature, redshift", STATED)
def test_the_losses_that_are_documented(temperature, redshift):
    t_dust = heated(temperature, 1.6, redshift)
    ours = 100.0 * (1.0 - float(seen_share(850e4 / (1 + redshift), t_dust, redshift)))
    assert ours == pytest.approx(lost(temperature, redshift), rel=1e-6)
    assert ours == pytest.approx(STATED[temperature, redshift], rel=0.07)


def test_limits():
    assert heated(30.0, 2.0, 0.0) == pytest.approx(30.0, rel=1e-12)
    # dust without stars has the temperature of the background and is invisible
    z = np.array([0.0, 2.0, 8.0])
    cold = heated(T_CMB_K, 1.8, z)
    np.testing.assert_allclose(cold, T_CMB_K * (1.0 + z), rtol=1e-12)
    assert np.all(np.abs(seen_share(2e6, cold, z)) < 1e-12)
    # blueward of the background's peak nothing is lost, far redward the ratio of temperatures
    assert seen_share(1e5, 30.0, 3.0) == pytest.approx(1.0, abs=1e-12)
    assert seen_share(1e11, 30.0, 3.0) == pytest.approx(1.0 - 4.0 * T_CMB_K / 30.0, rel=1e-4)


# --- in the models ------------------------------------------------------------------------------

WAVE = np.geomspace(4e3, 1e8, 4000)
NU = 2.99792458e18 / WAVE
H_OVER_K = 6.62607015e-34 / 1.380649e-23
BODY = {"dust_T": 30.0, "dust_beta_ir": 1.8, "dust_alpha_mir": 2.0, "dust_lambda_0_um": 200.0}
GRAINS = {"dust_qpah": 2.5, "dust_umin": 1.0, "dust_gamma_dl": 0.01}
SEEN = {name: model.before_background() for name, model in EMISSION_MODELS.items()}


def planck(temperature, nu=NU):
    """Return B_ν(T) in arbitrary units: plain NumPy."""
    return nu**3 / np.expm1(np.minimum(H_OVER_K * nu / temperature, 600.0))


def power(lnu, nu=NU):
    return -np.trapezoid(lnu, nu)


@pytest.mark.parametrize("temperature, beta", [(20.0, 1.5), (35.0, 1.6), (60.0, 2.2)])
@pytest.mark.parametrize("z", [0.0, 3.0, 8.0])
def test_a_grey_body_is_da_cunhas(temperature, beta, z):
    s, background = 4.0 + beta, T_CMB_K * (1.0 + z)
    warm = (temperature**s + T_CMB_K**s * ((1.0 + z) ** s - 1.0)) ** (1.0 / s)
    expected = NU**beta * (planck(warm) - planck(background))
    p = {"dust_T": temperature, "dust_beta_ir": beta, "redshift": z}
    got = np.asarray(SEEN["modified_blackbody"].spectrum(WAVE, p))
    bright = expected > 1e-12 * expected.max()
    np.testing.assert_allclose(got[bright], (expected / power(expected))[bright], rtol=2e-5)


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("z", [0.0, 2.0, 6.0, 12.0])
def test_what_is_seen_is_what_stars_gave(name, z):
    got = np.asarray(SEEN[name].spectrum(WAVE, BODY | GRAINS | {"redshift": z}))
    assert np.all(got >= 0.0)
    assert power(got) == pytest.approx(1.0, abs=2e-3)


def test_dust_of_any_thickness_gives_back_what_it_takes():
    """∫ε[B(T(z)) − B(T_CMB)] is the same at every redshift; thin and thick dust are the limits."""

    def above(warm, cold, p):
        thickness = -np.expm1(-((p["dust_lambda_0_um"] * 1e4 / WAVE) ** p["dust_beta_ir"]))
        return power(thickness * (planck(warm) - planck(cold)))

    for z in (1.0, 5.0, 10.0, 20.0):
        for temperature in (10.0, 30.0, 80.0):
            for lambda_0 in (1.0, 200.0, 2000.0):
                p = BODY | {"dust_T": temperature, "dust_lambda_0_um": lambda_0, "redshift": z}
                background = T_CMB_K * (1.0 + z)
                warm = background * np.exp(float(casey2012.gain(p)))
                assert above(warm, background, p) == pytest.approx(
                    above(temperature, T_CMB_K, p), rel=1e-4
                )
                if lambda_0 == 1.0:
                    thin = float(heated(temperature, p["dust_beta_ir"], z))
                    assert warm == pytest.approx(thin, rel=1e-3)


def test_nothing_is_emitted_that_is_not_seen():
    """Dust at the temperature of the background has none to show per unit of its mass."""
    g = np.array([0.0, 1e-8, 1e-4])
    for z in (0.0, 4.0, 10.0):
        assert contrast(1e12, g[0], z) == 0.0
        shares = np.asarray(contrast(1e12, g[1:], z))
        assert shares[1] / shares[0] == pytest.approx(1e4, rel=1e-3)  # no cancellation


def test_the_temperature_that_stands_for_the_templates():
    """A grey body of β = 2 and 18 K U^(1/6) follows the dust of one U from 200 to 850 µm."""
    wave = np.geomspace(2e6, 8.5e6, 40)
    for umin in (0.1, 1.0, 10.0, 25.0):
        p = GRAINS | {"dust_umin": umin, "dust_gamma_dl": 0.0}
        nu = 2.99792458e18 / wave
        grey = nu**2 * planck(dl07.T_OF_U1 * umin ** (1 / 6), nu)
        ratio = np.asarray(EMISSION_MODELS["dl07"].spectrum(wave, p)) / grey
        assert ratio.max() / ratio.min() < 1.25


def test_templates_before_the_background():
    """Cold grains follow the grey body, PAHs keep their share, and z = 0 is the table itself."""
    wave, z = np.append(8e4, np.geomspace(3e6, 9e6, 20)), 6.0
    plain = np.asarray(EMISSION_MODELS["dl07"].spectrum(wave, GRAINS))
    today = np.asarray(SEEN["dl07"].spectrum(wave, GRAINS | {"redshift": 0.0}))
    np.testing.assert_allclose(today, plain, rtol=1e-9)
    pah, *cold = np.asarray(SEEN["dl07"].spectrum(wave, GRAINS | {"redshift": z})) / plain
    assert pah == pytest.approx(1.0, abs=0.1)
    warm, nu = float(heated(18.0, 2.0, z)), 2.99792458e18 / wave[1:]
    seen_then = planck(warm, nu) - planck(T_CMB_K * (1 + z), nu)
    grey = seen_then / (planck(18.0, nu) - planck(T_CMB_K, nu))
    np.testing.assert_allclose(cold, grey * pah, rtol=0.03)


@pytest.mark.parametrize("name", SEEN)
def test_finite_over_the_whole_range_in_float32(name, float32):
    model, wave = SEEN[name], np.geomspace(1e4, 1e8, 60)
    spectrum = jax.jit(lambda p: 1e12 * model.spectrum(wave, p))
    slope = jax.jit(jax.grad(lambda p: jnp.sum(spectrum(p))))
    ends = np.array(np.meshgrid(*[q.bounds for q in model.params], (0.0, 20.0)))
    names = [*(q.name for q in model.params), "redshift"]
    for x in ends.reshape(len(names), -1).T:
        p = {n: jnp.asarray(v, float) for n, v in zip(names, x)}
        got = np.asarray(spectrum(p))
        assert got.dtype == np.float32 and np.isfinite(got).all() and got.max() > 0.0, p
        assert all(np.isfinite(d).all() for d in slope(p).values()), p


def test_the_setting_reaches_every_path():
    """The spectrum, a free redshift and a fixed one; what dust absorbs is not touched."""
    ssp = load_ssp_data()
    observation = Instrument.from_names(["sdss_r", "herschel_spire_350"]).observation()
    given = {"sfh_const_log_total_mass": 10.0, "dust_emission": "modified_blackbody",
             "dust_T": (15.0, 60.0)}  # fmt: skip
    with_it = {"cmb": "dacunha13"}
    free = SEDModel(Parameters(**given, **with_it, redshift=(0.1, 8.0)), ssp, observation)
    fixed = SEDModel(Parameters(**given, **with_it, redshift=4.0), ssp, observation)
    without = SEDModel(Parameters(**given, redshift=4.0), ssp, observation)
    p = {"dust_T": 20.0}
    both = (free.predict_photometry(p | {"redshift": 4.0}), fixed.predict_photometry(p))
    np.testing.assert_allclose(*both, rtol=1e-5)
    lost = np.asarray(both[1]) / np.asarray(without.predict_photometry(p))
    assert lost[0] == pytest.approx(1.0, abs=1e-6)
    rest = np.array([350e4 / 5.0])
    expected = (SEEN["modified_blackbody"].spectrum(rest, BODY | p | {"dust_beta_ir": 1.6,
                                                                      "redshift": 4.0})
                / EMISSION_MODELS["modified_blackbody"].spectrum(
                    rest, BODY | p | {"dust_beta_ir": 1.6}))  # fmt: skip
    assert lost[1] == pytest.approx(float(expected[0]), rel=0.02)


def test_what_the_background_cannot_change_is_said(monkeypatch):
    with pytest.raises(ConfigError, match="without dust emission"):
        Parameters(cmb="dacunha13")
    with pytest.raises(UnknownNameError, match="dacunha13"):
        Parameters(cmb="dacunha", dust_emission="dl07")
    own = DustEmission("own", (), lambda wave, p: wave, "nowhere")
    with pytest.raises(ConfigError, match=r"own.*cmb='none'"):
        own.before_background()
    reference = Parameters(cmb="dacunha13", dust_emission="dl07").composition.dust_emission
    assert "da Cunha et al. 2013" in reference.reference
