"""Metallicities off the grid of stars: the same rule as for a surrogate's box."""

from __future__ import annotations

import pickle
import warnings

import jax
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.errors import ConfigError, ParameterError, UnknownNameError
from tengri.forward.grid_parameters import on_grid
from tengri.grids.files import STELLAR_SSP
from tengri.inference import Observations, fit
from tengri.priors import Normal

GIVEN = {"sfh_const_log_total_mass": 10.0, "redshift": 0.1, "dust_tau_diff": 0.3}
LOW = np.log10(1e-4 / 0.0142)  # the poorest stars of the embedded grids
OFF, ON = {"met_logzsol": LOW - 0.5}, {"met_logzsol": LOW}
BANDS = Instrument.SDSS().observation()


def model(mode: str = "warn", ssp=None, **given) -> SEDModel:
    spec = Parameters(**{**GIVEN, "met_logzsol": (-2.0, 0.2), **given})
    ssp = load_ssp_data(STELLAR_SSP) if ssp is None else ssp
    return SEDModel(spec, ssp, BANDS, out_of_domain=mode)


@pytest.fixture(scope="module")
def ssp():
    return load_ssp_data(STELLAR_SSP)


@pytest.fixture(scope="module")
def modes(ssp):
    return {mode: model(mode, ssp) for mode in ("raise", "warn", "clip", "nan")}


def test_outside_jit_the_mode_decides(modes):
    with pytest.raises(ParameterError, match=r"met_logzsol = -2\.65.* outside the SSP grid"):
        modes["raise"].predict_magnitudes(OFF)
    with pytest.warns(UserWarning, match="clamped"):
        warned = modes["warn"].predict_magnitudes(OFF)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clipped = modes["clip"].predict_magnitudes(OFF)
        assert np.isnan(modes["nan"].predict_magnitudes(OFF)).all()
        farther = modes["clip"].predict_magnitudes({"met_logzsol": LOW - 1.5})
    np.testing.assert_array_equal(warned, clipped)
    np.testing.assert_allclose(clipped, farther, atol=1e-6)  # the stars at the end of the grid
    with pytest.raises(UnknownNameError, match="Did you mean"):
        model("rise")


def test_inside_jit_nothing_is_clamped_in_silence(modes):
    """NaN but where clamping was asked for; on the grid, its end included, all are the same."""
    on = {mode: np.asarray(jax.jit(m.predict_magnitudes)(ON)) for mode, m in modes.items()}
    off = {mode: np.asarray(jax.jit(m.predict_magnitudes)(OFF)) for mode, m in modes.items()}
    for mode in modes:
        np.testing.assert_array_equal(on[mode], on["clip"])
        assert np.isfinite(off[mode]).all() == (mode == "clip")
    many = {"met_logzsol": np.array([LOW, LOW - 0.5, 0.0])}
    rows = jax.jit(modes["warn"].predict_photometry_batch)(many)
    np.testing.assert_array_equal(np.isnan(rows).any(axis=1), [False, True, False])
    np.testing.assert_array_equal(modes["warn"].in_domain(many), [True, False, True])
    slope = jax.grad(lambda z: modes["warn"].predict_magnitudes({"met_logzsol": z})[0])
    assert np.isfinite(slope(LOW))


@pytest.mark.slow
def test_spectra_lines_and_rest_frames_follow_the_rule(ssp):
    gas = model(ssp=ssp, nebular="cloudy")
    whole = {
        "rest": lambda p: gas.predict_rest_sed(p).sed,
        "observed": lambda p: gas.predict_obs_sed(p).sed,
        "absolute": lambda p: gas.predict_absolute_magnitudes(Instrument.SDSS(), p),
        "lines": lambda p: gas.predict_lines(p).luminosity,
        "derived": lambda p: gas.predict_derived(p)["stellar_mass_surviving"],
        "evaluator": lambda p: gas.evaluator().bands(p).flux,
    }
    for name, predict in whole.items():
        assert np.isfinite(jax.jit(predict)(ON)).all(), name
        assert np.isnan(jax.jit(predict)(OFF)).any(), name


def test_a_prior_that_leaves_the_grid_is_said_and_never_fitted(ssp):
    with pytest.warns(UserWarning, match=r"runs from -3 to 0\.2.*met_logzsol = \(-2\.15, 0\.20\)"):
        wide = model(ssp=ssp, met_logzsol=(-3.0, 0.2), redshift=(0.05, 0.2))
    data = Observations.of(np.ones((1, 5)), np.ones((1, 5)), wide.filter_names, redshift=[0.1])
    with pytest.raises(ConfigError, match="End the prior there"):
        fit(wide, data, method="map")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(ssp=ssp, met_logzsol=Normal(-0.5, 0.3, lo=-4.0, hi=1.0))


def test_a_prior_is_ended_where_the_grid_ends(ssp):
    spec = Parameters(**GIVEN, met_logzsol=(-3.0, 0.2))
    ended = on_grid(spec, ssp)
    np.testing.assert_allclose(ended.get_distribution("met_logzsol").bounds, (LOW, 0.2))
    assert on_grid(ended, ssp) is ended


def test_the_mode_travels(modes):
    again = pickle.loads(pickle.dumps(modes["nan"]))
    assert np.isnan(again.predict_magnitudes(OFF)).all()
    assert again.identity() == modes["nan"].identity() != modes["clip"].identity()
