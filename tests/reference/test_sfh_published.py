"""Star-formation histories against published numbers, curves and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf, hyp2f1

from tengri.components.stellar.sfh import BinEdges, StarFormationHistory
from tests.tengri.stellar.curves import formed, sfr

EDGES = np.concatenate([[0.0], 10 ** np.arange(-4, 0, 0.05), np.arange(1.0, 14.01, 0.25)])


def set_up(name: str, amplitude: str = "log_peak_sfr", **values: float) -> tuple:
    history = StarFormationHistory.build(name, {f"sfh_{name}_{amplitude}"})
    return history, {f"sfh_{name}_{k}": v for k, v in values.items()}


# (log peak, peak, width, skew, trunc), M_formed, SFR now, at the peak, highest, mean of 100 Myr,
# computed from the formula published with the seed notebook, from 1e5 yr to 13.8 Gyr
GOLDEN = [
    ((1.0, 2.0, 1.5, 0.2, 3.0), 1.5951e10, 3.788, 5.000, 5.187, 3.852),
    ((1.0, 0.3, 0.2, 0.0, 3.0), 2.2589e9, 2.246, 5.000, 5.168, 3.029),
]


@pytest.mark.parametrize("row", GOLDEN)
def test_tsnorm_golden_rows(row: tuple) -> None:
    pars, mass, now, at_peak, highest, recent = row
    history, p = set_up(
        "tsnorm", **dict(zip(("log_peak_sfr", "peak_lbt_gyr", "width_gyr", "skew", "trunc"), pars))
    )
    edges = np.concatenate([[0.0, 1e-4], np.geomspace(1e-3, 0.1, 30), np.arange(0.25, 13.9, 0.25)])
    log10_mass, fractions = formed(history, p, edges, 13.8)
    from_01myr = np.asarray(10**log10_mass * fractions)[1:]
    assert from_01myr.sum() == pytest.approx(mass, rel=1e-4)
    assert from_01myr[:30].sum() / 1e8 == pytest.approx(recent, rel=2e-4)
    assert sfr(history, p, 1e-4, 13.8) == pytest.approx(now, rel=2e-4)
    assert sfr(history, p, pars[1], 13.8) == pytest.approx(at_peak, rel=1e-4)
    t = np.linspace(0, 4, 4001)
    assert sfr(history, p, t, 13.8).max() == pytest.approx(highest, rel=2e-4)


def test_skew_has_its_tail_on_the_young_side() -> None:
    """Robotham+2020: positive skew stretches the younger side."""
    history, p = set_up("snorm", log_peak_sfr=1.0, peak_lbt_gyr=5.0, width_gyr=1.0, skew=0.5)
    young, old = sfr(history, p, np.array([3.0, 7.0]), 13.8)
    assert young > 3 * old


def test_dpl_is_that_of_carnall_2018() -> None:
    """Eq. 10 in time since the Big Bang: slope β before τ and -α after; formed mass as asked."""
    history, p = set_up(
        "dpl", "log_total_mass", alpha=3.0, beta=0.5, tau_gyr=2.0, log_total_mass=10.5
    )
    cosmic = np.array([0.02, 0.04, 11.0, 12.0])
    rate = np.asarray(sfr(history, p, 13.0 - cosmic, 13.0))
    assert np.log(rate[1] / rate[0]) / np.log(2) == pytest.approx(0.5, abs=0.01)
    assert np.log(rate[3] / rate[2]) / np.log(12 / 11) == pytest.approx(-3.0, abs=0.02)
    t_peak = 2.0 * (0.5 / 3.0) ** (1 / 3.5)
    t = np.linspace(0.01, 12.9, 20000)
    assert 13 - t[np.argmax(sfr(history, p, t, 13.0))] == pytest.approx(t_peak, abs=2e-3)
    assert formed(history, p, EDGES, 13.0)[0] == pytest.approx(10.5)


@pytest.mark.parametrize(
    "alpha, beta, tau", [(2.0, 1.0, 3.0), (5.0, 0.1, 0.1), (0.1, 3.0, 12.0), (30.0, 20.0, 5.0)]
)
def test_dpl_mass_is_the_hypergeometric_function(alpha: float, beta: float, tau: float) -> None:
    """∫_0^T = τ x^(1+β)/(1+β) 2F1(1, a; 1+a; -x^(α+β)), a = (1+β)/(α+β), x = T/τ."""
    history, p = set_up("dpl", alpha=alpha, beta=beta, tau_gyr=tau, log_peak_sfr=0.0)
    a = (1 + beta) / (alpha + beta)
    peak = (beta / alpha) ** (1 / (alpha + beta))
    for t_univ in (13.0, 2.0):
        x = t_univ / tau
        s = x ** (alpha + beta)
        mass = tau * x ** (1 + beta) / (1 + beta) * hyp2f1(1, a, 1 + a, -s)
        mass *= peak**alpha + peak**-beta
        log10_mass, _ = formed(history, p, EDGES, t_univ)
        assert 10 ** (log10_mass - 9) == pytest.approx(mass, rel=1e-4)


def test_lnorm_is_that_of_gladders_2013() -> None:
    """Eq. 1: formed mass by T is ½ [1 + erf((ln T - T0)/(τ√2))] of the whole."""
    t0, width = 1.6, 0.6
    peak = np.exp(t0 - width**2)
    history, p = set_up("lnorm", log_peak_sfr=0.0, peak_gyr=peak, width_dex=width / np.log(10))
    norm = 1 / (peak * np.sqrt(2 * np.pi) * width) * np.exp(-(width**2) / 2)  # SFR at the peak

    def share_by(t: float) -> float:
        return 0.5 * (1 + erf((np.log(t) - t0) / (width * np.sqrt(2))))

    log10_mass, fractions = formed(history, p, EDGES, 13.0)
    assert 10 ** (log10_mass - 9) == pytest.approx(share_by(13.0) / norm, rel=1e-5)
    older_than_5 = fractions[EDGES[:-1] >= 4.999].sum()
    assert older_than_5 == pytest.approx(share_by(8.0) / share_by(13.0), rel=1e-5)


def test_closed_forms_of_the_exponentials() -> None:
    t_univ, age, tau = 13.0, 8.0, 2.5
    x = age / tau
    expected = {
        "tau": tau * (1 - np.exp(-x)),
        "delayed": tau * np.e * (1 - (1 + x) * np.exp(-x)),
    }
    for name, mass in expected.items():
        history, p = set_up(name, log_peak_sfr=0.0, tau_gyr=tau, age_gyr=age)
        log10_mass, fractions = formed(history, p, EDGES, t_univ)
        assert 10 ** (log10_mass - 9) == pytest.approx(mass, rel=1e-9)
        assert (np.asarray(fractions)[EDGES[:-1] >= age] == 0).all()
    history, p = set_up("exp", log_peak_sfr=0.0, tau_gyr=tau, start_gyr=1.0)
    mass = tau * (1 - np.exp(-(t_univ - 1.0) / tau))
    assert 10 ** (formed(history, p, EDGES, t_univ)[0] - 9) == pytest.approx(mass, rel=1e-9)


def test_continuity_reproduces_leja_2019() -> None:
    """x_n = log SFR_n/SFR_{n+1}, and the seven bins of section 2, which are rounded."""
    ratios = np.array([0.2, -0.1, 0.4, -0.3, 0.1, 0.25])
    history = StarFormationHistory.build("continuity")
    p = {f"sfh_cont_ratio_{i}": r for i, r in enumerate(ratios)} | {"sfh_cont_log_total_mass": 10.0}
    published = np.array([0, 0.03, 0.1, 0.33, 1.1, 3.6, 11.7, 13.7])
    rate = np.asarray(sfr(history, p, 0.5 * (published[1:] + published[:-1]), 13.7))
    np.testing.assert_allclose(np.log10(rate[:-1] / rate[1:]), ratios, atol=1e-9)
    bins = np.asarray(BinEdges().at(13.7))
    np.testing.assert_allclose(bins, published, rtol=0.02)
    assert np.sum(rate * np.diff(bins)) * 1e9 == pytest.approx(1e10)
    _, fractions = formed(history, p, bins, 13.7)
    np.testing.assert_allclose(fractions, rate * np.diff(bins) / 10, rtol=1e-9)
    # "edges" that are said: those of the paper to the last digit
    said = StarFormationHistory.build("continuity", bins=BinEdges.of(published))
    _, fractions = formed(said, p, published, 13.7)
    rate = fractions / np.diff(published)
    np.testing.assert_allclose(np.log10(rate[:-1] / rate[1:]), ratios, atol=1e-9)
