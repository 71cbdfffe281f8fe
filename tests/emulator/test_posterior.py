"""The model as a function of a vector: what samplers get from exact and emulated models alike."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from emulator.surrogate import EmulatedSEDModel
from tengri.errors import ParameterError, UnknownNameError
from tests.emulator.conftest import ONE


@pytest.fixture(scope="module", params=[pytest.param("exact", marks=pytest.mark.slow), "emulated"])
def model(request, exact, artefact):
    """Both models, in nJy."""
    if request.param == "emulated":
        return EmulatedSEDModel(artefact, units="nJy")
    return type(exact)(exact.spec, exact.ssp, exact.observation, units="nJy")


@pytest.fixture(scope="module")
def measured(model):
    """Fluxes off by a known scatter, errors of 5 %."""
    flux = np.asarray(model.predict_photometry(ONE), np.float64)
    return flux * (1.0 + 0.05 * np.array([0.5, -1.0, 1.5, 0.2])), 0.05 * flux


@pytest.mark.parametrize("coordinates", ["unbounded", "unit"])
def test_a_vector_and_its_dict_are_the_same_galaxy(model, coordinates):
    flat = model.flat_function(coordinates)
    u = flat.vector(ONE)
    assert u.shape == (flat.size,) == (len(flat.names),)
    for name, value in flat.params(u).items():
        assert float(value) == pytest.approx(float(ONE.get(name, value)), rel=1e-6)
    np.testing.assert_allclose(flat(u), model.predict_photometry(ONE), rtol=1e-5)
    np.testing.assert_array_equal(flat(ONE), model.predict_photometry(ONE))


def test_likelihood_is_the_multivariate_normal(model, measured):
    """Against scipy, with a full covariance of the data and the surrogate's own."""
    flat, (flux, error) = model.flat_function(), measured
    mixing = np.array([[1, 0.3, 0, 0], [0.3, 1, 0.2, 0], [0, 0.2, 1, 0], [0, 0, 0, 1.0]])
    covariance = mixing * np.outer(error, error)
    own = np.log(10.0) ** 2 * 0.16 * model.emulation_covariance
    predicted = np.asarray(model.predict_photometry(ONE), np.float64)
    total = covariance + own * np.outer(predicted, predicted)
    expected = stats.multivariate_normal(predicted, total).logpdf(flux)
    assert flat.log_likelihood(ONE, flat.data(flux, covariance)) == pytest.approx(expected)
    exact = not model.emulation_covariance.any()
    assert exact == (type(model).__name__ == "SEDModel")


def test_density_is_the_same_in_any_unit(model, measured):
    """ln N changes by Σ ln of the unit, in float32 and in units of 1e-29 too."""
    flux, error = measured
    reference = model.flat_function().log_likelihood(ONE, model.flat_function().data(flux, error))
    with jax.enable_x64(False):
        if isinstance(model, EmulatedSEDModel):
            cgs = EmulatedSEDModel(model.artefact)
        else:
            cgs = type(model)(model.spec, model.ssp, model.observation)
        flat = cgs.flat_function()
        data = flat.data(1e-32 * flux, 1e-32 * error)
        value = flat.log_likelihood(ONE, data)
        gradient = jax.grad(flat.log_posterior)(flat.vector(ONE), data)
    assert value - 4 * 32 * np.log(10.0) == pytest.approx(float(reference), abs=0.02)
    assert np.isfinite(gradient).all() and (np.asarray(gradient) != 0.0).all()


def test_a_band_without_measurement_counts_for_nothing(model, measured):
    flat, (flux, error) = model.flat_function(), measured
    keep = np.array([True, False, True, True])
    own = np.log(10.0) ** 2 * 0.16 * model.emulation_covariance
    predicted = np.asarray(model.predict_photometry(ONE), np.float64)
    total = np.diag(error**2) + own * np.outer(predicted, predicted)
    expected = stats.multivariate_normal(predicted[keep], total[np.ix_(keep, keep)]).logpdf(
        flux[keep]
    )
    for missing in (flat.data(np.where(keep, flux, np.nan), error),
                    flat.data(flux, np.where(keep, error, np.inf))):  # fmt: skip
        value, gradient = jax.value_and_grad(flat.log_likelihood)(flat.vector(ONE), missing)
        assert value == pytest.approx(expected, rel=1e-5)
        assert np.isfinite(gradient).all()


def test_prior_density_in_the_coordinates(model):
    """In the unit cube it is flat; in unbounded space it carries the Jacobian."""
    unit, unbounded = model.flat_function("unit"), model.flat_function("unbounded")
    assert unit.log_prior(jnp.full(unit.size, 0.3)) == 0.0
    assert unit.log_prior(jnp.full(unit.size, 1.01)) == -jnp.inf
    # change of variables: the densities of the two differ by ln |d unit / d unbounded|
    y = unbounded.vector(ONE)
    jacobian = jax.jacfwd(lambda y: unit.vector(unbounded.params(y)))(y)
    assert unbounded.log_prior(y) == pytest.approx(float(jnp.linalg.slogdet(jacobian)[1]), rel=1e-6)


def test_gradients_and_batches(model, measured):
    flat = model.flat_function()
    data, u = flat.data(*measured), flat.vector(ONE)
    many = u + 0.1 * jax.random.normal(jax.random.key(0), (5, flat.size))
    density = jax.jit(flat.log_posterior)
    batch = jax.vmap(density, (0, None))(many, data)
    np.testing.assert_allclose(batch[2], density(many[2], data), rtol=1e-5)
    gradient, step = jax.grad(density)(u, data), 1e-3
    for i in range(flat.size):
        up, down = (density(u.at[i].add(s * step), data) for s in (1, -1))
        assert gradient[i] == pytest.approx(float(up - down) / (2 * step), rel=0.02, abs=0.02)


@pytest.mark.parametrize(
    ("flux", "error", "message"),
    [
        (np.ones(3), np.ones(3), r"flux \(4,\)"),
        (np.ones(4), np.ones((4, 3)), r"covariance \(4, 4\)"),
        (np.ones(4), np.zeros(4), "must be positive"),
        (np.full(4, np.nan), np.ones(4), "one band at least"),
    ],
)
def test_data_that_cannot_be(exact, flux, error, message):
    with pytest.raises(ParameterError, match=message):
        exact.flat_function().data(flux, error)


def test_unknown_coordinates(exact):
    with pytest.raises(UnknownNameError, match="Did you mean unbounded"):
        exact.flat_function("unbouded")
