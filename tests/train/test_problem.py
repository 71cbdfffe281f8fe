"""A configuration that cannot be trained is refused before anything is measured or written."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from tengri.errors import ConfigError
from tests.train.conftest import CONFIG, changed, scaling_of
from train import problem as problems
from train import rows as rowmaker
from train.problem import Problem
from train.rows import RowMaker


@pytest.mark.parametrize("redshift", [(0, 4), 0.0])
def test_a_box_that_reaches_redshift_zero_is_refused(redshift):
    given = {**CONFIG.model.parameters, "redshift": redshift}
    with pytest.raises(ConfigError, match=r"redshift reaches 0.*begin at 0\.001"):
        Problem.build(changed(CONFIG, "model", parameters=given))


@pytest.mark.slow
def test_rows_that_are_made_and_converted_in_parts_are_the_same(monkeypatch):
    """Memory is that of a part; ages are mixed of histories that are in memory once."""
    config = changed(CONFIG, "network", target="ssp_photometry", components=8, by_band=True)
    problem = Problem.build(changed(config, "data", pool=300, chunk=64))
    rows, scaling = RowMaker(problem, 0).make(0, 300), scaling_of(problem)
    whole = problem.to_pool(scaling, rows)
    monkeypatch.setattr(rowmaker, "TOGETHER", 128)
    monkeypatch.setattr(problems, "TOGETHER", 77)
    parts = RowMaker(problem, 0).make(0, 300)
    np.testing.assert_array_equal(parts.flux, rows.flux)
    pool = problem.to_pool(scaling, parts)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), pool, whole)
    few = pool.take(np.array([5, 250])).as_asked()
    assert few.w.shape == (2, 8, problem.target.n_bins)
    np.testing.assert_allclose(few.w.sum(axis=-1), 1.0, rtol=1e-5)
    # the light of the mixtures, from the kernels themselves
    np.testing.assert_allclose(
        problem.target.light(few.y, few.w, rows.inputs[[5, 250]]), few.light, atol=2e-3
    )
