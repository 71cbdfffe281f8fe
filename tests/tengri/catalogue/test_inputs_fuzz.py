"""Any container, mask, unit and type: the answer of the plain array, or one clear error."""

from __future__ import annotations

import warnings
from functools import cache

import astropy.units as u
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.masked import Masked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emulator
from tengri.catalogue import predict_table
from tengri.catalogue.predict import predict_rows
from tengri.catalogue.table import open_table
from tengri.errors import TengriError

KG, SECOND = 1.0 / 1.98841e30, 1.0 / 3.15576e16  # in Msun and Gyr
#: parameter → its range, and how its values read in other units
UNITS = {
    "redshift": ((0.02, 0.9), {"": lambda v: v, "%": lambda v: 100 * v}),
    "met_logzsol": ((-1.0, 0.2), {"": lambda v: v, "dex": lambda v: v}),
    "sfh_dpl_tau_gyr": ((1.5, 6.0), {"": lambda v: v, "Gyr": lambda v: v, "Myr": lambda v: 1e3 * v,
                                     "yr": lambda v: 1e9 * v, "s": lambda v: v / SECOND,
                                     "dex(Myr)": lambda v: np.log10(1e3 * v)}),
    "sfh_dpl_log_peak_sfr": ((-1.0, 2.0), {"": lambda v: v, "dex": lambda v: v,
                                           "dex(Msun / yr)": lambda v: v,
                                           "Msun / Gyr": lambda v: 1e9 * 10.0**v,
                                           "kg / s": lambda v: 10.0**v / KG * SECOND * 1e9}),
}  # fmt: skip
OTHERS = {"sfh_dpl_alpha": 2.0, "sfh_dpl_beta": 2.0, "dust_tau_bc": 0.5, "dust_tau_diff": 0.3,
          "dust_slope": -0.7}  # fmt: skip
WRONG = ("Mpc", "K", "Jy", "mag", "no unit of anybody's")
ROWS = 3


def null_pandas(values, mask):
    return pd.array([None if m else v for v, m in zip(values.tolist(), mask)], "Float64")


#: name → (values, mask, unit) to a container, and what it can state
CONTAINERS = {
    "list": (lambda v, m, unit: [None if gap else x for x, gap in zip(v.tolist(), m)], "mask"),
    "objects": (lambda v, m, unit: np.where(m, None, v.astype(object)), "mask"),
    "numpy.ma": (lambda v, m, unit: np.ma.masked_array(v, m), "mask"),
    "pandas": (lambda v, m, unit: null_pandas(v, m), "mask"),
    "Series": (lambda v, m, unit: pd.Series(null_pandas(v, m), index=[3, 1, 2]), "mask"),
    "pyarrow": (lambda v, m, unit: pa.array(v.astype(v.dtype.newbyteorder("=")), mask=m), "mask"),
    "numpy": (lambda v, m, unit: v, ""),
    "Column": (lambda v, m, unit: Column(v, unit=unit or None), "unit"),
    "MaskedColumn": (lambda v, m, unit: MaskedColumn(v, mask=m, unit=unit or None), "mask unit"),
    "Quantity": (lambda v, m, unit: u.Quantity(v, unit) if "dex" not in unit else v * u.Unit(unit),
                 "unit"),
    "Masked": (lambda v, m, unit: Masked(v, mask=m) * u.Unit(unit), "mask linear"),
    "n1": (lambda v, m, unit: np.ma.masked_array(v, m)[:, None], "mask"),
}  # fmt: skip


@cache
def model():
    return emulator.load("sdss", units="nJy")


@st.composite
def columns(draw, containers=tuple(CONTAINERS)):
    """Return (table as handed over, the same as plain arrays in the parameters' units)."""
    given_, plain = {}, {}
    for name, ((lo, hi), units) in UNITS.items():
        kind = draw(st.sampled_from(containers))
        make, states = CONTAINERS[kind]
        spelled = [unit for unit in units if unit not in ("dex",) or "linear" not in states]
        if "linear" in states:
            spelled = [unit for unit in spelled if not unit.startswith("dex")]
        unit = draw(st.sampled_from(spelled)) if "unit" in states or "linear" in states else ""
        values = np.array(draw(st.lists(st.floats(lo, hi), min_size=ROWS, max_size=ROWS)))
        dtype = draw(st.sampled_from(["f8", "f4", ">f8", ">f4"])) if unit != "kg / s" else "f8"
        mask = np.array(draw(st.lists(st.booleans(), min_size=ROWS, max_size=ROWS)))
        mask &= "mask" in states
        hidden = draw(st.sampled_from([0.5, 3.0, -99.0, np.nan, 1e30]))
        stated = np.where(mask, hidden, units[unit](values)).astype(dtype)
        given_[name] = make(stated, mask, unit)
        plain[name] = np.where(mask, np.nan, values)
    constant = {name: np.full(ROWS, value) for name, value in OTHERS.items()}
    return {**given_, **constant}, {**plain, **constant}


def assert_same(made, plain):
    wanted = predict_table(model(), plain, level=None)
    np.testing.assert_array_equal(made["out_of_domain"], wanted["out_of_domain"])
    for band in model().filter_names:
        np.testing.assert_allclose(made[band], wanted[band], rtol=2e-4)


def as_handed_over(case):
    handed, plain = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same(predict_table(model(), handed, level=None), plain)


QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(columns())
def test_columns_in_any_container(case):
    as_handed_over(case)


@pytest.mark.slow
@LONG
@given(columns())
def test_columns_in_any_container_long(case):
    as_handed_over(case)


@QUICK
@given(columns(), st.sampled_from(list(UNITS)), st.sampled_from(WRONG), st.booleans())
def test_a_wrong_unit_or_no_numbers_are_one_error(case, name, unit, text):
    handed, _ = case
    wrong = (
        np.array(["0.5"] * ROWS)
        if text
        else Column(np.full(ROWS, 0.5), unit=u.Unit(unit, parse_strict="silent"))
    )
    with pytest.raises(TengriError, match=name) as error:
        predict_table(model(), {**handed, name: wrong}, level=None)
    assert "\n" not in str(error.value)


# --- files, as other programs write them ------------------------------------------------------


def write_hdf5(path, table):
    with h5py.File(path, "w") as file:
        for name in table.colnames:
            column = table[name]
            file[name] = np.ma.filled(column, -1e9)
            file[name].attrs["units"] = str(column.unit or "")
            file[name].attrs["_FillValue"] = -1e9


def write_parquet(path, table):
    arrays = [pa.array(np.ma.getdata(table[n]).astype(float), mask=np.ma.getmaskarray(table[n]))
              for n in table.colnames]  # fmt: skip
    fields = [pa.field(n, pa.float64(), metadata={"unit": str(table[n].unit or "")})
              for n in table.colnames]  # fmt: skip
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path, row_group_size=2)


WRITERS = {
    ".h5": write_hdf5,
    ".parquet": write_parquet,
    ".fits": lambda path, table: table.write(path, overwrite=True),
    ".fits.gz": lambda path, table: table.write(path, overwrite=True),
    ".ecsv": lambda path, table: table.write(path, overwrite=True),
    ".vot": lambda path, table: table.write(path, format="votable", overwrite=True),
}
NO_LOGARITHMS = (".fits", ".fits.gz", ".vot")


def from_file(case, suffix, folder):
    """Write the columns as another program does, read them, and compare."""
    handed, plain = case
    table = Table({name: MaskedColumn(column) for name, column in handed.items()})
    for name in table.colnames:
        logarithm = str(table[name].unit or "").startswith("dex(")
        if logarithm and suffix in NO_LOGARITHMS:
            return
    path = folder / f"cat{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        WRITERS[suffix](path, table)
        with open_table(path) as opened:
            values = opened.read(opened.names, 0, opened.n_rows)
            units = {name: opened.unit(name) for name in opened.names}
        assert_same(predict_rows(model(), values, units, level=None), plain)


FROM_FILES = columns(("Column", "MaskedColumn", "numpy"))


@QUICK
@given(FROM_FILES, st.sampled_from(list(WRITERS)))
def test_files_of_other_programs(tmp_path_factory, case, suffix):
    from_file(case, suffix, tmp_path_factory.mktemp("fuzz"))


@pytest.mark.slow
@settings(LONG, max_examples=200)
@given(FROM_FILES, st.sampled_from(list(WRITERS)))
def test_files_of_other_programs_long(tmp_path_factory, case, suffix):
    from_file(case, suffix, tmp_path_factory.mktemp("fuzz"))
