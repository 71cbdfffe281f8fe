"""Every format: what is written is read back, missing values and all; wrong files are named."""

from __future__ import annotations

import gzip
import subprocess
import sys

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.table import MaskedColumn, QTable, Table
from astropy.units import Myr

from tengri.__main__ import main
from tengri.catalogue.kept import as_kept, survey
from tengri.catalogue.table import FORMATS, Schema, format_of, open_table
from tengri.errors import ConfigError, DataError, TengriError

SOME = [False, True, False, False, True]
COLUMNS = {
    "i64": np.ma.masked_array([1237648720693755919, 0, 3, -(2**63), 2**63 - 1], SOME),
    "i8": np.ma.masked_array(np.array([-128, 1, 2, 3, 127], np.int8), SOME),
    "u8": np.ma.masked_array(np.array([255, 1, 2, 3, 0], np.uint8), SOME),
    "u16": np.ma.masked_array(np.array([65535, 1, 2, 3, 0], np.uint16), SOME),
    "u64": np.ma.masked_array(np.array([2**64 - 1, 0, 3, 4, 5], np.uint64), SOME),
    "whole": np.arange(5, dtype=np.int32),
    "f4": np.ma.masked_array(np.array([1.5, 2, np.inf, 4, 5], np.float32), SOME),
    "f8": np.array([1.0, 2, 3, 1 / 3, -5]),
    "truth": np.ma.masked_array([True, False, True, False, False], SOME),
    "text": np.ma.masked_array(np.array(["a", "?", "long" * 20, "007", "x"], object), SOME),
    "umlaut": np.array(["é", "ß", "a", "b", "c"], object),
    "pairs": np.arange(10.0).reshape(5, 2),
}
CANNOT = {"fits": {"umlaut"}, "csv": {"pairs", "truth", "u64"}, "votable": {"u64"}}


class InMemory:
    names, n_rows = tuple(COLUMNS), 5

    def unit(self, name):
        return "Mpc" if name == "f8" else ""

    def read(self, names, start, stop):
        return {name: COLUMNS[name][start:stop] for name in names}


def written(path, names, rows=5):
    """Write some columns in chunks of two rows."""
    table = InMemory()
    table.n_rows = rows
    schema = Schema(survey(table, names, 2), {"fact": "long " * 40}, rows)
    format_of(path).check_schema(schema)
    chunks = [table.read(names, i, min(i + 2, rows)) for i in range(0, max(1, rows), 2)]
    kept = [{name: as_kept(name, values) for name, values in chunk.items()} for chunk in chunks]
    format_of(path).write_table(path, schema, iter(kept))


def equal(got, wanted):
    missing = (
        np.ma.getmaskarray(got)
        if got.dtype.kind in "iuO"
        else np.isnan(np.ma.filled(got.astype(float), np.nan))
    )
    np.testing.assert_array_equal(missing, np.ma.getmaskarray(wanted))
    for a, b in zip(
        np.ma.getdata(got)[~missing].tolist(), np.ma.getdata(wanted)[~missing].tolist()
    ):
        assert a == b and type(a) is type(b)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_is_read_back(suffix, tmp_path):
    path, kind = tmp_path / f"t{suffix}", FORMATS[suffix]
    names = [name for name in COLUMNS if name not in CANNOT.get(kind, ())]
    written(path, names)
    with open_table(path) as table:
        assert table.n_rows == 5 and set(table.names) == set(names)
        assert table.unit("f8") == ("" if kind == "csv" else "Mpc")
        read = [table.read(names, *bounds) for bounds in ((0, 2), (2, 5))]
    for name in names:
        got = np.ma.concatenate([as_kept(name, part[name]) for part in read])
        if name == "text" and kind in ("fits", "votable"):  # empty text stands for a missing one
            got = np.ma.masked_equal(got, "")
        if name == "truth" and kind == "hdf5":
            got = got.astype(bool)
        equal(got, COLUMNS[name])


@pytest.mark.parametrize("suffix", FORMATS)
def test_no_rows(suffix, tmp_path):
    names = [
        name for name in ("whole", "f8", "text") if name not in CANNOT.get(FORMATS[suffix], ())
    ]
    written(tmp_path / f"t{suffix}", names, rows=0)
    with open_table(tmp_path / f"t{suffix}") as table:
        assert table.n_rows == 0 and set(table.names) == set(names)
        assert all(len(values) == 0 for values in table.read(names, 0, 0).values())


@pytest.mark.parametrize(
    ("suffix", "name"), [(".fits", "umlaut"), (".csv", "pairs"), (".vot", "u64")]
)
def test_a_column_that_a_format_cannot_hold_is_refused(suffix, name, tmp_path):
    with pytest.raises(ConfigError, match=f"Column '{name}'"):
        written(tmp_path / f"t{suffix}", [name])


def test_others_read_what_we_write(tmp_path):
    names = ["i64", "truth", "f4", "text"]
    written(tmp_path / "t.fits", names)
    table = Table.read(tmp_path / "t.fits")
    equal(np.ma.asarray(table["i64"]), COLUMNS["i64"])
    assert table["text"].tolist()[2:4] == ["long" * 20, "007"]
    fits.open(tmp_path / "t.fits").verify("exception")
    written(tmp_path / "t.parquet", names)
    assert pq.read_table(tmp_path / "t.parquet")["truth"].to_pylist() == [
        True,
        None,
        True,
        False,
        None,
    ]
    written(tmp_path / "t.h5", names)
    with h5py.File(tmp_path / "t.h5") as file:
        null = file["i64"].attrs["_FillValue"]
        assert file["i64"][1] == null == -(2**63) + 1  # the least one occurs


# --- files of other programs ------------------------------------------------------------------


def columns_of(path, name="a", table=None):
    with open_table(path, table) as opened:
        return opened.read([name], 0, opened.n_rows)[name], opened.unit(name)


@pytest.mark.parametrize("null", [3, -99])
def test_fits_nulls_inside_the_bounds_and_outside(null, tmp_path):
    a = MaskedColumn(np.array([1, 3, 2], np.int16), mask=[0, 1, 0], fill_value=null)
    Table({"a": a, "b": [1.0, 2.0, 3.0]}).write(tmp_path / "t.fits")
    (values, _), plain = columns_of(tmp_path / "t.fits"), columns_of(tmp_path / "t.fits", "b")
    assert np.ma.getmaskarray(values).tolist() == [False, True, False] and values[2] == 2
    assert not np.ma.getmaskarray(plain[0]).any()


def test_fits_null_of_a_scaled_column(tmp_path):
    """TNULL is a stored value (FITS 4.0, 7.3.2), TSCAL and TZERO come after it."""
    stored = fits.Column("a", "I", null=-5, array=np.array([2, 4, -5], np.int16))
    fits.BinTableHDU.from_columns([stored]).writeto(tmp_path / "t.fits")
    fits.setval(tmp_path / "t.fits", "TSCAL1", value=0.5, ext=1)
    fits.setval(tmp_path / "t.fits", "TZERO1", value=10.0, ext=1)
    values, _ = columns_of(tmp_path / "t.fits")
    assert np.ma.getmaskarray(values).tolist() == [False, False, True]
    np.testing.assert_allclose(values[:2], [11.0, 12.0])


def test_fill_values_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["rows"] = np.array([(1.0, 2), (0.0, 3)], [("a", "f8"), ("b", "i4")])
        file["rows"].attrs["a_unit"] = "Myr"
        file["rows"].attrs["a__FillValue"] = 0.0
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["a"] = np.array([1, -99, 2])
        file["a"].attrs["missing_value"] = -99
    assert np.ma.getmaskarray(columns_of(tmp_path / "plain.h5")[0]).tolist() == [False, True, False]
    values, unit = columns_of(tmp_path / "t.h5")
    assert np.ma.getmaskarray(values).tolist() == [False, True] and unit == "Myr"


def test_csv_of_other_programs(tmp_path):
    text = (
        "\ufeffid, name ,z,n,big\n"
        '007,"a,b",0.1,1,1237648720693755919\n008,, --,,2\n9,"",1e-1,3,NA\n'
    )
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with open_table(tmp_path / "t.csv") as table:
        assert table.names == ("id", "name", "z", "n", "big")
        read = table.read(table.names, 0, 3)
    assert read["id"].tolist() == ["007", "008", "9"]
    assert (
        read["name"][0] == "a,b" and read["name"][2] == "" and np.ma.getmaskarray(read["name"])[1]
    )
    assert np.ma.filled(read["z"], -1).tolist() == [0.1, -1, 0.1]
    assert np.ma.filled(read["n"], -1).tolist() == [1, -1, 3]
    assert read["big"][0] == 1237648720693755919 and read["big"].dtype == np.int64


def test_types_of_csv_are_read_off_all_rows(tmp_path):
    """A column of integers for a megabyte and more, then a number."""
    rows = 300_000
    lines = [*(f"{i},{i}" for i in range(rows)), "0.5,x"]
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(lines) + "\n")
    with open_table(tmp_path / "t.csv") as table:
        read = table.read(["a", "b"], rows - 1, rows + 1)
    assert read["a"].tolist() == [rows - 1.0, 0.5] and read["b"].tolist() == [str(rows - 1), "x"]


def test_units_of_ecsv_and_votable(tmp_path):
    QTable({"a": [5.0, 6.0] * Myr}).write(tmp_path / "t.ecsv")
    assert columns_of(tmp_path / "t.ecsv")[1] == "Myr"
    masked = Table({"a": MaskedColumn([1, 2], mask=[0, 1], unit="Myr"), "s": ["x", "yy"]})
    masked.write(tmp_path / "t.vot", format="votable")
    values, unit = columns_of(tmp_path / "t.vot")
    assert unit == "Myr" and np.ma.getmaskarray(values).tolist() == [False, True]


def test_a_list_of_parquet_is_an_array(tmp_path):
    lists = pa.array([[1.0, 2.0], [3.0, None]])
    pq.write_table(pa.table({"a": lists}), tmp_path / "t.parquet", row_group_size=1)
    values, _ = columns_of(tmp_path / "t.parquet")
    assert values.shape == (2, 2) and np.ma.getmaskarray(values)[1].tolist() == [False, True]


# --- what is no catalogue ---------------------------------------------------------------------


def two_fits(path):
    hdus = [fits.BinTableHDU(Table({"a": [i]}), name=name) for i, name in enumerate(("ONE", "TWO"))]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)


def two_votables(path):
    file = from_table(Table({"a": [1]}))
    file.resources.extend(from_table(Table({"a": [2]})).resources)
    writeto(file, str(path))


def two_in_hdf5(path):
    with h5py.File(path, "w") as file:
        for name in ("one", "two"):
            file[name] = np.zeros(1, [("a", "f8")])


@pytest.mark.parametrize(
    ("name", "write", "second"),
    [("t.fits", two_fits, "TWO"), ("t.vot", two_votables, "2"), ("t.h5", two_in_hdf5, "two")],
)
def test_several_tables_ask_for_a_name(name, write, second, tmp_path):
    write(tmp_path / name)
    with pytest.raises(DataError, match=r"several tables: .*--table NAME"):
        columns_of(tmp_path / name)
    assert len(columns_of(tmp_path / name, table=second)[0]) == 1
    with pytest.raises(TengriError, match="Unknown table 'none'"):
        columns_of(tmp_path / name, table="none")
    if name == "t.fits":
        assert columns_of(tmp_path / name, table="2")[0].tolist() == [1]


def duplicate_parquet(path):
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)


def duplicate_fits(path):
    Table({"a": [1.0], "b": [2.0]}).write(path)
    path.write_bytes(path.read_bytes().replace(b"'b       '", b"'a       '"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"a,a\n1,2\n", "two columns 'a'"),
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n1\n", "cannot be read as CSV"),
        ("t.csv", b"a\n\xff\xfe\n", "cannot be read as CSV"),
        ("t.csv", b"# %ECSV 1.0\n# ---\na\n1\n", "let its name end in .ecsv"),
        ("t.csv.gz", gzip.compress(b"a\n1\n", mtime=0)[:-9], "cannot be read as CSV"),
        ("t.parquet", duplicate_parquet, "two columns 'a'"),
        ("t.parquet", b"PAR1", "cannot be read as Parquet"),
        ("t.fits", duplicate_fits, "two columns 'a'"),
        ("t.fits", b"SIMPLE", "cannot be read as FITS"),
        ("t.fits.gz", b"\x1f\x8b\x00", "cannot be unpacked"),
        ("t.ecsv", b"a\n1\n", "cannot be read as ECSV"),
        ("t.vot", b"<a/>", "cannot be read as VOTable"),
        ("t.vot", b"<VOTABLE", "cannot be read as VOTable"),
        ("t.h5", b"a", "cannot be read as HDF5"),
    ],
)  # fmt: skip
def test_a_wrong_file_gets_one_line(name, content, message, tmp_path):
    path = tmp_path / name
    if callable(content):
        content(path)
    else:
        path.write_bytes(content)
    with pytest.raises(TengriError, match=message) as error:
        columns_of(path)
    assert "\n" not in str(error.value) and name in str(error.value)


# --- locks ------------------------------------------------------------------------------------

WRITER = """
import h5py, sys
with h5py.File(sys.argv[1], "a") as file:
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held_open():
    """A function that opens a file for writing in another process, until the test ends."""
    writers = []

    def hold(path):
        writers.append(subprocess.Popen([sys.executable, "-c", WRITER, str(path)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE))  # fmt: skip
        assert writers[-1].stdout.readline() == "open\n"

    yield hold
    for writer in writers:
        writer.communicate("")


def test_a_lock_is_called_a_lock(tmp_path, held_open, capsys):
    path = tmp_path / "t.h5"
    written(path, ["f8"])
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["redshift"] = [0.1]
    for file in (path, tmp_path / "foreign.h5"):
        held_open(file)
    with open_table(path) as table:  # sealed: it is read without locks
        assert table.n_rows == 5
    with pytest.raises(DataError, match="is locked: another process has this HDF5 file open"):
        columns_of(tmp_path / "foreign.h5")
    words = ["predict", str(tmp_path / "foreign.h5"), "-o", str(tmp_path / "o.h5")]
    assert main([*words, "--bands", "sdss_g"]) == 1
    assert "is locked" in capsys.readouterr().err


def test_a_missing_catalogue_is_answered_with_catalogues(tmp_path):
    for name in ("cat.csv", "figure.png", "notes.md"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="no such catalogue") as caught, \
            open_table(tmp_path / "other.h5"):  # fmt: skip
        pass
    assert "cat.csv" in str(caught.value) and "figure.png" not in str(caught.value)
