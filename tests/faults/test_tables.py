"""Promise: a catalogue of any structure is read, or refused in one line with file and column."""

from __future__ import annotations

import datetime
import decimal
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tengri.catalogue.columns import check_numbers
from tengri.catalogue.table import open_table
from tengri.errors import DataError, TengriError

Counter = Callable[..., None]
Z = np.linspace(0.1, 0.4, 4)
#: Examples of each format in the long suite.
EXAMPLES = 1300
structure = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def used(path: Path) -> None:
    """Read a catalogue whole and take one column for a redshift, as ``tengri predict`` does."""
    with open_table(path) as table:
        check_numbers(path, table, {"redshift": "redshift"})
        found = table.read(table.names, 0, table.n_rows)
        assert all(len(values) == table.n_rows for values in found.values())


def one_line(path: Path) -> bool:
    """Return whether a catalogue is read; a refusal is one line that names the file."""
    try:
        used(path)
    except TengriError as error:
        assert path.name in str(error) or "redshift" in str(error), error
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 500, error
        return False
    return True


# --- columns that are no numbers ------------------------------------------------------------------

COLUMNS: dict[str, tuple[Any, str]] = {
    "text": (["0.1", "0.2", "x", ""], "text"),
    "bytes": ([b"0.1"] * 4, "text"),
    "dates": ([datetime.date(2020, 1, 1)] * 4, "dates"),
    "times": ([datetime.datetime(2020, 1, 1)] * 4, "dates"),
    "spans": ([datetime.timedelta(1)] * 4, "spans of time"),
    "truth": ([True, False, True, True], "truth"),
    "pairs": ([[0.1, 0.2]] * 4, "2 values in a row"),
    "lists": ([[0.1], [0.1, 0.2], [], [0.3]], "type list"),
    "records": ([{"a": 1.0}] * 4, "type dict"),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_of_parquet(tmp_path: Path, case: str, injected: Counter) -> None:
    values, words = COLUMNS[case]
    pq.write_table(pa.table({"redshift": values}), tmp_path / "cat.parquet")
    with pytest.raises(DataError, match=rf"cat\.parquet: column 'redshift' holds .*{words}"):
        used(tmp_path / "cat.parquet")
    injected("tables")


@pytest.mark.parametrize("values", [Z, [decimal.Decimal("0.1")] * 4, pa.nulls(4), [1, 2, 3, 4]])
def test_numbers_of_any_kind_are_numbers(tmp_path: Path, values: Any) -> None:
    pq.write_table(pa.table({"redshift": values}), tmp_path / "cat.parquet")
    used(tmp_path / "cat.parquet")


def test_two_columns_of_one_name(tmp_path: Path, injected: Counter) -> None:
    for names in (["redshift", "redshift", "x"], ["redshift", "x", "x"]):
        pq.write_table(pa.Table.from_arrays([pa.array(Z)] * 3, names=names), tmp_path / "c.parquet")
        with pytest.raises(DataError, match=f"c.parquet: has two columns '{names[1]}'"):
            used(tmp_path / "c.parquet")
    injected("tables", 2)


FITS_COLUMNS: dict[str, tuple[str, Any, str]] = {
    "text": ("5A", ["0.1"] * 4, "text"),
    "complex": ("M", Z.astype(complex), "complex"),
    "truth": ("L", Z > 0.2, "truth"),
    "pairs": ("2D", np.ones((4, 2)), "2 values in a row"),
    "bits": ("8X", np.ones((4, 8), bool), "8 values in a row"),
    "lists": ("PD()", np.array([Z[:1], Z[:2], Z[:0], Z], object), "type ndarray"),
}


@pytest.mark.parametrize("case", FITS_COLUMNS)
def test_columns_of_fits(tmp_path: Path, case: str, injected: Counter) -> None:
    form, values, words = FITS_COLUMNS[case]
    path = tmp_path / "cat.fits"
    fits.BinTableHDU.from_columns([fits.Column("redshift", form, array=values)]).writeto(path)
    with pytest.raises(DataError, match=rf"cat\.fits: column 'redshift' holds .*{words}"):
        used(path)
    injected("tables")


@pytest.mark.parametrize("case", ["text", "text of any length", "complex", "pairs", "truth"])
def test_columns_of_hdf5(tmp_path: Path, case: str, injected: Counter) -> None:
    kinds: dict[str, Any] = {"text": np.array(["0.1"] * 4, "S3"), "text of any length": ["0.1"] * 4,
             "complex": Z.astype(complex), "pairs": np.ones((4, 2)), "truth": Z > 0.2}  # fmt: skip
    with h5py.File(tmp_path / "cat.h5", "w") as file:
        file["redshift"] = kinds[case]
    with pytest.raises(DataError, match=r"cat\.h5: column 'redshift' holds "):
        used(tmp_path / "cat.h5")
    injected("tables")


# --- FITS: sizes and sums -------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of FITS with its checksums."""
    path = tmp_path / "cat.fits"
    columns = [fits.Column("redshift", "D", array=Z), fits.Column("id", "K", array=np.arange(4))]
    fits.BinTableHDU.from_columns(columns).writeto(path, checksum=True)
    used(path)
    return path


CARDS = {
    "NAXIS1": ("17", "16 bytes and its rows"), "NAXIS2": ("99999999999999", "is truncated"),
    "PCOUNT": ("99999999999", "is truncated"), "TFIELDS": ("9999", "TFIELDS is '9999'"),
    "BITPIX": ("7", "BITPIX is"), "NAXIS": ("-1", "NAXIS is '-1'"),
    "TFORM1": ("'Z       '", "column 'redshift': TFORM1 is 'Z'"),
    "TFORM2": ("'999999D'", "bytes and its rows"), "GCOUNT": ("-7", "GCOUNT is '-7'"),
}  # fmt: skip


def with_card(raw: bytes, key: str, value: str) -> bytes:
    """Return a file in which the last card of a keyword has another value, sums not renewed."""
    place = raw.rindex(f"{key:8s}=".encode())
    card = f"{key:8s}= {value:>20s}".ljust(80).encode()
    return raw[:place] + card + raw[place + 80 :]


@pytest.mark.parametrize("key", CARDS)
def test_absurd_headers(table: Path, key: str, injected: Counter) -> None:
    value, words = CARDS[key]
    table.write_bytes(with_card(table.read_bytes(), key, value))
    with pytest.raises(DataError, match=rf"cat\.fits: extension 1.*{words}"):
        used(table)
    injected("tables")


def test_every_flip_in_data_with_a_sum_is_found(table: Path, injected: Counter) -> None:
    good = table.read_bytes()
    start = len(good) - 2880
    for bit in range(0, 8 * 64, 3):
        bad = bytearray(good)
        bad[start + bit // 8] ^= 1 << bit % 8
        table.write_bytes(bad)
        with pytest.raises(DataError, match="extension 1 do not match their DATASUM"):
            used(table)
    injected("tables", 171)


def test_flips_in_a_header_with_a_sum_are_found(table: Path, injected: Counter) -> None:
    good = table.read_bytes()
    place = good.index(b"TTYPE2")
    for byte in range(place, place + 40):
        bad = bytearray(good)
        bad[byte] ^= 2
        table.write_bytes(bad)
        assert not one_line(table)
    injected("tables", 40)


@pytest.mark.parametrize("left", [0, 1, 80, 2879, 2880, 5000, 5759, 5760, 5800])
def test_truncated_fits(table: Path, left: int, injected: Counter) -> None:
    table.write_bytes(table.read_bytes()[:left])
    with pytest.raises(DataError, match=r"cat\.fits"):
        used(table)
    injected("tables")


# --- structures of every kind (long) --------------------------------------------------------------

NUMBERS = st.integers(-3, 2000) | st.sampled_from([2**31, 2**63, 10**19, -(2**63)])
FORMS = st.sampled_from(
    ["D", "E", "K", "I", "3A", "PD(9)", "QE(2)", "0D", "L", "M", "12X", "Z", ""]
)


@pytest.mark.slow
def test_fits_of_any_structure(table: Path, injected: Counter) -> None:
    good = table.read_bytes()
    keys = st.sampled_from(["NAXIS", "NAXIS1", "NAXIS2", "BITPIX", "PCOUNT", "GCOUNT", "TFIELDS",
                            "THEAP", "TNULL1", "TZERO1", "TSCAL1", "TDIM1"])  # fmt: skip
    numbers = st.tuples(keys, NUMBERS.map(str))
    forms = st.tuples(st.sampled_from(["TFORM1", "TFORM2", "TDIM1"]), FORMS.map(repr))
    names = st.tuples(st.just("TTYPE2"), st.text("redshift", max_size=8).map(repr))

    @structure
    @given(st.lists(numbers | forms | names, min_size=1, max_size=4), st.integers(0, len(good)))
    def run(cards: list[tuple[str, str]], cut: int) -> None:
        raw = good.replace(b"DATASUM =", b"SPARE   =").replace(b"CHECKSUM=", b"SPARE2  =")
        for key, value in cards:
            there = f"{key:8s}=".encode() in raw
            raw = raw if there else raw.replace(b"SPARE   =", f"{key:8s}=".encode())
            raw = with_card(raw, key, value) if f"{key:8s}=".encode() in raw else raw
        table.write_bytes(raw[:cut] if cut % 5 == 0 else raw)
        one_line(table)

    run()
    injected("tables", EXAMPLES)


TYPES = st.recursive(
    st.sampled_from([pa.float64(), pa.float32(), pa.int64(), pa.uint8(), pa.string(), pa.binary(),
                     pa.bool_(), pa.date32(), pa.timestamp("ns"), pa.duration("s"), pa.null(),
                     pa.decimal128(9, 2), pa.time64("us"), pa.large_string()]),
    lambda inner: st.one_of(inner.map(pa.list_), inner.map(lambda t: pa.list_(t, 2)),
                            inner.map(lambda t: pa.struct([("a", t)]))),
    max_leaves=2,
)  # fmt: skip


@pytest.mark.slow
def test_parquet_of_any_structure(tmp_path: Path, injected: Counter) -> None:
    path = tmp_path / "cat.parquet"

    @structure
    @given(
        st.lists(st.tuples(st.sampled_from(["redshift", "a", "b"]), TYPES), max_size=3),
        st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3),
        st.integers(0, 5),
    )
    def run(fields: list[tuple[str, Any]], flips: list[tuple[int, int]], n: int) -> None:
        arrays = [pa.nulls(n, kind) for _, kind in fields]
        file = io.BytesIO()
        pq.write_table(pa.Table.from_arrays(arrays, names=[name for name, _ in fields]), file)
        raw = bytearray(file.getvalue())
        for place, value in flips:  # most of a small file is its footer
            raw[place % len(raw)] = value
        path.write_bytes(raw)
        one_line(path)

    run()
    injected("tables", EXAMPLES)


KINDS = st.sampled_from(["f8", "f4", "i8", "u1", "?", "c16", "S3", "V5", "f2", ">f8",
                         [("redshift", "f8"), ("x", "S2")], [("a", "f8", (2,))]])  # fmt: skip


@pytest.mark.slow
def test_hdf5_of_any_structure(tmp_path: Path, injected: Counter) -> None:
    path = tmp_path / "cat.h5"
    shapes = st.lists(st.integers(0, 5), max_size=3).map(tuple)
    places = st.sampled_from(["redshift", "a", "t/redshift", "t/a", "t/u/v"])
    keys = st.sampled_from(["unit", "_FillValue", "missing_value"])
    stated = st.text("aµ\n", max_size=3) | st.integers(-9, 9) | st.floats()
    attributes = st.dictionaries(keys, stated)

    @structure
    @given(st.lists(st.tuples(places, KINDS, shapes, st.booleans(), attributes), max_size=3))
    def run(items: list[tuple[str, Any, tuple[int, ...], bool, dict[str, Any]]]) -> None:
        with h5py.File(path, "w") as file:
            for place, kind, shape, chunked, about in items:
                if place in file:
                    continue
                chunks = True if chunked and shape and 0 not in shape else None
                made = file.create_dataset(place, shape, np.dtype(kind), chunks=chunks)
                made.attrs.update(about)
        one_line(path)

    run()
    injected("tables", EXAMPLES)


@pytest.mark.slow
def test_votables_of_any_structure(tmp_path: Path, injected: Counter) -> None:
    path = tmp_path / "cat.vot"
    kinds = st.sampled_from(["double", "float", "int", "char", "unicodeChar", "boolean", "bit",
                             "doubleComplex", "nonsense", ""])  # fmt: skip
    sizes = st.sampled_from(["", "*", "2", "2x2", "0", "-1", "x", "3*", "999999999"])
    names = st.sampled_from(["redshift", "a", "a", "", "&lt;b&gt;"])
    cells = st.sampled_from(["", "0.1", "nan", "x", "1 2", "T", "é", "1e999", "[1]"])
    field = st.tuples(names, kinds, sizes)

    @structure
    @given(
        st.lists(field, max_size=3), st.lists(st.lists(cells, max_size=4), max_size=3),
        st.sampled_from(["", ' nrows="2"', ' nrows="-1"', ' nrows="9999999"']),
        st.integers(0, 4000),
    )  # fmt: skip
    def run(
        fields: list[tuple[str, str, str]], rows: list[list[str]], declared: str, cut: int
    ) -> None:
        columns = "".join(
            f'<FIELD name="{n}" datatype="{k}"' + (f' arraysize="{s}"' if s else "") + "/>"
            for n, k, s in fields
        )
        data = "".join("<TR>" + "".join(f"<TD>{c}</TD>" for c in row) + "</TR>" for row in rows)
        table = f"<TABLE{declared}>{columns}<DATA><TABLEDATA>{data}</TABLEDATA></DATA></TABLE>"
        text = f'<VOTABLE version="1.3"><RESOURCE>{table}</RESOURCE></VOTABLE>'
        path.write_text(text[:cut] if cut % 5 == 0 else text, encoding="utf-8")
        one_line(path)

    run()
    injected("tables", EXAMPLES)
