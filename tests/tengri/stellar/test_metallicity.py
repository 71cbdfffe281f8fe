"""Metallicity weights and histories."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from tengri.components.stellar.metallicity import LOG10_ZSUN, METALLICITY_HISTORIES, weights
from tengri.errors import DataError

NODES = np.log10([0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05, 0.1])
EDGES = np.array([0.0, 0.01, 0.1, 0.5, 2.0, 5.0, 13.0])


def test_solar() -> None:
    assert pytest.approx(-1.8477, abs=1e-4) == LOG10_ZSUN


@pytest.mark.parametrize("mean", [-4.2, -3.9, -3.4, -2.6, -2.1, -1.85, -1.3, -1.0, -0.7])
def test_weights_are_the_mean_of_the_linear_interpolant(mean: float) -> None:
    rng = np.random.default_rng(0)
    spectrum = rng.uniform(1, 2, 7)
    expected = quad(
        lambda x: norm.pdf(x, mean, 0.1) * np.interp(x, NODES, spectrum),
        mean - 1, mean + 1, points=list(NODES[np.abs(NODES - mean) < 1]), limit=200,
    )[0]  # fmt: skip
    assert weights(mean, NODES) @ spectrum == pytest.approx(expected, rel=1e-7)


def test_weights_share_and_clamp() -> None:
    w = np.asarray(weights(np.linspace(-6, 1, 400), NODES))
    np.testing.assert_allclose(w.sum(axis=1), 1.0, atol=1e-12)
    assert (w >= 0).all()
    np.testing.assert_allclose(w[0], np.eye(7)[0], atol=1e-12)
    np.testing.assert_allclose(w[-1], np.eye(7)[-1], atol=1e-12)


def test_weights_are_smooth_everywhere_inside() -> None:
    mean = np.linspace(NODES[0], NODES[-1], 500)
    first = jax.jit(jax.vmap(jax.jacfwd(lambda m: weights(m, NODES))))(mean)
    assert (np.abs(first).max(axis=1) > 0.1).all()  # no dead stretch, as binned weights have
    second = np.diff(first, axis=0) / (mean[1] - mean[0])
    assert np.abs(second).max() < 4 / 0.1 / 0.3  # no kink: bounded by density / node spacing


def test_weights_in_float32(float32: None) -> None:
    mean = np.linspace(-6, 1, 200)
    with jax.enable_x64(True):
        exact = np.asarray(weights(mean, NODES))
    w = weights(mean, NODES)
    assert w.dtype == jnp.float32
    np.testing.assert_allclose(w, exact, atol=5e-6)


def test_one_node_and_bad_nodes() -> None:
    assert weights(-2.0, np.array([-1.7])).tolist() == [1.0]
    with pytest.raises(DataError):
        weights(-2.0, NODES[::-1])


def defaults(name: str) -> dict[str, float]:
    return {p.name: p.default for p in METALLICITY_HISTORIES[name].params}


def test_delta() -> None:
    history = METALLICITY_HISTORIES["delta"]
    assert history.logzsol_names == ("met_logzsol",)
    w = history.bin_weights({"met_logzsol": -0.3}, EDGES, 13.0, NODES)
    assert w.shape == (7, 1)
    np.testing.assert_allclose(w[:, 0], weights(-0.3 + LOG10_ZSUN, NODES))


def test_ramp_is_linear_in_lookback_time() -> None:
    p = {"met_logzsol_0": -2.0, "met_logzsol_final": 0.0}
    z = METALLICITY_HISTORIES["ramp"].logzsol(p, EDGES, 13.0)
    middle = 0.5 * (EDGES[1:] + EDGES[:-1])
    np.testing.assert_allclose(z, -2.0 * middle / 13.0, atol=1e-12)
    # bins before the Big Bang hold its metallicity
    assert METALLICITY_HISTORIES["ramp"].logzsol(p, EDGES, 1.0)[-1] == pytest.approx(-2.0)


def test_two_step_shares_the_bin_that_holds_the_step() -> None:
    history = METALLICITY_HISTORIES["two_step"]
    p = {"met_logzsol_old": -1.5, "met_logzsol_young": 0.1, "met_step_age_gyr": 1.0}
    w = np.asarray(history.bin_weights(p, EDGES, 13.0, NODES))
    young, old = (np.asarray(weights(z + LOG10_ZSUN, NODES)) for z in (0.1, -1.5))
    np.testing.assert_allclose(w[:, 0], young)
    np.testing.assert_allclose(w[:, -1], old)
    np.testing.assert_allclose(w[:, 3], (young + 2 * old) / 3)  # 0.5-2 Gyr, step at 1
    np.testing.assert_allclose(w.sum(axis=0), 1.0)
    np.testing.assert_allclose(history.logzsol(p, EDGES, 13.0)[3], (0.1 - 2 * 1.5) / 3)


@pytest.mark.parametrize("name", METALLICITY_HISTORIES)
@pytest.mark.parametrize("t_univ", [13.0, 0.64])
def test_gradients(name: str, t_univ: float) -> None:
    history = METALLICITY_HISTORIES[name]
    p = defaults(name) | ({"met_step_age_gyr": 0.3} if name == "two_step" else {})
    tilt = np.arange(7.0)[:, None] * np.cos(np.arange(6))

    def signature(p: dict) -> jax.Array:
        return jnp.sum(tilt * history.bin_weights(p, EDGES, t_univ, NODES))

    p = {k: np.asarray(v) for k, v in p.items()}
    both = jax.jit(jax.value_and_grad(signature))
    grad = both(p)[1]
    for key, value in p.items():
        numeric = float(both(p | {key: value + 1e-6})[0] - both(p | {key: value - 1e-6})[0]) / 2e-6
        assert float(grad[key]) == pytest.approx(numeric, rel=1e-4)
        assert grad[key] != 0
