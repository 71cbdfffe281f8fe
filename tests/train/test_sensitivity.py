"""A training on inputs that change nothing, or beyond the grid of stars, does not start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tengri import Parameters, SEDModel, load_ssp_data
from tengri.errors import ConfigError
from tests.train.conftest import CONFIG, changed
from train import pipeline, sensitivity
from train.problem import Problem
from train.rows import RowMaker


def test_inputs_that_count_are_passed(problem) -> None:
    sensitivity.check_inputs(problem)


def test_an_input_that_changes_no_truth_is_named(problem, monkeypatch) -> None:
    """Truths of all inputs but one stand in for those of the model."""

    def blind(self, drawn):
        alive = [np.ravel(v) for n, v in drawn.items() if n != "met_logzsol"]
        return np.stack(alive, axis=1)

    monkeypatch.setattr(RowMaker, "flux", blind)
    with pytest.raises(ConfigError, match=r"^met_logzsol changes nothing"):
        sensitivity.check_inputs(problem)


@pytest.mark.slow
def test_a_dead_input_stops_a_training_before_it_leaves_a_folder(tmp_path) -> None:
    """Dust that shines beyond 1 µm has no say in g and r at z < 0.1."""
    dusty = {**CONFIG.model.parameters, "dust_emission": "dl07", "dust_qpah": (0.5, 4.0)}
    config = changed(CONFIG, "model", parameters=dusty)
    with pytest.raises(ConfigError, match="dust_qpah changes nothing that is trained"):
        pipeline.start(config, tmp_path / "run", "tengri train")
    assert not (tmp_path / "run").exists()


def test_a_prior_ends_where_the_grid_ends() -> None:
    wide = {**CONFIG.model.parameters, "met_logzsol": (-3.0, 0.2)}
    beyond = Problem.build(changed(CONFIG, "model", parameters=wide))
    with pytest.raises(ConfigError, match=r"met_logzsol runs from -3 to 0\.2.*= \(-2\.15, 0\.20\)"):
        sensitivity.check_inputs(beyond)


def test_a_free_metallicity_needs_a_grid_of_several() -> None:
    ssp = load_ssp_data()
    one = replace(ssp, ssp_lgmet=ssp.ssp_lgmet[4:5], ssp_flux=ssp.ssp_flux[4:5],
                  ssp_mass_remaining=ssp.ssp_mass_remaining[4:5])  # fmt: skip
    given = {"sfh_const_log_total_mass": 10.0, "redshift": 0.1}
    with pytest.raises(ConfigError, match=r"met_logzsol changes nothing on the grid .* one metal"):
        SEDModel(Parameters(**given, met_logzsol=(-1.0, 0.2)), one)
    sed = SEDModel(Parameters(**given, met_logzsol=-0.3), one).predict_rest_sed().sed
    assert np.isfinite(sed).all()
