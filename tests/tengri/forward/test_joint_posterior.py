"""Bands and spectra in one posterior: densities by direct integration, gradients, mistakes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.constants import C_AA_PER_S
from tengri.errors import ConfigError, ParameterError
from tengri.forward.calibration import Calibration, MeasuredSpectrum, log_likelihood
from tengri.forward.nuisances import Nuisances
from tengri.observation import Observation
from tengri.observation.spectrograph import Spectrograph
from tengri.priors import LogUniform, Uniform

GALAXY = {"sfh_const_log_total_mass": 10.0, "dust_tau_diff": 0.4}
PIXELS = Spectrograph.of(np.arange(4000.0, 9000.0, 50.0), 150.0, name="low")


@pytest.fixture(scope="module")
def model():
    spec = Parameters(sfh_const_log_total_mass=(8.0, 12.0), sfh_const_start_gyr=2.0,
                      met_logzsol=-0.3, dust_tau_diff=(0.0, 2.0), redshift=0.1)  # fmt: skip
    bands = Instrument.SDSS().select(["sdss_g", "sdss_r"]).photometry
    seen = Observation(bands, (PIXELS,))
    return SEDModel(spec, load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5"), seen, units="nJy")


@pytest.fixture(scope="module")
def mock(model):
    """Return f_ν [nJy] of bands and spectrum."""
    seen = model.predict_observation(GALAXY, vel_sigma_kms=200.0)
    assert list(seen) == ["photometry", "low"]
    np.testing.assert_array_equal(seen["photometry"], model.predict_photometry(GALAXY))
    np.testing.assert_array_equal(
        seen["low"], model.predict_spectrum(PIXELS, GALAXY, vel_sigma_kms=200.0)
    )
    np.testing.assert_array_equal(
        model.predict_spectrum(params=GALAXY), model.predict_spectrum("low", GALAXY)
    )
    return np.asarray(seen["photometry"]), np.asarray(seen["low"]) * 1e32


def toy(n=40, seed=0):
    """Return a model spectrum, a measurement of it with an error of calibration, and a prior."""
    rng = np.random.default_rng(seed)
    pixels = Spectrograph.of(np.linspace(4000.0, 5000.0, n))
    calibration = Calibration(3, sigma=0.2)
    flux = 5.0 + np.sin(np.arange(n) / 3.0)
    terms = calibration.sigma * calibration.terms(pixels)
    error = rng.uniform(0.2, 0.5, n)
    data = flux * (1.0 + terms @ rng.normal(size=4)) + error * rng.normal(size=n)
    data[[3, 17]] = np.nan
    return flux, terms, data, error, MeasuredSpectrum.of(data, error, pixels, "nJy")


def test_marginalised_calibration_is_the_gaussian_integral():
    """SciPy's normal distribution with the covariance of polynomials and noise written out."""
    flux, terms, data, error, measured = toy()
    keep = np.isfinite(data)
    for factor in (1.0, 1.7):
        columns = (flux[:, None] * terms)[keep]
        covariance = np.diag((factor * error[keep]) ** 2) + columns @ columns.T
        expected = multivariate_normal(flux[keep], covariance).logpdf(data[keep])
        found = log_likelihood(jnp.asarray(flux), measured, jnp.asarray(terms), factor)
        assert float(found) == pytest.approx(expected, rel=1e-9)
    alone = multivariate_normal(flux[keep], np.diag(error[keep] ** 2)).logpdf(data[keep])
    assert float(log_likelihood(jnp.asarray(flux), measured, None)) == pytest.approx(alone)
    with jax.enable_x64(False):
        single = log_likelihood(jnp.asarray(flux, float), measured, jnp.asarray(terms, float))
        assert float(single) == pytest.approx(
            float(log_likelihood(flux, measured, terms)), abs=2e-3
        )


def test_errors_of_the_model_itself_add_to_those_of_the_data():
    """SciPy's normal distribution with variances written out."""
    flux, terms, data, error, measured = toy()
    keep, own = np.isfinite(data), np.linspace(0.01, 0.2, len(flux))
    columns = (flux[:, None] * terms)[keep]
    variance = (1.3 * error) ** 2 + (own * flux) ** 2
    covariance = np.diag(variance[keep]) + columns @ columns.T
    expected = multivariate_normal(flux[keep], covariance).logpdf(data[keep])
    found = log_likelihood(jnp.asarray(flux), measured, jnp.asarray(terms), 1.3, jnp.asarray(own))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_free_coefficients_integrate_to_the_marginal(model, mock):
    """A factor alone: a sum over it, with its prior, is the density in closed form."""
    bands, spectrum = mock
    error = 0.2 * spectrum
    spectra = {"low": (1.07 * spectrum, error)}
    given = (bands, 0.1 * bands, spectra)
    calibrated = lambda free: Nuisances(  # noqa: E731
        vel_sigma_kms=200.0, calibration=Calibration(0, 0.1, marginalise=not free)
    )
    closed, free = model.joint_posterior(calibrated(False)), model.joint_posterior(calibrated(True))
    assert (closed.size, free.size) == (2, 3)
    x = np.linspace(-6.0, 6.0, 801)
    data = free.data(*given)
    known = {**free.params(jnp.zeros(3)), **GALAXY}
    density = lambda c: free.log_likelihood({**known, "calibration_low": c}, data)  # noqa: E731
    each = jax.vmap(density)(0.1 * x[:, None])
    weight = norm.pdf(x) * (x[1] - x[0])
    numeric = np.log(np.sum(np.exp(each - each.max()) * weight)) + each.max()
    point = {**closed.params(jnp.zeros(2)), **GALAXY}
    assert float(closed.log_likelihood(point, closed.data(*given))) == pytest.approx(
        float(numeric), abs=1e-6
    )
    best = closed.polynomials(point, closed.data(*given))["low"]
    np.testing.assert_allclose(best, 1.07, atol=0.01)
    np.testing.assert_allclose(free({**point, "calibration_low": jnp.array([0.2])})["low"],
                               1.2 * spectrum, rtol=1e-9)  # fmt: skip


def test_bands_and_spectra_are_independent(model, mock):
    bands, spectrum = mock
    joint = model.joint_posterior(Nuisances(vel_sigma_kms=200.0))
    data = joint.data(bands, 0.1 * bands, {"low": (spectrum, 0.1 * spectrum)})
    of_bands = model.flat_function()
    p = {**joint.params(jnp.zeros(joint.size)), **GALAXY, "dust_tau_diff": 0.5}
    moved = np.asarray(model.predict_spectrum(PIXELS, {**GALAXY, "dust_tau_diff": 0.5},
                                              vel_sigma_kms=200.0)) * 1e32  # fmt: skip
    n = len(PIXELS)
    expected = multivariate_normal(spectrum, np.eye(n) * (0.1 * spectrum) ** 2).logpdf(moved)
    expected += float(of_bands.log_likelihood({**GALAXY, "dust_tau_diff": 0.5},
                                              of_bands.data(bands, 0.1 * bands)))  # fmt: skip
    assert float(joint.log_likelihood(p, data)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_slopes_vectors_and_densities(model, mock):
    """Every parameter, nuisances included, has a slope; vectors and dicts are inverses."""
    bands, spectrum = mock
    nuisances = Nuisances(
        vel_sigma_kms=(50.0, 350.0),
        calibration=Calibration(2, 0.1, marginalise=False),
        noise_factor=LogUniform(0.5, 3.0),
    )
    joint = model.joint_posterior(nuisances)
    assert joint.names[-3:] == ["vel_sigma_kms", "noise_factor_low", "calibration_low"]
    assert joint.size == 2 + 1 + 1 + 3
    data = joint.data(bands, 0.1 * bands, {"low": (spectrum, 0.05 * spectrum)})
    u = jnp.linspace(-0.4, 0.5, joint.size)
    np.testing.assert_allclose(joint.vector(joint.params(u)), u, atol=1e-9)
    density = jax.jit(lambda u: joint.log_posterior(u, data))
    slope = jax.jit(jax.grad(lambda u: joint.log_posterior(u, data)))(u)
    assert (np.abs(slope) > 1e-6).all()
    for i in range(joint.size):
        step = 1e-4 * jnp.eye(joint.size)[i]
        numeric = (density(u + step) - density(u - step)) / 2e-4
        np.testing.assert_allclose(slope[i], numeric, rtol=1e-4, atol=1e-3)
    unit = model.joint_posterior(nuisances, "unit")
    middle = jnp.full(unit.size, 0.5)
    np.testing.assert_allclose(unit.vector(unit.params(middle)), middle, atol=1e-9)
    assert float(unit.log_prior(middle)) == 0.0
    assert float(unit.log_prior(middle + 0.6)) == -np.inf
    # the density of the transformed variables is the prior's times the Jacobian
    jacobian = jax.jacfwd(lambda u: jnp.concatenate(
        [jnp.ravel(joint.params(u)[name]) for name in joint.names]))(u)  # fmt: skip
    values, own = joint.params(u), joint.nuisances
    expected = float(model.spec.log_prior({name: values[name] for name in model.spec.free_params}))
    expected += float(own.vel_sigma_kms.log_prob(values["vel_sigma_kms"]))
    expected += float(own.noise_factor.log_prob(values["noise_factor_low"]))
    expected += multivariate_normal(np.zeros(3), 0.01).logpdf(values["calibration_low"])
    expected += np.linalg.slogdet(jacobian)[1]
    assert float(joint.log_prior(u)) == pytest.approx(expected, rel=1e-6)


def test_units_and_masks(model, mock):
    """f_λ, f_ν and plain numbers are one; a masked pixel and one without weight count nothing."""
    u = pytest.importorskip("astropy.units")
    _, spectrum = mock
    error = 0.1 * spectrum
    f_nu = spectrum * 1e-32 * u.Unit("erg / (s cm2 Hz)")
    f_lambda = f_nu.value * C_AA_PER_S / PIXELS.wave**2 * u.Unit("erg / (s cm2 Angstrom)")
    plain = MeasuredSpectrum.of(spectrum, error, PIXELS, "nJy")
    for stated in (f_nu, f_lambda, f_nu.to("mJy")):
        other = MeasuredSpectrum.of(stated, 0.1 * stated, PIXELS, "nJy")
        np.testing.assert_allclose(other.flux, plain.flux, rtol=1e-12)
        np.testing.assert_allclose(other.error, plain.error, rtol=1e-9)
    gaps = np.ma.masked_greater(spectrum, np.median(spectrum))
    nothing = np.where(gaps.mask, np.inf, error)
    one = MeasuredSpectrum.of(gaps, error, PIXELS, "nJy")
    two = MeasuredSpectrum.of(spectrum, nothing, PIXELS, "nJy")
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)
    terms = Calibration(2).terms(PIXELS)
    cut = MeasuredSpectrum(*(np.asarray(x)[one.seen] for x in one[:3]), one.log_norm)
    whole, part = (log_likelihood(jnp.asarray(1.1 * spectrum[k]), d, jnp.asarray(terms[k]), 1.3)
                   for d, k in ((one, slice(None)), (cut, one.seen)))  # fmt: skip
    assert float(whole) == pytest.approx(float(part), rel=1e-12)


BANDS = [100.0, 200.0]
SPECTRUM = np.ones(len(PIXELS))
BAD = {
    "no spectra": (lambda m: m.joint_posterior().data(BANDS, BANDS), ConfigError, "got none"),
    "another": (lambda m: m.joint_posterior().data(BANDS, BANDS, {"high": (1, 1)}), ConfigError,
                "are low; got high"),
    "no bands": (lambda m: m.joint_posterior().data(spectra={"low": (1, 1)}), ConfigError, "bands"),
    "shape": (lambda m: m.joint_posterior().data(BANDS, BANDS, {"low": ([1.0], [1.0])}),
              ParameterError, "low has 100 pixels"),
    "errors": (lambda m: m.joint_posterior().data(BANDS, BANDS, {"low": (SPECTRUM, 0 * SPECTRUM)}),
               ParameterError, "must be positive"),
    "order": (lambda m: Calibration(-1), ConfigError, "order"),
    "sigma": (lambda m: Calibration(1, 0.0), ConfigError, "sigma"),
    "velocity": (lambda m: Nuisances(vel_sigma_kms=(0, 2000)), ParameterError, "0 and 1000"),
    "noise": (lambda m: Nuisances(noise_factor=Uniform(0, 1)), ParameterError, "positive"),
    "calibration": (lambda m: Nuisances(calibration=3), ConfigError, "Calibration"),
    "coordinates": (lambda m: m.joint_posterior(coordinates="cube"), ConfigError, "coordinates"),
    "gas": (lambda m: m.joint_posterior(Nuisances(gas_sigma_kms=50.0))(jnp.zeros(2)), ConfigError,
            "gas_sigma_kms has no effect"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_mistakes(model, case):
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call(model)


def test_models_without_bands_or_spectra(model):
    only = SEDModel(model.spec, model.ssp, Observation(spectrographs=[PIXELS]), units="nJy")
    assert (only.filter_names, list(only.predict_observation(GALAXY))) == ((), ["low"])
    assert "low: 100 pixels" in only.summary()
    many = {**GALAXY, "dust_tau_diff": np.zeros(2)}
    for call in (lambda: only.predict_photometry(GALAXY),
                 lambda: only.predict_photometry_batch(many), only.evaluator):  # fmt: skip
        with pytest.raises(ConfigError, match=r"no bands, only spectra \(low\)"):
            call()
    with pytest.raises(ConfigError, match="without bands"):
        only.predict_absolute_magnitudes(only.observation, GALAXY)
    joint = only.joint_posterior()
    assert joint.data(spectra={"low": (SPECTRUM, SPECTRUM)}).photometry is None
    bands = SEDModel(model.spec, model.ssp, Instrument.SDSS().observation())
    with pytest.raises(ConfigError, match="no spectra"):
        bands.joint_posterior()
