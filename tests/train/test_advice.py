"""Verdicts against error bars of data, and advice whose expected gain was measured."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from train import advice
from train.evaluate import worst_region

ROOT = Path(__file__).resolve().parents[2]
REGION = {"parameter": "dust_tau_bc", "lo": 0.0, "hi": 0.4, "p99_mmag": 60.0,
          "p99_elsewhere_mmag": 20.0, "p99_everywhere_mmag": 35.0}  # fmt: skip


def tables(p95: float, **changes) -> dict:
    pooled = {"p50": p95 / 4, "p68": p95 / 3, "p95": p95, "p99": 2 * p95}
    return {"pooled": pooled, "verdict": "usable", "worst_region": REGION, "excess_bands": [],
            **changes}  # fmt: skip


TRAINING = {"steps": 1000, "seconds": 60.0}


def test_errors_add_in_quadrature_to_those_of_the_data():
    assert advice.error_bar_mmag(100) == pytest.approx(2500.0 / math.log(10.0) / 100.0)
    assert advice.growth(advice.error_bar_mmag(50), 50) == pytest.approx(math.sqrt(2.0) - 1.0)
    limit = advice.largest_signal_to_noise(tables(10.0))
    assert advice.growth(10.0, limit) == pytest.approx(advice.GROWTH)


@pytest.mark.parametrize(("p95", "enough"), [(1.0, 3), (7.0, 2), (20.0, 1), (100.0, 0)])
def test_a_grade_for_each_kind_of_data(p95, enough):
    lines = advice.grades(tables(p95))
    assert [f"S/N {s:>3d}" in line for s, line in zip((20, 50, 100), lines)] == [True] * 3
    assert sum(": enough" in line for line in lines) == enough


def test_the_power_law_is_the_measured_one():
    kept = ROOT / "benchmarks/results"
    short = json.loads((kept / "ablation.json").read_text())["choices"]["a table of metals, too"]
    long = json.loads((kept / "surrogates.json").read_text())["contenders"]["age kernel"]
    fell = math.log(short["p95"] / long["p95"]) / math.log(long["steps"] / short["steps"])
    assert fell == pytest.approx(advice.EXPONENT, abs=0.02)


def test_advice_says_what_to_do_and_what_it_brings():
    longer, prior = advice.steps(tables(20.0), TRAINING, "runs/mine")
    times = (50 / advice.largest_signal_to_noise(tables(20.0))) ** (1 / advice.EXPONENT)
    assert f"Train {times:.2g} times" in longer and "enough for S/N 50" in longer
    assert f"tengri resume runs/mine --set run.steps={math.ceil(times * 10) * 100}" in longer
    reached = 20.0 * times**-advice.EXPONENT
    assert advice.largest_signal_to_noise(tables(reached)) == pytest.approx(50.0)
    assert "dust_tau_bc = 0 … 0.4" in prior and "20 instead of 35 mmag" in prior


def test_every_case_is_followed_by_what_to_change():
    bad = advice.steps(tables(400.0), TRAINING)
    assert "Time alone does not reach S/N 20" in bad[0]
    assert "learnt nothing" in advice.steps(tables(400.0, verdict="useless"), TRAINING)[0]
    assert "It is a table" in advice.steps(tables(1.0), {"steps": 0, "seconds": 1.0})[0]
    assert "u." in advice.steps(tables(1.0, excess_bands=["u"]), TRAINING)[-1]
    old = tables(1.0, worst_region={"parameter": "z", "lo": 0.0, "hi": 1.0, "p99_mmag": 3.0})
    assert "leave it out" in advice.steps(old, TRAINING)[-1]
    for p95 in (0.1, 1.0, 30.0, 400.0):
        assert "What to change next:\n  - " in advice.text(tables(p95), TRAINING)


def test_the_gain_of_a_narrower_prior_is_that_of_the_same_galaxies():
    x = np.linspace(0.0, 1.0, 1000)
    dm = np.where(x < 0.1, 0.1, 0.001)[:, None]
    found = worst_region(SimpleNamespace(params={"x": x}), dm, np.ones((1000, 1), bool))
    assert found["parameter"] == "x" and found["hi"] == pytest.approx(0.1, abs=0.01)
    assert found["p99_everywhere_mmag"] == pytest.approx(100.0)
    assert found["p99_elsewhere_mmag"] == pytest.approx(1.0)
