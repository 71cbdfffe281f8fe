"""Composition: which families, which names, what is refused; bursts; prior curves."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from curves import formed, sfr

from tengri.components.stellar.sfh import (
    SFH_FAMILIES,
    StarFormationHistory,
    check_table,
    families_of,
    family_parameters,
    sample_sfh_prior,
)
from tengri.errors import ConfigError, ParameterError, UnknownNameError
from tengri.priors import Uniform

EDGES = np.concatenate([[0.0], 10 ** np.arange(-3, 0, 0.05), np.arange(1.0, 14.01, 0.25)])
KEY = jax.random.PRNGKey(0)


def names(history: StarFormationHistory) -> list[str]:
    return [p.name for p in history.params]


def defaults(history: StarFormationHistory) -> dict[str, float]:
    return {p.name: p.default for p in history.params}


def test_families_are_read_off_the_names() -> None:
    assert families_of([]) == ("dpl",)
    assert families_of(["redshift", "sfh_tsnorm_skew"]) == ("tsnorm",)
    assert families_of(["sfh_cont_ratio_0"]) == ("continuity",)
    assert families_of(["sfh_field_psd_sigma"]) == ("dpl", "field")
    assert families_of(["sfh_burst_log_fburst", "sfh_tau_age_gyr"]) == ("tau", "burst")
    with pytest.raises(UnknownNameError, match="sfh_tsnorm_skew"):
        families_of(["sfh_tsnrm_skew"])


def test_default_amplitudes() -> None:
    by_mass = {"const", "continuity", "table", "dirichlet", "psb", "delta"}
    for name, family in SFH_FAMILIES.items():
        if family.kind == "additive":
            kind = "log_total_mass" if name in by_mass else "log_peak_sfr"
            assert names(StarFormationHistory.build(name))[0] == family.prefix + kind


def test_names_given_select_amplitude_and_twins() -> None:
    chosen = names(StarFormationHistory.build(None, {"sfh_dpl_log_total_mass", "sfh_dpl_tau_frac"}))
    assert chosen == [
        "sfh_dpl_log_total_mass",
        "sfh_dpl_alpha",
        "sfh_dpl_beta",
        "sfh_dpl_tau_frac",
    ]
    with pytest.raises(ParameterError, match="give one"):
        StarFormationHistory.build(None, {"sfh_dpl_log_total_mass", "sfh_dpl_log_peak_sfr"})
    with pytest.raises(ParameterError, match="one time"):
        StarFormationHistory.build(None, {"sfh_dpl_tau_gyr", "sfh_dpl_tau_frac"})


def test_combinations_that_make_no_sense() -> None:
    with pytest.raises(ConfigError, match="once"):
        StarFormationHistory.build(["dpl", "burst", "burst"])
    with pytest.raises(ConfigError, match="cannot stand alone"):
        StarFormationHistory.build("field")
    with pytest.raises(UnknownNameError, match="tsnorm"):
        StarFormationHistory.build("tsnrm")
    with pytest.raises(ConfigError, match="n_grid"):
        StarFormationHistory.build("dpl", n_grid=1)


def test_declarations_are_in_order() -> None:
    for name in SFH_FAMILIES:
        params = family_parameters(name)
        assert len({p.name for p in params}) == len(params)
        for p in params:
            assert p.name.startswith(SFH_FAMILIES[name].prefix)
            if p.shape == ():
                lo, hi = p.prior.bounds
                assert p.bounds[0] <= lo < hi <= p.bounds[1]
                assert p.bounds[0] <= p.default <= p.bounds[1]
            assert p.description
    times = [p.name for f in SFH_FAMILIES for p in family_parameters(f) if p.name.endswith("_gyr")]
    every = {p.name for f in SFH_FAMILIES for p in family_parameters(f)}
    assert all(t.removesuffix("_gyr") + "_frac" in every for t in times if t != "sfh_table_t_gyr")


def test_fraction_is_of_the_age_of_the_universe() -> None:
    gyr = StarFormationHistory.build("tsnorm")
    frac = StarFormationHistory.build(
        "tsnorm", {"sfh_tsnorm_peak_lbt_frac", "sfh_tsnorm_width_frac"}
    )
    p = defaults(gyr) | {"sfh_tsnorm_peak_lbt_gyr": 1.2, "sfh_tsnorm_width_gyr": 0.3}
    q = defaults(frac) | {"sfh_tsnorm_peak_lbt_frac": 0.4, "sfh_tsnorm_width_frac": 0.1}
    for a, b in zip(formed(gyr, p, EDGES, 3.0), formed(frac, q, EDGES, 3.0)):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)


def test_additive_families_sum() -> None:
    both = StarFormationHistory.build(["tsnorm", "dpl"], {"sfh_dpl_log_total_mass"})
    p = defaults(both) | {"sfh_dpl_log_total_mass": 9.7}
    mass, fractions = formed(both, p, EDGES, 9.0)
    parts = [
        formed(StarFormationHistory.build("tsnorm"), p, EDGES, 9.0),
        formed(StarFormationHistory.build("dpl", {"sfh_dpl_log_total_mass"}), p, EDGES, 9.0),
    ]
    expected = sum(10**m * f for m, f in parts)
    np.testing.assert_allclose(10**mass * fractions, expected, rtol=1e-10)
    assert parts[1][0] == pytest.approx(9.7)


def test_burst_holds_its_share_of_an_unchanged_mass() -> None:
    plain = StarFormationHistory.build("delayed", {"sfh_delayed_log_total_mass"})
    burst = StarFormationHistory.build(["delayed", "burst"], {"sfh_delayed_log_total_mass"})
    p = defaults(burst) | {"sfh_burst_log_fburst": -0.5}
    p |= {"sfh_burst_log_tpeak_myr": 1.0, "sfh_burst_log_tmax_myr": 2.0}
    mass, fractions = formed(burst, p, EDGES, 9.0)
    _, smooth = formed(plain, p, EDGES, 9.0)
    assert mass == pytest.approx(10.0)
    own = np.asarray(fractions - (1 - 10**-0.5) * smooth)
    assert own.sum() == pytest.approx(10**-0.5)
    assert np.abs(own[EDGES[:-1] >= 0.1001]).max() < 1e-12  # none older than 10^tmax Myr
    # half of it younger than the peak: the kernel is symmetric in log age
    young = np.interp(0.01, EDGES, np.concatenate([[0], np.cumsum(own)]))
    assert young == pytest.approx(0.5 * 10**-0.5, rel=0.01)
    t = np.geomspace(1e-4, 9, 40001)
    area = np.trapezoid(np.asarray(sfr(burst, p, t, 9.0)) * t, np.log(t)) * 1e9
    assert area == pytest.approx(1e10, rel=1e-3)


def test_mass_is_the_integral_of_the_rate_shown() -> None:
    for name in SFH_FAMILIES:
        family = SFH_FAMILIES[name]
        if family.kind != "additive" or name == "table":
            continue
        history = StarFormationHistory.build(name, {family.prefix + "log_total_mass"})
        t = np.linspace(0, 6.0, 60001)
        rate = sfr(history, defaults(history), t, 6.0)
        assert np.trapezoid(rate, t) * 1e9 == pytest.approx(1e10, rel=2e-3), name


def test_continuity_bins_reach_the_big_bang_at_any_redshift() -> None:
    history = StarFormationHistory.build("continuity")
    p = defaults(history)
    for t_univ in (13.787, 0.64):
        _, fractions = formed(history, p, EDGES, t_univ)
        width = np.diff(np.minimum(EDGES, t_univ))
        np.testing.assert_allclose(fractions, width / width.sum(), atol=1e-12)
    p["sfh_cont_ratio_5"] = 1.0  # tenfold step between the two oldest bins
    rate = sfr(history, p, np.array([0.84, 0.86]) * 0.64, 0.64)
    assert rate[0] / rate[1] == pytest.approx(10.0)


def test_dirichlet_default_prior_is_flat() -> None:
    history = StarFormationHistory.build("dirichlet")
    u = np.random.default_rng(0).uniform(size=(20000, 6))
    p = {f"sfh_dir_z_{i}": u[:, i] for i in range(6)} | {
        "sfh_dir_log_total_mass": np.full(20000, 10.0)
    }
    middles = np.array([0.01, 0.05, 0.2, 0.6, 2.0, 8.0, 12.5])
    rate = jax.jit(jax.vmap(lambda p: history.sfr(p, middles, 13.7)))(p)
    share = np.asarray(rate / rate.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(share.mean(axis=0), 1 / 7, atol=0.004)
    np.testing.assert_allclose(share.var(axis=0), 6 / 49 / 8, rtol=0.06)  # Dirichlet(1, …, 1)
    assert abs(sfr(history, defaults(history), middles, 13.7) / 1e10 * 13.7e9 - 1).max() < 1e-6


def test_bad_tables() -> None:
    good = np.linspace(0, 10, 5)
    check_table(good, np.ones(5))
    for t, rate in (
        (good, np.ones(4)),
        (good[::-1], np.ones(5)),
        (good, -np.ones(5)),
        (good, np.zeros(5)),
        (good, np.full(5, np.nan)),
    ):
        with pytest.raises(ParameterError):
            check_table(t, rate)


QUICK = ("tsnorm", "continuity", "burst", "table")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in SFH_FAMILIES]
)
def test_prior_curves_of_every_family(name: str) -> None:
    extra = {}
    if name == "table":
        extra = {"sfh_table_t_gyr": np.linspace(0, 13, 4), "sfh_table_sfr": np.ones(4)}
    ages, curves = sample_sfh_prior(name, KEY, n=3, **extra)
    assert ages.shape == (256,) and curves.shape == (3, 256)
    assert np.isfinite(curves).all() and (curves >= 0).all()
    assert (curves.max(axis=1) > 0).all()


def test_prior_overrides() -> None:
    _, free = sample_sfh_prior("dpl", KEY, n=8)
    _, same = sample_sfh_prior("dpl", KEY, n=8)
    np.testing.assert_array_equal(free, same)
    _, narrow = sample_sfh_prior(
        "dpl", KEY, n=8, sfh_dpl_alpha=Uniform(0.5, 1.5), sfh_dpl_log_peak_sfr=1.0
    )
    assert not np.allclose(free, narrow)
    assert narrow.max() <= 10.0 * (1 + 1e-9)
    with pytest.raises(UnknownNameError, match="sfh_dpl_alpha"):
        sample_sfh_prior("dpl", KEY, sfh_dpl_alfa=Uniform(0.5, 1.5))
    with pytest.raises(UnknownNameError, match="dpl"):
        sample_sfh_prior("dlp", KEY)
    _, curves = sample_sfh_prior("dpl", KEY, n=2, age_grid_yr=np.array([1e8, 1e9, 1.4e10]))
    assert curves.shape == (2, 3) and (curves[:, 2] == 0).all()  # none before the Big Bang
