"""``fit`` against posteriors that are known on paper, and what it says of bad rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from tengri.errors import ConfigError, ParameterError, UnknownNameError
from tengri.inference import Noise, Observations, fit
from tengri.inference.importance import SamplingPlan
from tengri.inference.observations import FLAGS
from tests.tengri.inference.toy import BANDS, MEAN, NAMES, SLOPE, Toy, posterior

ERROR = np.array([3.0, 2.0, 4.0])
SMALL = {
    "derived": False,
    "plan": SamplingPlan(starts=8, steps=4, scouts=16, draws=512, rounds=4),
}


def measured(n, seed=0):
    rng = np.random.default_rng(seed)
    flux = Toy().flux(rng.normal(MEAN, [0.1, 0.2], (n, 2)))
    return flux + ERROR * rng.normal(size=flux.shape)


def moments(found, row, name):
    """Return the median and half of the 68 per cent interval."""
    c = found.columns
    return c[f"{name}_p50"][row], 0.5 * (c[f"{name}_p84"][row] - c[f"{name}_p16"][row])


@pytest.mark.parametrize("method", ["importance", pytest.param("map", marks=pytest.mark.slow)])
def test_the_posterior_of_a_linear_model_is_the_one_on_paper(method):
    flux = measured(5)
    data = Observations.of(flux, np.broadcast_to(ERROR, flux.shape), BANDS)
    found = fit(Toy(), data, method, **SMALL)
    assert found.usable.all()
    for row in range(5):
        mean, covariance = posterior(flux[row], ERROR)
        for i, name in enumerate(NAMES):
            middle, half = moments(found, row, name)
            sigma = covariance[i, i] ** 0.5
            assert abs(middle - mean[i]) < 0.12 * sigma
            assert half == pytest.approx(sigma, rel=0.1)
    if method == "importance":
        assert (found.columns["ess"] > 400).all() and (found.columns["pareto_k"] < 0.7).all()
        predicted = SLOPE * [0.1, 0.2]
        covariance = predicted @ predicted.T + np.diag(ERROR**2)
        apart = flux - Toy().flux(MEAN)
        evidence = -0.5 * np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart)
        evidence -= 0.5 * np.linalg.slogdet(2.0 * np.pi * covariance)[1]
        np.testing.assert_allclose(found.columns["log_evidence"], evidence, atol=0.1)


@pytest.mark.slow
def test_nuts_agrees():
    flux = measured(2)
    data = Observations.of(flux, np.broadcast_to(ERROR, flux.shape), BANDS)
    found = fit(Toy(), data, "nuts", **SMALL)
    assert found.usable.all() and set(found.columns["method"]) == {"nuts"}
    assert (found.columns["rhat"] < 1.01).all() and not found.columns["divergent"].any()
    mean, covariance = posterior(flux[1], ERROR)
    middle, half = moments(found, 1, NAMES[1])
    assert middle == pytest.approx(mean[1], abs=0.15 * covariance[1, 1] ** 0.5)
    assert half == pytest.approx(covariance[1, 1] ** 0.5, rel=0.15)


def test_a_band_that_is_missing_counts_for_nothing_and_rows_do_not_depend_on_the_cut():
    flux, error = measured(3), np.tile(ERROR, (3, 1))
    broken = flux.copy()
    broken[1, 2] = -99.0
    found = fit(Toy(), Observations.of(broken, error, BANDS), "importance", **SMALL)
    mean, covariance = posterior(flux[1], np.array([*ERROR[:2], 1e12]))
    middle, half = moments(found, 1, NAMES[0])
    assert middle == pytest.approx(mean[0], abs=0.12 * covariance[0, 0] ** 0.5)
    assert half == pytest.approx(covariance[0, 0] ** 0.5, rel=0.1)
    assert found.columns["flag"].tolist() == [0, FLAGS["a band was dropped"], 0]
    huge = error.copy()
    huge[1, 2] = 1e9  # the same as without it
    same = fit(Toy(), Observations.of(flux, huge, BANDS), "importance", **SMALL)
    assert moments(same, 1, NAMES[0]) == pytest.approx((middle, half), rel=1e-5)
    alone = Observations.of(broken, error, BANDS).rows(slice(1, 2))
    for name, values in fit(Toy(), alone, "importance", **SMALL).columns.items():
        np.testing.assert_array_equal(values, found.columns[name][1:2])


@pytest.mark.slow
def test_an_upper_limit_is_a_censored_measurement():
    """One parameter, one band: the posterior of a limit is a normal times a Φ."""
    slope = np.zeros((3, 2))
    slope[0, 0] = 100.0
    model = Toy(slope=slope)
    limit = 100.0 + 100.0 * 0.95  # below the prior's mean of 1.0
    flux = np.array([[limit, np.nan, np.nan]])
    data = Observations.of(flux, np.full((1, 3), 4.0), BANDS, limit=[[True, False, False]])
    found = fit(model, data, "importance", **SMALL)

    def density(x):
        return norm.pdf(x, 1.0, 0.1) * norm.cdf((0.95 - x) / 0.04)

    total = quad(density, 0.0, 2.0)[0]
    for q, name in ((0.16, "p16"), (0.5, "p50"), (0.84, "p84")):
        below = quad(density, 0.0, found.columns[f"{NAMES[0]}_{name}"][0])[0] / total
        assert below == pytest.approx(q, abs=0.03)
    assert found.columns["log_evidence"][0] == pytest.approx(np.log(total), abs=0.1)


@pytest.mark.slow
def test_errors_of_the_surrogate_widen_the_posterior():
    flux = measured(1)
    data = Observations.of(flux, np.full((1, 3), 0.1), BANDS)
    narrow = moments(fit(Toy(), data, "importance", **SMALL), 0, NAMES[0])[1]
    wide = moments(fit(Toy(error_mag=0.05), data, "importance", **SMALL), 0, NAMES[0])[1]
    sigma = 0.05 * 0.921 * Toy().flux(MEAN)
    expected = posterior(flux[0], sigma)[1][0, 0] ** 0.5
    assert wide > 5 * narrow and wide == pytest.approx(expected, rel=0.2)


@pytest.mark.slow
def test_both_redshifts_of_two_are_found_and_a_prior_chooses():
    """Fluxes are even about z = 1: P(z) has two modes of one half each."""
    model = Toy(redshift=(0.01, 1.99), bump=1.0)
    flux = Toy().flux(MEAN)[None] * (1.0 + 0.6**2)
    error = 0.01 * flux
    c = fit(model, Observations.of(flux, error, BANDS), "importance", **SMALL).columns
    assert c["redshift_p16"][0] == pytest.approx(0.4, abs=0.1)
    assert c["redshift_p84"][0] == pytest.approx(1.6, abs=0.1)
    assert c["redshift_odds"][0] == pytest.approx(0.5, abs=0.1)
    chosen = Observations.of(flux, error, BANDS, redshift=[1.5], redshift_error=[0.2])
    c = fit(model, chosen, "importance", **SMALL).columns
    assert c["redshift_p02"][0] > 1.3 and c["redshift_odds"][0] > 0.9
    known = Observations.of(flux, error, BANDS, redshift=[1.6])
    found = fit(model, known, "importance", **SMALL)
    assert found.names == NAMES and found.usable.all()
    mean, _ = posterior(flux[0] / 1.36, error[0] / 1.36)
    assert moments(found, 0, NAMES[0])[0] == pytest.approx(mean[0], abs=0.02)


def test_bad_rows_are_answered_row_by_row():
    flux, error = measured(8), np.tile(ERROR, (8, 1))
    z = np.full(8, 0.5)
    flux[0] = -99.0
    error[1, 0] = -1.0
    error[2, 1] = np.nan
    flux[3] = [-5.0, 3.0, 0.0]  # nothing is wrong with faint galaxies
    z[4], z[5] = 7.0, -99.0
    flux[6] *= 1000.0  # a slipped unit
    data = Observations.of(flux, error, BANDS, redshift=z)
    found = fit(Toy(redshift=(0.01, 2.0)), data, "importance", **SMALL)
    flag = found.columns["flag"]
    none, dropped = FLAGS["no band was measured"], FLAGS["a band was dropped"]
    assert flag[0] == none | dropped and flag[1] == flag[2] == dropped
    assert flag[4] == flag[5] == FLAGS["no usable redshift"]
    assert flag[6] & FLAGS["poor fit"] and flag[7] == 0
    assert np.isnan(found.columns["chi2"][[0, 4, 5]]).all()
    assert np.isfinite(found.columns["chi2"][[1, 2, 3, 6, 7]]).all()
    assert found.counts()["no usable redshift"] == 2


@pytest.mark.slow
def test_an_outlier_is_outvoted():
    flux = Toy().flux(MEAN)[None].copy()
    flux[0, 2] += 60.0
    data = Observations.of(flux, ERROR[None], BANDS)
    plain = fit(Toy(), data, "importance", **SMALL)
    robust = fit(Toy(), data, "importance", noise=Noise(outliers=0.05, factor=30.0), **SMALL)
    apart = [abs(moments(f, 0, NAMES[1])[0] - MEAN[1]) for f in (plain, robust)]
    assert plain.columns["flag"][0] & FLAGS["poor fit"] and apart[1] < 0.3 * apart[0]


def test_a_wrong_surrogate_is_found_out_and_refitted():
    exact = Toy()
    wrong = Toy(slope=SLOPE * [[1.5], [0.7], [1.0]], exact=exact)
    right = Toy(exact=exact)
    data = Observations.of(measured(3), np.tile(ERROR, (3, 1)), BANDS)
    good = fit(right, data, "importance", certify=200, **SMALL).columns
    assert not good["flag"].any() and (good["exact_ess"] > 199).all()
    bad = fit(wrong, data, "importance", certify=200, **SMALL).columns
    assert (bad["flag"] & FLAGS["surrogate not exact enough"]).all()
    again = fit(wrong, data, "importance", certify=200, refit=True, **SMALL)
    assert again.usable.all() and again.columns["refitted"].all()
    truth = fit(exact, data, "importance", **SMALL)
    assert moments(again, 0, NAMES[0]) == pytest.approx(moments(truth, 0, NAMES[0]), rel=1e-6)


@pytest.mark.slow
def test_draws_are_kept_on_request_and_single_precision_is_enough(float32):
    data = Observations.of(measured(2), np.tile(ERROR, (2, 1)), BANDS)
    found = fit(Toy(), data, "importance", draws=300, **SMALL)
    assert found.draws.shape == (2, 300, 2) and found.draws.dtype == np.float32
    mean, covariance = posterior(measured(2)[0], ERROR)
    np.testing.assert_allclose(found.draws[0].mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(found.draws[0].T), covariance, rtol=0.3, atol=1e-3)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda d: fit(Toy(), d, "emcee"), UnknownNameError, "importance"),
        (lambda d: fit(Toy(), d.select(("u", "g"))), UnknownNameError, "r"),
        (lambda d: fit(Toy(), d, certify=10), ConfigError, "surrogate"),
        (lambda d: Observations.of(np.ones((2, 2)), np.ones((2, 2)), BANDS), ParameterError,
         "(n, 3)"),
        (lambda d: Observations.of(np.ones((1, 3)), np.ones((1, 3)), BANDS, units="nJi"),
         UnknownNameError, "nJy"),
        (lambda d: Noise(outliers=0.7), ParameterError, "outliers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(wrong, error, words):
    data = Observations.of(measured(1), ERROR[None], BANDS)
    with pytest.raises(error) as caught:
        wrong(data)
    assert words in str(caught.value)


def test_known_redshifts_need_a_free_one():
    data = Observations.of(measured(1), ERROR[None], BANDS, redshift=[0.3])
    with pytest.raises(ConfigError, match="declare it free"):
        fit(Toy(redshift=0.5), data)
