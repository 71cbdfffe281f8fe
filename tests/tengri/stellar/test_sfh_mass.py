"""Mass formed in every age bin, for every family over its prior box, from z = 0 to 8."""

from __future__ import annotations

import curves
import jax
import numpy as np
import pytest
from curves import formed, sfr

from tengri.components.stellar.sfh import SFH_FAMILIES, StarFormationHistory

# like an SSP grid: logarithmic when young, quarter Gyr when old
EDGES = np.concatenate([[0.0], 10 ** np.arange(-4, 0, 0.05), np.arange(1.0, 20.0, 0.25)])
T_UNIV = np.array([13.787, 5.75, 3.2, 1.5, 0.64])
FAINT = 1e-6  # Gyr x peak SFR: less than 1e6 Msun even at 1e3 Msun/yr
N_CORNERS, N_INSIDE = 30, 60


def draws(history: StarFormationHistory, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = N_CORNERS + N_INSIDE
    out = {}
    for param in history.params:
        u = np.where(np.arange(n) < N_CORNERS, rng.integers(0, 2, n), rng.uniform(size=n))
        out[param.name] = np.asarray(param.prior.from_unit(u))
        if param.name.startswith("sfh_psb_ratio"):
            # bins of 1e-20 Gyr are too narrow for the sum that they are held against
            out[param.name] = np.clip(out[param.name], -1.5, 1.5)
    return out


def formed_by(name: str, amplitude: str) -> tuple[dict, np.ndarray, np.ndarray, np.ndarray]:
    prefix = SFH_FAMILIES[name].prefix
    history = StarFormationHistory.build(name, {prefix + amplitude})
    p = draws(history, 1)
    t = np.resize(T_UNIV, N_CORNERS + N_INSIDE)
    mass, fractions = jax.jit(jax.vmap(lambda p, t: history.formed(p, EDGES, t)))(p, t)
    short = {k.removeprefix(prefix): v for k, v in p.items()}
    return short, t, np.asarray(mass, float), np.asarray(fractions, float)


def truth(name: str, q: dict, t: np.ndarray) -> np.ndarray:
    rows = [{k: float(v[i]) for k, v in q.items()} for i in range(len(t))]
    with np.errstate(all="ignore"):
        return np.array([curves.masses(name, row, EDGES, ti) for row, ti in zip(rows, t)])


def check(name: str, tolerance: float) -> None:
    q, t, log10_mass, fractions = formed_by(name, "log_peak_sfr")
    ref = truth(name, q, t)
    total = ref.sum(axis=1)
    bright = total > FAINT
    m = 10 ** (log10_mass - q["log_peak_sfr"] - 9)[:, None] * fractions
    assert bright.sum() > 0.7 * len(t)
    np.testing.assert_allclose(m.sum(axis=1)[bright], total[bright], rtol=tolerance)
    assert np.max(np.abs(m - ref)[bright] / total[bright, None]) < tolerance
    # young bins outshine their mass: each is right in its own measure
    share = ref / np.where(total > 0, total, 1.0)[:, None]
    own = (share > 1e-4) & bright[:, None]
    np.testing.assert_allclose(m[own], ref[own], rtol=1e-2)
    # with a mass as amplitude even the faintest history must be split properly
    seen = total > 1e-280
    assert np.max(np.abs(fractions - share)[seen]) < tolerance
    np.testing.assert_allclose(fractions.sum(axis=1), 1.0, atol=1e-6)
    assert (fractions >= 0).all()
    beyond = np.minimum(EDGES[:-1], t[:, None]) == t[:, None]
    assert (fractions[beyond] == 0).all()


@pytest.mark.parametrize("name", curves.CURVES)
def test_mass_in_each_bin(name: str) -> None:
    check(name, 1e-5 if name in ("norm", "snorm", "tsnorm") else 1e-3)


@pytest.mark.parametrize("name", ["tsnorm", "dpl", "lnorm", "delayed", "continuity"])
def test_mass_in_each_bin_in_float32(name: str, float32: None) -> None:
    check(name, 1e-3)


@pytest.mark.parametrize("name", curves.CURVES)
def test_total_mass_is_what_was_asked_for(name: str) -> None:
    q, _, log10_mass, fractions = formed_by(name, "log_total_mass")
    there = log10_mass > -1  # the rest ended before the Big Bang: const, exp
    np.testing.assert_allclose(log10_mass[there], q["log_total_mass"][there], rtol=1e-12)
    assert np.isfinite(fractions).all()
    assert there.sum() > 0.9 * len(there)


@pytest.mark.parametrize("name", curves.CURVES)
def test_sfr_is_the_curve(name: str) -> None:
    prefix = SFH_FAMILIES[name].prefix
    history = StarFormationHistory.build(name, {prefix + "log_peak_sfr"})
    p = draws(history, 2)
    t = np.linspace(0.001, 0.999, 50) * 3.2
    rates = np.asarray(jax.jit(jax.vmap(lambda p: history.sfr(p, t, 3.2)))(p))
    for i in range(0, len(rates), 5):
        q = {k.removeprefix(prefix): float(v[i]) for k, v in p.items()}
        with np.errstate(all="ignore"):
            expected = 10 ** q["log_peak_sfr"] * curves.CURVES[name](t, q, 3.2)
        np.testing.assert_allclose(rates[i], expected, rtol=1e-6, atol=1e-25)


def test_table_is_integrated_exactly() -> None:
    rng = np.random.default_rng(3)
    t = np.sort(rng.uniform(0, 12, 25))
    rate = rng.uniform(0, 5, 25)
    history = StarFormationHistory.build("table", {"sfh_table_log_peak_sfr"})
    p = {"sfh_table_t_gyr": t, "sfh_table_sfr": rate}
    p["sfh_table_log_peak_sfr"] = np.log10(rate.max())
    for t_univ in (13.0, 3.0):
        mass, fractions = formed(history, p, EDGES, t_univ)
        fine = np.unique(np.concatenate([np.linspace(0, t_univ, 200001), t[t < t_univ], EDGES]))
        fine = fine[fine <= t_univ]
        value = np.interp(fine, t, rate, left=0, right=0)
        cumulative = np.concatenate(
            [[0], np.cumsum(0.5 * (value[1:] + value[:-1]) * np.diff(fine))]
        )
        expected = np.diff(np.interp(np.minimum(EDGES, t_univ), fine, cumulative))
        np.testing.assert_allclose(10 ** (mass - 9) * fractions, expected, atol=2e-4)
        # the value just outside is 0, inside the linear interpolant
        np.testing.assert_allclose(
            sfr(history, p, [t[3], 0.5 * t[0]], 13.0), [rate[3], 0.0], rtol=1e-6
        )


def test_coarse_bins_add_up_to_fine_ones() -> None:
    coarse = np.array([0.0, 0.1, 1.0, 5.0, 14.0])
    for name in ("tsnorm", "dpl", "lnorm", "delayed"):
        history = StarFormationHistory.build(name)
        p = {q.name: q.default for q in history.params}
        fine_mass, fine = formed(history, p, EDGES, 13.0)
        mass, fractions = formed(history, p, coarse, 13.0)
        np.testing.assert_allclose(mass, fine_mass, atol=1e-4)
        cumulative = np.concatenate([[0], np.cumsum(fine)])
        expected = np.interp(coarse[1:-1], EDGES, cumulative)
        np.testing.assert_allclose(np.cumsum(fractions)[:-1], expected, atol=3e-3)
