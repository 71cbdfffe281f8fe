"""Contracts of what absorbs beside the mean of the intergalactic medium."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel
from tengri.components.composition import compose
from tengri.components.igm import ABSORBER, DAMPING_WING
from tengri.errors import ParameterError
from tests.emulator.conftest import tiny_ssp

WAVE = np.concatenate([[91.0, 500.0], np.linspace(905.0, 1300.0, 400), [1215.67, 2e3, 1e5]])
LYMAN_ALPHA = 1215.67
NAMES = ("igm_xhi", "igm_log_nhi_dla")


def through(part, **p):
    return np.asarray(part.transmission(WAVE, {k: jnp.asarray(v) for k, v in p.items()}))


def test_reionised_gas_has_no_wing():
    assert np.all(through(DAMPING_WING, igm_xhi=0.0, redshift=9.0) == 1.0)
    for z in (0.0, 3.0, 6.0):
        assert np.all(through(DAMPING_WING, igm_xhi=1.0, redshift=z) == 1.0)


def test_the_wing_reaches_redward_and_falls():
    red = WAVE >= LYMAN_ALPHA
    order = np.argsort(WAVE[red])
    t = through(DAMPING_WING, igm_xhi=1.0, redshift=8.0)[red][order]
    assert np.all(np.diff(t) >= 0.0) and t[0] < 1e-12 and t[-1] > 0.999
    half = through(DAMPING_WING, igm_xhi=0.5, redshift=8.0)[red][order]
    np.testing.assert_allclose(half**2, t, rtol=1e-9, atol=1e-30)


@pytest.mark.parametrize("x64", [True, False])
def test_values_and_slopes_are_finite_at_the_bounds(x64):
    with jax.enable_x64(x64):

        def both(neutral, column, z):
            p = {"igm_xhi": neutral, "igm_log_nhi_dla": column, "redshift": z}
            return DAMPING_WING.transmission(WAVE, p) * ABSORBER.transmission(WAVE, p)

        value, slope = jax.jit(jax.vmap(both)), jax.jit(jax.vmap(jax.jacfwd(both, (0, 1, 2))))
        points = [(x, n, z) for x in (0.0, 1e-3, 1.0) for n in (0.0, 20.3, 25.0)
                  for z in (0.0, 5.9, 6.0, 6.0001, 9.0, 20.0)]  # fmt: skip
        arguments = [jnp.asarray(a, float) for a in zip(*points)]
        t = np.asarray(value(*arguments))
        assert np.all((t >= 0.0) & (t <= 1.0))
        for s in slope(*arguments):
            assert np.isfinite(np.asarray(s)).all()


def test_a_little_neutral_gas_changes_bands_a_little():
    """The slope at x = 0 is bounded: no band goes dark at once."""
    p = {"igm_xhi": 0.0, "redshift": jnp.asarray(8.0)}
    slope = jax.jacfwd(lambda x: DAMPING_WING.transmission(WAVE, p | {"igm_xhi": x}))(0.0)
    assert np.all(np.asarray(slope) > -100.0)


def test_single_precision_agrees():
    p = {"igm_xhi": 0.7, "igm_log_nhi_dla": 21.3, "redshift": 7.3}
    for part in (DAMPING_WING, ABSORBER):
        double = through(part, **p)
        with jax.enable_x64(False):
            single = through(part, **p)
        np.testing.assert_allclose(single, double, atol=2e-5)


def test_absorbers_act_only_where_they_are_named():
    assert compose({}, ()).neutral_gas == () == compose({"igm_model": "madau"}, ()).neutral_gas
    assert compose({}, ("igm_xhi",)).neutral_gas == (DAMPING_WING,)
    assert compose({}, NAMES).neutral_gas == (DAMPING_WING, ABSORBER)
    plain, named = Parameters(redshift=7.0), Parameters(redshift=7.0, igm_xhi=0.2)
    assert set(named.all_params) - set(plain.all_params) == {"igm_xhi"}
    with pytest.raises(ParameterError, match=r"igm_xhi=… in Parameters"):
        plain.resolve({"igm_xhi": 0.3})
    with pytest.raises(ParameterError, match="bounds"):
        Parameters(igm_xhi=1.2)


@pytest.fixture(scope="module")
def model():
    spec = Parameters(sfh_const_start_gyr=0.3, redshift=(7.0, 9.0), igm_xhi=(0.0, 1.0),
                      igm_log_nhi_dla=(0.0, 23.0))  # fmt: skip
    bands = Instrument.from_names(["jwst_f115w", "jwst_f150w"]).observation()
    return SEDModel(spec, tiny_ssp(), bands, units="nJy")


def test_the_grid_has_nodes_in_the_wings(model):
    wave = model.galaxy.wave
    for part in (DAMPING_WING, ABSORBER):
        nodes = part.nodes()
        assert np.isin(nodes[(nodes > wave[0]) & (nodes < wave[-1])], wave).all()


def test_bands_are_the_observed_spectrum_through_the_filter(model):
    p = {"redshift": 8.0, "igm_xhi": 0.8, "igm_log_nhi_dla": 21.5}
    clear = {"redshift": 8.0, "igm_xhi": 0.0, "igm_log_nhi_dla": 0.0}
    seen, open_ = (model.predict_obs_sed(q).sed for q in (p, clear))
    with np.errstate(invalid="ignore"):
        ratio = np.asarray(seen / open_)
    wave, red = model.galaxy.wave, model.galaxy.wave > 1216.0
    q = {name: jnp.asarray(value) for name, value in p.items()}
    expected = np.asarray(DAMPING_WING.transmission(wave, q) * ABSORBER.transmission(wave, q))
    np.testing.assert_allclose(ratio[red], expected[red], rtol=1e-6, atol=1e-12)
    dimmer = np.asarray(model.predict_photometry(p)) / np.asarray(model.predict_photometry(clear))
    assert 0.3 < dimmer[0] < 0.98 and 0.98 < dimmer[1] <= 1.0
    rest, same = (model.predict_rest_sed(q).sed for q in (p, clear))
    np.testing.assert_array_equal(rest, same)


def test_at_one_redshift_the_general_evaluator_serves(model):
    spec = model.spec.with_params(redshift=8.0)
    fixed = SEDModel(spec, model.ssp, model.observation, units="nJy")
    p = {"igm_xhi": 0.8, "igm_log_nhi_dla": 21.5}
    general = model.predict_photometry({**p, "redshift": 8.0})
    np.testing.assert_allclose(fixed.predict_photometry(p), general, rtol=1e-9)
    single = fixed.predict_photometry_batch({k: np.full(3, v) for k, v in p.items()})
    np.testing.assert_allclose(single[1], general, rtol=1e-9)
