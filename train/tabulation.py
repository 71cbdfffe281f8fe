"""Surrogates that are tabulated: all of their training is one pass over the redshifts."""

from __future__ import annotations

import logging
import time

import jax

from emulator.tabulated.tabulate import PER_STEP
from train.loop import Trained
from train.problem import Problem

logger = logging.getLogger(__name__)


def tabulated(problem: Problem) -> Trained:
    """Return the table of a problem; the same every time: an interrupted run starts anew."""
    logger.info("; ".join(words(problem)))
    begin = time.monotonic()
    network = problem.config.network
    with jax.enable_x64(True):
        weights, scaling = problem.target.tabulate(
            problem.model.evaluator(),
            problem.in_scaling,
            network.knots,
            network.eigenspectra,
            network.rounding,
        )
    return Trained(weights, scaling, 0, n_redshifts(problem), time.monotonic() - begin)


def n_redshifts(problem: Problem) -> int:
    """Return at how many redshifts the exact model is asked."""
    return PER_STEP * (problem.config.network.knots - 3) + 1


def words(problem: Problem) -> list[str]:
    """Return what is tabulated, line by line."""
    network = problem.config.network
    return [
        f"table: {n_redshifts(problem)} redshifts, splines of {network.knots} knots",
        f"populations: {network.eigenspectra} eigenspectra of the young, as many of the old",
    ]
