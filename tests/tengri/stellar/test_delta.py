"""A single burst: its light is interpolated between ages, all else is that of one age."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from curves import formed, sfr

from tengri.components.stellar.sfh import StarFormationHistory
from tengri.errors import UnknownNameError

EDGES = np.concatenate([[0.0], 10 ** np.arange(-3.01, 1.15, 0.1)])
MIDDLES = 0.5 * (EDGES[1:] + EDGES[:-1])
HISTORY = StarFormationHistory.build("delta")


def burst(age: float) -> dict[str, float]:
    return {"sfh_delta_age_gyr": age, "sfh_delta_log_total_mass": 10.0}


def test_the_bin_of_its_age_alone_at_a_middle() -> None:
    for i in (0, 7, 30):
        mass, share = formed(HISTORY, burst(MIDDLES[i]), EDGES, 13.787)
        assert mass == pytest.approx(10.0)
        np.testing.assert_allclose(share, np.eye(len(MIDDLES))[i], atol=1e-12)


def test_light_is_linear_in_log_age_and_continuous() -> None:
    ages = np.geomspace(1e-4, 13.7, 4001)
    shares = jax.jit(jax.vmap(lambda a: HISTORY.formed(burst(a), EDGES, 13.787)[1]))(ages)
    light = np.asarray(shares) @ np.log(MIDDLES)
    np.testing.assert_allclose(light, np.log(np.clip(ages, MIDDLES[0], MIDDLES[-1])), atol=1e-9)
    assert np.abs(np.diff(shares, axis=0)).max() < 0.05
    slope = jax.jit(jax.vmap(jax.jacfwd(lambda a: HISTORY.formed(burst(a), EDGES, 13.787)[1])))
    assert np.isfinite(slope(np.append(ages, [0.0, 30.0]))).all()


def test_masses_and_ages_are_those_of_one_age() -> None:
    p = burst(0.05)
    since = jax.jit(lambda age: HISTORY.formed_since(p, age, EDGES, 5.0))
    assert [float(since(age)) for age in (0.049, 0.051)] == [0.0, 1.0]
    mean_age = jax.jit(lambda p: HISTORY.mean_age(p, EDGES, 5.0))
    assert float(mean_age(p)) == pytest.approx(0.05, rel=1e-12)
    both = StarFormationHistory.build(["delta", "const"])
    q = p | {"sfh_const_log_total_mass": 10.0, "sfh_const_start_gyr": 4.0, "sfh_const_end_gyr": 2.0}
    mean_age = jax.jit(lambda q: both.mean_age(q, EDGES, 5.0))
    assert float(mean_age(q)) == pytest.approx(0.5 * (0.05 + 3.0), rel=1e-9)


def test_no_burst_is_older_than_the_universe() -> None:
    mass, share = formed(HISTORY, burst(9.0), EDGES, 1.5)
    assert mass == pytest.approx(10.0)
    np.testing.assert_allclose(share, formed(HISTORY, burst(1.5), EDGES, 1.5)[1])
    fraction = StarFormationHistory.build("delta", {"sfh_delta_age_frac"})
    p = {"sfh_delta_age_frac": 0.4, "sfh_delta_log_total_mass": 10.0}
    np.testing.assert_allclose(
        formed(fraction, p, EDGES, 1.5)[1], formed(HISTORY, burst(0.6), EDGES, 1.5)[1], atol=1e-12
    )


def test_its_rate_shows_the_mass() -> None:
    t = np.linspace(0.0, 6.0, 60001)
    rate = sfr(HISTORY, burst(0.7), t, 6.0)
    assert np.trapezoid(rate, t) * 1e9 == pytest.approx(1e10, rel=2e-3)
    with pytest.raises(UnknownNameError):  # a peak that is infinite
        StarFormationHistory.build(None, {"sfh_dlta_log_peak_sfr"})
    assert "log_peak_sfr" not in HISTORY.params[0].name
