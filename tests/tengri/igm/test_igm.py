"""Contracts of the intergalactic absorption models."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.igm import IGM_MODELS
from tengri.components.igm.lyman_series import LYMAN_SERIES
from tengri.errors import UnknownNameError

WAVE = np.concatenate(
    [np.geomspace(91.0, 905.0, 60), np.linspace(905.5, 1230.0, 200), [1215.67, 5e3, 1e7]]
)
FOREST = np.linspace(1030.0, 1210.0, 20)
ABSORBING = ["inoue", "madau"]


def batch(name):
    """The transmission of many redshifts, (n_z, n_wave)."""
    return jax.jit(jax.vmap(lambda z: IGM_MODELS[name].transmission(WAVE, z)))


def value_and_slope(name):
    """The transmission of many redshifts and its derivative, both (n_z, n_wave)."""
    one = jnp.ones(())
    return jax.jit(jax.vmap(
        lambda z: jax.jvp(lambda q: IGM_MODELS[name].transmission(WAVE, q), (z,), (one,))
    ))  # fmt: skip


@pytest.mark.parametrize("name", ABSORBING)
@pytest.mark.parametrize("x64", [True, False])
def test_value_and_gradient_are_finite(name, x64):
    with jax.enable_x64(x64):
        z = jnp.asarray([0.0, 1e-6, 0.01, 0.5, 1.2, 1.7, 2.0, 3.0, 4.7, 6.0, 9.0, 14.0, 20.0])
        value, slope = map(np.asarray, value_and_slope(name)(z))
        reverse = jax.jit(jax.grad(lambda q: IGM_MODELS[name].transmission(FOREST, q).sum()))
        assert value.dtype == (np.float64 if x64 else np.float32)
        assert np.all((value >= 0.0) & (value <= 1.0))
        assert np.all(np.isfinite(slope))
        assert reverse(3.0) < 0.0, "more absorption at higher redshift"


@pytest.mark.parametrize("name", ABSORBING)
def test_gradient_matches_finite_differences(name):
    # Away from redshifts at which a wavelength changes from one power law to the next.
    h = 1e-7
    z = np.array([0.5021, 2.4983, 3.5019, 5.5012])
    transmission = batch(name)
    expected = (transmission(z + h) - transmission(z - h)) / (2 * h)
    np.testing.assert_allclose(value_and_slope(name)(jnp.asarray(z))[1], expected, atol=2e-7)


@pytest.mark.parametrize("name", IGM_MODELS)
def test_no_absorption_redward_of_lyman_alpha_or_today(name):
    model = IGM_MODELS[name]
    for z in (0.1, 3.0, 10.0):
        assert np.all(np.asarray(model.transmission(WAVE, z))[WAVE >= 1215.67] == 1.0)
    assert np.all(np.asarray(model.transmission(WAVE, 0.0)) == 1.0)
    assert np.all(np.asarray(model.transmission(np.array([2000.0, 3000.0]), 3.0)) == 1.0)


def test_none_is_transparent():
    assert np.all(np.asarray(IGM_MODELS["none"].transmission(WAVE, 6.0)) == 1.0)


@pytest.mark.parametrize("name", ABSORBING)
def test_single_precision_agrees(name):
    z = np.linspace(0.05, 12.0, 40)
    double = batch(name)(z)
    with jax.enable_x64(False):
        single = batch(name)(jnp.asarray(z))
        assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=2e-5)


@pytest.mark.parametrize("name", ABSORBING)
def test_absorption_grows_with_redshift(name):
    forest = (WAVE > 1030.0) & (WAVE < 1210.0)
    z = np.linspace(0.3, 12.0, 60)
    value = np.asarray(batch(name)(z))
    assert np.all(np.diff(value[:, forest], axis=0) < 0.0)
    assert np.all(value[-1, forest] < 1e-4), "nothing passes the forest at z = 12"
    limit = np.interp([905.0, 915.0], WAVE, value[np.argmin(abs(z - 3.0))])
    assert limit[0] < 0.95 * limit[1], "the Lyman limit shows"


def test_wavelengths_need_no_order():
    order = np.random.default_rng(0).permutation(WAVE.size)
    transmission = IGM_MODELS["inoue"].transmission
    np.testing.assert_allclose(transmission(WAVE[order], 3.0), transmission(WAVE, 3.0)[order])


def test_the_line_table_is_complete():
    n, wavelength = LYMAN_SERIES[:, 0], LYMAN_SERIES[:, 1]
    assert np.array_equal(n, np.arange(2, 41))
    rydberg = 911.7633 * n**2 / (n**2 - 1)  # 1/(R_H) [Å], non-relativistic hydrogen
    np.testing.assert_allclose(wavelength, rydberg, rtol=2e-5)


def test_a_misspelt_model_is_answered():
    with pytest.raises(UnknownNameError, match="inoue"):
        IGM_MODELS["inuoe"]
