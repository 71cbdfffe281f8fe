"""A surrogate that is a table goes the way of all others: run folder, report, file, proof."""

from __future__ import annotations

import numpy as np
import pytest

import emulator
from emulator.tabulated import eigenspectra
from tengri import Parameters
from tengri.cli.doctor import OK
from tengri.errors import ConfigError
from tests.train.conftest import CONFIG, changed
from train import dryrun, pipeline, verifier
from train.problem import Problem
from train.rows import RowMaker

TABLE = changed(CONFIG, "network", name="table", target="band_nodes", redshift="none", knots=35,
                eigenspectra=16)  # fmt: skip
TABLE = changed(TABLE, "model", histories=("delayed",))


@pytest.fixture(scope="module")
def problem_of_a_table() -> Problem:
    return Problem.build(TABLE)


def test_a_table_is_not_learnt_and_what_is_learnt_no_table():
    with pytest.raises(ConfigError, match="'band_nodes' is tabulated: set"):
        Problem.build(changed(TABLE, "network", name="mlp"))
    with pytest.raises(ConfigError, match="'photometry' is learnt"):
        Problem.build(changed(TABLE, "network", target="photometry"))


def test_a_table_has_no_rows_and_a_plan_of_its_own(problem_of_a_table, tmp_path):
    with pytest.raises(ConfigError, match="no training rows"):
        RowMaker(problem_of_a_table, 0).make(0, 2)
    lines = "\n".join(dryrun.describe(TABLE, tmp_path / "run"))
    assert "97 redshifts" in lines and "16 eigenspectra" in lines
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_is_tabulated_proved_and_verified(tmp_path):
    run = tmp_path / "run"
    config = changed(TABLE, "run", jacobian_rows=16)
    assert pipeline.start(config, run, "tengri train mine") == 0
    tables = emulator.load(run).accuracy
    assert tables["pooled"]["p99"] < 2.0
    assert set(tables["families"]) == {"prior", "delayed, calzetti"}
    slopes = tables["jacobian"]["redshift"]
    assert slopes["error"] < 0.03 * slopes["rms"]
    card = (run / "report" / "card.md").read_text()
    assert "Tabulated at 97 redshifts" in card and "nothing was learnt" in card
    assert all(check.state == OK for check in verifier.run(str(run), False))
    assert pipeline.resume(run) == 0  # it is finished: proved once more
    (run / "done.json").unlink()
    before = emulator.load(run).artefact
    assert pipeline.resume(run) == 0  # tabulated anew, to the same numbers
    for name, values in emulator.load(run).artefact.params.items():
        np.testing.assert_array_equal(values, before.params[name])
    spec = Parameters(dust_law="smc", dust_tau_diff=(0.0, 2.0), met_mode="ramp",
                      redshift=(0.03, 0.1))  # fmt: skip
    fast = emulator.load(run, spec=spec)
    galaxy = {"dust_tau_diff": 1.0, "redshift": 0.05}
    error = fast.predict_magnitudes(galaxy) - fast.exact_model().predict_magnitudes(galaxy)
    assert np.abs(error).max() < 2e-3


def test_eigenspectra_find_what_has_few_and_weigh_what_is_faint():
    """Exact where the light is a sum of n; else faint measurements count like bright ones."""
    rng = np.random.default_rng(1)
    light = rng.uniform(0.5, 1.0, (30, 4)) @ rng.uniform(0.5, 1.0, (4, 50))
    light *= np.geomspace(1.0, 1e-3, 30)[:, None]
    weight = 1.0 / light
    v = eigenspectra.loadings(light, weight, 4)
    g = eigenspectra.coefficients(light, weight, v)
    np.testing.assert_allclose(g @ v.T, light, rtol=1e-9)
    noisy = light * rng.normal(1.0, 1e-3, light.shape)
    v = eigenspectra.loadings(noisy, 1.0 / noisy, 4)
    residual = eigenspectra.coefficients(noisy, 1.0 / noisy, v) @ v.T / noisy - 1.0
    rms = np.sqrt(np.mean(residual**2, axis=1))
    assert (rms < 1.5e-3).all()
