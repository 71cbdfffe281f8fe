"""Masks, nulls and units of what people hand over: obeyed, converted, or refused in one line."""

from __future__ import annotations

import sys

import astropy.units as u
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.table import Column, MaskedColumn, QTable
from astropy.utils.masked import Masked

from tengri.errors import ConfigError, ParameterError, TengriError
from tengri.quantities import carries_more, plain_values, unit_of

#: log10 of a kilogram in solar masses (IAU 2015 nominal GM, CODATA G): log10(1 / 1.98841e30).
LOG_KG = -30.29850


@pytest.mark.parametrize(
    ("value", "own", "stated", "expected"),
    [
        ([5.0] * u.Myr, "Gyr", "", 0.005),
        (Column([5.0], unit="Myr"), "Gyr", "", 0.005),
        (QTable({"a": [5.0] * u.Myr})["a"], "Gyr", "", 0.005),
        ([500 * u.Myr], "Gyr", "", 0.5),
        ([5e6], "Gyr", "yr", 0.005),
        ([8.0], "log10 Myr", "dex(yr)", 2.0),
        ([1.0] * u.dex(u.Gyr), "Gyr", "", 10.0),
        ([40.0] * u.dex(u.kg), "log10 Msun", "", 40.0 + LOG_KG),
        ([40.0], "log10 Msun", "log10(kg)", 40.0 + LOG_KG),
        ([40.0], "log10 Msun", "[kg]", 40.0 + LOG_KG),
        ([1e10] * u.Msun, "log10 Msun", "", 10.0),
        ([-25.0] * u.mag(u.Msun), "log10 Msun", "", 10.0),
        ([10.0] * u.dex, "log10 Msun", "", 10.0),
        (u.Quantity([10.0]), "log10 Msun", "", 10.0),
        ([1.0], "log10 Msun/yr", "dex(solMass / yr)", 1.0),
        ([217.5] * u.nm, "µm", "", 0.2175),
        ([50] * u.percent, "", "", 0.5),
        (u.Quantity([0.025]), "%", "", 2.5),
        ([2.5], "%", "", 2.5),
        ([0.1], "", "redshift", 0.1),
        ([3.0], "Gyr", "gyr", 3.0),
        ([3.0], "Gyr", "dimensionless", 3.0),
        ([3.0], "any", "Jy", 3.0),
    ],
)
def test_a_unit_is_converted(value, own, stated, expected):
    values, missing = plain_values(value, own, "p", stated)
    np.testing.assert_allclose(values, [expected], rtol=1e-6)
    assert not missing.any()


@pytest.mark.parametrize(
    ("value", "own", "stated"),
    [
        ([5.0] * u.Mpc, "Gyr", ""),
        ([50] * u.percent, "Gyr", ""),
        ([1.0] * u.mag, "", ""),
        ([1.0] * u.mag, "dex", ""),
        ([1.0] * u.ABmag, "", ""),
        (u.Dex([1.0]), "", ""),
        ([0.1], "", "km/s"),
        ([5.0], "Gyr", "Gyr/h"),
        ([10.0], "log10 Msun", "Msun/h"),
        ([10.0], "log10 Msun", "cosmic bananas"),
        ([1 * u.Gyr, 5.0], "Gyr", ""),
        (np.array([5.0, None, 1 * u.Gyr], object), "Gyr", ""),
        ([1 * u.Gyr, 5 * u.Mpc], "Gyr", ""),
        ([1.0] * u.dB, "dex", ""),
    ],
)
def test_a_unit_without_a_conversion_is_refused(value, own, stated):
    with pytest.raises(ParameterError, match="p is stated in") as error:
        plain_values(value, own, "p", stated)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        np.ma.masked_array([1.0, 7.0], mask=[0, 1]),
        np.ma.masked_array(np.array([1, 7], ">i2"), mask=[0, 1]),
        MaskedColumn([1, 7], mask=[0, 1]),
        Masked([1.0, 7.0], mask=[0, 1]),
        Masked([1.0, 7.0] * u.Gyr, mask=[0, 1]),
        [1, None],
        [1, np.ma.masked],
        np.array([1, None], object),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1, None], dtype="double[pyarrow]"),
        pd.Series([1, pd.NA], dtype=object),
        pd.array([1, None], dtype="Float32"),
        pa.array([1, None]),
        pa.chunked_array([[1], [None]]),
        pa.array(["1", None]).dictionary_encode().cast(pa.string()).cast(pa.int32()),
        [1.0, np.nan],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_masked_or_null_is_missing(value):
    values, missing = plain_values(value, "Gyr", "p")
    assert missing.tolist() == [False, True]
    assert values.dtype == np.float64 and values[0] == 1.0 and np.isnan(values[1])


@pytest.mark.parametrize(
    "value",
    [
        ["0.1"], [True], [1j], [[1], [2, 3]], np.array(["a"]), np.array([b"1"]), np.array([True]),
        np.array(["2020-01-01"], "M8[D]"), pd.Series(["0.1"]),
        pd.Series([True, None], dtype="boolean"),
        pd.to_datetime(pd.Series(["2020-01-01"])), pa.array(["a"]), pa.array([[1.0], [1.0, 2.0]]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ParameterError, match=r"p must be a real number or array: .*no numbers\.$"):
        plain_values(value, "", "p")


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i1", ">i4", "u8"])
def test_numbers_of_every_type(dtype):
    values, _ = plain_values(np.array([0, 1, 100], dtype), "", "p")
    assert values.tolist() == [0.0, 1.0, 100.0] and values.dtype == np.float64
    assert plain_values(jnp.arange(3), "", "p")[0].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "value",
    [
        [1 * u.Gyr, None, 500 * u.Myr],
        [1 * u.Gyr, np.ma.masked, 500 * u.Myr],
        (1 * u.Gyr, np.nan, 500 * u.Myr),
        np.array([1 * u.Gyr, pd.NA, 500 * u.Myr], object),
        [[1] * u.Gyr, [None], [500] * u.Myr],
    ],
)
def test_every_number_of_a_list_has_its_own_unit(value):
    values, missing = plain_values(value, "Gyr", "p")
    np.testing.assert_allclose(np.ravel(values), [1.0, np.nan, 0.5])
    assert np.ravel(missing).tolist() == [False, True, False]


def test_a_quantity_is_refused_for_its_logarithm_where_one_value_is_asked_for():
    for one in (1e10 * u.Msun, [1e10 * u.Msun]):
        with pytest.raises(ParameterError, match=r"give log10\(p / solMass\), a plain number"):
            plain_values(one, "log10 Msun", "p", linear=False)
    assert plain_values(-2 * u.dex, "log10 Msun", "p", linear=False)[0] == -2.0


class Foreign(np.ndarray):
    """An array of a library that keeps a unit aside, as unyt does."""

    units = "Myr"


def test_the_unit_of_a_foreign_array_is_not_lost():
    foreign = np.array([5.0]).view(Foreign)
    assert plain_values(foreign, "Gyr", "p")[0][0] == pytest.approx(0.005)
    assert carries_more(foreign) and unit_of(foreign) == "Myr"


class OfPint:
    """A quantity of pint: the number is its magnitude."""

    magnitude, units = np.array([5.0, np.nan]), "megayear"


class Dataset:
    """A dataset of xarray or HDF5: the attributes say the unit and what is missing."""

    attrs = {"units": b"Myr", "_FillValue": -9.0}  # noqa: RUF012

    def __array__(self, dtype=None, copy=None):
        return np.array([5.0, -9.0])


def test_what_attributes_and_magnitudes_say_holds():
    values, missing = plain_values(Dataset(), "Gyr", "p")
    assert values[0] == pytest.approx(0.005) and missing.tolist() == [False, True]
    values, missing = plain_values(OfPint(), "Gyr", "p")
    assert values[0] == pytest.approx(0.005) and missing.tolist() == [False, True]


def test_without_astropy_a_unit_is_compared(monkeypatch):
    monkeypatch.setitem(sys.modules, "astropy", None)
    assert plain_values([5.0], "log10 Msun", "p", "dex(Msun)")[0] == [5.0]
    with pytest.raises(ConfigError, match=r"needs astropy: pip install"):
        plain_values([5.0], "Gyr", "p", "Myr")
    assert issubclass(ConfigError, TengriError)
