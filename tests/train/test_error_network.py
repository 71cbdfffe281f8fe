"""Errors that follow colours: found where they are, held by intervals, carried by a file."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emulator.conditional_errors import ConditionalErrors
from train import error_network
from train.error_network import JudgedGalaxies

LEVELS = (68, 95, 99)


def galaxies(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return magnitudes, redshifts, residuals and σ: blue and faint galaxies have larger errors."""
    rng = np.random.default_rng(seed)
    z, colour = rng.uniform(0.01, 2.0, n), rng.normal(0.5, 0.7, n)
    m = 20.0 + np.stack([colour, np.zeros(n), -0.6 * colour, rng.normal(0.0, 0.5, n)], axis=1)
    faint = m - m.min(axis=1, keepdims=True)
    ln_sigma = -7.0 - 1.2 * colour[:, None] + 0.5 * faint + 0.6 * np.log1p(z)[:, None]
    mixing = np.linalg.cholesky(0.4 + 0.6 * np.eye(4))
    sigma = np.exp(ln_sigma)
    return m, z, sigma * (rng.normal(size=(n, 4)) @ mixing.T), sigma


@pytest.fixture(scope="module")
def found() -> ConditionalErrors:
    m, z, residuals, _ = galaxies(20_000, 1)
    residuals[::7, 3] = np.nan
    sample = JudgedGalaxies(m, z, residuals, np.zeros(len(z), int))
    return error_network.fit(sample, LEVELS, steps=500)


def test_bars_hold_for_blue_and_red_galaxies_alike(found):
    m, z, residuals, sigma = galaxies(20_000, 2)
    assert np.std(np.log(found.sigma(m, z) / sigma)) < 0.1
    blue = m[:, 0] - m[:, 1] < 0.0
    for level in LEVELS:
        inside = np.abs(residuals) < found.bars(m, z, level)
        for part in (blue, ~blue, z < 0.3, z > 1.5):
            assert abs(inside[part].mean() - level / 100.0) < 0.025
    covariance = found.covariance(m, z)
    chi2 = np.einsum("ni,nij,nj->n", residuals, np.linalg.inv(covariance), residuals) / 4
    assert 0.9 < chi2[blue].mean() < 1.1 and 0.9 < chi2[~blue].mean() < 1.1
    assert found.correlation[0, 1] == pytest.approx(0.4, abs=0.03)


def test_no_group_of_galaxies_is_held_badly():
    """Many galaxies with small errors, and few with large ones whose colours do not tell."""
    m, z, residuals, _ = galaxies(12_000, 5)
    few = np.arange(len(z)) % 4 == 0
    sample = JudgedGalaxies(m, z, np.where(few[:, None], 1.5, 1.0) * residuals, few.astype(int))
    found = error_network.fit(sample, (68,), steps=200)
    over = np.abs(sample.residuals) / found.bars(m, z, 68)
    wide, narrow = (np.quantile(over[part], 0.68) for part in (~few, few))
    assert wide < 0.95 and narrow > 1.05 and wide * narrow == pytest.approx(1.0, abs=0.1)
    covariance = found.covariance(m, z)
    chi2 = np.einsum("ni,nij,nj->n", sample.residuals, np.linalg.inv(covariance), sample.residuals)
    assert np.sqrt(chi2[few].mean() * chi2[~few].mean()) / 4 == pytest.approx(1.0, abs=0.15)


def test_one_galaxy_a_batch_and_a_trace_are_the_same(found):
    m, z, _, _ = galaxies(5, 3)
    batch = found.covariance(m, z)
    np.testing.assert_allclose(found.covariance(m[2], z[2]), batch[2])
    traced = jax.jit(lambda a, b: found.covariance(a, b, jnp))(m[2], z[2])
    np.testing.assert_allclose(traced, batch[2], rtol=1e-5)
    assert np.isfinite(jax.grad(lambda a: found.sigma(a, z[2], jnp).sum())(jnp.asarray(m[2]))).all()


def test_arrays_come_back_and_must_fit(found):
    again = ConditionalErrors.from_arrays(found.to_arrays())
    m, z, _, _ = galaxies(3, 4)
    np.testing.assert_array_equal(again.bars(m, z, 95), found.bars(m, z, 95))
    with pytest.raises(ValueError, match="do not fit together"):
        ConditionalErrors.from_arrays({**found.to_arrays(), "outputs": found.outputs[:, 1:]})
