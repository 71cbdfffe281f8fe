"""Light that passes gas and dust by: what escapes from birth clouds, and what meets no dust."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.composition import compose, registered_params
from tengri.components.dust.attenuation import LAWS
from tengri.constants import C_AA_PER_S, LSUN_ERG_S
from tengri.errors import ConfigError, ParameterError, UnknownNameError
from tengri.forward.fixed_redshift import FixedRedshiftEvaluator
from tests.evaluators import evaluators_of

YOUNG = {"sfh_const_log_total_mass": 8.0, "sfh_const_start_gyr": 0.1, "sfh_const_end_gyr": 0.0,
         "met_logzsol": 0.0}  # fmt: skip
DUST = {"dust_tau_bc": (0.0, 4.0), "dust_tau_diff": (0.0, 3.0)}
GAS = {"nebular": "cloudy", "neb_logU": -3.0, "neb_fesc": (0.0, 1.0)}
SCREENS = {"dust_tau_bc": 1.0, "dust_tau_diff": 0.3}
CLEAR = {"dust_f_clear": (0.0, 1.0)}


GIVEN = YOUNG | DUST | GAS | CLEAR | {"redshift": 0.1, "dust_emission": "modified_blackbody"}


@pytest.fixture(scope="module")
def stars():
    """The embedded stars at every fourth wavelength: the tests are about formulas."""
    ssp = load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")
    return replace(ssp, ssp_wave=ssp.ssp_wave[::4], ssp_flux=ssp.ssp_flux[:, :, ::4])


@pytest.fixture(scope="module")
def models(stars):
    """By setting of the escape, all with dust emission and a clear share."""
    return {e: SEDModel(Parameters(**GIVEN, escape=e, lya_escape="case_b"), stars)
            for e in ("screened", "picket_fence")}  # fmt: skip


def light(model, **p):
    """Return what stars and gas send out, and dust, [erg/s/Hz]."""
    batch = {k: np.array([v], float) for k, v in p.items()}
    parts = model.predict_rest_components_batch(batch)
    return np.asarray(parts["stars"])[0], np.asarray(parts["dust"])[0]


NAKED = {"dust_tau_bc": 0.0, "dust_tau_diff": 0.0, "dust_f_clear": 0.0}
BEHIND = SCREENS | {"dust_f_clear": 0.0}


def at_800(model, lnu):
    return np.interp(800.0, model.galaxy.wave, lnu)


def test_how_much_of_the_continuum_at_800_aa_emerges(models):
    """f = 0.5, τ = 1 + 0.3, slope −0.7: 0.33 % with curves that went on below 912 Å."""
    k_before, k = (float(law.curve(np.array([800.0]), {"dust_slope": -0.7})[0])
                   for law in (LAWS["power_law"].at(1), LAWS["power_law"]))  # fmt: skip
    assert 0.5 * np.exp(-1.3 * k_before) == pytest.approx(0.0033, rel=0.02)
    share, clouds = {}, {"sfh_const_start_gyr": 0.006}  # all stars are in birth clouds
    for name, model in models.items():
        made = at_800(model, light(model, **NAKED, **clouds, neb_fesc=1.0)[0])
        share[name] = at_800(model, light(model, **BEHIND, **clouds, neb_fesc=0.5)[0]) / made
    assert share["screened"] == pytest.approx(0.5 * np.exp(-1.3 * k), rel=1e-3)  # 0.52 %
    assert share["picket_fence"] == pytest.approx(0.5 * np.exp(-0.3 * k), rel=1e-3)  # 17 %


def test_limits_of_the_picket_fence(models):
    """No hole: the screens. Nothing but holes: the stars behind the diffuse dust alone."""
    screened, fence = models["screened"], models["picket_fence"]
    found, expected = (light(m, **BEHIND, neb_fesc=0.0)[0] for m in (fence, screened))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    no_cloud = BEHIND | {"dust_tau_bc": 0.0}
    found, expected = (light(m, **p, neb_fesc=1.0)[0]
                       for m, p in ((fence, BEHIND), (screened, no_cloud)))  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_limits_of_the_clear_share(models, stars):
    for model in models.values():
        unscreened, _ = light(model, **NAKED, neb_fesc=0.4)
        all_clear, dust = light(model, **SCREENS, dust_f_clear=1.0, neb_fesc=0.4)
        np.testing.assert_allclose(all_clear, unscreened, rtol=1e-12)
        assert np.all(dust == 0.0)
        none, some = (light(model, **SCREENS, dust_f_clear=f, neb_fesc=0.4)[0] for f in (0.0, 0.3))
        np.testing.assert_allclose(some, 0.3 * unscreened + 0.7 * none, rtol=1e-12)
    given = {name: value for name, value in GIVEN.items() if name not in CLEAR}
    given |= {"escape": "picket_fence", "lya_escape": "case_b"}
    silent = SEDModel(Parameters(**given), stars)
    np.testing.assert_array_equal(light(silent, **SCREENS, neb_fesc=0.4)[0], none)


@pytest.mark.parametrize("escape", ["screened", "picket_fence"])
def test_what_dust_takes_it_radiates(models, escape):
    model = models[escape]
    nu = C_AA_PER_S / model.galaxy.wave
    for f_clear, fesc in ((0.0, 0.5), (0.3, 0.5), (0.8, 1.0)):
        p = {"neb_fesc": fesc}
        made, _ = light(model, **NAKED, **p)
        seen, dust = light(model, **SCREENS, dust_f_clear=f_clear, **p)
        taken = -np.trapezoid(made - seen, nu)
        assert taken > 0.0
        assert -np.trapezoid(dust, nu) == pytest.approx(taken, rel=1e-3)
        l_dust = model.predict_derived({**SCREENS, "dust_f_clear": f_clear, **p})["l_dust"]
        assert float(l_dust) * LSUN_ERG_S == pytest.approx(taken, rel=1e-6)


def test_one_redshift_agrees_with_all(stars):
    observation = Instrument.from_names(["galex_nuv", "sdss_r"]).observation()
    given = YOUNG | DUST | GAS | CLEAR | {"escape": "picket_fence"}
    model = SEDModel(Parameters(**given, redshift=0.5), stars, observation)
    evaluators = evaluators_of(model)
    few, whole = evaluators.at(0.5), evaluators.over((0.5, 0.5))
    assert isinstance(few, FixedRedshiftEvaluator)
    bands = [jax.jit(e.bands) for e in (few, whole)]
    slopes = jax.jit(jax.jacrev(lambda p: few.bands(p).flux))
    for p in ({"neb_fesc": 0.0, **SCREENS, "dust_f_clear": 0.0},
              {"neb_fesc": 0.7, "dust_tau_bc": 4.0, "dust_tau_diff": 3.0, "dust_f_clear": 0.2},
              {"neb_fesc": 1.0, **SCREENS, "dust_f_clear": 1.0}):  # fmt: skip
        p = {k: np.asarray(v) for k, v in p.items()}
        found, expected = (of(p).flux for of in bands)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        assert all(np.isfinite(s).all() for s in slopes(p).values())


def test_ages_of_a_picket_fence_add_up(stars):
    observation = Instrument.from_names(["galex_fuv", "sdss_r"]).observation()
    given = YOUNG | DUST | GAS | CLEAR | {"escape": "picket_fence", "redshift": 0.1}
    model = SEDModel(Parameters(**given), stars, observation)
    evaluator = evaluators_of(model).over((0.1, 0.1))
    p = {k: np.asarray(v) for k, v in {**BEHIND, "neb_fesc": 0.6, "dust_f_clear": 0.2}.items()}
    response, bands = jax.jit(lambda p: (evaluator.age_response(p), evaluator.bands(p)))(p)
    _, ages = model.stars.formed(evaluator.fixed.complete(p))
    ratio = np.asarray(response.bands @ ages) / np.asarray(bands.flux)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)


def test_a_nucleus_is_one_sight_line(stars):
    """The share of the light that is clear is the stars'; the nucleus is behind its screen."""
    given = YOUNG | DUST | CLEAR | {"agn_model": "standard", "agn_screen": "diffuse",
                                    "agn_log_lbol": 11.0, "redshift": 0.1}  # fmt: skip
    model = SEDModel(Parameters(**given), stars)
    rows = {k: np.full(2, v) for k, v in SCREENS.items()} | {"dust_f_clear": np.array([0.0, 0.9])}
    parts = model.predict_rest_components_batch(rows)
    covered, open_ = np.asarray(parts["agn"])
    np.testing.assert_allclose(open_, covered, rtol=1e-12)
    assert np.all(np.asarray(parts["stars"])[1] >= np.asarray(parts["stars"])[0])


def test_it_acts_only_where_it_is_mentioned():
    assert "dust_f_clear" in registered_params()
    assert "dust_f_clear" not in compose({}, ("redshift",)).params
    assert "dust_f_clear" in compose({}, ("dust_f_clear",)).params
    assert Parameters.from_dict(Parameters(dust_f_clear=0.2).to_dict()).composition.partly_clear


def test_what_has_no_effect_or_no_meaning_is_said():
    with pytest.raises(ConfigError, match="nebular='cloudy'"):
        Parameters(escape="picket_fence")
    with pytest.raises(UnknownNameError, match="picket_fence"):
        Parameters(escape="picketfence", nebular="cloudy")
    with pytest.raises(UnknownNameError, match="Did you mean dust_f_clear"):
        Parameters(dust_fclear=0.1)
    with pytest.raises(ParameterError, match="dust_f_clear"):
        Parameters(dust_f_clear=1.2)


def test_light_that_meets_no_dust_heats_none(stars):
    """Lyα, a term of its own, included."""
    model, p = SEDModel(Parameters(**GIVEN), stars), {"neb_fesc": 0.0, **SCREENS}
    heat = [float(model.predict_derived({**p, "dust_f_clear": f})["l_dust"])
            for f in (0.0, 0.5, 1.0)]  # fmt: skip
    assert heat[2] == pytest.approx(0.0, abs=1e-4 * heat[0])
    assert heat[1] == pytest.approx(0.5 * heat[0], rel=2e-3)
