"""``docs/inputs.md``, its catalogues: every line of the tables is run."""

from __future__ import annotations

import re
from pathlib import Path

import astropy.units as u
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

import emulator
from tengri.catalogue import predict_table
from tengri.catalogue.containers import column as column_of
from tengri.catalogue.held import HeldTable
from tengri.catalogue.kept import as_kept, survey
from tengri.catalogue.table import FORMATS, Schema, format_of, open_table
from tengri.errors import ConfigError, TengriError
from tengri.quantities import plain_values

PAGE = (Path(__file__).parents[3] / "docs/inputs.md").read_text()
COLUMNS = {"redshift": [0.1, 0.2], "met_logzsol": [0.0, 0.0], "sfh_dpl_tau_gyr": [2.0, 2.0],
           "sfh_dpl_log_peak_sfr": [1.0, 1.0], "sfh_dpl_alpha": [2.0, 2.0],
           "sfh_dpl_beta": [2.0, 2.0], "dust_tau_bc": [0.5, 0.5], "dust_tau_diff": [0.3, 0.3],
           "dust_slope": [-0.7, -0.7]}  # fmt: skip


def lines(name: str) -> list[list[str]]:
    """Return the cells of a table of the page, without the marks of code."""
    block = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", PAGE, re.S)
    assert block, name
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block[1].strip().splitlines()[2:]]
    return [[cell.replace("\\|", "|").strip().strip("`") for cell in row] for row in rows]


def dataset(values, **attributes):
    """A dataset of an HDF5 file in memory."""
    file = h5py.File("memory.h5", "w", driver="core", backing_store=False)
    file["a"] = values
    file["a"].attrs.update(attributes)
    return file["a"]


def structured(columns):
    return np.rec.fromarrays([np.array(v) for v in columns.values()], names=list(columns))


class Stated(list):
    """Values whose unit stands in the header of a file."""

    unit = ""


def stated(values, unit):
    made = Stated(values)
    made.unit = unit
    return made


def pa_column(values, unit):
    field = pa.field("a", pa.float64(), metadata={"unit": unit})
    return pa.table([pa.array(values)], schema=pa.schema([field]))


NAMES = {"np": np, "nan": np.nan, "u": u, "pd": pd, "pa": pa, "fits": fits, "Table": Table,
         "QTable": QTable, "Column": Column, "MaskedColumn": MaskedColumn, "Masked": Masked,
         "columns": COLUMNS, "dataset": dataset, "structured": structured, "stated": stated,
         "pa_column": pa_column}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return emulator.load("sdss")


@pytest.mark.parametrize(("table", "note"), lines("containers"))
def test_containers(model, table, note):
    made = predict_table(model, eval(table, NAMES), level=None)
    assert made["out_of_domain"].tolist() == [0, 2], note


@pytest.mark.parametrize(("column", "unit", "answer"), lines("columns"))
def test_columns(column, unit, answer):
    value, stated, own = eval(column, NAMES), "", "" if unit == "none" else unit
    if isinstance(value, pa.Table):
        value, stated = column_of(value, "a")
    if answer == "refused":
        with pytest.raises(TengriError):
            plain_values(value, own, "p", stated)
    else:
        np.testing.assert_allclose(
            plain_values(value, own, "p", stated)[0], eval(answer, NAMES), rtol=1e-5
        )


class OneColumn:
    """A table of three rows, the second of which is missing."""

    n_rows = 3

    def __init__(self, values):
        self.values = values

    def unit(self, name):
        return "Mpc"

    def read(self, names, start, stop):
        return {"a": self.values[start:stop]}


def round_trip(path, values):
    """Write one column in two chunks, read it back; (values, unit, whether it is held whole)."""
    table = OneColumn(values)
    schema = Schema(survey(table, ["a"], 2), {}, 3)
    format_of(path).check_schema(schema)
    chunks = [{"a": as_kept("a", values[i : i + 2])} for i in (0, 2)]
    format_of(path).write_table(path, schema, iter(chunks))
    with format_of(path).open_table(path, None) as own:
        whole = isinstance(own, HeldTable)
    with open_table(path) as opened:
        return opened.read(["a"], 0, 3)["a"], opened.unit("a"), whole


@pytest.mark.parametrize(
    ("ending", "units", "integers", "text", "truth", "lists", "read", "written"), lines("formats")
)
def test_formats(ending, units, integers, text, truth, lists, read, written, tmp_path):
    path, gaps = tmp_path / f"t{ending}", [False, True, False]
    numbers = np.ma.masked_array([2**62 + 1, 0, 3], gaps)
    found, unit, whole = round_trip(path, numbers)
    assert unit == ("" if units == "none" else "Mpc") and whole == (read == "whole")
    assert np.ma.getmaskarray(found).tolist() == gaps and found[0] == 2**62 + 1

    found = as_kept(
        "a", round_trip(path, np.ma.masked_array(np.array(["a", "?", "b"], object), gaps))[0]
    )
    assert np.ma.filled(found, "").tolist() == ["a", "", "b"]
    if text in ("null", "masked", "_FillValue") or ending.startswith(".csv"):
        assert np.ma.getmaskarray(found).tolist() == gaps

    found = round_trip(path, np.array([True, False, True]))[0]
    assert found.tolist() == (
        ["true", "false", "true"] if truth == "as text" else [True, False, True]
    )
    if lists == "yes":
        assert round_trip(path, np.arange(6.0).reshape(3, 2))[0].tolist() == [
            [0, 1],
            [2, 3],
            [4, 5],
        ]
    else:
        with pytest.raises(ConfigError):
            round_trip(path, np.arange(6.0).reshape(3, 2))


def test_every_format_is_in_the_table():
    assert [row[0] for row in lines("formats")] == list(FORMATS)
