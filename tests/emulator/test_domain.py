"""The guard: every parameter, every mode, inside and outside jit."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from emulator.domain import TrainedDomain
from emulator.surrogate import EmulatedSEDModel
from tengri.domain import MODES
from tengri.errors import ParameterError, UnknownNameError
from tests.emulator.conftest import ONE, draws

OUTSIDE = {
    "sfh_tsnorm_peak_lbt_frac": 0.99,
    "sfh_tsnorm_width_frac": 0.01,
    "sfh_tsnorm_skew": 0.3,  # fixed in training
    "sfh_tsnorm_trunc": 2.0,
    "met_logzsol": -2.5,
    "dust_tau_bc": 4.5,
    "dust_tau_diff": 3.1,
    "dust_slope": -0.9,
    "redshift": 1.2,
}


@pytest.fixture(scope="module")
def modes(artefact):
    return {mode: EmulatedSEDModel(artefact, out_of_domain=mode) for mode in MODES}


@pytest.fixture(scope="module")
def jitted(modes):
    """Each mode inside jit, compiled once: every parameter is an argument."""
    return {mode: jax.jit(model.predict_photometry) for mode, model in modes.items()}


def complete(surrogate, name, value):
    """A full dict with one value changed."""
    return {**{k: float(v) for k, v in surrogate.spec.resolve(ONE).items()}, name: value}


def test_every_parameter_is_listed_above(surrogate):
    guarded = {r.name for r in surrogate.domain.ranges}
    assert guarded == set(OUTSIDE) == set(surrogate.spec.all_params) - {"sfh_tsnorm_log_peak_sfr"}


@pytest.mark.parametrize(("name", "value"), OUTSIDE.items())
def test_outside_raises_and_is_masked_inside_jit(modes, jitted, name, value):
    bad = complete(modes["raise"], name, value)
    with pytest.raises(ParameterError, match=f"{name} = {value:g}: this surrogate was trained"):
        modes["raise"].predict_photometry(bad)
    for mode in ("raise", "nan", "warn"):
        assert np.isnan(jitted[mode](bad)).all()
        assert np.isfinite(jitted[mode](complete(modes["raise"], name, inside_value(name)))).all()
    assert np.isnan(modes["nan"].predict_photometry(bad)).all()


def inside_value(name):
    """A value inside the box."""
    fixed = {"sfh_tsnorm_skew": 0.2, "sfh_tsnorm_trunc": 3.0, "dust_slope": -0.7}
    return {**ONE, **fixed}[name]


def test_message_names_first_row_count_and_range(modes):
    bad = {**ONE, "dust_tau_bc": np.array([0.1, 4.0, 5.5, 7.0])}
    with pytest.raises(ParameterError) as error:
        modes["raise"].predict_photometry_batch(bad)
    assert "dust_tau_bc = 5.5 at row 2 (2 of 4 values)" in str(error.value)
    assert "[0, 4]" in str(error.value)


def test_rows_inside_are_untouched_by_bad_neighbours(modes):
    bad = {**ONE, "dust_tau_bc": np.array([0.1, 5.5])}
    flux = np.asarray(modes["nan"].predict_photometry_batch(bad))
    assert np.isfinite(flux[0]).all() and np.isnan(flux[1]).all()
    with pytest.warns(UserWarning, match=r"dust_tau_bc = 5.5 at row 1 .*extrapolation"):
        extrapolated = modes["warn"].predict_photometry_batch(bad)
    assert np.isfinite(extrapolated).all()
    np.testing.assert_allclose(extrapolated[0], flux[0], rtol=1e-6)


@pytest.mark.parametrize(("name", "value"), OUTSIDE.items())
def test_clip_answers_for_the_nearest_point(modes, jitted, name, value):
    trained = modes["clip"].domain.by_name[name]
    nearest = complete(modes["raise"], name, float(np.clip(value, trained.lo, trained.hi)))
    expected = modes["raise"].predict_photometry(nearest)
    for predict in (modes["clip"].predict_photometry, jitted["clip"]):
        far = complete(modes["clip"], name, value)
        np.testing.assert_allclose(predict(far), expected, rtol=1e-6)


def test_the_amplitude_is_exact_at_any_value(modes):
    low = np.asarray(modes["raise"].predict_photometry({**ONE, "sfh_tsnorm_log_peak_sfr": -4.0}))
    high = np.asarray(modes["raise"].predict_photometry({**ONE, "sfh_tsnorm_log_peak_sfr": 5.0}))
    np.testing.assert_allclose(high / low, 1e9, rtol=1e-6)


@pytest.mark.parametrize("x64", [True, False])
def test_draws_from_the_prior_and_its_edges_are_inside(modes, x64):
    spec = modes["raise"].spec
    edges = {n: np.array(spec.get_distribution(n).bounds) for n in spec.free_params}
    with jax.enable_x64(x64):
        for params in (draws(spec, 512), edges, {n: e.astype("f4") for n, e in edges.items()}):
            assert np.isfinite(modes["raise"].predict_photometry_batch(params)).all()
            assert np.isfinite(modes["nan"].predict_photometry_batch(params)).all()


def test_unknown_mode(artefact):
    with pytest.raises(UnknownNameError, match="Did you mean raise"):
        TrainedDomain.of(artefact.spec, artefact.target.input_names, "rais")
