"""A distance in the place of the cosmological one; redshift 0; magnitudes at rest from 10 pc."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel
from tengri.constants import PC_CM
from tengri.errors import ConfigError, ParameterError

SDSS = Instrument.SDSS()
GALAXY = {"sfh_const_log_total_mass": 10.0, "sfh_const_start_gyr": 5.0, "dust_tau_diff": 0.4}


def build(ssp, **params):
    return SEDModel(Parameters(**GALAXY, **params), ssp, SDSS.observation(), units="nJy")


@pytest.fixture(scope="module")
def near(ssp):
    """A model with a distance, for redshifts from 0 on."""
    return build(ssp, redshift=(0.0, 1.0), distance_mpc=(1.0, 5000.0))


@pytest.fixture(scope="module")
def usual(ssp):
    return build(ssp, redshift=(0.0, 1.0))


def test_the_distance_of_the_cosmology_gives_its_fluxes(near, usual):
    z = np.array([0.01, 0.3, 0.9])
    d = np.asarray(usual.cosmology.luminosity_distance_mpc(z))
    found = near.predict_photometry_batch({"redshift": z, "distance_mpc": d})
    np.testing.assert_allclose(found, usual.predict_photometry_batch({"redshift": z}), rtol=1e-12)
    farther = near.predict_photometry_batch({"redshift": z, "distance_mpc": 3.0 * d})
    np.testing.assert_allclose(found / farther, 9.0, rtol=1e-12)


def test_redshift_zero_needs_a_distance(near, usual):
    with pytest.raises(ParameterError, match=r"redshift > 0.*distance_mpc"):
        usual.predict_photometry({"redshift": 0.0})
    assert np.isnan(jax.jit(usual.evaluator().bands)({"redshift": 0.0}).flux).all()
    assert not usual.in_domain({"redshift": np.zeros(1)}).any()
    p = {"redshift": 0.0, "distance_mpc": 10.0}
    rest = near.predict_rest_sed(p)
    observed = near.predict_obs_sed(p)
    np.testing.assert_allclose(observed.wavelength, rest.wavelength)
    thick = np.asarray(rest.wavelength) > 1300.0  # redward of the Lyman lines
    expected = np.asarray(rest.sed) / (4.0 * np.pi * (10e6 * PC_CM) ** 2)
    np.testing.assert_allclose(np.asarray(observed.sed)[thick], expected[thick], rtol=1e-10)
    # continuous in the redshift, and with slopes
    zero, little = (np.asarray(near.predict_photometry({**p, "redshift": z})) for z in (0.0, 1e-7))
    np.testing.assert_allclose(zero, little, rtol=1e-5)
    slopes = jax.jacfwd(lambda p: jnp.log(near.predict_photometry(p)))(
        {name: jnp.asarray(v) for name, v in p.items()}
    )
    assert np.isfinite(slopes["redshift"]).all()
    np.testing.assert_allclose(slopes["distance_mpc"], -0.2, rtol=1e-12)
    assert near.in_domain({"redshift": np.zeros(1), "distance_mpc": 10.0}).all()
    with pytest.raises(ParameterError):
        near.predict_photometry({"redshift": -0.001, "distance_mpc": 0.8})


def test_a_fixed_redshift_of_zero_agrees(ssp, near):
    """Which has a path of its own."""
    fixed = build(ssp, redshift=0.0, distance_mpc=(1.0, 5000.0))
    found = fixed.predict_photometry({"distance_mpc": 20.0})
    expected = near.predict_photometry({"redshift": 0.0, "distance_mpc": 20.0})
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_distance_acts_where_it_is_named_alone(usual):
    assert "distance_mpc" not in usual.spec.all_params
    with pytest.raises(ParameterError, match="distance_mpc has no effect"):
        usual.predict_photometry({"redshift": 0.1, "distance_mpc": 3.0})
    with pytest.raises(ParameterError):
        Parameters(distance_mpc=-1.0, redshift=0.1)


# --- at rest, from 10 pc ------------------------------------------------------------------------


def test_absolute_magnitudes_are_those_at_ten_parsec(near):
    """By trapezoids over the spectrum, without the band integrals of the model."""
    p = {"redshift": 0.0, "distance_mpc": 10.0}
    rest = near.predict_rest_sed(p)
    wave, lnu = np.asarray(rest.wavelength), np.asarray(rest.sed)
    found = near.predict_absolute_magnitudes(SDSS, p)
    for m, curve in zip(found, SDSS.photometry.filters):
        fine = np.linspace(curve.wave[0], curve.wave[-1], 40001)
        weight = np.interp(fine, curve.wave, curve.trans) / fine
        mean = np.trapezoid(np.interp(fine, wave, lnu) * weight, fine) / np.trapezoid(weight, fine)
        flux = mean / (4.0 * np.pi * (10.0 * PC_CM) ** 2)
        assert float(m) == pytest.approx(-2.5 * np.log10(flux) - 48.60, abs=1e-5)


def test_absolute_magnitudes_of_batches_and_traces(near, usual):
    z = np.array([0.01, 0.3])
    batch = usual.predict_absolute_magnitudes_batch(SDSS, {"redshift": z})
    alone = usual.predict_absolute_magnitudes(SDSS.observation(), {"redshift": 0.3})
    np.testing.assert_allclose(batch[1], alone, rtol=1e-12)
    far = near.predict_absolute_magnitudes(SDSS, {"redshift": 0.3, "distance_mpc": 7.0})
    np.testing.assert_allclose(far, alone, rtol=1e-12)
    traced = jax.jit(lambda z: usual.predict_absolute_magnitudes_batch(SDSS, {"redshift": z}))(z)
    np.testing.assert_allclose(traced, batch, rtol=1e-12)

    def u_minus_g(z):
        return usual.predict_rest_colours(SDSS, {"redshift": z})[0]

    slope, h = jax.jit(jax.grad(u_minus_g))(0.3), 1e-4
    numeric = (u_minus_g(0.3 + h) - u_minus_g(0.3 - h)) / (2 * h)
    assert float(slope) == pytest.approx(float(numeric), rel=1e-3, abs=1e-9)
    colours = usual.predict_rest_colours_batch(SDSS, {"redshift": z})
    np.testing.assert_allclose(colours, batch[:, :-1] - batch[:, 1:])


def test_bands_that_cannot_be_had_at_rest(usual):
    with pytest.raises(ConfigError, match="Instrument"):
        usual.predict_absolute_magnitudes("SDSS", {"redshift": 0.1})
    with pytest.raises(ConfigError, match="two bands"):
        usual.predict_rest_colours(Instrument.from_names(["sdss_r"]), {"redshift": 0.1})
