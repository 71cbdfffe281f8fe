"""``tengri list`` and ``tengri doctor``: what they say is what is there."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import entry_points

import pytest

from tengri.__main__ import main
from tengri.components.composition import registered_params
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import EMISSION_MODELS
from tengri.grids import files
from tengri.observation import INSTRUMENTS, filter_names, load_filter
from tengri.observation.spectrographs import SPECTROGRAPHS

KINDS = sorted(entry.name for entry in entry_points(group="tengri.lists"))


def printed(capsys, *words: str):
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_text_and_json(kind, capsys):
    rows = printed(capsys, "list", kind)
    assert main(["list", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(rows) + 1
    assert all(line.startswith(str(next(iter(row.values())))) for line, row in zip(lines[1:], rows))


def test_names_are_those_of_the_registries(capsys):
    def names(kind):
        return [next(iter(row.values())) for row in printed(capsys, "list", kind)]

    assert names("instruments") == list(INSTRUMENTS)
    assert names("spectrographs") == list(SPECTROGRAPHS)
    assert names("filters") == list(filter_names())
    assert names("dust") == [*LAWS, *EMISSION_MODELS]
    assert names("parameters") == list(registered_params())
    assert {"mlp", "resmlp"} <= set(names("networks"))
    assert "standard" in names("agn")


def test_a_word_selects(capsys):
    rows = printed(capsys, "list", "filters", "jwst_f200w")
    assert [row["filter"] for row in rows] == ["jwst_f200w"]
    assert rows[0]["pivot [Å]"] == load_filter("jwst_f200w").pivot
    assert main(["list", "filters", "jwst_f201w"]) == 1
    assert "Did you mean jwst_f200w" in capsys.readouterr().err


def test_quiet_leaves_the_exit_code(capsys):
    assert main(["list", "dust", "--quiet"]) == 0
    assert main(["list", "dust", "nothing_like_it", "--quiet"]) == 1
    out, error = capsys.readouterr()
    assert not out and "nothing_like_it" in error


def test_doctor_finds_nothing_wrong(capsys):
    found = printed(capsys, "doctor")
    assert {check["state"] for check in found} <= {"ok", "note"}
    assert {"device", "precision", "data", "filters", "disk", "astropy"} <= {
        check["name"] for check in found
    }


def test_doctor_names_a_damaged_file_and_its_fix(capsys, monkeypatch, tmp_path):
    damaged = tmp_path / files.DUST_DL07
    shutil.copy(files.resolve(files.DUST_DL07), damaged)
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    monkeypatch.setenv(files.ENVIRONMENT, str(tmp_path))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  data" in out and str(damaged) in out and "fix: reinstall" in out


def test_doctor_says_that_the_data_folder_is_gone(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(files.ENVIRONMENT, str(tmp_path / "nowhere"))
    assert main(["doctor"]) == 1
    assert f"FAIL  {files.ENVIRONMENT}" in capsys.readouterr().out


def test_a_band_of_no_telescope_is_answered_with_names_of_bands(capsys):
    assert main(["list", "filters", "u_band"]) == 1
    told = capsys.readouterr().err
    assert "Did you mean" in told and told.count("_u") >= 3 and "Known" not in told
    assert {row["filter"] for row in printed(capsys, "list", "filters", "CFHT")} >= {"cfht_u"}
