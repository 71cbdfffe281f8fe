"""Blocks, chunks and threads change nothing but the time."""

from __future__ import annotations

import pickle

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.errors import ConfigError, ParameterError
from tengri.forward.batching import Execution, RowMap, Sizes, _shares, _tasks
from tests.compilations import compilations

SIZES = Sizes(block=4, chunk=12)


def quadratic(matrix, one):
    return {"sum": matrix @ one["x"], "scale": one["s"] * 2.0}


@pytest.mark.parametrize("n", [1, 3, 4, 5, 12, 13, 37])
def test_every_number_of_rows_gives_what_rows_give(n):
    """Parts of a block, whole blocks, parts of a chunk, several chunks."""
    rng = np.random.default_rng(n)
    matrix, rows = rng.normal(size=(2, 3)), {"x": rng.normal(size=(n, 3)), "s": rng.normal(size=n)}
    result = RowMap(quadratic)(matrix, rows, SIZES)
    np.testing.assert_allclose(result["sum"], rows["x"] @ matrix.T, rtol=1e-12)
    np.testing.assert_allclose(result["scale"], 2.0 * rows["s"], rtol=1e-12)


def test_an_accelerator_has_one_worker_and_keeps_its_results(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    rows = {"x": np.random.default_rng(1).normal(size=(37, 3)), "s": np.ones(37)}
    assert len(_tasks(rows, 37, Sizes(block=12, chunk=12))) == 4  # a chunk each
    result = RowMap(quadratic)(np.ones((2, 3)), rows, Sizes(block=12, chunk=12))
    assert isinstance(result["sum"], jax.Array) and result["sum"].shape == (37, 2)
    np.testing.assert_allclose(result["sum"][:, 0], rows["x"].sum(axis=1), rtol=1e-12)


def test_sizes_alike_are_compiled_once():
    traced = []

    def row(_, one):
        traced.append(one.shape)
        return 2.0 * one

    row_map = RowMap(row)
    row_map(None, np.arange(5.0), SIZES)
    first = len(traced)
    with compilations() as compiled:
        for n in (6, 11, 12, 40):
            result = row_map(None, np.arange(float(n)), SIZES)
            np.testing.assert_array_equal(result, 2.0 * np.arange(n))
    assert len(traced) == first and compiled.count == 0 and row_map.n_programs == 1


def test_a_used_one_can_be_pickled():
    """With functions by value, as Dask sends a model that has served a batch to others."""
    row_map = RowMap(lambda _, one: 2.0 * one)
    used = row_map(None, np.arange(30.0), SIZES)
    other = pickle.loads(cloudpickle.dumps(row_map))
    np.testing.assert_array_equal(other(None, np.arange(30.0), SIZES), used)


def test_threads_heed_the_precision_of_the_caller():
    """``enable_x64`` is a setting of one thread: the others must not fall back to the default."""
    row_map = RowMap(lambda _, one: one * 1.0)
    third = np.full(30, 1.0 / 3.0)
    for x64, dtype in ((False, np.float32), (True, np.float64), (False, np.float32)):
        with jax.enable_x64(x64):
            result = row_map(None, third.astype(dtype), SIZES)
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, third.astype(dtype))


def test_nothing_is_compiled_where_jit_is_disabled():
    with jax.disable_jit():
        row_map = RowMap(lambda _, one: 2.0 * one)
        result = row_map(None, np.arange(30.0), SIZES)
        np.testing.assert_array_equal(result, 2.0 * np.arange(30.0))
    assert row_map.n_programs == 0


def test_an_error_in_a_thread_reaches_the_caller():
    def row(_, one):
        return one @ jnp.ones((7, 7))

    with pytest.raises(TypeError, match="7"):
        RowMap(row)(None, np.zeros((30, 3)), SIZES)


@pytest.mark.parametrize(("n", "parts"), [(1, 4), (5, 2), (8, 3), (16, 16)])
def test_shares_are_everything_once_and_nearly_equal(n, parts):
    shares = _shares(n, parts)
    counts = [count for _, count in shares]
    assert [first for first, _ in shares] == [sum(counts[:i]) for i in range(len(counts))]
    assert sum(counts) == n and min(counts) >= 1 and max(counts) - min(counts) <= 1


def slope(model):
    return jax.grad(lambda p: jnp.log(model.predict_photometry(p)).sum())


def test_batched_gradients_are_those_of_each_galaxy(sdss_model, monkeypatch):
    monkeypatch.setattr(sdss_model, "execution", Execution(Sizes(2, 8), Sizes(2, 8)))
    free = sdss_model.spec.free_params
    drawn = sdss_model.spec.sample_batch(jax.random.key(4), 11)
    batch = {k: jnp.asarray(drawn[k]) for k in free} | {"dust_tau_diff": 0.3}  # a scalar for all
    slopes = sdss_model.batched(slope(sdss_model))
    result = slopes(batch)
    assert set(result) == set(free)
    each = {k: jnp.broadcast_to(v, 11) for k, v in batch.items()}
    expected = jax.jit(jax.vmap(slope(sdss_model)))(each)
    inside = jax.jit(slopes)(batch)
    for name in free:
        assert result[name].shape == (11,)
        np.testing.assert_allclose(result[name], expected[name], rtol=1e-8)
        np.testing.assert_allclose(inside[name], expected[name], rtol=1e-8)


def test_batched_refuses_what_a_batch_refuses(sdss_model):
    with pytest.raises(ConfigError, match="not its result; got float"):
        sdss_model.batched(0.3)
    slopes = sdss_model.batched(slope(sdss_model))
    good = {"met_logzsol": jnp.full(3, -0.3), "dust_tau_diff": 0.3, "redshift": 0.1}
    with pytest.raises(ParameterError, match="dust_tau_diff = -1"):
        slopes({**good, "dust_tau_diff": -1.0})
    with pytest.raises(ParameterError, match="redshift > 0"):
        slopes({**good, "redshift": 0.0})
    with pytest.raises(ParameterError, match="at least one array"):
        slopes({**good, "met_logzsol": -0.3})
