"""``tengri fit``: columns, formats, resumption, and what wrong input answers."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from emulator import loading
from tengri.__main__ import main
from tengri.catalogue import fit as jobs
from tengri.inference import fitter
from tengri.inference.observations import FLAGS
from tests.tengri.inference.test_fit import ERROR, measured
from tests.tengri.inference.toy import BANDS, Toy

ROWS = 20
WORDS = ["--model", "toy", "--flux", "f_{band}", "--error", "e_{band}", "--method", "map"]


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load", lambda name, **options: Toy(redshift=(0.01, 2.0)))
    monkeypatch.setattr(jobs, "BLOCK", 8)
    monkeypatch.setattr(fitter, "BLOCK", 8)
    flux, path = measured(ROWS), tmp_path / "cat.h5"
    with h5py.File(path, "w") as file:
        for i, band in enumerate(BANDS):
            file[f"f_{band}"], file[f"e_{band}"] = flux[:, i], np.full(ROWS, ERROR[i])
        file["f_g"][3] = -99.0
        file["z"] = np.full(ROWS, 1.0)
        file["z"][5] = 9.0
        file["id"] = np.arange(ROWS) + 100
    return path


def run(capsys, catalogue, out, *words):
    assert main(["fit", str(catalogue), "-o", str(out), *WORDS, *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def stored(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}


def test_a_catalogue_is_fitted_and_resumed_to_the_same_bytes(
    capsys, catalogue, tmp_path, monkeypatch
):
    words = ["--redshift", "z", "--keep", "id", "--draws", "5"]
    counts = run(capsys, catalogue, tmp_path / "whole.h5", *words)
    assert counts["rows"] == ROWS and counts["usable"] == ROWS - 1 and counts["shards_made"] == 3
    assert counts["a band was dropped"] == counts["no usable redshift"] == 1
    whole = stored(tmp_path / "whole.h5")
    np.testing.assert_array_equal(whole["id"], np.arange(ROWS) + 100)
    assert whole["flag"][5] == FLAGS["no usable redshift"] and np.isnan(whole["chi2"][5])
    assert whole["dust_tau_diff_draws"].shape == (ROWS, 5)
    assert (np.diff(whole["a_v_p50"][:3]) != 0).all()
    with h5py.File(tmp_path / "whole.h5") as file:
        assert file["stellar_mass_p50"].attrs["unit"] == "Msun" and "flags" in file.attrs

    answer = jobs.FitJob.answer
    out = tmp_path / "killed.h5"
    for stop in (6, 13):  # the first rows of a block: what was made before stays

        def dies(self, prepared, first, stop=stop):
            if first == stop:
                raise KeyboardInterrupt
            return answer(self, prepared, first)

        monkeypatch.setattr(jobs.FitJob, "answer", dies)
        assert main(["fit", str(catalogue), "-o", str(out), *WORDS, *words]) == 130
        assert not out.exists()
    monkeypatch.setattr(jobs.FitJob, "answer", answer)
    assert run(capsys, catalogue, out, *words)["shards_made"] == 1
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()

    for shard in ("2/3", "1/3"):
        run(capsys, catalogue, tmp_path / "parts.h5", *words, "--shard", shard)
    run(capsys, catalogue, tmp_path / "parts.h5", *words)
    for name, values in stored(tmp_path / "parts.h5").items():
        np.testing.assert_array_equal(values, whole[name])


def test_units_of_headers_a_mapping_and_other_formats(capsys, catalogue, tmp_path):
    plain = stored_after(capsys, catalogue, tmp_path / "a.h5")
    with h5py.File(catalogue, "r+") as file:
        file.move("f_r", "flux_of_r")
        file["flux_of_r"][...] *= 1e-3
        file["flux_of_r"].attrs["unit"] = "uJy"
        file["e_r"][...] *= 1e-3
    (tmp_path / "map.toml").write_text('[r]\nflux = "flux_of_r"\n')
    mapped = stored_after(capsys, catalogue, tmp_path / "b.h5", "--mapping", f"{tmp_path}/map.toml")
    np.testing.assert_allclose(mapped["chi2"], plain["chi2"], rtol=1e-6)
    for ending in ("fits", "parquet"):
        words = ["--redshift", "z", "--mapping", f"{tmp_path}/map.toml"]
        run(capsys, catalogue, tmp_path / f"c.{ending}", *words)
        assert (tmp_path / f"c.{ending}").stat().st_size > 1000


def stored_after(capsys, catalogue, out, *words):
    run(capsys, catalogue, out, "--redshift", "z", *words)
    return stored(out)


def test_a_dry_run_writes_nothing(capsys, catalogue, tmp_path):
    before = sorted(tmp_path.iterdir())
    plan = run(capsys, catalogue, tmp_path / "out.h5", "--redshift", "z", "--dry-run")
    assert plan["free"] == "dust_tau_bc, dust_tau_diff" and "galaxies/min" in plan["measured"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--redshift", "zz"], "Did you mean"),
        (["--flux", "flux_{band}"], "flux_u"),
        (["--flux", "f_g"], "write it with {band}"),
        (["--mapping", "no.toml"], "no.toml"),
        (["--zero-point", "g=blue"], "give an offset in magnitudes"),
        (["--zero-point", "x=0.1"], "zero point"),
        (["--outliers", "0.9"], "outliers"),
        (["--refit"], "certify"),
        (["--keep", "id,chi3"], "chi3"),
        (["--instrument", "JWST_NIRSpec_PRISM"], "model.joint_posterior"),
    ],
)
def test_wrong_input_is_named(words, message, capsys, catalogue, tmp_path):
    line = ["fit", str(catalogue), "-o", str(tmp_path / "x.h5"), *WORDS, "--redshift", "z"]
    assert main([*line, *words]) == 1
    assert message in capsys.readouterr().err
