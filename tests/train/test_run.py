"""A whole run: artefact, report, verification, the useless control, the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

import emulator
from tengri.analysis import accuracy
from tengri.analysis.accuracy import summary, verdict
from tengri.errors import ConfigError, DataError, TengriError
from tests.train.conftest import CONFIG, changed, new_run, with_config
from train import evaluate, pipeline
from train.loop import Loop
from train.problem import Problem
from train.rows import RowMaker
from train.runfolder import RunFolder
from train.signals import Signals

LONGER = changed(CONFIG, "run", steps=400, dispatch=40)


@pytest.fixture(scope="session")
def finished(problem: Problem, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """One run from start to end."""
    with jax.enable_x64(False):
        longer = with_config(problem, LONGER)
        folder = new_run(longer, tmp_path_factory.mktemp("runs") / "good")
        assert pipeline.finish(longer, folder, Loop(longer, folder, Signals()).run()) == 0
        return folder


def test_artefact_loads_and_is_better_than_nothing(finished: RunFolder) -> None:
    model = emulator.load(finished.artefact)
    pooled = model.artefact.accuracy["pooled"]
    assert model.artefact.accuracy["verdict"] != "useless"
    assert pooled["p50"] < 0.3 * model.artefact.accuracy["constant"]["p50"]
    assert set(model.artefact.error_bars) == {"68", "95", "99"}
    assert model.artefact.training["steps"] == 400


def test_report_is_complete_and_self_contained(finished: RunFolder) -> None:
    page = (finished.report / "report.html").read_text()
    assert "src='data:image/png;base64," in page
    assert "http://" not in page and "https://" not in page
    for part in ("class='lead'", "class='sortable'", "class='galaxies'", "<polygon points="):
        assert part in page
    assert "Half of all magnitudes are within" in page
    numbers = json.loads((finished.report / "report.json").read_text())
    assert numbers["accuracy"]["pooled"]["p99"] > 0
    assert numbers["training"]["rows"] > 0
    names = {p.name for p in finished.report.iterdir()}
    assert {"card.md", "cdf.png", "parameters.png", "worst.png", "correlation.png"} <= names
    assert {f"{name[:-4]}.pdf" for name in names if name.endswith(".png")} <= names
    assert "redshift" in (finished.report / "card.md").read_text()


def test_finished_run_verifies_again(finished: RunFolder, problem: Problem) -> None:
    assert pipeline._prove(with_config(problem, LONGER), finished) == 0  # noqa: SLF001  (without a training)


def test_a_damaged_artefact_is_found(finished: RunFolder, problem: Problem) -> None:
    good = finished.artefact.read_bytes()
    rng = np.random.default_rng(1)
    try:
        for _ in range(5):
            bad = bytearray(good)
            bad[rng.integers(len(bad))] ^= 1 << int(rng.integers(8))
            finished.artefact.write_bytes(bad)
            with pytest.raises(DataError):
                pipeline._prove(with_config(problem, LONGER), finished)  # noqa: SLF001  (without a training)
    finally:
        finished.artefact.write_bytes(good)


def test_shuffled_targets_are_called_useless(problem: Problem, tmp_path: Path) -> None:
    shuffled = with_config(problem, changed(LONGER, "data", shuffle_targets=True))
    folder = new_run(shuffled, tmp_path / "bad")
    trained = Loop(shuffled, folder, Signals()).run()
    result = evaluate.evaluate(shuffled, trained.params, trained.scaling)
    assert result.tables["verdict"] == "useless"
    assert "USELESS" in accuracy.VERDICTS["useless"]


def test_until_that_is_not_reached_fails_and_names_the_worst_region(
    problem: Problem, finished: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "train")
    impossible = with_config(problem, changed(LONGER, "run", until="p99=0.001mmag"))
    model = emulator.load(finished.artefact).artefact
    result = evaluate.evaluate(impossible, model.params, model.out_scaling)
    assert pipeline._until(impossible, result) == 1  # noqa: SLF001  (without a training)
    assert "Worst region: " in caplog.text.replace("\n", " ")


def test_accuracy_counts_what_the_definition_says() -> None:
    exact = np.array([[1.0, 1e-2], [1.0, 1e-5], [2.0, 1.0]])
    emulated = exact * 10 ** (-0.4 * np.array([[0.001, 0.002], [0.003, 1.0], [0.004, -0.005]]))
    table = summary(exact, emulated, ("a", "b"))
    assert table["pooled"]["entries"] == 5  # the faint one is not among them
    assert table["pooled"]["max"] == pytest.approx(5.0, rel=1e-6)
    assert table["pooled"]["p50"] == pytest.approx(3.0, rel=1e-6)
    assert table["bands"]["b"]["bias"] == pytest.approx(-1.5, rel=1e-6)
    assert table["faint"]["share"] == pytest.approx(1 / 6)
    assert table["faint"]["max"] == pytest.approx(1e-5 * (1 - 10**-0.4), rel=1e-6)
    assert verdict(table, {"pooled": {"p50": 500.0}}) == "good"
    assert verdict(table, {"pooled": {"p50": 4.0}}) == "useless"


def test_conformal_bars_cover() -> None:
    dm = np.random.default_rng(0).normal(size=(4000, 2)) * [0.01, 0.03]
    bars, coverage = evaluate.conformal(dm, np.ones(dm.shape, bool))
    for level, row in coverage.items():
        assert row["found"] == pytest.approx(row["expected"], abs=0.02)
        np.testing.assert_allclose(bars[level][1] / bars[level][0], 3.0, rtol=0.15)
    covariance = evaluate.covariance(dm, np.ones(dm.shape, bool))
    np.testing.assert_allclose(np.diag(covariance), [1e-4, 9e-4], rtol=0.1)


def test_error_bars_follow_the_redshift() -> None:
    """Twice the error beyond z = 0.5: the bars say so, and each interval is covered."""
    rng = np.random.default_rng(0)
    z = rng.uniform(0.0, 1.0, 12000).astype(np.float32)
    dm = rng.normal(size=(12000, 2)) * np.where(z > 0.5, 0.02, 0.01)[:, None]
    bars, coverage = evaluate.conformal_by_redshift(z, dm, np.ones(dm.shape, bool))
    assert bars["95"].shape == (12, 2) and bars["edges"].shape == (13,)
    np.testing.assert_allclose(bars["95"][0], 0.0196, rtol=0.15)
    np.testing.assert_allclose(bars["95"][-1], 0.0392, rtol=0.15)
    assert all(row["95"]["found"] == pytest.approx(0.95, abs=0.035) for row in coverage)
    assert evaluate.conformal_by_redshift(z[:100], dm[:100], np.ones((100, 2), bool)) == ({}, [])


def test_jacobian_error_of_a_finished_run(finished: RunFolder, problem: Problem) -> None:
    asked = with_config(problem, changed(LONGER, "run", jacobian_rows=32))
    model = emulator.load(finished.artefact).artefact
    result = asked.held_out(5, 32)
    table = evaluate.jacobian_error(asked, model.params, model.out_scaling, result)
    assert set(table) == {"met_logzsol", "redshift", "sfh_tsnorm_peak_lbt_frac"}
    for row in table.values():
        assert 0 < row["error"] < row["rms"]


CONFIG_FILE = """
[model]
bands = ["sdss_g", "sdss_r"]
[model.parameters]
sfh_tsnorm_peak_lbt_frac = [0.1, 0.9]
redshift = [0.02, 0.1]
[data]
pool = 128
chunk = 64
reuse = 2
[network]
width = 8
depth = 1
knots = 4
features = 2
[optimiser]
batch = 32
late_batch = 32
[run]
steps = 8
dispatch = 4
validation_rows = 32
evaluation_rows = 64
timing_rows = 0
jacobian_rows = 0
"""


def test_dry_run_measures_and_writes_nothing(tmp_path: Path) -> None:
    from train import config as configs
    from train.dryrun import describe

    (tmp_path / "mine.toml").write_text(CONFIG_FILE)
    text = "\n".join(describe(configs.load(str(tmp_path / "mine.toml")), tmp_path / "run"))
    for expected in ("redshift", "sdss_r", "pivot", "steps/s", "ETA 0:", "weights", "MB free",
                     "nothing has been written"):  # fmt: skip
        assert expected in text
    assert os.listdir(tmp_path) == ["mine.toml"]


def test_band_outside_the_sed_leaves_no_folder(tmp_path: Path) -> None:
    from train import config as configs

    np.savetxt(tmp_path / "xray.txt", [[2.0, 0.0], [3.0, 1.0], [4.0, 0.0]])
    outside = CONFIG_FILE.replace("sdss_r", str(tmp_path / "xray.txt"))
    (tmp_path / "mine.toml").write_text(outside)
    with pytest.raises(TengriError, match="xray"):
        pipeline.start(configs.load(str(tmp_path / "mine.toml")), tmp_path / "run", "test")
    assert sorted(os.listdir(tmp_path)) == ["mine.toml", "xray.txt"]


@pytest.mark.slow
def test_the_program_on_two_devices(tmp_path: Path) -> None:
    """Two devices of one process take the same steps as one, up to rounding."""
    (tmp_path / "mine.toml").write_text(CONFIG_FILE)
    code = (
        "import argparse,sys; from train.commands import add_parser; p=argparse.ArgumentParser();"
        "add_parser(p.add_subparsers()); a=p.parse_args(); sys.exit(a.func(a))"
    )
    root = Path(pipeline.__file__).parent.parent
    weights = []
    for devices in (1, 2):
        flags = f"--xla_force_host_platform_device_count={devices}"
        flags = f"{os.environ.get('XLA_FLAGS', '')} {flags}"  # compiled as fast as the tests are
        env = {**os.environ, "PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
        out = tmp_path / f"run{devices}"
        command = ["train", str(tmp_path / "mine.toml"), "--out", str(out)]
        subprocess.run([sys.executable, "-c", code, *command], env=env, check=True)
        weights.append(emulator.load(out / "surrogate.h5").artefact.params["out"]["kernel"])
    np.testing.assert_allclose(weights[0], weights[1], rtol=2e-3, atol=2e-4)


def test_training_starts_from_a_surrogate(finished: RunFolder, problem: Problem) -> None:
    """Its weights and scaling are taken as they are; another network is refused."""
    warm = with_config(problem, changed(LONGER, "run", start=str(finished.artefact)))
    given = emulator.load(finished.artefact).artefact
    first = warm.init_params(jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, first, given.params)
    rows = RowMaker(warm, 0).make(0, 8)
    np.testing.assert_array_equal(warm.fit_scaling(rows).mean, given.out_scaling.mean)
    other = replace(warm, network=replace(warm.network, width=24))
    with pytest.raises(ConfigError, match="another network"):
        other.init_params(jax.random.key(0))
