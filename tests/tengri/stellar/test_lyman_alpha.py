"""Lyα that reaches the observer: how much, in front of everything, and the same on every path."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.stellar.lyman_alpha import (
    HAYES_C,
    HAYES_XI,
    LYA_ESCAPES,
    drawn,
    separated,
)
from tengri.constants import C_AA_PER_S
from tengri.cosmology import log10_luminosity_to_flux
from tengri.errors import ConfigError, ParameterError
from tests.evaluators import evaluators_of

LYA, FEET = 1215.67, (1214.677, 1216.663)
YOUNG = {"sfh_const_log_total_mass": 9.0, "sfh_const_start_gyr": 0.1, "met_logzsol": -1.0}
FREE = {"dust_tau_bc": (0.0, 2.0), "dust_tau_diff": (0.0, 2.0), "redshift": (4.0, 9.0)}
CLEAR = {"dust_tau_bc": 0.0, "dust_tau_diff": 0.0, "redshift": 7.0}
DUSTY = {"dust_tau_bc": 0.6, "dust_tau_diff": 0.4, "redshift": 7.0}
BANDS = ("jwst_f090w", "jwst_f115w", "jwst_f200w")
STARS = "ssp_bc03_miles_kroupa_noneb.h5"
WORLDS = {"in the grid": (None, {}), "a component": (STARS, {"nebular": "cloudy"})}


@pytest.fixture(
    scope="module",
    params=[pytest.param(w, marks=pytest.mark.slow if w == "a component" else ()) for w in WORLDS],
)
def world(request):
    grid, settings = WORLDS[request.param]
    return load_ssp_data(grid), settings


def model(world, bands=BANDS, **given):
    ssp, settings = world
    observation = Instrument.from_names(list(bands)).observation()
    return SEDModel(Parameters(**{**YOUNG, **FREE, **settings, **given}), ssp, observation)


@pytest.fixture(scope="module")
def ours(world):
    return model(world, neb_fesc_lya=(0.0, 1.0))


@pytest.fixture(scope="module")
def case_b(world):
    return model(world, lya_escape="case_b")


@pytest.fixture(scope="module")
def hayes(world):
    return model(world)


def line(wave, lnu):
    """Return what stands above the continuum beside Lyα: of luminosities in the same unit."""
    inside = (wave > FEET[0] - 1e-3) & (wave < FEET[1] + 1e-3)
    x, y = wave[inside], lnu[inside]
    return np.trapezoid((y - np.interp(x, FEET, np.interp(FEET, wave, lnu))) / x**2, x)


def rest(of, p, **more):
    sed = of.predict_rest_sed({**p, **more})
    return np.asarray(sed.wavelength), np.asarray(sed.sed)


@pytest.mark.parametrize(
    "z, expected, rel",
    [(2.2, 0.053, 0.4),  # Hayes et al. 2010, Nature 464, 562: 5.3 ± 3.8 per cent
     (0.3, 1.67e-3 * 1.3**2.57, 1e-6), (5.7, 1.67e-3 * 6.7**2.57, 1e-6)],
)  # fmt: skip
def test_the_share_rises_to_redshift_six(z, expected, rel):
    share = LYA_ESCAPES["hayes11"].share
    assert float(share({"redshift": z})) == pytest.approx(expected, rel=rel)
    # the power law would be 1 at z = 11.1, says the paper
    assert HAYES_C * 12.1**HAYES_XI == pytest.approx(1.0, rel=0.02)  # noqa: SIM300


@pytest.mark.parametrize("z, fainter", [(6.6, 1.5), (7.0, 2.25), (7.3, 4.5)])
def test_and_falls_beyond_as_fast_as_emitters_do(z, fainter):
    """Luminosities since z = 5.7: Ota et al. 2017, ApJ 844, 85."""
    share = LYA_ESCAPES["hayes11"].share
    ratio = float(share({"redshift": 5.7})) / float(share({"redshift": z}))
    assert np.log(ratio) == pytest.approx(np.log(fainter), abs=0.25)
    assert float(share({"redshift": 14.0})) < 1e-3


def test_that_share_lies_behind_neither_dust_nor_intergalactic_gas(ours, case_b, hayes):
    everything = line(*rest(case_b, CLEAR))
    for dust in (CLEAR, DUSTY):
        assert line(*rest(ours, dust, neb_fesc_lya=0.3)) == pytest.approx(
            0.3 * everything, rel=0.01
        )
    share = float(LYA_ESCAPES["hayes11"].share({"redshift": 7.0}))
    assert line(*rest(hayes, DUSTY)) == pytest.approx(share * everything, rel=0.01)
    at_rest = rest(ours, DUSTY, neb_fesc_lya=0.3)[1] - rest(ours, DUSTY, neb_fesc_lya=0.0)[1]
    seen, none = (np.asarray(ours.predict_obs_sed({**DUSTY, "neb_fesc_lya": f}).sed)
                  for f in (0.3, 0.0))  # fmt: skip
    to_flux = 10.0 ** float(log10_luminosity_to_flux(ours.cosmology, 7.0)) / 3.828e33
    inside = drawn(np.asarray(ours.galaxy.wave)) > 0.0
    np.testing.assert_allclose((seen - none)[inside], (at_rest * to_flux)[inside], rtol=1e-5)
    np.testing.assert_array_equal(seen[~inside], none[~inside])


def test_all_of_it_without_dust_is_case_b(ours, case_b):
    wave, lnu = rest(ours, CLEAR, neb_fesc_lya=1.0)
    np.testing.assert_allclose(lnu, rest(case_b, CLEAR)[1], rtol=2e-5)
    _, dark = rest(ours, CLEAR, neb_fesc_lya=0.0)
    outside = drawn(wave) == 0.0
    np.testing.assert_array_equal(dark[outside], lnu[outside])
    assert line(wave, dark) < 5e-3 * line(wave, lnu)


def test_no_energy_is_made(ours, case_b):
    """Light that emerges and light that dust takes are no more than what stars and gas emit."""

    def light(of, p, **more):
        found = of.predict_derived({**p, **more})
        return float(found["l_bol"]), float(found["l_dust"])

    (total, _), (_, most) = light(case_b, CLEAR), light(case_b, DUSTY)
    for share in (0.0, 0.05, 0.6, 1.0):
        bolometric, taken = light(ours, DUSTY, neb_fesc_lya=share)
        assert bolometric + taken <= total * (1.0 + 1e-5)
        assert taken <= most * (1.0 + 1e-5)
        if share >= 0.6:  # more than the screens would let pass: nothing is scattered away
            assert bolometric + taken == pytest.approx(total, rel=1e-4)
        assert light(ours, CLEAR, neb_fesc_lya=share)[1] == pytest.approx(0.0, abs=1e-6 * total)


POINTS = {"dust_tau_diff": np.array([0.1, 1.7]), "dust_tau_bc": np.array([1.5, 0.2]),
          "neb_fesc_lya": np.array([0.2, 0.9]), "redshift": np.full(2, 6.5)}  # fmt: skip


def test_one_redshift_agrees_with_many(world, ours):
    one = model(world, BANDS[:1], redshift=6.5, neb_fesc_lya=(0.0, 1.0))
    evaluators = evaluators_of(one)
    assert evaluators.choose(one.spec.resolve(POINTS, batch=True)) is evaluators.at(6.5)
    expected = np.asarray(ours.predict_photometry_batch(POINTS))[:, :1]
    np.testing.assert_allclose(one.predict_photometry_batch(POINTS), expected, rtol=1e-9)


@pytest.mark.slow
def test_the_light_of_all_ages_is_the_whole(ours):
    p = ours.spec.resolve({name: value[0] for name, value in POINTS.items()})
    evaluator = ours.evaluator()
    bands, (_, ages) = evaluator.bands(p), ours.stars.formed(p)
    mixed = np.asarray(jax.jit(evaluator.age_response)(p).bands) @ np.asarray(ages)
    np.testing.assert_allclose(mixed / mixed[2], bands.flux / bands.flux[2], rtol=1e-12)


def test_the_slope_is_the_line(ours):
    """Linear in the share, in the bands that hold Lyα and in no other."""
    p = {k: np.asarray(v) for k, v in DUSTY.items()}

    def flux(share):
        return ours.predict_photometry({**p, "neb_fesc_lya": share})

    value, slope = jax.jit(lambda share: jax.jvp(flux, (share,), (1.0,)))(0.0)
    whole = ours.predict_photometry({**p, "neb_fesc_lya": 1.0})
    np.testing.assert_allclose(value + slope, whole, rtol=1e-9)
    assert slope[1] < 1e-3 * slope[0] and slope[2] == 0.0


def test_the_default_adds_less_than_case_b_where_lyman_alpha_is_all(ours, case_b, hayes):
    """At z = 8 F115W: 0.26 mag fainter than case B halved by the mean IGM, 0.03 above no line."""
    p = {**CLEAR, "redshift": 8.0}
    none, default, all_of_it = (np.asarray(m.predict_magnitudes({**p, **more}))
                                for m, more in ((ours, {"neb_fesc_lya": 0.0}), (hayes, {}),
                                                (case_b, {})))  # fmt: skip
    assert 0.01 < none[1] - default[1] < 0.06
    assert 0.15 < default[1] - all_of_it[1] < 0.5
    np.testing.assert_allclose(default[2], all_of_it[2], atol=1e-6)


def test_a_share_of_nothing_is_refused():
    stars = load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")
    with pytest.raises(ConfigError, match=r"neb_fesc_lya has no effect.*nebular='cloudy'"):
        SEDModel(Parameters(**YOUNG, neb_fesc_lya=0.1), stars)
    SEDModel(Parameters(**YOUNG), stars)
    with pytest.raises(ParameterError, match="neb_fesc_lya"):
        Parameters(**YOUNG, neb_fesc_lya=1.2)


def test_a_line_that_is_drawn_otherwise_is_found():
    """A Gaussian of 5 Å on nodes 2 Å apart, over the embedded stars."""
    stars = load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")
    wave = np.arange(1100.0, 1400.0, 2.0)
    flux = np.ones((2, 3, wave.size)) * np.array([1.0, 2.0, 4.0])[:, None]
    strength = np.array([[30.0, 10.0, 0.0], [3.0, 20.0, 0.0]])
    shape = np.exp(-0.5 * ((wave - LYA) / 5.0) ** 2)
    lit = flux + strength[..., None] * shape
    dark, found = separated(wave, lit, np.array([0, 1]))
    assert found is not None
    np.testing.assert_allclose(dark, flux, rtol=0.05)
    np.testing.assert_allclose(found.peak.reshape(2, 2), strength[:, :2], rtol=0.03)
    assert found.profile @ np.gradient(wave) == pytest.approx(5.0 * np.sqrt(2 * np.pi), rel=0.03)
    plain, none = separated(stars.ssp_wave, stars.ssp_flux, np.arange(20))
    assert none is None and plain is stars.ssp_flux


def test_units_of_the_profile():
    """A line of unit luminosity: ∫ L_ν dν of the profile is the width of the drawn line."""
    wave = load_ssp_data().ssp_wave
    profile = drawn(wave)
    width = -np.trapezoid(profile, C_AA_PER_S / wave)
    half = np.sqrt(6.0) * 100.0 / 299792.458 * LYA
    assert width == pytest.approx((half + 0.02) * C_AA_PER_S / LYA**2, rel=1e-3)


def test_one_share_is_given() -> None:
    with pytest.raises(ConfigError, match="give one"):
        Parameters(**YOUNG, lya_escape="case_b", neb_fesc_lya=0.1)


def test_an_absorber_takes_the_mean_share_and_not_a_given_one() -> None:
    """The mean over galaxies knows nothing of an absorber that a spec names."""
    given = YOUNG | {"redshift": 3.0, "igm_model": "none", "igm_log_nhi_dla": 22.0}
    ssp = load_ssp_data()
    for more, seen in (({}, 0.0), ({"neb_fesc_lya": 0.3}, 1.0)):
        model = SEDModel(Parameters(**given, **more), ssp)
        wave, sed = model.predict_obs_sed()
        at = np.argmin(np.abs(np.asarray(wave) - 4.0 * LYA))
        clear = SEDModel(Parameters(**{k: v for k, v in given.items() if "igm_l" not in k}, **more),
                         ssp)  # fmt: skip
        open_wave, open_sed = clear.predict_obs_sed()
        peak = np.interp(float(wave[at]), np.asarray(open_wave), np.asarray(open_sed))
        assert (float(sed[at]) > 0.3 * peak) == bool(seen)
