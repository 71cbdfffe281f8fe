"""``docs/inputs.md`` past its catalogues: inputs are obeyed or refused, as every line says."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import astropy.cosmology.units as cosmology_units
import astropy.units as u
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.table import MaskedColumn
from astropy.utils.masked import Masked

from tengri import (
    FilterCurve,
    Instrument,
    LogNormal,
    LogUniform,
    Normal,
    Parameters,
    SEDModel,
    Uniform,
    load_ssp_data,
)
from tengri.cosmology import FlatLambdaCDM
from tengri.errors import ParameterError, TengriError
from tengri.observation import load_filter

PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"
F = np.array([100.0, 200.0, 300.0])
S = np.array([10.0, 30.0, 20.0])
C = np.outer(S, S) * np.array([[1.0, 0.3, 0.0], [0.3, 1.0, -0.2], [0.0, -0.2, 1.0]])
WAVE = np.linspace(5400.0, 7000.0, 161)
TRANS = np.exp(-0.5 * ((WAVE - 6200.0) / 300.0) ** 2)
IN_ANGSTROM = {"angstrom": 1.0, "nm": 10.0, "um": 1e4, "m": 1e10}
WORDS = {
    "np": np, "u": u, "pd": pd, "pa": pa, "Masked": Masked, "MaskedColumn": MaskedColumn,
    "hMyr": u.def_unit("hMyr", 100 * u.Myr), "cosmology_units": cosmology_units,
    "Uniform": Uniform, "LogUniform": LogUniform, "Normal": Normal, "LogNormal": LogNormal,
    "f": F, "s": S, "C": C, "gap": np.array([np.nan, *F[1:]]), "POGSON": 0.4 * np.log(10.0),
    "FilterCurve": FilterCurve, "Instrument": Instrument, "load_filter": load_filter,
    "FlatLambdaCDM": FlatLambdaCDM,
    "wave": WAVE, "trans": TRANS,
}  # fmt: skip


def table(heading: str) -> list[tuple[str, ...]]:
    """Return the rows of the table below a heading, code without its backticks."""
    below = re.split(rf"^#+ {heading}$", PAGE.read_text(), flags=re.M)[1]
    lines = [line for line in re.split(r"^#", below, flags=re.M)[0].splitlines() if line[:1] == "|"]
    cells = [[cell.strip() for cell in line[1:].rstrip().rstrip("|").split(" | ")]
             for line in lines[2:]]  # fmt: skip
    rows = [tuple(re.sub(r"^`(.*)`$", r"\1", cell) for cell in row) for row in cells]
    assert len({len(row) for row in rows}) == 1, heading
    return rows


def code(text: str, **more: object) -> object:
    return eval(text, {**WORDS, **more})


def answer(then: str) -> tuple[str, str]:
    """Return the verb and the code or pattern of a last column."""
    match = re.fullmatch(r"(is|obeyed|refused|warned):?\s*(?:`(.*)`)?", then)
    assert match, then
    return match[1], match[2] or ""


def refuses(pattern: str, call, kind: type = TengriError) -> None:
    with pytest.raises(kind, match=pattern):
        call()


def spec(**given: object) -> Parameters:
    return Parameters(**{"mean_sfh_type": "tau", **given})


FREE = spec(sfh_tau_tau_gyr=(0.01, 20.0), sfh_tau_log_total_mass=(6.0, 13.0),
            met_logzsol=(-2.0, 0.4), dust_tau_diff=(0.0, 4.0), redshift=(0.01, 3.0))  # fmt: skip
REST = {"sfh_tau_tau_gyr": 1.0, "sfh_tau_log_total_mass": 10.0, "met_logzsol": 0.0,
        "dust_tau_diff": 0.1, "redshift": 0.1}  # fmt: skip


@pytest.mark.parametrize(("name", "given", "then"), table("One value"))
def test_one_value(name, given, then):
    verb, what = answer(then)
    value = code(given)
    routes = [
        lambda: FREE.resolve({**REST, name: value})[name],
        lambda: FREE.resolve({**REST, name: value, "sfh_tau_age_gyr": [5.0]}, batch=True)[name],
        lambda: FREE.from_unbounded(FREE.to_unbounded({**REST, name: value}))[name],
    ]
    if given != '"0.8"':  # in Parameters a text names another parameter
        routes.append(lambda: spec(**{name: value}).fixed_value(name))
    for route in routes:
        if verb == "refused":
            refuses(what, route, ParameterError)
        else:
            np.testing.assert_allclose(route(), code(what), rtol=1e-9)


@pytest.mark.parametrize(("name", "given", "then"), table("Priors"))
def test_priors(name, given, then):
    verb, what = answer(then)
    if verb == "refused":
        refuses(what, lambda: spec(**{name: code(given)}), ParameterError)
        return
    got, expected = spec(**{name: code(given)}), spec(**{name: code(what)})
    one, other = (s.get_distribution(name) for s in (got, expected))
    assert type(one) is type(other)
    for u_ in (0.1, 0.5, 0.9):
        assert one.from_unit(u_) == pytest.approx(float(other.from_unit(u_)), rel=1e-9)
    again = Parameters.from_dict(got.to_dict())  # converted once, and not again
    assert again == got == got.with_params(redshift=0.1).without_params("redshift")


def test_vectors_and_densities_drop_no_mask_and_no_unit():
    prior = Uniform(0.1, 5.0, units="Gyr")
    for method in (prior.log_prob, prior.to_unit, prior.standardize, prior.to_unbounded):
        assert method(800 * u.Myr) == pytest.approx(float(method(0.8)))
        refuses("kpc", lambda: method(1 * u.kpc))  # noqa: B023
        refuses("missing", lambda: method(np.ma.array([1.0, 2.0], mask=[0, 1])))  # noqa: B023
    refuses("missing", lambda: FREE.from_unit(np.ma.array([0.5] * 5, mask=[0, 0, 0, 0, 1])))
    refuses("Gyr", lambda: FREE.from_unbounded(np.ones(5) * u.Gyr))
    row = {name: np.ma.array([value, value], mask=[0, 1]) for name, value in REST.items()}
    assert FREE.within_bounds(row).tolist() == [True, False]
    assert FREE.within_bounds({"sfh_tau_tau_gyr": [1.0, 1e4] * u.Myr}).tolist() == [False, True]


@pytest.mark.parametrize(("name", "given", "then"), table("A batch"))
def test_a_batch(name, given, then):
    verb, what = answer(then)

    def call() -> np.ndarray:
        return FREE.resolve({**REST, name: code(given)}, batch=True)[name]

    if verb == "refused":
        refuses(what, call, ParameterError)
    else:
        np.testing.assert_allclose(call(), code(what), rtol=1e-9)


@pytest.fixture(scope="module")
def seed():
    return SEDModel(spec(sfh_tau_log_total_mass=10.0, redshift=0.1), load_ssp_data())


@pytest.fixture(scope="module")
def flat():
    bands = Instrument.from_names(["sdss_g", "sdss_r", "sdss_i"]).observation()
    return SEDModel(FREE, load_ssp_data(), bands, units="nJy").flat_function()


@pytest.mark.parametrize(("flux", "error", "then"), table("Likelihood data"))
def test_likelihood_data(flat, flux, error, then):
    verb, what = answer(then)
    if verb == "refused":
        refuses(what, lambda: flat.data(code(flux), code(error)), ParameterError)
        return
    got, expected = flat.data(code(flux), code(error)), flat.data(*code(what))
    for one, other in zip(got, expected):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("call", "then"), table("Wavelengths and cosmologies"))
def test_wavelengths_and_cosmologies(seed, call, then):
    verb, what = answer(then)
    if verb == "refused":
        refuses(what, lambda: code(call, seed=seed))
    else:
        np.testing.assert_allclose(code(call, seed=seed), code(what, seed=seed), rtol=1e-6)


def write(path: Path, header: str = "", wave=WAVE, trans=TRANS, sep: str = " ") -> Path:
    rows = [f"{float(w)!r}{sep}{float(t)!r}" for w, t in zip(wave, trans)]
    path.write_text("\n".join([header, *rows] if header else rows) + "\n")
    return path


@pytest.mark.parametrize(("header", "unit", "arguments", "then"), table("Headers"))
def test_headers(tmp_path, header, unit, arguments, then):
    verb, what = answer(then)
    path = write(tmp_path / "r.dat", header, WAVE / IN_ANGSTROM[unit],
                 sep="," if "," in header and header[0] != "#" else " ")  # fmt: skip

    def call() -> FilterCurve:
        return FilterCurve.from_file(path, **code(f"dict({arguments})"))

    if verb == "refused":
        refuses(what, call)
    elif verb == "warned":
        with pytest.warns(UserWarning, match=re.escape(what)):
            call()
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert call().pivot == pytest.approx(FilterCurve("r", WAVE, TRANS).pivot, rel=1e-9)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("curves")
    shifts = {"r1": 0.0, "r2": 100.0, "r3": -50.0}
    blocks = {
        name: [f"{i:4d} {w + shift:.3f} {t:.6f}" for i, (w, t) in enumerate(zip(WAVE, TRANS), 1)]
        for name, shift in shifts.items()
    }
    eazy = "".join(
        f"  {len(rows)} dir/{name}.dat from+rebin-5A lambda_c= 6.2000e+03\n" + "\n".join(rows)
        + "\n" for name, rows in blocks.items()
    )  # fmt: skip
    many = "".join(f"# {name}\n" + "\n".join(row[5:] for row in rows) + "\n"
                   for name, rows in blocks.items())  # fmt: skip
    texts = {"eazy": eazy, "cut": eazy[: -len(eazy) // 5], "many": many}
    paths = {name: folder / f"{name}.RES" for name in texts}
    for name, path in paths.items():
        path.write_text(texts[name])
    paths["plain"] = write(folder / "plain.dat")
    paths["down"] = write(folder / "down.dat", "", WAVE[::-1], TRANS[::-1])
    paths["comma"] = write(folder / "comma.csv", sep=",")
    paths["noisy"] = write(folder / "noisy.dat", "", WAVE, np.where(TRANS < 0.05, -0.003, TRANS))
    paths["negative"] = write(folder / "negative.dat", "", WAVE, TRANS - 0.3)
    paths["energy"] = write(folder / "energy.dat", "# energy")
    return paths


@pytest.mark.parametrize(
    ("call", "then"), table("Formats of curves") + table("Detectors and reference spectra")
)
def test_formats(files, call, then):
    verb, what = answer(then)
    if verb == "refused":
        refuses(what, lambda: code(call, **files))
        return
    got, expected = code(call, **files), code(what, **files)
    assert got == (pytest.approx(expected, rel=1e-9) if isinstance(expected, float) else expected)


SSP = {
    "ssp_lgmet": np.array([-3.0, -2.0, -1.5]),
    "ssp_lg_age_gyr": np.array([-3.0, -2.0, -1.0, 0.5]),
    "ssp_wave": np.geomspace(91.0, 1e6, 50),
    "ssp_flux": np.random.default_rng(0).uniform(1e-18, 1e-14, (3, 4, 50)),
    "ssp_age_edges_gyr": np.array([0.0, 2e-3, 0.03, 0.5, 20.0]),
}


@pytest.mark.parametrize("place", ["dataset", "file"])
@pytest.mark.parametrize(("name", "stated", "then"), table("SSP files"))
def test_ssp_files(tmp_path, name, stated, then, place):
    verb, what = answer(then)
    stored = dict(SSP)
    if verb == "is":  # what a file in that unit holds for the same grid
        shift, factor = code(what, v=0.0), code(what, v=1.0) - code(what, v=0.0)
        stored[name] = (SSP[name] - shift) / factor
    with h5py.File(tmp_path / "grid.h5", "w") as file:
        file.update(stored)
        if place == "dataset":
            file[name].attrs["unit"] = stated
        else:
            file.attrs[f"{name}_units"] = stated
    if verb == "refused":
        refuses(what, lambda: load_ssp_data(tmp_path / "grid.h5"))
        return
    ssp = load_ssp_data(tmp_path / "grid.h5")
    attribute = name.removeprefix("ssp_") if "edges" in name else name
    np.testing.assert_allclose(getattr(ssp, attribute), SSP[name], rtol=1e-6, atol=1e-12)
