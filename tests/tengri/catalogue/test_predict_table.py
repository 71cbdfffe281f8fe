"""Rows through a model: the model's own numbers, and a flag that says where there are none."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

import emulator
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.catalogue import predict_table
from tengri.catalogue.columns import check_units, parameter_columns
from tengri.errors import ConfigError, ParameterError, TengriError, UnknownNameError


@pytest.fixture(scope="module")
def fast():
    return emulator.load("sdss_tsnorm", units="nJy")


@pytest.fixture(scope="module")
def table(fast):
    drawn = fast.spec.sample_sobol(8, seed=1)
    return {name: np.asarray(drawn[name]) for name in fast.spec.free_params}


def test_fluxes_and_error_bars_are_the_models(fast, table):
    made = predict_table(fast, {"id": np.arange(8), **table}, level=95)
    flux = np.asarray(fast.predict_photometry_batch(table))
    bars = fast.predict_errors(table, level=95)
    assert set(made) == {*fast.filter_names, *(f"{b}_err" for b in fast.filter_names),
                         "out_of_domain"}  # fmt: skip
    for i, band in enumerate(fast.filter_names):
        np.testing.assert_allclose(made[band], flux[:, i], rtol=1e-5)
        brighter = flux[:, i] * 10.0 ** (0.4 * bars[:, i])
        np.testing.assert_allclose(made[f"{band}_err"], brighter - flux[:, i], rtol=1e-5)
    assert not made["out_of_domain"].any()


def test_magnitudes_have_bars_in_magnitudes(table):
    model = emulator.load("sdss_tsnorm", units="mag_ab")
    made = predict_table(model, table)
    np.testing.assert_allclose(made["sdss_r_err"], model.predict_errors(table)[:, 2])


def test_flags(fast, table):
    """Outside the box 1, outside the bounds 1, missing 2; the other rows are untouched."""
    bad = {name: np.array(values, float) for name, values in table.items()}
    bad["redshift"][1] = 4.0
    bad["dust_tau_bc"][2] = -1.0
    bad["met_logzsol"][3] = np.nan
    bad["redshift"][4] = 0.0
    made, good = predict_table(fast, bad), predict_table(fast, table)
    assert made["out_of_domain"].tolist() == [0, 1, 1, 2, 1, 0, 0, 0]
    flagged = made["out_of_domain"] > 0
    assert np.isnan(made["sdss_g"][flagged]).all() and np.isnan(made["sdss_g_err"][flagged]).all()
    np.testing.assert_array_equal(made["sdss_g"][~flagged], good["sdss_g"][~flagged])
    with pytest.raises(ParameterError, match="4 of 8 rows cannot be predicted: 1, 2, 3, 4"):
        predict_table(fast, bad, out_of_domain="raise")


def test_every_row_bad(fast, table):
    made = predict_table(fast, {**table, "redshift": np.full(8, np.nan)})
    assert (made["out_of_domain"] == 2).all() and np.isnan(made["sdss_u"]).all()


def test_clipped_rows_are_flagged_all_the_same(table):
    model = emulator.load("sdss_tsnorm", units="nJy", out_of_domain="clip")
    far = {**table, "redshift": np.r_[np.array(table["redshift"])[:7], 1.5]}
    edge = {**table, "redshift": np.r_[np.array(table["redshift"])[:7], 1.0]}
    made = predict_table(model, far, out_of_domain="clip")
    assert made["out_of_domain"].tolist() == [0] * 7 + [1]
    np.testing.assert_allclose(
        made["sdss_g"], predict_table(model, edge)["sdss_g"], rtol=1e-6
    )  # at the nearest point of the box


def test_the_exact_model_flags_metals_beyond_its_grid():
    spec = Parameters(met_logzsol=(-4, 1), dust_tau_diff=(0, 2), redshift=0.1,
                      sfh_dpl_log_peak_sfr=1.0)  # fmt: skip
    model = SEDModel(spec, load_ssp_data(), Instrument.from_names(["sdss_g"]).observation())
    made = predict_table(model, {"met_logzsol": [0.0, 0.95, -3.0], "dust_tau_diff": [0.1] * 3})
    assert made["out_of_domain"].tolist() == [0, 1, 1] and set(made) == {"sdss_g", "out_of_domain"}
    single = model.predict_photometry({"met_logzsol": 0.0, "dust_tau_diff": 0.1})
    np.testing.assert_allclose(made["sdss_g"][0], single[0], rtol=1e-10)


def test_float32_gives_float32(float32, table):
    assert not jax.config.jax_enable_x64
    assert predict_table(emulator.load("sdss_tsnorm"), table)["sdss_r"].dtype == np.float32


@pytest.mark.parametrize(
    ("names", "renamed", "ignored", "message"),
    [
        (
            ["dust_tau_dif"],
            {},
            (),
            "nearly 'dust_tau_diff'.*columns={'dust_tau_diff'",
        ),
        (["REDSHIFT"], {}, (), "nearly 'redshift'"),
        (["z"], {"redshfit": "z"}, (), "Did you mean redshift"),
        (["z"], {"redshift": "zz"}, (), "Unknown column 'zz'"),
    ],
)
def test_a_typo_is_never_a_default(names, renamed, ignored, message):
    with pytest.raises(UnknownNameError, match=message):
        parameter_columns(names, renamed, ignored)


def test_columns_by_name():
    names = ["id", "z", "dust_tau_diff", "dust_tau_dif", "met_logzsol"]
    found = parameter_columns(names, {"redshift": "z"}, ["dust_tau_dif", "met_logzsol"])
    assert found == {"redshift": "z", "dust_tau_diff": "dust_tau_diff"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dust_tau_bc": None}, "No column for dust_tau_bc.*dust_tau_bc=VALUE in the model's spec"),
        ({"agn_log_lbol": [10.0] * 8}, "agn_log_lbol has no effect.*a table without"),
        ({"dust_tau_bc": ["a"] * 8}, "holds no numbers"),
    ],
)
def test_columns_that_do_not_fit_the_model(fast, table, change, message):
    changed = {k: v for k, v in {**table, **change}.items() if v is not None}
    with pytest.raises(TengriError, match=message):
        predict_table(fast, changed)


def test_units_are_compared():
    check_units({"sfh_tsnorm_log_peak_sfr": "log10(Msun / yr)", "redshift": "",
                 "sfh_dpl_tau_gyr": "Myr", "met_logzsol": "dex"})  # fmt: skip
    with pytest.raises(ParameterError, match=r"stated in 'Mpc'; the model takes Gyr"):
        check_units({"sfh_dpl_tau_gyr": "Mpc"})


def test_unknown_level_and_mode(fast, table):
    with pytest.raises(ConfigError, match="level of error bars"):
        predict_table(fast, table, level=50)
    with pytest.raises(UnknownNameError, match="Did you mean nan"):
        predict_table(fast, table, out_of_domain="nann")


def doubled(table):
    frame = pd.DataFrame(table)
    return pd.concat([frame, frame[["redshift"]]], axis=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (doubled, "two columns 'redshift': rename one"),
        (lambda t: {**t, "redshift": [0.1]}, "Columns of one length are needed"),
        (lambda t: {**t, "redshift": 0.1}, r"a column of shape \(n\) is needed, got \(\)"),
        (lambda t: {**t, "redshift": np.ones((8, 2))}, r"shape \(n\) is needed, got \(8, 2\)"),
        (lambda t: {n: v for n, v in t.items() if n != "redshift"} | {"zphot": [0.1] * 8},
         r"Did you mean zphot\? Say columns={'redshift': 'zphot'}"),
        (lambda t: {"a": [1.0]}, "No column is a parameter; there are: a"),
        (lambda t: {}, "No column is a parameter; there are: none"),
        (lambda t: np.ones((8, 3)), "A table has columns by name"),
        (lambda t: [1.0], "A table has columns by name.*got list"),
    ],
)  # fmt: skip
def test_what_is_no_table(fast, table, change, message):
    with pytest.raises(ParameterError, match=message) as error:
        predict_table(fast, change(table))
    assert "\n" not in str(error.value) and "--" not in str(error.value)


def test_no_rows(fast, table):
    made = predict_table(fast, {name: values[:0] for name, values in table.items()})
    assert set(made) == set(predict_table(fast, table))
    assert all(values.shape == (0,) for values in made.values())


def test_what_was_filled_in_is_no_redshift_and_no_brightness():
    ssp, bands = load_ssp_data(), Instrument.from_names(["sdss_g"]).observation()
    for given, message in (
        ({"dust_tau_diff": (0, 2), "sfh_dpl_log_peak_sfr": 1.0}, "No column for redshift"),
        ({"dust_tau_diff": (0, 2), "redshift": 0.1}, "sfh_dpl_log_peak_sfr or sfh_dpl_log_total"),
    ):
        with pytest.raises(ParameterError, match=message):
            predict_table(SEDModel(Parameters(**given), ssp, bands), {"dust_tau_diff": [0.1]})
