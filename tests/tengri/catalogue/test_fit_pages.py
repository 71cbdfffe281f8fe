"""``tengri fit``: pages, zero points, redshifts beside spectra, ensembles; text is escaped."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from emulator import loading
from tengri.__main__ import main
from tengri.analysis.redshifts import quality
from tengri.catalogue import fit as jobs
from tengri.cli import fit_page
from tengri.inference import ZeroPoints, fitter
from tengri.inference.observations import FLAGS
from tests.tengri.inference.toy import BANDS, BrightToy

ROWS = 24
WORDS = ["--model", "toy", "--flux", "f_{band}", "--error", "e_{band}", "--method", "library",
         "--library", "65536"]  # fmt: skip
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load", lambda name, **options: BrightToy())
    monkeypatch.setattr(jobs, "BLOCK", ROWS)
    monkeypatch.setattr(fitter, "BLOCK", ROWS)
    rng = np.random.default_rng(2)
    z = rng.uniform(0.2, 1.3, ROWS)
    flux = BrightToy.light(rng.uniform(9.5, 11.0, ROWS), rng.uniform(0.0, 2.0, ROWS), z)
    error, path = 0.05 * flux, tmp_path / "cat.h5"
    flux = flux + error * rng.normal(size=flux.shape)
    z[4] = -99.0
    flux[7] = -99.0
    with h5py.File(path, "w") as file:
        for i, band in enumerate(BANDS):
            file[f"f_{band}"], file[f"e_{band}"] = flux[:, i], error[:, i]
        file["z_spec"] = z
        file["name"] = np.array([SCRIPT.encode()] * ROWS)
    return path


def test_a_page_and_an_ensemble_of_a_catalogue(capsys, catalogue, tmp_path):
    import qp

    page, out, pz = tmp_path / "page.html", tmp_path / "out.h5", tmp_path / "pz.hdf5"
    words = ["--keep", "name", "--page", str(page), "--page-redshift", "z_spec", "--draws", "300",
             "--qp", str(pz)]  # fmt: skip
    assert main(["fit", str(catalogue), "-o", str(out), *WORDS, *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == ROWS
    text = page.read_text()
    assert SCRIPT not in text and "&lt;script&gt;alert(1)" in text
    assert "no band was measured" in text and "σ_NMAD" in text and "n = 22" in text
    assert text.count("<img") == text.count("data:image/png;base64,") >= 2
    assert "http" not in text.replace("http-equiv", "")
    found = qp.read(str(pz))
    with h5py.File(out) as file:
        draws = file["redshift_draws"][()]
    rows = np.asarray(found.ancil["row"])
    assert 7 not in rows and found.npdf == len(rows) >= ROWS - 3
    np.testing.assert_allclose(np.ravel(found.mean()), draws[rows].mean(axis=1), atol=0.006)


def test_a_page_of_zero_points_shows_the_offsets(tmp_path):
    solved = ZeroPoints(BANDS, np.array([0.1, -0.05, 0.0]), np.array([0.01, 0.02, 0.0]), 9, 3, 5, 2)
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file["flag"] = np.array([0, FLAGS["poor fit"], FLAGS["not converged"]])
        file["n_bands"], file["chi2"] = np.full(3, 3), np.array([2.0, 30.0, np.nan])
        file["predictive_p"] = np.array([0.5, 1e-5, np.nan])
    fit_page.write(tmp_path / "p.html", tmp_path / "out.h5", {}, "<b>", None, solved, "settings")
    text = (tmp_path / "p.html").read_text()
    assert "+0.1000" in text and "-0.0500" in text and "<b>" not in text
    look = text[text.index("Look at these first") :]
    assert look.index("<td>2</td><td>not converged") < look.index("<td>1</td><td>poor fit")
    assert look.index("poor fit") < look.index("χ²</h2>") < look.index("Zero points</h2>")


@pytest.mark.slow
def test_zero_points_are_solved_for_stored_and_taken_again(capsys, catalogue, tmp_path):
    with h5py.File(catalogue, "r+") as file:
        for name in ("f_u", "e_u"):
            file[name][...] = np.where(file[name][()] > 0.0, 1.15 * file[name][()], -99.0)
    out, other = tmp_path / "a.h5", tmp_path / "b.h5"
    words = ["--zero-points", "solve", "--zero-points-redshift", "z_spec",
             "--zero-points-reference", "r"]  # fmt: skip
    assert main(["fit", str(catalogue), "-o", str(out), *WORDS, *words]) == 0
    stored = tmp_path / "a.h5.zero_points.json"
    found = json.loads(stored.read_text())["content"]["zero points"]
    off, error = found["offset_mag"]["u"] - 2.5 * np.log10(1.15), found["error_mag"]["u"]
    assert abs(off) < 2.5 * error and found["offset_mag"]["r"] == 0.0 < error < 0.09
    assert (
        main(["fit", str(catalogue), "-o", str(other), *WORDS, "--zero-points", str(stored)]) == 0
    )
    assert out.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--page", "page.txt"], "ends in .html"),
        (["--qp", "pz.hdf5"], "--draws"),
        (["--look", "3,99"], "0 to 23"),
        (["--page", "p.html", "--page-redshift", "zspec"], "z_spec"),
        (["--zero-points", "none.json"], "none.json is missing"),
        (["--zero-points", "solve", "--zero-point", "u=0.1"], "not both"),
        (["--magnitude-prior", "i"], "magnitude prior"),
        (["--library", "1000"], "power of two"),
        (["--redshift", "z_spec"], "free redshift"),
    ],
)
def test_wrong_words_are_named(words, message, capsys, catalogue, tmp_path):
    assert main(["fit", str(catalogue), "-o", str(tmp_path / "x.h5"), *WORDS, *words]) == 1
    assert message in capsys.readouterr().err


def test_zero_points_in_the_order_of_other_bands():
    solved = ZeroPoints(BANDS, np.array([0.1, -0.05, 0.0]), np.array([0.01, 0.02, 0.0]), 9, 3, 5, 2)
    found = solved.ordered(("i", *BANDS[::-1]))
    assert found.bands == BANDS[::-1] and found.as_mapping() == solved.as_mapping()
    assert found.error.tolist() == [0.0, 0.02, 0.01] and found.rows == 9


def test_figures_of_redshifts():
    z = np.array([0.5, 1.0, 2.0, 3.0, np.nan, 1.0])
    off = np.array([0.01, -0.02, 0.0, 1.0, 0.0, np.nan])
    found = quality(z + off * (1.0 + z), z)
    assert found.n == 4 and found.outliers == 0.25
    dz = (off * (1.0 + z))[:4]
    expected = 1.48 * np.median(np.abs(dz - np.median(dz)) / (1.0 + z[:4]))
    assert found.sigma_nmad == pytest.approx(expected)
    assert quality(z, np.full(6, np.nan)).n == 0
