"""Likelihood data: what was not measured decides nothing; covariances; rows; finite slopes."""

from __future__ import annotations

import astropy.units as u
import jax
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.errors import ParameterError
from tengri.forward.posterior import Posterior

UNITS = ("nJy", "mag_ab", "maggies", "erg/s/cm2/Hz")
EACH = [pytest.param(u, marks=[] if u == "mag_ab" else pytest.mark.slow) for u in UNITS]
GALAXY = {"sfh_tsnorm_log_peak_sfr": 1.0, "dust_tau_diff": 0.1, "redshift": 13.0}


@pytest.fixture(scope="module")
def flats():
    """NIRCam at z = 7 to 14, where the blue bands see nothing, in every kind of unit."""
    spec = Parameters(sfh_tsnorm_log_peak_sfr=(0, 3), dust_tau_diff=(0, 1), redshift=(7, 14))
    bands = Instrument.JWST_NIRCam().select(["jwst_f070w", "jwst_f277w", "jwst_f356w"])
    ssp = load_ssp_data()
    return {
        units: SEDModel(spec, ssp, bands.observation(), units=units).flat_function()
        for units in UNITS
    }


def observed(flat: Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted data off by little, NaN where there is no light, and errors."""
    flux = np.array(flat(GALAXY), np.float64)
    sigma = (
        np.full(3, 0.1) if flat.model.units == "mag_ab" else 0.1 * np.abs(flux) + flux.max() / 99
    )
    flux[0] = np.nan
    return flux + 0.5 * sigma * [0, 1, -1], sigma


@pytest.mark.parametrize("units", EACH)
def test_value_and_slope_are_finite_beside_a_dropout(flats, units):
    flat = flats[units]
    data = flat.data(*observed(flat))
    vector = flat.vector(GALAXY)
    value, slope = jax.value_and_grad(flat.log_likelihood)(vector, data)
    assert np.isfinite(value) and np.isfinite(slope).all() and (np.asarray(slope) != 0.0).any()
    step = 1e-4 * np.eye(flat.size)[0]
    rise = flat.log_likelihood(vector + step, data) - flat.log_likelihood(vector - step, data)
    assert slope[0] == pytest.approx(float(rise) / 2e-4, rel=1e-4)


def test_a_magnitude_likelihood_is_the_normal_density_of_magnitudes(flats):
    flat = flats["mag_ab"]
    mag, sigma = observed(flat)
    off = (np.asarray(flat(GALAXY)) - mag)[1:] / sigma[1:]
    expected = -0.5 * (off**2).sum() - np.log(sigma[1:]).sum() - np.log(2.0 * np.pi)
    assert flat.log_likelihood(GALAXY, flat.data(mag, sigma)) == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize("units", UNITS)
def test_a_dropout_that_was_measured_has_no_slope_that_is_nan(flats, units, float32):
    """No light where a magnitude was measured: the density is 0, and its slope is no NaN."""
    flat = flats[units]
    flux, sigma = observed(flat)
    flux[0] = 30.0 if units == "mag_ab" else 0.0
    data = flat.data(flux, sigma)
    value, slope = jax.value_and_grad(flat.log_likelihood)(flat.vector(GALAXY), data)
    assert value == -np.inf if units == "mag_ab" else np.isfinite(value)
    assert np.isfinite(slope).all()


class Blind:
    """A model that predicts something impossible in its first band."""

    units, filter_names = "nJy", ("a", "b", "c")
    emulation_covariance = np.zeros((3, 3))
    spec = Parameters(dust_tau_diff=(0.0, 4.0))

    def __init__(self, impossible: float) -> None:
        self.impossible = impossible

    def predict_photometry(self, params, units=None):
        flux = jax.numpy.array([1.0, 2.0, 3.0]) * (1.0 + params["dust_tau_diff"])
        return flux.at[0].set(self.impossible)


@pytest.mark.parametrize("impossible", [np.nan, np.inf, -np.inf])
def test_a_prediction_of_what_was_not_measured_does_not_matter(impossible):
    def density(first, tau):
        flat = Posterior(Blind(first))
        data = flat.data([np.nan, 2.0, 4.0], [1.0, 0.5, 0.5])
        return flat.log_likelihood({"dust_tau_diff": tau}, data)

    got, slope = (f(impossible, 0.3) for f in (density, jax.grad(density, 1)))
    assert got == pytest.approx(float(density(0.0, 0.3)))
    assert slope == pytest.approx(float(jax.grad(density, 1)(0.0, 0.3)))


@pytest.mark.parametrize("units", EACH[:2])
def test_rows_are_mapped_over(flats, units):
    flat = flats[units]
    flux, sigma = observed(flat)
    rows = np.ma.array([flux, flux + sigma, flux], mask=[[1, 0, 0], [1, 0, 0], [1, 1, 0]])
    data = flat.data(rows, np.stack([sigma] * 3))
    got = jax.vmap(flat.log_likelihood, (None, 0))(flat.vector(GALAXY), data)
    one = [flat.log_likelihood(GALAXY, flat.data(row, sigma)) for row in rows]
    np.testing.assert_allclose(got, one, rtol=1e-9)
    covariances = np.stack([np.diag(sigma**2)] * 3)
    again = jax.vmap(flat.log_likelihood, (None, 0))(
        flat.vector(GALAXY), flat.data(rows, covariances)
    )
    np.testing.assert_allclose(again, one, rtol=1e-9)
    with pytest.raises(ParameterError, match="row 1"):
        flat.data([flux, np.full(3, np.nan)], [sigma, sigma])


def test_an_error_goes_along_from_magnitudes_to_fluxes(flats):
    """σ_f / f = 0.4 ln 10 σ_m, in whichever unit the model is."""
    mag = np.array([np.nan, 25.0, 26.0])
    for units in ("nJy", "maggies", "erg/s/cm2/Hz"):
        data = flats[units].data(mag * u.ABmag, [0.1, 0.1, 0.2] * u.mag)
        np.testing.assert_allclose(1.0 / data.flux[1:], [0.0921034, 0.1842068], rtol=1e-6)
    flux = (mag * u.ABmag).to(u.uJy)
    back = flats["mag_ab"].data(flux, flux * [0.0921034, 0.0921034, 0.1842068])
    np.testing.assert_allclose(back.error[1:], [0.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose((back.flux * back.error)[1:], mag[1:], rtol=1e-12)
    with pytest.raises(ParameterError, match="no magnitude"):
        flats["mag_ab"].data(-flux, flux)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e12])
def test_a_covariance_is_judged_whatever_its_unit(flats, scale):
    flat, s = flats["nJy"], scale * np.array([1.0, 1e3, 1e-2])
    good = np.outer(s, s) * (0.99 * np.ones((3, 3)) + 0.01 * np.eye(3))
    assert flat.data(np.ones(3), good).correlation[0, 1] == pytest.approx(0.99)
    assert flat.data(np.ones(3), good.astype(np.longdouble) * (1 + 1e-12)).seen.all()
    bad = np.outer(s, s) * (1.02 * np.ones((3, 3)) - 0.02 * np.eye(3))
    with pytest.raises(ParameterError, match=r"smallest eigenvalue .* -0.02"):
        flat.data(np.ones(3), bad)
    bad[0, 1] *= 0.5
    with pytest.raises(ParameterError, match="not symmetric"):
        flat.data(np.ones(3), bad)
    # a band that was not measured may have any covariance
    flat.data([np.nan, 1.0, 1.0], np.where(np.eye(3)[0], bad, np.diag(s**2)))


def test_an_unknown_covariance_of_two_bands_takes_both_out(flats):
    c = np.diag([1.0, 4.0, 9.0])
    c[1, 2] = np.nan
    data = flats["nJy"].data(np.ones(3), c)
    np.testing.assert_array_equal(data.seen, [True, False, False])
