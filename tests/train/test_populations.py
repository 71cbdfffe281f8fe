"""Surrogates judged on galaxies unlike their prior: named ones, and those of a file."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

import emulator
from emulator.conditional_errors import ConditionalErrors
from tengri import Observation, Photometry
from tengri.__main__ import main
from tengri.errors import ConfigError, DataError
from train import config as configs
from train import error_fit, error_network, population_tables, populations


@pytest.fixture(scope="module")
def surrogate():
    return emulator.load("sdss_nodes")


@pytest.fixture(scope="module")
def young(surrogate):
    return populations.judged(surrogate, "young", 48)


def test_a_population_is_what_its_name_says(young):
    (part,) = young
    assert part.exact.shape == part.emulated.shape == (48, 5)
    assert (part.params["sfh_delta_age_gyr"] < 5e-3).all()
    assert not part.params["dust_tau_diff"].any()
    bluest = part.exact[:, 0] / part.exact[:, 3]
    assert np.median(bluest) > 0.5  # in f_ν: old stars have a tenth


def test_what_is_said_of_it(young):
    found = population_tables.table(young)
    error = 1e3 * np.abs(2.5 * np.log10(young[0].emulated / young[0].exact))
    assert found["galaxies"] == 48 and found["p50"] == pytest.approx(np.median(error), rel=1e-3)
    assert found["p100"] < 5.0
    for level in ("68", "95", "99"):
        share = found["inside"][level]
        assert 0.0 <= share["least"] <= share["all"] <= share["most"] <= 1.0
    assert found["chi2"]["all"] > 0.0
    assert "inside the 95 % bar" in population_tables.text("young", found)


def test_unknown_names_and_galaxies_that_are_not_answered(surrogate):
    with pytest.raises(ConfigError, match="bursty"):
        populations.judged(surrogate, "burst", 4)
    with pytest.raises(ConfigError, match="burst"):
        configs.load("tiny", ['run.populations=["burst"]'])
    config = configs.load("tiny", ['run.populations=["bursty", "mine.csv"]'])
    assert config.run.populations == ("bursty", "mine.csv")
    with pytest.raises(ConfigError, match="calzetti"):
        populations.judged(emulator.load("sdss"), "laws", 24)


def test_galaxies_of_a_file(surrogate, tmp_path):
    path = tmp_path / "mine.csv"
    galaxy = {"sfh_dpl_log_peak_sfr": 1.0, "sfh_dpl_alpha": 2.0, "sfh_dpl_beta": 1.0,
              "sfh_dpl_tau_gyr": 4.0, "met_logzsol": -0.3, "dust_tau_bc": 1.0, "dust_slope": -0.7,
              "dust_tau_diff": 0.2}  # fmt: skip
    rows = [",".join(map(str, (i, z, *galaxy.values()))) for i, z in ((1, 0.1), (2, 0.5))]
    path.write_text("\n".join([",".join(["id", "redshift", *galaxy]), *rows]) + "\n")
    (part,) = populations.judged(surrogate, str(path), 10)
    np.testing.assert_allclose(part.params["redshift"], [0.1, 0.5])
    assert np.abs(part.emulated / part.exact - 1.0).max() < 5e-3
    path.write_text("id,flux\n1,0.1\n")
    with pytest.raises(DataError, match="no column is a parameter"):
        populations.judged(surrogate, str(path), 10)


def test_the_command_writes_a_page_and_numbers(tmp_path, capsys):
    out = tmp_path / "page"
    arguments = ["compare", "sdss_nodes", "--population", "young", "--n", "48", "-o", str(out)]
    assert main(arguments) == 0
    numbers = json.loads((out / "compare.json").read_text())
    assert numbers["populations"]["young"]["galaxies"] == 48
    assert "young" in (out / "compare.html").read_text()
    assert "inside the 68 % bar" in capsys.readouterr().out


def test_errors_are_calibrated_with_populations_that_are_answered(surrogate, young, monkeypatch):
    monkeypatch.setattr(error_fit, "LEAST_GALAXIES", 10)
    monkeypatch.setattr(error_network, "STEPS", 300)
    (part,) = young
    result = SimpleNamespace(held_out=SimpleNamespace(params={"redshift": part.params["redshift"]}),
                             exact=part.exact, emulated=part.emulated)  # fmt: skip
    made = error_fit.with_conditional_errors(surrogate.artefact, result, ["young"], 48)
    fast = type(surrogate)(made)
    magnitudes = -2.5 * np.log10(part.emulated)
    bars = fast.errors_at(magnitudes, part.params["redshift"], 95)
    error = np.abs(2.5 * np.log10(part.emulated / part.exact))
    assert 0.8 < np.mean(error < bars) <= 1.0
    assert np.median(bars) < 2e-3  # that of all galaxies is 4e-3
    few = error_fit.with_conditional_errors(
        surrogate.artefact, SimpleNamespace(held_out=SimpleNamespace(params={})), ["young"], 48
    )
    assert few is surrogate.artefact  # of one redshift there is nothing to learn


def test_error_bars_and_covariance_of_a_file_are_those_of_the_galaxy(surrogate):
    """Bands in another order are the same bands; of some of them nothing is known by colours."""
    rng = np.random.default_rng(1)
    known = ConditionalErrors(
        np.log1p([0.0, 0.5, 1.0]), rng.normal(size=(3, 4)), rng.normal(size=(9, 4)),
        rng.normal(size=(4, 4)), np.zeros(4), rng.normal(size=(4, 5)), np.full(5, -6.0),
        np.log1p([0.0, 0.5, 1.0]), {"68": np.array([1.0, 2.0])}, np.eye(5) + 0.1,
    )  # fmt: skip
    artefact = surrogate.artefact.__class__(**{**vars(surrogate.artefact), "conditional": known})
    fast = type(surrogate)(artefact)
    m, z = np.array([22.0, 20.0, 19.5, 19.2, 19.0]), 0.7
    order = [3, 0, 1, 4, 2]
    curves = fast.observation.photometry.filters
    turned = fast.with_observation(Observation(Photometry(tuple(curves[i] for i in order))))
    np.testing.assert_allclose(fast.errors_at(m, z), 2.0 * known.sigma(m, z))
    np.testing.assert_allclose(turned.errors_at(m[order], z), fast.errors_at(m, z)[order])
    np.testing.assert_allclose(
        turned.emulation_covariance_at(m[order], z),
        np.asarray(fast.emulation_covariance_at(m, z))[np.ix_(order, order)], rtol=1e-5,
    )  # fmt: skip
    some = fast.with_observation(Observation(Photometry(curves[:3])))
    np.testing.assert_allclose(some.emulation_covariance_at(m[:3], z), some.covariance, rtol=1e-5)
