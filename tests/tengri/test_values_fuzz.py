"""Random containers, masks, units and types: the answer of plain arrays, or one clear error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import astropy.units as u
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.table import MaskedColumn
from astropy.utils.masked import Masked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tengri import FilterCurve, Instrument, Parameters, SEDModel, Uniform, load_ssp_data
from tengri.errors import ParameterError

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
LARGE = settings(max_examples=2000, deadline=None, database=None,
                 suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
NAME = "sfh_tau_tau_gyr"
SPEC = Parameters(mean_sfh_type="tau", sfh_tau_tau_gyr=(0.01, 1000.0), redshift=(0.01, 3.0))
SINGLE = {"redshift": 0.1}
TIMES = {"Gyr": u.Gyr, "Myr": u.Myr, "s": u.s, "100 Myr": u.def_unit("hMyr", 100 * u.Myr)}
FLUXES = {"nJy": u.nJy, "mJy": u.mJy, "cgs": u.Unit("erg / (s cm2 Hz)"), "10 Jy": u.Unit(10 * u.Jy)}
WRONG = {"kpc": u.kpc, "Msun": u.Msun, "mag": u.mag, "f_λ": u.Unit("erg / (s cm2 AA)")}

# (values, mask, unit or None) → what a user may hold; None: this container carries no unit
BARE: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "list": lambda v, m: [None if gone else float(x) for x, gone in zip(v, m)],
    "tuple of scalars": lambda v, m: tuple(np.ma.masked if g else x for x, g in zip(v, m)),
    "objects": lambda v, m: np.array([pd.NA if g else float(x) for x, g in zip(v, m)], object),
    "pandas": lambda v, m: pd.Series(pd.array(np.where(m, np.nan, v), dtype="Float64")),
    "arrow": lambda v, m: pa.array(v, mask=m),
    "NaN": lambda v, m: np.where(m, np.nan, v),
    "jax": lambda v, m: jnp.asarray(np.where(m, np.nan, v)),
    "big endian": lambda v, m: np.where(m, np.nan, v).astype(">f8"),
}  # fmt: skip
WITH_UNIT: dict[str, Callable[[np.ndarray, np.ndarray, Any], Any]] = {
    "quantity": lambda v, m, unit: Masked(v, mask=m) * unit if m.any() else v * unit,
    "column": lambda v, m, unit: MaskedColumn(v, mask=m, unit=unit),
    "list of quantities": lambda v, m, unit: [None if g else x * unit for x, g in zip(v, m)],
    "Masked": lambda v, m, unit: Masked(v * unit, mask=m),
}
MASKED = {
    "numpy": lambda v, m: np.ma.array(v, mask=m, fill_value=1.0),
    "column": lambda v, m: MaskedColumn(v, mask=m),
    "Masked": lambda v, m: Masked(v, mask=m),
}


@st.composite
def held(draw: st.DrawFn, units: dict[str, Any], own: Any, n: int | None = None, lo: float = 0.01):
    """Draw (object, plain values in ``own``, mask, unit)."""
    n = draw(st.integers(1, 5)) if n is None else n
    values = np.array(draw(st.lists(st.floats(lo, 100.0), min_size=n, max_size=n)))
    mask = np.array(draw(st.lists(st.sampled_from([False, False, True]), min_size=n, max_size=n)))
    name = draw(st.sampled_from([None, *units, *WRONG]))
    if name is None:
        makers = {**BARE, **MASKED}
        return makers[draw(st.sampled_from(sorted(makers)))](values, mask), values, mask, None
    unit = {**units, **WRONG}[name]
    raw = values if name in WRONG else np.asarray((values * own).to_value(unit))
    make = WITH_UNIT[draw(st.sampled_from(sorted(WITH_UNIT)))]
    return make(raw, mask, unit), values, mask, unit


def is_wrong(unit: Any) -> bool:
    return unit in WRONG.values()


def call(route: Callable[[], Any]) -> Any:
    """Return the answer, or the error that names its cause; any other error is a failure."""
    try:
        return route()
    except ParameterError as error:
        return error


def check_parameter(one: tuple) -> None:
    """A batch and, of its first value, a single call and a spec."""
    value, plain, mask, unit = one
    got = call(lambda: SPEC.resolve({**SINGLE, NAME: value}, batch=True)[NAME])
    first_only = is_wrong(unit) and mask.all() and isinstance(value, list)  # no unit left in it
    if mask.any() or is_wrong(unit):
        assert isinstance(got, ParameterError) and NAME in str(got)
        assert first_only or not is_wrong(unit) or str(unit) in str(got) or "missing" in str(got)
    else:
        np.testing.assert_allclose(got, plain, rtol=1e-12)
    single = value[0].as_py() if isinstance(value, pa.Array) else value[0]
    for route in (
        lambda: SPEC.resolve({**SINGLE, NAME: single})[NAME],
        lambda: Parameters(mean_sfh_type="tau", **{NAME: single}).fixed_value(NAME),
    ):
        got = call(route)
        carries = unit is not None and hasattr(single, "unit")  # a column's elements are bare
        if mask[0] or (carries and is_wrong(unit)):
            assert isinstance(got, ParameterError) and NAME in str(got)
        elif carries or unit is None:
            np.testing.assert_allclose(got, plain[0], rtol=1e-12)


def check_prior(lo: float, width: float, units: tuple[Any, Any]) -> None:
    edges = [float((edge * u.Gyr).to_value(unit)) * unit if unit else edge
             for edge, unit in zip((lo, lo + width), units)]  # fmt: skip
    expected = Uniform(lo, lo + width)
    for make in (lambda: tuple(edges), lambda: Uniform(*edges)):
        got = call(lambda: Parameters(mean_sfh_type="tau", **{NAME: make()}))  # noqa: B023
        if isinstance(got, ParameterError):
            assert sum(unit is None for unit in units) == 1 and "unit" in str(got)
            continue
        assert got.get_distribution(NAME).bounds == pytest.approx(expected.bounds, rel=1e-12)


@pytest.fixture(scope="module")
def flat():
    bands = Instrument.from_names(["sdss_g", "sdss_r", "sdss_i", "sdss_z"]).observation()
    return SEDModel(SPEC, load_ssp_data(), bands, units="nJy").flat_function()


def check_data(flat: Any, flux: tuple, error: tuple) -> None:
    (f, plain_f, no_f, unit_f), (e, plain_e, no_e, unit_e) = flux, error
    got = call(lambda: flat.data(f, e))
    if (no_f | no_e).all():
        assert isinstance(got, ParameterError)
    elif is_wrong(unit_f) or is_wrong(unit_e):
        lost = [isinstance(v, list) and m.all() for v, m in ((f, no_f), (e, no_e))]
        assert isinstance(got, ParameterError) or any(lost)
    elif (unit_f is None) != (unit_e is None) and u.nJy not in (unit_f, unit_e):
        assert isinstance(got, ParameterError) and "without a unit" in str(got)
    else:
        expected = flat.data(np.where(no_f, np.nan, plain_f), np.where(no_e, np.nan, plain_e))
        for one, other in zip(got, expected):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


WAVE = np.linspace(5000.0, 7000.0, 41)
TRANS = np.exp(-0.5 * ((WAVE - 6000.0) / 300.0) ** 2)
HEADERS = {
    "Angstrom": ("wavelength [Angstrom] T", 1.0), "A": ("lambda(A)  T", 1.0),
    "nm": ("Wavelength(nm) Throughput", 10.0), "nanometers": ("wave in nanometers", 10.0),
    "µm": ("λ (µm), response", 1e4), "microns": ("wavelength (microns)", 1e4), "": ("my band", 1.0),
}  # fmt: skip


def check_file(folder: Any, header: str, separator: str, comment: str, descends: bool,
               detector: str, argument: str | None, noise: float) -> None:  # fmt: skip
    text, factor = HEADERS[header]
    trans = np.where(TRANS < 0.02, -noise, TRANS)
    rows = [f"{float(w / factor)!r}{separator}{float(t)!r}" for w, t in zip(WAVE, trans)]
    lines = [f"{comment} {text}", *([f"{comment} {detector}"] if detector else [])]
    (folder / "band.dat").write_text("\n".join(lines + (rows[::-1] if descends else rows)) + "\n")
    counts = argument or detector or "photon"
    good = trans >= 0.0
    response = trans[good] / (WAVE[good] if counts == "energy" else 1.0)
    expected = FilterCurve("band", WAVE[good], response)
    got = FilterCurve.from_file(folder / "band.dat", detector=argument)
    assert got.pivot == pytest.approx(expected.pivot, rel=1e-4 if counts == "energy" else 1e-12)


PRIOR = {
    "lo": st.floats(0.01, 10.0),
    "width": st.floats(0.1, 10.0),
    "units": st.tuples(*[st.sampled_from([None, *TIMES.values()])] * 2),
}
DATA = {"flux": held(FLUXES, u.nJy, 4), "error": held(FLUXES, u.nJy, 4)}
FILE = {
    "header": st.sampled_from(sorted(HEADERS)),
    "separator": st.sampled_from([" ", "  ", "\t", ",", ", ", ";"]),
    "comment": st.sampled_from(["#", "# ", "!", "%", "##"]),
    "descends": st.booleans(),
    "detector": st.sampled_from(["", "energy", "photon", "detector: energy"]),
    "argument": st.sampled_from([None, "photon", "energy"]),
    "noise": st.floats(0.0, 0.005),
}


@QUICK
@given(one=held(TIMES, u.Gyr))
def test_parameters(one):
    check_parameter(one)


@QUICK
@given(**PRIOR)
def test_priors(lo, width, units):
    check_prior(lo, width, units)


@QUICK
@given(**DATA)
def test_data(flat, flux, error):
    check_data(flat, flux, error)


@QUICK
@given(**FILE)
def test_filter_files(tmp_path_factory, **case):
    case["detector"] = case["detector"].removeprefix("detector: ")
    check_file(tmp_path_factory.getbasetemp(), **case)


@pytest.mark.slow
@LARGE
@given(one=held(TIMES, u.Gyr))
def test_many_parameters(one):
    check_parameter(one)


@pytest.mark.slow
@LARGE
@given(**PRIOR)
def test_many_priors(lo, width, units):
    check_prior(lo, width, units)


@pytest.mark.slow
@LARGE
@given(**DATA)
def test_many_data(flat, flux, error):
    check_data(flat, flux, error)


@pytest.mark.slow
@LARGE
@given(**FILE)
def test_many_filter_files(tmp_path_factory, **case):
    case["detector"] = case["detector"].removeprefix("detector: ")
    check_file(tmp_path_factory.getbasetemp(), **case)
