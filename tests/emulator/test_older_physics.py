"""A surrogate of older physics answers as it did, says so, and has no exact model of today."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

import emulator
from emulator import description, published, surrogate
from emulator.artefact import Artefact, read, write
from emulator.surrogate import EmulatedSEDModel
from tengri import Parameters, SEDModel, load_ssp_data, registry
from tengri.__main__ import main
from tengri.analysis.compare import compare
from tengri.errors import ConfigError
from tests.emulator.conftest import ONE, tiny_ssp

LAW = "dust law power_law"


def of_the_first_release(artefact: Artefact) -> Artefact:
    """Return an artefact as it would have been written before physics had versions."""
    content = artefact.spec.to_dict()
    content.pop("physics", None)
    return dataclasses.replace(artefact, spec=Parameters.from_dict(content))


@pytest.fixture(scope="module")
def older(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a surrogate whose law has changed since; the older one is still at hand."""
    path = tmp_path_factory.mktemp("older") / "surrogate.h5"
    write(path, of_the_first_release(artefact))
    return path


def test_it_answers_as_it_did(older: Path, artefact: Artefact) -> None:
    model, fresh = emulator.load(older), EmulatedSEDModel(artefact)
    assert model.spec.physics[LAW] == 1 and fresh.spec.physics[LAW] == 2
    assert np.array_equal(model.predict_photometry(ONE), fresh.predict_photometry(ONE))


def test_it_says_so(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(older)]) == 0
    assert f"of its time: {LAW} has changed" in capsys.readouterr().out


def test_a_spec_of_today_takes_the_physics_that_was_learnt(older: Path) -> None:
    spec = Parameters.from_dict(read(older).spec.to_dict()).with_current_physics()
    assert spec.physics[LAW] == 2
    assert emulator.load(older, spec=spec).spec.physics[LAW] == 1


def test_what_is_gone_refuses_the_exact_model(
    older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the difference: from Python, `verify --exact` and `compare`."""
    older = shutil.copy(older, tmp_path / "older.h5")  # read anew, under the registry of below
    today = registry.Versioned
    gone = lambda self, version: self if version == self.physics else None  # noqa: E731
    monkeypatch.setattr(today, "at", gone)
    line = f"{LAW} has changed"
    with pytest.raises(ConfigError, match=line):
        emulator.load(older).exact_model(tiny_ssp())
    monkeypatch.setattr(surrogate, "load_ssp_data", lambda name: tiny_ssp())
    for words in (["verify", str(older), "--exact"], ["compare", str(older)]):
        assert main(words) == 1
        said = "".join(capsys.readouterr())
        assert line in said and "Traceback" not in said
    assert line in description.text(description.describe(older))


def test_published_surrogates_agree_with_the_exact_model_of_their_time() -> None:
    """The stored exact fluxes come out of the exact model as it was."""
    for name in ("sdss_tsnorm", "lsst"):
        report = emulator.verify(published.resolve(name), emulator.load(name).exact_model())
        assert report.exact_difference is not None and report.exact_difference < 3e-4


def test_gas_that_is_part_of_the_grid_is_not_another() -> None:
    """Values of the gas that the grid does not have are refused, as by the exact model."""
    with pytest.raises(ConfigError, match=r"neb_logU = -2 .*cannot change the nebular light"):
        emulator.load("sdss", spec=Parameters(sfh_dpl_tau_gyr=(1, 6), redshift=0.2, neb_logU=-2.0))


def test_models_of_different_physics_are_not_compared() -> None:
    emulated = emulator.load("lsst")
    today = emulated.spec.with_current_physics()
    exact = SEDModel(today, load_ssp_data(), emulated.observation)
    with pytest.raises(ConfigError, match=f"different physics: .*{LAW}: 2 and 1"):
        compare(exact, emulated, n_draws=2)
    with pytest.raises(ConfigError, match="other physics"):
        emulator.verify(published.resolve("lsst"), exact)
