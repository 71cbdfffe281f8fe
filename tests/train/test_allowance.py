"""The minutes of a run are the whole: planning, training and what follows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from train import evaluate
from train.allowance import LEAST, SHARE, Allowance, expected_seconds, kept_seconds
from train.config import load
from train.dryrun import plan_seconds
from train.logs import Progress
from train.schedule import TRAINED, Costs, make_plan

COSTS = Costs(row=5e-5, step=2e-3, late_step=2e-3)


def lasting(minutes: float):
    config = load("tiny")
    return replace(config, run=replace(config.run, steps=0, minutes=minutes))


def test_five_minutes_keep_fifteen_per_cent():
    assert kept_seconds(lasting(5.0)) == pytest.approx(SHARE * 300.0) == 45.0
    assert kept_seconds(lasting(0.2)) == LEAST
    assert expected_seconds(lasting(5.0), COSTS) <= 45.0


def test_steps_have_no_budget():
    config = lasting(5.0)
    config = replace(config, run=replace(config.run, steps=100))
    assert kept_seconds(config) == math.inf
    assert 0.0 < expected_seconds(config, COSTS) < math.inf


@pytest.mark.parametrize("minutes", [2.0, 5.0, 30.0])
def test_training_takes_what_the_rest_leaves(minutes):
    config, elsewhere = lasting(minutes), 55.0
    plan = make_plan(config, COSTS, 8192, elsewhere)
    assert plan_seconds(plan, COSTS) + elsewhere <= 60.0 * minutes
    assert plan_seconds(plan, COSTS) > 0.85 * (60.0 * minutes - elsewhere)


def test_half_of_a_short_run_is_trained():
    short = make_plan(lasting(0.5), COSTS, 1024, elsewhere=1000.0)
    assert plan_seconds(short, COSTS) > 0.8 * TRAINED * 30.0


def test_what_there_is_no_time_for_is_left_out_and_nothing_is_run():
    assert evaluate.throughput(None, None, 0) == []
    spent = Allowance(0.0, stages=1)
    assert not spent.is_left(0.1)

    class Model:
        class spec:
            free_params = ()
            sample = staticmethod(lambda key: {})

    assert evaluate.throughput(Model, Model, 100, spent.is_left) == []


def test_each_stage_says_what_it_does_and_how_long_it_took(caplog):
    caplog.set_level("INFO")
    allowance = Allowance(math.inf, stages=2)
    with allowance.stage("error bars"):
        pass
    with allowance.stage("report"):
        pass
    assert caplog.messages == ["(1/2) error bars …", "(1/2) done in 0:00",
                               "(2/2) report …", "(2/2) done in 0:00"]  # fmt: skip


def test_the_time_left_holds_what_follows(capsys):
    progress = Progress(100, seconds=0.0, after=75.0)
    progress.show(50, rate=10.0, loss=0.1)
    progress.close()
    assert "ETA 1:20" in capsys.readouterr().out
