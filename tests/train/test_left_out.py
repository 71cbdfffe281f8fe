"""What the principal components that are kept leave out is measured before a training begins."""

from __future__ import annotations

import numpy as np
import pytest

from emulator.scaling import OutputScaling
from tengri.errors import UnknownNameError
from tests.train.conftest import CONFIG, changed
from train.problem import Problem
from train.rows import RowMaker


@pytest.fixture(scope="module")
def kernel() -> tuple[Problem, RowMaker]:
    """An age kernel in two bands."""
    config = changed(CONFIG, "model", histories=())
    config = changed(config, "network", target="ssp_photometry", components=16)
    problem = Problem.build(config)
    return problem, RowMaker(problem, 0)


def test_fewer_components_leave_out_more(kernel) -> None:
    problem, maker = kernel
    rows = maker.make(0, 256)
    few, many = (problem.pca_truncation_error(scaled(problem, rows, n), rows) for n in (2, 16))
    assert few[0] < few[1] and many[0] < many[1]
    assert many[1] < 0.2 * few[1]


def test_what_is_left_out_is_the_error_of_a_perfect_network(kernel) -> None:
    """In the light of one age alone it is the kernel's own distance to its components."""
    problem, maker = kernel
    rows = maker.make(0, 64)
    scaling = scaled(problem, rows, 2)
    y = np.asarray(problem.outputs(rows.flux.astype("f4"), rows.inputs), float)
    bound = np.abs(scaling.inverse(scaling.forward(y)) - scaling.floored(y)).max()
    assert 0.0 < problem.pca_truncation_error(scaling, rows)[1] < 1.1 * 1085.7 * bound


def test_tables_are_of_inputs() -> None:
    with pytest.raises(UnknownNameError, match="met_logzsol"):
        Problem.build(changed(CONFIG, "network", tables=("met_logzsl",)))


def test_where_nothing_is_left_out_nothing_is_said(problem) -> None:
    assert problem.pca_truncation_error(None, None) is None


def scaled(problem: Problem, rows, components: int) -> OutputScaling:
    """Return a scaling that keeps some components."""
    y = problem.outputs(rows.flux.astype("f4"), rows.inputs)
    floor = problem.target.floor(y)
    return OutputScaling.fit(np.asarray(y), pca=True, components=components, floor=floor)
