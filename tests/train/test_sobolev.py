"""Gradient matching: the slopes are those of the exact model, and the loss sees them."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.errors import ConfigError
from tests.train.conftest import CONFIG, changed, scaling_of, with_config
from train.problem import Problem
from train.rows import RowMaker
from train.step import make_loss


@pytest.fixture(scope="module")
def matched(problem: Problem) -> Problem:
    return with_config(problem, changed(CONFIG, "optimiser", sobolev=0.5))


def test_slopes_are_differences_of_the_exact_model(matched: Problem) -> None:
    maker = RowMaker(matched, 0)
    rows = maker.make(0, 16)
    slopes = matched.slopes
    assert slopes is not None
    u = slopes.directions(rows)
    z = matched.columns.index("redshift")
    assert np.allclose(np.linalg.norm(u, axis=1), 1.0) and not u[:, z].any()
    step = 2e-2
    x = matched.in_scaling.forward(rows.inputs)
    ends = []
    for sign in (1.0, -1.0):
        raw = np.asarray(matched.in_scaling.inverse(x + sign * step * u))
        drawn = maker.draw(0, 16) | dict(zip(matched.columns, raw.T))
        ends.append(np.asarray(matched.outputs(maker.flux(drawn), raw)))
    expected = (ends[0] - ends[1]) / (2.0 * step)
    np.testing.assert_allclose(slopes.along(rows, u), expected, atol=6e-3)


def test_loss_counts_an_error_of_the_slope(matched: Problem) -> None:
    rows = RowMaker(matched, 0).make(0, 16)
    pool = matched.to_pool(scaling_of(matched), rows)
    params = matched.init_params(jax.random.key(0))
    losses = [float(make_loss(matched.network, matched.target, "mse", weight)(params, pool))
              for weight in (0.0, 0.5)]  # fmt: skip
    plain = pool._replace(rows=pool.rows._replace(u=None, slope=None))
    assert losses[0] == pytest.approx(
        float(make_loss(matched.network, matched.target, "mse")(params, plain)), rel=1e-5
    )
    assert losses[1] > losses[0] + 1e-3
    still = pool.rows._replace(slope=jnp.zeros_like(pool.rows.slope))
    assert (
        float(
            make_loss(matched.network, matched.target, "mse", 0.5)(
                params, pool._replace(rows=still)
            )
        )
        < losses[1]
    )


def test_what_has_no_slope_is_refused(matched: Problem) -> None:
    alone = replace(matched.target, input_names=("redshift",), input_sizes=(1,))
    with pytest.raises(ConfigError, match="besides the redshift"):
        _ = replace(matched, target=alone).slopes
