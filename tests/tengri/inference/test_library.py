"""Draws that galaxies share, against sums over a grid; the prior by magnitude."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from tengri.errors import ConfigError, UnknownNameError
from tengri.inference import Observations, fit
from tengri.inference.magnitude_prior import AB_NJY, log_density_at, magnitude
from tests.tengri.inference.toy import BANDS, BrightToy

QUICK = {"derived": False, "library": 2**14}
TRUTH = np.array([[10.0, 0.5, 0.4], [10.5, 1.2, 0.9], [9.5, 0.2, 1.2]])


def catalogue(noise=0.07, seed=1):
    flux = BrightToy.light(*TRUTH.T)
    error = noise * flux
    return flux + error * np.random.default_rng(seed).normal(size=flux.shape), error


def on_a_grid(flux, error, log_prior_z=lambda z: 0.0):
    """Return mean and standard deviation of mass, dust and redshift of one galaxy."""
    axes = (np.linspace(8.5, 11.5, 241), np.linspace(0.0, 2.0, 81), np.linspace(0.05, 1.5, 121))
    mass, tau, z = (x.ravel() for x in np.meshgrid(*axes, indexing="ij"))
    chi2 = np.sum(((BrightToy.light(mass, tau, z) - flux) / error) ** 2, axis=1)
    log_p = -0.5 * chi2 + log_prior_z(z)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = np.array([np.sum(p * x) for x in (mass, tau, z)])
    return mean, np.sqrt([np.sum(p * (x - m) ** 2) for x, m in zip((mass, tau, z), mean)])


def moments(found):
    draws = found.draws
    order = [found.names.index(n) for n in ("sfh_delayed_log_total_mass", "dust_tau_diff",
                                            "redshift")]  # fmt: skip
    return draws.mean(axis=1)[:, order], draws.std(axis=1)[:, order]


def test_posteriors_are_those_of_a_sum_over_a_grid():
    flux, error = catalogue()
    found = fit(BrightToy(), Observations.of(flux, error, BANDS), "library", draws=2000, **QUICK)
    assert found.usable.all() and (found.columns["ess"] > 150).all()
    mean, spread = moments(found)
    for i in range(3):
        expected, sigma = on_a_grid(flux[i], error[i])
        assert np.all(np.abs(mean[i] - expected) < 0.2 * sigma)
        np.testing.assert_allclose(spread[i], sigma, rtol=0.15)


def test_a_prior_by_magnitude_enters_and_rows_stand_alone():
    flux, error = catalogue(0.3)
    data = Observations.of(flux, error, BANDS)
    words = {"draws": 2000, "magnitude_prior": "r", **QUICK}
    found = fit(BrightToy(), data, "library", **words)
    mean, _ = moments(found)
    for i in range(3):
        m = AB_NJY - 2.5 * np.log10(flux[i, 2])
        expected, sigma = on_a_grid(
            flux[i], error[i], lambda z, m=m: np.asarray(log_density_at(z, m))
        )
        assert np.all(np.abs(mean[i] - expected) < 0.25 * sigma)
    alone = fit(BrightToy(), data.rows(slice(1, 2)), "library", **words)
    for name, values in alone.columns.items():
        np.testing.assert_array_equal(values, found.columns[name][1:2])


@pytest.mark.slow
def test_importance_sampling_with_the_same_prior_agrees():
    flux, error = catalogue(0.2)
    data = Observations.of(flux, error, BANDS)
    both = [fit(BrightToy(), data, method, draws=2000, magnitude_prior="r", derived=False)
            for method in ("library", "importance")]  # fmt: skip
    (mean, spread), (other, _) = map(moments, both)
    assert np.all(np.abs(mean - other) < 0.15 * spread)
    np.testing.assert_allclose(*(f.columns["log_evidence"] for f in both), atol=0.15)


def test_the_prior_is_a_density_with_its_modes_where_they_belong():
    for m in (20.0, 24.0, 27.0):
        total, _ = quad(lambda z, m=m: float(np.exp(log_density_at(z, m))), 0.0, 30.0, limit=200)
        assert total == pytest.approx(1.0, abs=2e-3)
    z = np.linspace(0.001, 4.0, 4000)
    mode = [z[np.argmax(log_density_at(z, m))] for m in (20.0, 22.0)]
    # early types and spirals: z_0 + k (m - 20) is the mode of each; irregulars are few, and near
    assert 0.05 < mode[0] < 0.45 and mode[0] < mode[1] < 0.62
    assert float(magnitude(np.array(0.0))) == 32.0 and float(magnitude(np.array(1e9))) == 20.0


def test_what_it_cannot_do_is_named():
    flux, error = catalogue()
    with pytest.raises(ConfigError, match="free redshift"):
        known = Observations.of(flux, error, BANDS, redshift=TRUTH[:, 2])
        fit(BrightToy(), known, "library", **QUICK)
    with pytest.raises(ConfigError, match="power of two"):
        fit(BrightToy(), Observations.of(flux, error, BANDS), "library", library=1000)
    with pytest.raises(UnknownNameError, match="magnitude prior"):
        fit(BrightToy(), Observations.of(flux, error, BANDS), "library", magnitude_prior="i")
