"""Results as others have them: xarray, astropy, arviz, corner."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tengri.analysis.line_sweeps import LineSweep
from tengri.analysis.sweeps import Grid, Sweep
from tengri.components.line_list import LineList
from tengri.errors import ConfigError
from tengri.forward.lines import Lines
from tengri.inference.results import Fit

FLUX = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, np.nan]])
SWEEP = Sweep({"sfh_tau_tau_gyr": np.array([1.0, 2.0, 3.0])}, FLUX, ("g", "r"), "nJy",
              {"sfh_tau_tau_gyr": "Gyr"}, title="a galaxy")  # fmt: skip
GRID = Grid({"a": np.arange(2.0), "b": np.arange(3.0)}, np.arange(12.0).reshape(2, 3, 2) + 1.0,
            ("g", "r"), "erg/s/cm2/Hz", {})  # fmt: skip


def test_a_sweep_and_a_grid_are_datasets():
    pytest.importorskip("xarray")
    made = SWEEP.to_xarray()
    assert made.flux.sel(sfh_tau_tau_gyr=2.0, band="r") == 4.0 and made.flux.attrs["units"] == "nJy"
    assert made.sfh_tau_tau_gyr.attrs["units"] == "Gyr" and made.attrs["title"] == "a galaxy"
    np.testing.assert_allclose(made.magnitude.values, SWEEP.magnitudes())
    mesh = GRID.to_xarray()
    assert mesh.flux.dims == ("a", "b", "band") and float(mesh.flux.sel(a=1, b=2, band="r")) == 12.0


def test_tables_have_units_and_a_row_for_each_point():
    units = pytest.importorskip("astropy.units")
    made = SWEEP.to_table()
    assert made["g"].unit == units.nJy and made["sfh_tau_tau_gyr"].unit == units.Gyr
    rows = GRID.to_table()
    assert len(rows) == 6 and rows.colnames == ["a", "b", "g", "r"]
    last = rows[5]
    assert (last["a"], last["b"]) == (1.0, 2.0) and last["r"].to_value("erg/(s cm2 Hz)") == 12.0


def test_lines():
    pytest.importorskip("xarray")
    known = LineList(("Ha_6565", "Hb_4863"), (6564.6, 4862.7))
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    lines = Lines(values, values, values, values, known)
    sweep = LineSweep({"neb_logU": np.array([-3.0, -2.0])}, lines, "log10")
    made = sweep.to_xarray()
    assert float(made.flux.sel(neb_logU=-2.0, line="Hb_4863")) == 4.0
    assert float(made.wavelength.sel(line="Ha_6565")) == 6564.6
    table = sweep.to_table()
    assert str(table["Ha_6565_ew_rest"].unit) == "Angstrom"
    assert table["Hb_4863_flux"].to_value("erg/(s cm2)")[1] == 4.0


@pytest.fixture(scope="module")
def fit() -> Fit:
    draws = np.random.default_rng(0).normal([1.0, -2.0], [0.1, 0.5], (3, 400, 2))
    columns = {"flag": np.zeros(3, int), "method": np.array(["map"] * 3, object)}
    return Fit(("redshift", "met_logzsol"), columns, draws)


def test_arviz_and_corner_take_the_draws(fit):
    arviz, corner = pytest.importorskip("arviz"), pytest.importorskip("corner")
    made = fit.to_xarray()
    assert dict(made.sizes) == {"chain": 1, "draw": 400, "galaxy": 3}
    means = arviz.summary(made.sel(galaxy=1), kind="stats")["mean"]
    np.testing.assert_allclose(means, fit.draws[1].mean(axis=0), atol=0.01)
    assert len(corner.corner(fit.draws[1], labels=list(fit.names)).axes) == 4
    assert list(fit.to_table()["method"]) == ["map"] * 3


def test_what_is_missing_is_said(fit, monkeypatch):
    with pytest.raises(ConfigError, match="kept no draws"):
        Fit(fit.names, fit.columns, None).to_xarray()
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ConfigError, match="pip install xarray"):
        SWEEP.to_xarray()
