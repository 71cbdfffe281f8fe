"""By path, by folder, by name; and a message that helps when there is nothing."""

from __future__ import annotations

import argparse
import json
import shutil

import pytest

import emulator
from emulator import commands, published, verification
from emulator.artefact import read
from tengri.errors import DataError
from tests.emulator.conftest import ONE


@pytest.fixture
def shelf(file, tmp_path, monkeypatch):
    """A folder of published surrogates with one in it."""
    (tmp_path / "sdss").mkdir()
    shutil.copy(file, tmp_path / "sdss" / published.FILE)
    monkeypatch.setattr(published, "roots", lambda: [tmp_path])
    monkeypatch.chdir(tmp_path.parent)
    return tmp_path


def test_three_ways_to_say_it(shelf, surrogate):
    for given in ("sdss", shelf / "sdss", shelf / "sdss" / "surrogate.h5"):
        model = emulator.load(given, out_of_domain="nan", units="nJy")
        assert model.domain.mode == "nan" and model.units == "nJy"
        assert model.predict_photometry(ONE).shape == (4,)
    assert published.names() == ["sdss"]


def test_unknown_name(shelf):
    with pytest.raises(DataError, match=r"Did you mean sdss\b.*tengri train"):
        emulator.load("sds")


def test_nothing_published(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "roots", lambda: [])
    monkeypatch.setattr(published, "remote", lambda: [])
    with pytest.raises(DataError, match="None is published here"):
        emulator.load(tmp_path / "sdss")


def test_commands(shelf, capsys):
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers())
    for words, expected in (
        (["info", "sdss"], "trained box"),
        (["info", "sdss", "--card"], "# Untrained"),
    ):
        args = parser.parse_args(words)
        assert args.func(args) == 0
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize("name", [n for n in published.names() if n.endswith("_nodes")])
def test_published_tables_are_what_their_reports_say(name):
    file = published.resolve(name)
    artefact = read(file)
    assert file.stat().st_size < 10 * 2**20
    found = verification.verify(file)
    assert found.n_checks > 0 and found.error_mmag["worst"] < 50.0
    report = json.loads((file.parent / "report.json").read_text())
    assert report["accuracy"]["pooled"] == pytest.approx(artefact.accuracy["pooled"])
    assert (file.parent / "card.md").read_text() == artefact.card
    assert artefact.training["command"].startswith(f"tengri train {name}")
    assert artefact.conditional is not None
    assert set(artefact.conditional.factors) == {"68", "95", "99"}
