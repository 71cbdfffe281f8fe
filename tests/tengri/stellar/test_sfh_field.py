"""The stochastic modulator: its covariance, its mean, and independence of the grid."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from curves import formed, sfr
from scipy.integrate import quad

from tengri import load_ssp_data
from tengri.components.stellar.sfh import (
    StarFormationHistory,
    compute_field_gp,
    make_log_age_grid,
    sample_sfh_prior,
)
from tengri.components.stellar.sfh.gp_sfh import bin_modulator, bin_variance
from tengri.errors import ParameterError
from tengri.forward.galaxy import AgeBins

LN10 = np.log(10.0)
EDGES = np.concatenate([[0.0], 10 ** np.arange(-3, 0, 0.05), np.arange(1.0, 14.01, 0.25)])


@pytest.mark.parametrize("tau", [30e6, 300e6, 3e9])
def test_autocovariance_and_mean(tau: float) -> None:
    """10⁴ draws; for the mean of the skewed modulator also their mirror images."""
    n, sigma = 256, 0.3
    xi = jax.random.normal(jax.random.PRNGKey(0), (10_000, n))
    draw = jax.jit(jax.vmap(lambda x: compute_field_gp(x, sigma, tau, n)))
    gp, half = draw(xi)
    v = (sigma * LN10) ** 2
    np.testing.assert_allclose(half, v / 2, rtol=1e-12)
    t = 10 ** make_log_age_grid(n)
    expected = v * np.exp(-np.abs(t[:, None] - t[None, :]) / tau)
    got = np.asarray(gp).T @ np.asarray(gp) / len(gp)
    assert np.max(np.abs(got - expected)) < 0.05 * v
    modulator = 0.5 * (np.exp(gp - half[:, None]) + np.exp(-gp - half[:, None]))
    assert np.max(np.abs(modulator.mean(axis=0) - 1)) < 0.02


def test_step_and_grid_are_two_ways_to_say_one_thing() -> None:
    n = 128
    grid = make_log_age_grid(n)
    xi = jax.random.normal(jax.random.PRNGKey(1), (n,))
    by_step = compute_field_gp(xi, 0.5, 1e8, n, float(grid[1] - grid[0]))[0]
    by_grid = compute_field_gp(xi, 0.5, 1e8, n, log_age_grid=grid)[0]
    np.testing.assert_allclose(by_step, by_grid, rtol=1e-9)
    with pytest.raises(ParameterError, match=r"128.*asks"):
        compute_field_gp(xi[:64], 0.5, 1e8, n)
    with pytest.raises(ParameterError, match="ascend"):
        compute_field_gp(xi, 0.5, 1e8, n, log_age_grid=grid[::-1])


@pytest.mark.parametrize("sigma", [0.01, 0.3, 1.0])
def test_variance_of_a_bin_mean(sigma: float) -> None:
    v = (sigma * LN10) ** 2
    for x in (1e-4, 0.3, 5.0, 50.0):
        exact = quad(
            lambda y: 2 * (1 - y) * np.expm1(v * np.exp(-x * y)),  # noqa: B023
            0, 1, points=[min(1, 1 / x), min(1, 5 / x)], limit=200,
        )[0]  # fmt: skip
        np.testing.assert_allclose(bin_variance(v, jnp.array([x])), exact, rtol=2e-3)


def test_bin_mean_against_a_finely_sampled_process() -> None:
    """The spread of a bin's mass, from 4000 walks with steps of τ/40."""
    tau, sigma, width = 0.1, 0.3, 0.25
    rng = np.random.default_rng(2)
    n = int(width / tau * 40)
    rho = np.exp(-1 / 40)
    s = rng.normal(size=4000)
    walk = np.empty((4000, n))
    for i in range(n):
        walk[:, i] = s
        s = rho * s + np.sqrt(1 - rho**2) * rng.normal(size=4000)
    v = (sigma * LN10) ** 2
    sampled = np.exp(np.sqrt(v) * walk - v / 2).mean(axis=1).std()
    assert np.sqrt(bin_variance(v, jnp.array([width / tau]))[0]) == pytest.approx(sampled, rel=0.06)


@pytest.mark.parametrize("tau_myr", [pytest.param(20.0, marks=pytest.mark.slow), 300.0])
def test_spread_of_the_mass_does_not_depend_on_the_grid(tau_myr: float) -> None:
    spread = {}
    for n in (256, 1024):
        xi = jax.random.normal(jax.random.PRNGKey(3), (4000, n))
        q = {"psd_sigma": 0.3, "psd_tau_myr": tau_myr}
        m = jax.jit(jax.vmap(lambda x: bin_modulator({**q, "xi": x}, EDGES, 13.0, n)))(xi)  # noqa: B023
        inside = EDGES[:-1] < 13.0
        np.testing.assert_allclose(m.mean(axis=0)[inside], 1.0, atol=0.06)
        v = (0.3 * LN10) ** 2
        width = np.diff(np.minimum(EDGES, 13.0))[inside]
        # in the logarithm, where 4000 draws tell the spread to 1 %
        expected = np.sqrt(np.log1p(bin_variance(v, jnp.asarray(width / (tau_myr * 1e-3)))))
        spread[n] = np.log(m).std(axis=0)[inside]
        np.testing.assert_allclose(spread[n], expected, rtol=0.05)
    np.testing.assert_allclose(spread[256], spread[1024], rtol=0.05)
    assert abs(np.mean(spread[256] / spread[1024]) - 1) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("n_grid, most", [(256, 1.18), (1024, 1.05)])
def test_spread_of_the_whole_mass_is_near_that_of_the_process(n_grid: int, most: float) -> None:
    """Neighbouring bins share points of a coarse grid: an excess that is documented, and bounded.

    On the age bins of the embedded grid, at the shortest memory of the prior.
    """
    edges, t_univ, tau_myr = AgeBins.split(load_ssp_data().age_edges_gyr).edges, 13.0, 10.0
    q = {"psd_sigma": 0.3, "psd_tau_myr": tau_myr}
    xi = jax.random.normal(jax.random.PRNGKey(9), (4000, n_grid))
    m = jax.jit(jax.vmap(lambda x: bin_modulator({**q, "xi": x}, edges, t_univ, n_grid)))(xi)
    spread = (np.asarray(m) @ np.diff(np.minimum(edges, t_univ))).std() / t_univ
    process = np.sqrt(bin_variance((0.3 * LN10) ** 2, jnp.array([t_univ / (1e-3 * tau_myr)]))[0])
    assert 0.95 < spread / process < most


def test_mass_and_curve_agree() -> None:
    """A slow, smooth field: the mass in a bin is the integral of the curve shown."""
    history = StarFormationHistory.build(["const", "field"], {"sfh_const_log_peak_sfr"})
    p = {q.name: q.default for q in history.params}
    p["sfh_const_log_peak_sfr"] = 0.0
    p |= {"sfh_field_psd_tau_myr": 1e4, "sfh_field_psd_sigma": 0.3}
    p["sfh_field_xi"] = np.asarray(jax.random.normal(jax.random.PRNGKey(4), (256,)))
    mass, fractions = formed(history, p, EDGES, 13.0)
    t = np.linspace(0, 13.0, 20001)
    cumulative = np.concatenate([[0], np.cumsum(sfr(history, p, t, 13.0)[1:])]) * (t[1] - t[0])
    expected = np.diff(np.interp(np.minimum(EDGES, 13.0), t, cumulative))
    ratio = (10 ** (mass - 9) * fractions / np.where(expected > 0, expected, 1))[EDGES[1:] < 13]
    assert np.max(np.abs(ratio - 1)) < 0.05


def test_mass_amplitude_holds_with_a_field() -> None:
    history = StarFormationHistory.build(["tsnorm", "field"], {"sfh_tsnorm_log_total_mass"})
    p = {q.name: q.default for q in history.params}
    p["sfh_field_xi"] = np.linspace(-2, 2, 256)
    assert formed(history, p, EDGES, 9.0)[0] == pytest.approx(10.0, abs=1e-12)


@pytest.mark.parametrize("bits", [32, pytest.param(64, marks=pytest.mark.slow)])
def test_gradients_over_the_whole_range(bits: int) -> None:
    with jax.enable_x64(bits == 64):
        history = StarFormationHistory.build(["tsnorm", "field"])
        p = {q.name: q.default for q in history.params}
        p["sfh_field_xi"] = jax.random.normal(jax.random.PRNGKey(5), (256,))

        def signature(p: dict, t_univ: float) -> jax.Array:
            mass, fractions = history.formed(p, EDGES, t_univ)
            return mass + jnp.sum(jnp.cos(np.arange(len(EDGES) - 1)) * fractions)

        grad = jax.jit(jax.grad(signature))
        for sigma in (0.01, 1.0):
            for tau in (10.0, 500.0):
                g = grad(p | {"sfh_field_psd_sigma": sigma, "sfh_field_psd_tau_myr": tau}, 5.0)
                assert all(np.isfinite(v).all() for v in g.values())
                names = ("sfh_field_psd_sigma", "sfh_field_psd_tau_myr", "sfh_field_xi")
                assert all(np.any(g[k] != 0) for k in names)


def test_prior_curves_of_a_stochastic_history() -> None:
    ages, curves = sample_sfh_prior(["tsnorm", "field"], jax.random.PRNGKey(0), n=3)
    assert curves.shape == (3, 256) == (3, len(ages))
    assert np.isfinite(curves).all()
    rough = np.abs(np.diff(np.log(curves[:, :250]), axis=1)).max()
    smooth = np.abs(
        np.diff(np.log(sample_sfh_prior("tsnorm", jax.random.PRNGKey(0), n=3)[1][:, :250]), axis=1)
    ).max()
    assert rough > 0.1 and np.isfinite(smooth)
