"""Amplitude and distance leave the network's job exactly; dropouts survive."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from emulator.targets import PhotometryTarget, target_from_dict
from emulator.targets.photometry import FLOOR, SOFTENING
from tengri import Parameters
from tengri.cosmology import log10_luminosity_to_flux
from tengri.errors import ConfigError, UnknownNameError
from tests.emulator.conftest import BOX, ONE, tiny_observation, tiny_ssp


@pytest.fixture(scope="module")
def target(exact):
    return built(exact.spec)


def built(spec):
    return PhotometryTarget.build(spec, tiny_observation().photometry, tiny_ssp().age_edges_gyr)


def test_inputs_are_the_free_parameters_without_the_amplitude(target):
    assert target.amplitude == "sfh_tsnorm_log_peak_sfr"
    assert set(target.input_names) == set(ONE) - {"sfh_tsnorm_log_peak_sfr"}
    assert target.columns == target.input_names and target.n_in == 6
    values = {name: np.float64(i) for i, name in enumerate(target.input_names)}
    assert list(target.inputs(values)) == [0, 1, 2, 3, 4, 5]


def test_softened_log_is_undone_exactly(target):
    flux = 10.0 ** np.random.default_rng(0).uniform(-5, 2, (500, 4))
    np.testing.assert_allclose(target.flux(target.outputs(flux)), flux, rtol=1e-9)


def test_a_dropout_has_a_finite_target_and_a_finite_magnitude(target):
    flux = np.array([0.0, 0.3, 1.0, 2.0])
    y = target.outputs(flux)
    assert y[0] == pytest.approx(np.log(SOFTENING * 3.3))
    back = target.flux(y)
    np.testing.assert_allclose(back[1:], flux[1:], rtol=1e-9)
    assert back[0] == pytest.approx(FLOOR * 3.3, rel=1e-6)
    below = target.flux(y.at[0].add(-1.0))  # the network missed the floor
    assert below[0] > 0.0
    gradient = jax.jit(jax.jacobian(lambda y: jax.numpy.log10(target.flux(y))))(y)
    assert np.isfinite(gradient).all()


def test_unit_bands_times_amplitude_at_a_distance_is_the_photometry(exact, target):
    p = {k: np.asarray(v) for k, v in exact.spec.resolve(ONE).items()}
    evaluator = exact.evaluator()
    unit_bands = jax.jit(lambda p: target.truth(evaluator, p))
    unit = unit_bands(p)
    scale = target.log10_amplitude(p) + log10_luminosity_to_flux(exact.cosmology, p["redshift"])
    np.testing.assert_allclose(unit * 10.0**scale, exact.predict_photometry(ONE), rtol=1e-12)
    brighter = {**p, "sfh_tsnorm_log_peak_sfr": np.asarray(2.5)}
    np.testing.assert_allclose(unit, unit_bands(brighter), rtol=1e-10)
    assert 1e-6 < unit.max() < 1e6  # near one: float32 is comfortable


def test_mass_amplitude_is_factored_out_too():
    spec = Parameters(sfh_dpl_log_total_mass=(8.0, 12.0), redshift=(0.1, 1.0))
    assert built(spec).amplitude == "sfh_dpl_log_total_mass"
    assert built(spec).input_names == ("redshift",)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sfh_tsnorm_log_peak_sfr": (0.0, 1.0), "redshift": 0.1}, "needs a free parameter"),
        ({**BOX, "mean_sfh_type": ["tsnorm", "dpl"]}, "one amplitude"),
        ({**BOX, "agn_model": "standard"}, "AGN"),
    ],
)
def test_what_cannot_be_factored_is_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        built(Parameters(**given))


def test_description_round_trip(target):
    assert target_from_dict(target.to_dict()) == target
    with pytest.raises(UnknownNameError, match="Did you mean photometry"):
        target_from_dict({**target.to_dict(), "name": "photometri"})
