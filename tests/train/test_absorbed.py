"""A kernel whose dust radiates: what dust absorbs is a row beside the bands."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.conftest import CONFIG, changed
from train.problem import Problem
from train.rows import RowMaker, describe


@pytest.fixture(scope="module")
def maker() -> RowMaker:
    given = {**CONFIG.model.parameters, "dust_tau_bc": (0.0, 2.0), "dust_tau_diff": (0.0, 1.0),
             "dust_emission": "modified_blackbody", "dust_T": (20.0, 50.0)}  # fmt: skip
    config = changed(CONFIG, "model", parameters=given, histories=())
    config = changed(
        config, "network", target="ssp_photometry", components=8, by_band=True, width=32
    )
    return RowMaker(Problem.build(config), 0)


def test_the_spectrum_of_the_dust_is_no_input(maker) -> None:
    problem = maker.problem
    assert "dust_T" in problem.spec.free_params and "dust_T" not in problem.columns
    assert problem.target.absorbs and problem.target.n_rows == len(problem.bands) + 1
    assert problem.n_latent == 8 * problem.target.n_rows


def test_dust_absorbs_between_nothing_and_everything(maker) -> None:
    """More where there is more of it, and no star gives more than it has."""
    problem = maker.problem
    drawn = maker.draw(0, 64)
    thin, thick = ({**drawn, "dust_tau_diff": np.full(64, tau)} for tau in (0.2, 0.9))
    absorbed = [maker.flux(d).reshape(64, problem.target.n_rows, -1)[:, -1] for d in (thin, thick)]
    assert (absorbed[0] > 0.0).all() and (absorbed[1] > absorbed[0]).all()


def test_what_cannot_be_used_is_named(maker) -> None:
    rows = maker.make(0, 2)
    flux = np.array(rows.flux)
    flux[1, -1] = np.nan
    told = describe(maker, rows._replace(flux=flux), 1)
    assert "no finite flux in the light that dust absorbs at" in told
