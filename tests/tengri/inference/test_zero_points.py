"""Offsets that all galaxies share are found with their errors, and applied."""

from __future__ import annotations

import numpy as np
import pytest

from tengri.errors import DataError, UnknownNameError
from tengri.inference import Observations, ZeroPoints, solve_zero_points, zero_points
from tengri.inference.importance import SamplingPlan
from tests.tengri.inference.toy import BANDS, MEAN, WIDTH, Toy

ROWS = 120
PLAN = SamplingPlan(starts=4, steps=4)
ERROR = np.array([1.0, 1.0, 1.0])
TRUE = np.array([0.06, 0.0, -0.05])


def mocks(offset, seed=0, rows=ROWS):
    """Return fluxes whose magnitudes lack ``offset``, and parameters as the prior has them."""
    rng = np.random.default_rng(seed)
    x = MEAN + WIDTH * rng.normal(size=(rows, 2))
    flux = Toy().flux(x) + ERROR * rng.normal(size=(rows, 3))
    factor = 10.0 ** (0.4 * np.asarray(offset))
    return Observations.of(flux * factor, np.broadcast_to(ERROR, flux.shape) * factor, BANDS)


def test_offsets_are_found_within_their_errors():
    pulls = []
    for seed in range(6):
        found = solve_zero_points(Toy(), mocks(TRUE, seed), plan=PLAN, seed=seed)
        pulls.append((found.offset - TRUE) / found.error)
        assert np.all(found.error < 0.03) and found.rows == ROWS and found.rounds < 12
    assert np.abs(pulls).max() < 3.5 and 0.4 < np.std(pulls) < 1.6
    assert found.chi2_after < found.chi2_before


def test_a_reference_band_stays_and_the_offsets_calibrate():
    data = mocks(TRUE)
    found = solve_zero_points(Toy(), data, plan=PLAN, reference="g")
    assert found.offset[1] == found.error[1] == 0.0
    clean = found.apply(data)
    again = solve_zero_points(Toy(), clean, plan=PLAN, reference="g")
    assert np.all(np.abs(again.offset) < 0.3 * found.error + 1e-9)
    same = ZeroPoints.from_dict(found.to_dict())
    assert same.as_mapping() == found.as_mapping() and str(same) == str(found)


def test_offsets_that_have_not_settled_are_said(monkeypatch):
    assert solve_zero_points(Toy(), mocks(TRUE), plan=PLAN).settled
    monkeypatch.setattr(zero_points, "ROUNDS", 1)
    with pytest.warns(UserWarning, match="have not settled after 1 rounds"):
        found = solve_zero_points(Toy(), mocks(TRUE), plan=PLAN)
    assert not found.settled and not ZeroPoints.from_dict(found.to_dict()).settled


def test_offsets_that_no_camera_has_are_warned_of():
    with pytest.warns(UserWarning, match=r"far from their mean: .*u [+-]0"):
        solve_zero_points(Toy(), mocks([0.6, 0.0, -0.6]), plan=PLAN)


def test_bad_galaxies_hardly_count():
    data = mocks(TRUE)
    flux = np.array(data.cases.flux)
    flux[::20] *= [3.0, 0.3, 1.0]  # six blends
    spoilt = Observations.of(flux, data.cases.error, BANDS)
    found, clean = (solve_zero_points(Toy(), d, plan=PLAN) for d in (spoilt, data))
    assert np.all(np.abs(found.offset - clean.offset) < 0.02)


def test_what_is_wrong_is_named():
    with pytest.raises(DataError, match="there are 5"):
        solve_zero_points(Toy(), mocks(TRUE, rows=5), plan=PLAN)
    with pytest.raises(UnknownNameError, match="reference band"):
        solve_zero_points(Toy(), mocks(TRUE), reference="y", plan=PLAN)
