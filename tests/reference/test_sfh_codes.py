"""Star-formation histories against other codes: bagpipes, prospector, DSPS; and two papers.

``data/sfh_codes.json`` was written by ``make_sfh_codes.py``; DSPS is called.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from dsps.sfh.diffburst import BurstParams, calc_bursty_age_weights
from scipy.stats import norm

from tengri.components.stellar.sfh import BinEdges, StarFormationHistory
from tengri.components.stellar.sfh.gp_sfh import bin_variance
from tests.tengri.stellar.curves import formed, sfr

CODES = json.loads((Path(__file__).parent / "data" / "sfh_codes.json").read_text())
LN10 = np.log(10.0)


def ours(family: str, p: dict) -> dict:
    """Parameters of bagpipes under our names; a history of unit mass is asked for."""
    if family == "lnorm":
        # full width at half maximum in time of a log-normal whose mode is tmax
        width = np.arcsinh(0.5 * p["fwhm"] / p["tmax"]) / np.sqrt(2 * np.log(2)) / LN10
        given = {"peak_gyr": p["tmax"], "width_dex": width}
    else:
        given = {
            "const": lambda: {"start_gyr": p["age_max"], "end_gyr": p["age_min"]},
            "exp": lambda: {"tau_gyr": -p["tau"], "start_gyr": 0.0},
            "tau": lambda: {"tau_gyr": p["tau"], "age_gyr": p["age"]},
            "delayed": lambda: {"tau_gyr": p["tau"], "age_gyr": p["age"]},
            "dpl": lambda: {"alpha": p["alpha"], "beta": p["beta"], "tau_gyr": p["tau"]},
        }[family]()
    return {f"sfh_{family}_{k}": v for k, v in given.items()} | {
        f"sfh_{family}_log_total_mass": 9.0
    }


@pytest.mark.parametrize("family", CODES["bagpipes"])
def test_curve_and_masses_are_those_of_bagpipes(family):
    case = CODES["bagpipes"][family]
    p = ours(family, case["parameters"])
    # their rising exponential starts at an age, ours at the Big Bang
    t_univ = case["parameters"]["age"] if family == "exp" else case["t_univ_gyr"]
    history = StarFormationHistory.build(family, p)
    edges = np.array(CODES["bins_gyr"])
    log10_mass, share = formed(history, p, edges, t_univ)
    assert log10_mass == pytest.approx(9.0)
    # they sample the history at steps of 0.0025 dex: an edge at 6 Gyr is off by up to 20 Myr
    np.testing.assert_allclose(share, case["share"], atol=4e-3)
    rate, theirs = sfr(history, p, case["lookback_gyr"], t_univ), np.array(case["sfr_per_gyr"])
    np.testing.assert_allclose(rate / rate.max(), theirs / theirs.max(), rtol=1e-6)
    np.testing.assert_allclose(rate, theirs, rtol=1.5e-2)


def test_continuity_and_dirichlet_are_those_of_prospector():
    case = CODES["prospector"]
    edges = np.array(case["edges_gyr"])
    stretched = BinEdges.of("stretched")
    continuity = StarFormationHistory.build("continuity", bins=stretched)
    p = {f"sfh_cont_ratio_{i}": r for i, r in enumerate(case["continuity"]["ratios"])}
    _, share = formed(continuity, p | {"sfh_cont_log_total_mass": 10.0}, edges, edges[-1])
    np.testing.assert_allclose(share, case["continuity"]["mass"], rtol=1e-6)
    # they take the Beta deviates b_i, we their quantiles: z_i = b_i^(N-1-i)
    dirichlet = StarFormationHistory.build("dirichlet", bins=BinEdges.of(edges))
    broken = case["dirichlet"]["broken"]
    p = {f"sfh_dir_z_{i}": b ** (len(broken) - i) for i, b in enumerate(broken)}
    _, share = formed(dirichlet, p | {"sfh_dir_log_total_mass": 10.0}, edges, edges[-1])
    np.testing.assert_allclose(share, case["dirichlet"]["mass"], rtol=1e-6)


@pytest.mark.parametrize("t_univ", CODES["prospector"]["edges_at"])
def test_bins_at_every_redshift_are_those_of_prospector(t_univ):
    """Theirs say 10^7.4772 yr for 30 Myr."""
    edges = np.array(CODES["prospector"]["edges_at"][t_univ])
    np.testing.assert_allclose(BinEdges.of("leja19").at(float(t_univ)), edges, rtol=2e-4)
    history = StarFormationHistory.build("continuity")
    p = {q.name: q.default for q in history.params} | {"sfh_cont_ratio_0": -1.0}
    _, share = formed(history, p, edges, float(t_univ))
    rate = np.asarray(share) / np.diff(edges)
    np.testing.assert_allclose(rate[1:] / rate[0], 10.0, rtol=3e-3)


def test_post_starburst_history_is_that_of_prospector():
    case = CODES["prospector"]["psb"]
    history = StarFormationHistory.build("psb")
    p = {
        "log_total_mass": 10.0,
        "tlast_gyr": case["tlast"],
        "tflex_gyr": case["tflex"],
        "ratio_young": case["ratio_young"],
        **{f"ratio_{i}": r for i, r in enumerate(case["ratios"])},
        **{f"ratio_old_{i}": r for i, r in enumerate(case["ratios_old"])},
    }
    edges, mass = np.array(case["edges_gyr"]), np.array(case["mass"])
    p = {f"sfh_psb_{name}": value for name, value in p.items()}
    _, share = formed(history, p, edges, case["t_univ"])
    np.testing.assert_allclose(share, mass, rtol=1e-7)  # theirs begins after a year
    np.testing.assert_allclose(share[1:6], share[1], rtol=1e-9)  # equal masses by definition
    rate = sfr(history, p, 0.5 * (edges[1:] + edges[:-1]), case["t_univ"])
    np.testing.assert_allclose(rate, 10.0 * mass / np.diff(edges), rtol=1e-7)


@pytest.mark.parametrize("log_fburst", [-2.0, -0.5])
@pytest.mark.parametrize("log_tpeak, log_tmax", [(0.5, 1.7), (1.0, 2.0)])
def test_burst_is_that_of_dsps(log_fburst, log_tpeak, log_tmax):
    """Their weights live on ages, ours in bins: bins of 0.02 dex around their ages."""
    lg_age = np.arange(-4.4, 1.01, 0.02)  # log10 Gyr
    edges = np.concatenate([[0.0], 10 ** (lg_age + 0.01)])
    plain = StarFormationHistory.build("delayed")
    mixed = StarFormationHistory.build(["delayed", "burst"])
    p = {q.name: q.default for q in mixed.params}
    p |= {"sfh_burst_log_fburst": log_fburst, "sfh_burst_log_tpeak_myr": log_tpeak,
          "sfh_burst_log_tmax_myr": log_tmax}  # fmt: skip
    smooth_mass, smooth = formed(plain, p, edges, 13.0)
    mass, share = formed(mixed, p, edges, 13.0)
    burst = BurstParams(log_fburst, log_tpeak + 6.0, log_tmax + 6.0)
    theirs = calc_bursty_age_weights(burst, smooth, lg_age)
    np.testing.assert_allclose(share, theirs, atol=2e-3 * float(share.max()))
    assert mass == pytest.approx(smooth_mass)


def test_gaussian_history_is_a_normal_distribution_of_ages():
    edges = np.array([0.0, 1.0, 2.5, 4.0, 5.0, 7.0, 13.0])
    history = StarFormationHistory.build("norm", {"sfh_norm_log_total_mass"})
    p = {"sfh_norm_log_total_mass": 10.0, "sfh_norm_peak_lbt_gyr": 4.0, "sfh_norm_width_gyr": 1.3}
    _, share = formed(history, p, edges, 13.0)
    cumulative = norm.cdf(edges, 4.0, 1.3)
    np.testing.assert_allclose(share, np.diff(cumulative) / np.ptp(cumulative), atol=1e-5)


def test_skewed_gaussian_by_hand():
    """Robotham et al. 2020: exp(-Y²/2), Y = X exp(skew asinh X): Y² = √2 ∓ 1 at X = ∓1, skew ½."""
    history = StarFormationHistory.build("snorm")
    p = {"sfh_snorm_log_peak_sfr": 1.0, "sfh_snorm_peak_lbt_gyr": 5.0, "sfh_snorm_width_gyr": 1.5,
         "sfh_snorm_skew": 0.5}  # fmt: skip
    rate = sfr(history, p, [3.5, 5.0, 6.5], 13.0)
    np.testing.assert_allclose(rate, [8.129328, 10.0, 2.990613], rtol=2e-7)


def test_averaged_random_walk_of_caplar_and_tacchella_2019():
    """The scatter of SFRs averaged over Δt, for a slope 2 of the power spectrum and break τ:

    σ²(Δt)/σ² = 2 τ/Δt [1 - τ/Δt (1 - e^{-Δt/τ})], the variance of the mean of a damped walk.
    """
    x = np.array([0.01, 0.1, 1.0, 3.0, 10.0, 100.0])
    expected = 2.0 / x * (1.0 - (1.0 - np.exp(-x)) / x)
    v = (0.001 * LN10) ** 2  # so small that a log-normal is a Gaussian
    np.testing.assert_allclose(bin_variance(v, jnp.asarray(x)) / v, expected, rtol=2e-3)
