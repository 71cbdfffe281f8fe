"""By path, by folder, by name; and a message that helps when there is nothing."""

from __future__ import annotations

import argparse
import shutil

import pytest

import emulator
from emulator import commands, published
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
