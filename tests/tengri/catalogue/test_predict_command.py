"""``tengri predict``: formats, shards, resumption, and what wrong input answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import lru_cache

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Column, MaskedColumn, Table

from emulator import loading
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.__main__ import main
from tengri.catalogue import job as jobs
from tengri.catalogue.kept import as_kept
from tengri.catalogue.table import open_table
from tengri.io import seal, sealed_json

load = lru_cache(loading.load)


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch):
    """Every command line of these tests gets the same surrogate, already compiled."""
    monkeypatch.setattr(loading, "load", load)


SDSS = ["--model", "sdss_tsnorm", "--keep", "id"]


def stored(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}


def predict(capsys, catalogue, out, *words):
    assert main(["predict", str(catalogue), "-o", str(out), *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def same(a, b):
    assert set(a) == set(b)
    for name, values in a.items():
        np.testing.assert_array_equal(values, b[name])


@pytest.fixture
def whole(capsys, catalogue, tmp_path):
    """The catalogue in one go."""
    predict(capsys, catalogue, tmp_path / "whole.h5", *SDSS)
    return stored(tmp_path / "whole.h5")


def test_hdf5(capsys, catalogue, columns, tmp_path, whole):
    counts = predict(capsys, catalogue, tmp_path / "again.h5", *SDSS)
    assert (counts["rows"], counts["outside"], counts["missing"]) == (40, 1, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.h5", "cat.h5", "whole.h5"]
    seal.verify(tmp_path / "again.h5")
    np.testing.assert_array_equal(whole["id"], columns["id"])
    assert np.flatnonzero(whole["out_of_domain"]).tolist() == [7, 9]
    with h5py.File(tmp_path / "again.h5") as file:
        assert file["sdss_g"].attrs["unit"] == "nJy" and "artefact_sha256" in file.attrs


def test_shards_in_any_order_are_the_same_file(capsys, catalogue, tmp_path, whole):
    out = tmp_path / "parts.h5"
    for shard in ("3/3", "1/3", "3/3"):
        answer = predict(capsys, catalogue, out, *SDSS, "--shard", shard)
    assert answer["state"] == "good already" and not out.exists()
    assert predict(capsys, catalogue, out, *SDSS)["shards_made"] == 1  # only 2/3 was missing
    same(stored(out), whole)


def test_what_is_damaged_or_changed_is_made_again(capsys, catalogue, tmp_path, whole):
    out = tmp_path / "parts.h5"
    for number in (1, 2, 3):
        predict(capsys, catalogue, out, *SDSS, "--shard", f"{number}/3")
    damaged = tmp_path / "parts.h5.parts" / "shard-00002.h5"
    data = bytearray(damaged.read_bytes())
    data[-5] ^= 16
    damaged.write_bytes(data)
    with h5py.File(catalogue, "r+") as file:
        file["dust_tau_diff"][-1] = 0.123
    assert predict(capsys, catalogue, out, *SDSS)["shards_made"] == 2
    new = stored(out)
    assert new["sdss_u"][-1] != whole["sdss_u"][-1]
    np.testing.assert_array_equal(new["sdss_u"][:-1], whole["sdss_u"][:-1])


def test_a_damaged_manifest_of_parts_is_named(capsys, catalogue, tmp_path):
    out = tmp_path / "parts.h5"
    predict(capsys, catalogue, out, *SDSS, "--shard", "1/2")
    manifest = tmp_path / "parts.h5.parts" / "manifest.json"
    good = manifest.read_bytes()
    flipped = (good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :] for i in range(3, len(good), 97))
    for bad in (*flipped, good[:-1], b""):
        manifest.write_bytes(bad)
        assert main(["predict", str(catalogue), "-o", str(out), *SDSS]) == 1
        assert str(manifest) in capsys.readouterr().err
    for content in ([], {"shards": "2"}, {"shards": 0}):
        sealed_json.write_json(manifest, content)
        assert main(["predict", str(catalogue), "-o", str(out), *SDSS]) == 1
        assert f"{manifest}: malformed" in capsys.readouterr().err
    assert not out.exists()


def test_parts_of_another_job_are_refused(capsys, catalogue, tmp_path):
    out = tmp_path / "parts.h5"
    predict(capsys, catalogue, out, *SDSS, "--shard", "1/2")
    assert main(["predict", str(catalogue), "-o", str(out), *SDSS, "--units", "mJy"]) == 1
    assert "shards of another job: units differ" in capsys.readouterr().err


def test_small_chunks_give_the_same_rows(capsys, catalogue, tmp_path, whole, monkeypatch):
    monkeypatch.setattr(jobs, "CHUNK", 7)
    predict(capsys, catalogue, tmp_path / "small.h5", *SDSS)
    same(stored(tmp_path / "small.h5"), whole)


@pytest.mark.parametrize("suffix", [".h5", ".parquet", ".fits"])
def test_a_file_has_the_same_bytes_however_it_was_cut(
    capsys, catalogue, tmp_path, monkeypatch, suffix
):
    monkeypatch.setattr(jobs, "CHUNK", 7)
    outs = [tmp_path / f"{name}{suffix}" for name in ("straight", "joined", "resumed")]
    predict(capsys, catalogue, outs[0], *SDSS)
    for shard in ("3/3", "1/3", "2/3"):
        predict(capsys, catalogue, outs[1], *SDSS, "--shard", shard)
    predict(capsys, catalogue, outs[2], *SDSS, "--shard", "2/5")
    for out in outs[1:]:
        predict(capsys, catalogue, out, *SDSS)
    assert outs[0].read_bytes() == outs[1].read_bytes() == outs[2].read_bytes()


def test_fits_and_parquet(capsys, columns, catalogue, tmp_path, whole):
    Table({name: values for name, values in columns.items()}).write(tmp_path / "cat.fits")
    pq.write_table(pa.table(columns), tmp_path / "cat.parquet", row_group_size=16)
    for source in ("cat.fits", "cat.parquet"):
        for suffix in (".h5", ".fits", ".parquet"):
            predict(capsys, tmp_path / source, tmp_path / f"out{suffix}", *SDSS)
        same(stored(tmp_path / "out.h5"), whole)
        read = Table.read(tmp_path / "out.fits")
        same({name: np.asarray(read[name]) for name in read.colnames}, whole)
        assert str(read["sdss_g"].unit) == "nJy"
        frame = pq.read_table(tmp_path / "out.parquet")
        same({name: frame[name].to_numpy() for name in frame.column_names}, whole)


def test_a_compound_dataset_and_a_group(capsys, columns, tmp_path, whole):
    rows = np.rec.fromarrays(list(columns.values()), names=list(columns))
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["data"] = rows
        for name, values in columns.items():
            file[f"deep/{name}"] = values
    predict(capsys, tmp_path / "odd.h5", tmp_path / "a.h5", *SDSS)
    predict(capsys, tmp_path / "odd.h5", tmp_path / "b.h5", *SDSS, "--table", "deep")
    same(stored(tmp_path / "a.h5"), whole)
    same(stored(tmp_path / "b.h5"), whole)


def test_exact_model_of_the_columns(capsys, tmp_path):
    path, out = tmp_path / "cat.h5", tmp_path / "out.h5"
    z, tau = np.array([0.05, 0.4, 0.2]), np.array([0.1, 1.0, 2.0])
    with h5py.File(path, "w") as file:
        file["z"], file["dust_tau_diff"] = z, tau
    answer = predict(capsys, path, out, "--bands", "sdss_g,sdss_r", "--column", "redshift=z",
                     "--set", "dust_law=smc", "--set", "sfh_dpl_log_peak_sfr=1.0",
                     "--units", "maggies")  # fmt: skip
    assert answer["rows"] == 3
    spec = Parameters(redshift=(0.05, 0.4), dust_tau_diff=(0, 3), dust_law="smc",
                      sfh_dpl_log_peak_sfr=1.0)  # fmt: skip
    bands = Instrument.from_names(["sdss_g", "sdss_r"]).observation()
    model = SEDModel(spec, load_ssp_data(), bands, units="maggies")
    expected = model.predict_photometry_batch({"redshift": z, "dust_tau_diff": tau})
    np.testing.assert_allclose(stored(out)["sdss_r"], np.asarray(expected)[:, 1], rtol=1e-9)


def test_distances_of_the_columns(capsys, catalogue, columns, tmp_path, whole):
    """At redshift 0, and for a surrogate, which knows no such redshift."""
    path, out = tmp_path / "near.h5", tmp_path / "out.h5"
    z, d = np.array([0.0, 0.0, -0.1]), np.array([0.8, 8.0, 0.8])
    with h5py.File(path, "w") as file:
        file["redshift"], file["distance_mpc"] = z, d
        file["distance_mpc"].attrs["unit"] = "Mpc"
    answer = predict(capsys, path, out, "--bands", "sdss_r", "--set", "sfh_dpl_log_peak_sfr=1.0")
    assert (answer["rows"], answer["outside"]) == (3, 1)
    flux = stored(out)["sdss_r"]
    assert flux[0] / flux[1] == pytest.approx(100.0) and np.isnan(flux[2])
    with h5py.File(catalogue, "a") as file:
        file["distance_mpc"] = np.full(len(columns["id"]), 3000.0)
    predict(capsys, catalogue, tmp_path / "fast.h5", *SDSS)
    fast, good = stored(tmp_path / "fast.h5"), whole["out_of_domain"] == 0
    d = load("sdss_tsnorm").cosmology.luminosity_distance_mpc(columns["redshift"][good])
    expected = whole["sdss_g"][good] * (np.asarray(d) / 3000.0) ** 2
    np.testing.assert_allclose(fast["sdss_g"][good], expected, rtol=1e-5)
    assert np.array_equal(fast["out_of_domain"], whole["out_of_domain"])


def test_each_row_has_its_own_dust_of_the_milky_way(capsys, tmp_path):
    path, out, clear = (tmp_path / name for name in ("cat.csv", "out.h5", "clear.h5"))
    path.write_text("redshift,ebv,sfh_dpl_log_peak_sfr\n0.05,0.0,1\n0.05,0.1,1\n0.05,0.02,1\n")
    predict(capsys, path, clear, "--bands", "sdss_g,sdss_i", "--units", "mag_ab")
    words = "--bands", "sdss_g,sdss_i", "--units", "mag_ab", "--column", "mw_ebv=ebv"
    predict(capsys, path, out, *words)
    for band, per_ebv in (("sdss_g", 3.303), ("sdss_i", 1.698)):
        dimmer = stored(out)[band] - stored(clear)[band]
        np.testing.assert_allclose(dimmer, per_ebv * np.array([0.0, 0.1, 0.02]), atol=0.008)
    assert main(["predict", str(path), "-o", str(tmp_path / "no.h5"), "--model", "sdss",
                 *words]) != 0  # fmt: skip
    assert "mw_ebv" in capsys.readouterr().err


@pytest.mark.slow
def test_a_surrogate_of_all_ages_takes_the_history_of_the_columns(capsys, tmp_path):
    path, z = tmp_path / "cat.h5", np.linspace(0.05, 0.8, 6)
    history = {"sfh_delayed_tau_gyr": np.full(6, 1.5), "sfh_delayed_age_gyr": np.linspace(1, 5, 6)}
    with h5py.File(path, "w") as file:
        for name, values in {**history, "redshift": z}.items():
            file[name] = values
    others = [
        "sfh_delayed_log_peak_sfr=1",
        "met_logzsol=-0.3",
        "dust_tau_bc=0.5",
        "dust_tau_diff=0.4",
        "dust_slope=-0.7",
    ]
    words = [word for item in others for word in ("--set", item)]
    predict(capsys, path, tmp_path / "fast.h5", "--model", "sdss", "--units", "mag_ab", *words)
    predict(
        capsys, path, tmp_path / "exact.h5", "--instrument", "SDSS", "--units", "mag_ab", *words
    )
    fast, exact = stored(tmp_path / "fast.h5"), stored(tmp_path / "exact.h5")
    for band in ("sdss_g", "sdss_r", "sdss_z"):
        np.testing.assert_allclose(fast[band], exact[band], atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("bands", [[], ["--instrument", "SDSS"]], ids=["alone", "with bands"])
def test_spectra_are_columns_of_pixels(capsys, tmp_path, bands):
    path, z = tmp_path / "cat.h5", np.array([0.5, np.nan, 0.6])
    with h5py.File(path, "w") as file:
        file["dust_tau_diff"], file["redshift"] = np.array([0.1, 0.2, 1.0]), z
    name = "JWST_NIRSpec_PRISM"
    words = ["--instrument", name, *bands, "--set", "sfh_const_log_total_mass=10"]
    predict(capsys, path, tmp_path / "seen.h5", *words)
    seen = stored(tmp_path / "seen.h5")
    pixels = getattr(Instrument, name)().spectrographs[0]
    assert seen[name].shape == (3, len(pixels)) and np.isnan(seen[name][1]).all()
    assert list(seen["out_of_domain"]) == [0, 2, 0] and ("sdss_g" in seen) == bool(bands)
    spec = Parameters(sfh_const_log_total_mass=10, dust_tau_diff=(0, 2), redshift=(0.5, 0.6))
    model = SEDModel(spec, load_ssp_data())
    expected = model.predict_spectrum(pixels, {"dust_tau_diff": 1.0, "redshift": 0.6})
    np.testing.assert_allclose(seen[name][2], np.asarray(expected) * 1e32, rtol=2e-4)  # nJy
    assert main(["predict", str(path), "-o", str(tmp_path / "o.csv"), *words]) == 1
    assert name in capsys.readouterr().err


def test_dry_run_writes_nothing(capsys, catalogue, tmp_path):
    words = ["predict", str(catalogue), "-o", str(tmp_path / "o.h5"), *SDSS, "--dry-run"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "rows/s" in out and "40 rows" in out
    assert main([*words, "--json"]) == 0
    assert "40 rows" in json.loads(capsys.readouterr().out)["catalogue"]
    assert [p.name for p in tmp_path.iterdir()] == ["cat.h5"]


def test_quiet_says_nothing(capsys, catalogue, tmp_path):
    out = tmp_path / "o.h5"
    assert main(["predict", str(catalogue), "-o", str(out), *SDSS, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "") and out.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cta.h5", "-o", "o.h5"], "Did you mean cat.h5"),
        (["cat.txt", "-o", "o.h5"], "ends in .h5"),
        (["text.h5", "-o", "o.h5"], "cannot be read as HDF5"),
        (["cat.h5", "-o", "o.txt"], "ends in .h5"),
        (["cat.h5", "-o", "o.h5", "--units", "nJyy"], "Did you mean nJy"),
        (["cat.h5", "-o", "o.h5", "--keep", "idd"], "Did you mean id"),
        (["cat.h5", "-o", "o.h5", "--shard", "3/2"], "from 1 to 2"),
        (["cat.h5", "-o", "o.h5", "--errors", "67"], "Known: 68, 95, 99"),
        (["cat.h5", "-o", "o.h5", "--ignore", "redshift"], "--set redshift=VALUE"),
        (["cat.h5", "-o", "o.h5", "--set", "redshift=0.1"], "leave one out"),
        (["cat.h5", "-o", "o.h5", "--column", "redshift"], "PARAMETER=COLUMN"),
        (["cat.h5", "-o", "no/where/o.h5"], "cannot be"),
        (["mpc.h5", "-o", "o.h5"], "stated in 'Mpc'"),
        (["typo.h5", "-o", "o.h5"], "nearly 'redshift'"),
        (["uneven.h5", "-o", "o.h5"], "columns of one length"),
    ],
)
def test_mistakes(catalogue, words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.txt").write_text("redshift\n0.1\n")
    (tmp_path / "text.h5").write_text("redshift\n0.1\n")
    for name, column in (("mpc", "sfh_dpl_tau_gyr"), ("typo", "redshfit"), ("uneven", "a")):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file[column] = [0.1, 0.2]
            file[column].attrs["units"] = "Mpc"
            if name == "uneven":
                file["b"] = [1.0]
    before = sorted(tmp_path.iterdir())
    assert main(["predict", *words, "--model", "sdss_tsnorm"]) == 1
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_killed_command_goes_on(capsys, columns, tmp_path):
    """SIGKILL after the first shard: the next run makes only the others, bit for bit."""
    path, out = tmp_path / "big.h5", tmp_path / "out.h5"
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = np.resize(values, 400_000)
    words = [sys.executable, "-m", "tengri", "predict", str(path), "-o", str(out), *SDSS]
    process = subprocess.Popen(words)
    first = tmp_path / "out.h5.parts" / "shard-00001.h5"
    while process.poll() is None and not first.exists():
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert first.exists() and not out.exists()
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["shards_made"] == 1
    subprocess.run([*words[:6], str(tmp_path / "whole.h5"), *SDSS], check=True, capture_output=True)
    same(stored(out), stored(tmp_path / "whole.h5"))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_catalogue(columns, tmp_path):
    """Sixteen times the rows, 2 GiB if held at once, within 80 MiB."""
    program = (
        "import resource, sys; from tengri.__main__ import main; main(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )

    def peak(rows: int) -> float:
        path = tmp_path / f"{rows}.h5"
        with h5py.File(path, "w") as file:
            for name, values in columns.items():
                file[name] = np.resize(values, rows)
        words = ["predict", str(path), "-o", str(tmp_path / f"{rows}.out.h5"), *SDSS]
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True,
                              text=True, check=True)  # fmt: skip
        return float(done.stdout.split()[-1])

    assert peak(1_000_000) - peak(65_536) < 80.0


# --- what comes in keeps its meaning ----------------------------------------------------------

FAST = ["--model", "sdss", "--errors", "none"]
GALAXIES = {
    "redshift": [0.1, 0.2, 0.3], "sfh_dpl_log_peak_sfr": [1.0, 0.5, 0.0],
    "sfh_dpl_tau_gyr": [0.8, 2.0, 5.0], "sfh_dpl_alpha": [2.0] * 3, "sfh_dpl_beta": [2.0] * 3,
    "met_logzsol": [0.0] * 3, "dust_tau_bc": [0.5] * 3, "dust_tau_diff": [0.3] * 3,
    "dust_slope": [-0.7] * 3,
}  # fmt: skip


def photometry(capsys, path, table, *words):
    """Write a table of astropy, predict it, and return what is stored."""
    table.write(path, overwrite=True, **({"format": "votable"} if path.suffix == ".vot" else {}))
    predict(capsys, path, path.with_name("out.h5"), *FAST, *words)
    return stored(path.with_name("out.h5"))


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz", ".ecsv", ".vot"])
def test_masks_and_units_of_files(suffix, capsys, tmp_path):
    """Times in Myr, rates in kg/s, a masked redshift whose hidden value would be fine."""
    wanted = photometry(capsys, tmp_path / "plain.ecsv", Table(GALAXIES))
    table = Table(GALAXIES)
    table["redshift"] = MaskedColumn(GALAXIES["redshift"], mask=[0, 1, 0])
    table["sfh_dpl_tau_gyr"] = Column([800.0, 2000.0, 5000.0], unit="Myr")
    rate = 1.98841e30 / 3.15576e7 * 10.0 ** np.array(GALAXIES["sfh_dpl_log_peak_sfr"])
    table["sfh_dpl_log_peak_sfr"] = Column(rate, unit="kg s-1")
    made = photometry(capsys, tmp_path / f"cat{suffix}", table)
    assert made["out_of_domain"].tolist() == [0, 2, 0] and np.isnan(made["sdss_g"][1])
    np.testing.assert_allclose(made["sdss_g"][::2], wanted["sdss_g"][::2], rtol=1e-4)


def test_units_can_be_ignored_and_that_is_another_job(capsys, tmp_path):
    wanted = photometry(capsys, tmp_path / "plain.ecsv", Table(GALAXIES))
    table, path, out = Table(GALAXIES), tmp_path / "cat.ecsv", tmp_path / "parts.h5"
    table["sfh_dpl_tau_gyr"].unit = "Myr"
    same(photometry(capsys, path, table, "--ignore-units"), wanted)
    predict(capsys, path, out, *FAST, "--ignore-units", "--shard", "1/2")
    assert main(["predict", str(path), "-o", str(out), *FAST]) == 1
    assert "column units differ" in capsys.readouterr().err


IDS = [1237648720693755919, None, 3]
NAMES = ["a", "SDSS J000000.00+000000.0 " * 3 + ".", None]


@pytest.mark.parametrize("suffix", [".h5", ".fits", ".parquet", ".csv", ".ecsv", ".vot"])
def test_identifiers_are_copied_whole(suffix, capsys, tmp_path):
    table = pa.table({"objid": pa.array(IDS, pa.int64()), "name": NAMES, **GALAXIES})
    pq.write_table(table, tmp_path / "cat.parquet")
    out = tmp_path / f"out{suffix}"
    predict(capsys, tmp_path / "cat.parquet", out, *FAST, "--keep", "objid,name")
    with open_table(out) as written:
        read = written.read(["objid", "name"], 0, 3)
    ids, found = read["objid"], as_kept("name", read["name"])
    assert [None if gap else int(i) for i, gap in zip(ids, np.ma.getmaskarray(ids))] == IDS
    assert np.ma.filled(found, "").tolist() == [name or "" for name in NAMES]


def test_no_rows(capsys, tmp_path):
    (tmp_path / "cat.csv").write_text(",".join(GALAXIES) + "\n")
    answer = predict(capsys, tmp_path / "cat.csv", tmp_path / "out.fits", "--model", "sdss")
    assert answer["rows"] == 0
    assert Table.read(tmp_path / "out.fits").colnames[-2:] == ["sdss_z_err", "out_of_domain"]


def test_one_redshift_is_served_as_several_are(capsys, tmp_path):
    """Whatever is prepared for a single redshift: every column may vary all the same."""
    columns = {"redshift": [0.3] * 3, "met_logzsol": [-1.0, 0.0, 0.2], "dust_tau_diff": [0, 1, 3],
               "sfh_tau_log_total_mass": [10.0] * 3, "dust_bump_strength": [0.0, 1.0, 3.0],
               "dust_delta": [-0.5, 0.0, 0.3]}  # fmt: skip
    words = [*EXACT, "--set", "dust_law=noll09"]
    made = []
    for last in (0.3, 0.31):
        columns["redshift"][2] = last
        Table(columns).write(tmp_path / "cat.ecsv", overwrite=True)
        predict(capsys, tmp_path / "cat.ecsv", tmp_path / "out.h5", *words)
        made.append(stored(tmp_path / "out.h5")["sdss_g"])
    np.testing.assert_allclose(made[0][:2], made[1][:2], rtol=1e-5)


EXACT = ["--bands", "sdss_g"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("z,sfh_tau_log_total_mass", "No column for redshift. Did you mean z? Say --column reds"),
        ("zphot,sfh_tau_log_total_mass", "Did you mean zphot?"),
        ("redshift,logmass", "Did you mean logmass? Say --column sfh_dpl_log_total_mass=logmass"),
        ("redshift", "--set sfh_dpl_log_peak_sfr=VALUE"),
        ("redshift,sfh_tau_tau_gyr", "for sfh_tau_log_peak_sfr or sfh_tau_log_total_mass"),
        ("z,mass", "No column is a parameter; there are: z, mass. Say which is which, e.g. "
                   "--column redshift=z"),
        ("z,z,sfh_tau_log_total_mass", "has two columns 'z'"),
    ],
)  # fmt: skip
def test_a_default_never_stands_in_for_redshift_or_brightness(names, message, capsys, tmp_path):
    values = ",".join("1" for _ in names.split(","))
    (tmp_path / "cat.csv").write_text(f"{names}\n{values}\n")
    words = ["predict", str(tmp_path / "cat.csv"), "-o", str(tmp_path / "o.h5"), *EXACT]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "o.h5").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bands", "sdss_g,sdss_g"], "Bands given twice: sdss_g"),
        ([*FAST, "--keep", "redshift,redshift"], "--keep names redshift twice"),
        ([*FAST, "--column", "redshift=z", "--column", "redshift=zz"], "gives redshift twice"),
        ([*FAST, "--out-of-domain", "raise"], "1 of 3 rows cannot be predicted: 2. Say --out-of"),
    ],
)
def test_twice_or_out_of_domain(words, message, capsys, tmp_path):
    columns = {**GALAXIES, "redshift": [0.1, 0.2, -1.0], "z": [0.1] * 3, "zz": [0.1] * 3}
    Table(columns).write(tmp_path / "cat.ecsv")
    assert main(["predict", str(tmp_path / "cat.ecsv"), "-o", str(tmp_path / "o.h5"), *words]) == 1
    assert message in capsys.readouterr().err
