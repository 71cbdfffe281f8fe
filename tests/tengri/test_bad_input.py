"""Mistakes that a new user makes: each is one error that says what was wrong and what to do."""

from __future__ import annotations

from dataclasses import replace

import astropy.cosmology
import h5py
import jax
import numpy as np
import pytest

from tengri import (
    FREE,
    FilterCurve,
    Instrument,
    LogUniform,
    Normal,
    Observation,
    Parameters,
    Photometry,
    SEDModel,
    Uniform,
    load_ssp_data,
)
from tengri.cosmology import FlatLambdaCDM
from tengri.errors import TengriError

GIVEN = {"mean_sfh_type": "tsnorm", "dust_tau_diff": (0.0, 3.0), "redshift": (0.01, 1.0)}
GOOD = {"dust_tau_diff": 0.3, "redshift": 0.1}
TABLE = {"sfh_table_t_gyr": np.linspace(0.0, 12.0, 5), "sfh_table_sfr": np.ones(5)}


@pytest.fixture(scope="module")
def ssp():
    """Every eighth wavelength: what is tested here never reaches the spectra."""
    full = load_ssp_data()
    return replace(full, ssp_wave=full.ssp_wave[::8], ssp_flux=full.ssp_flux[:, :, ::8])


@pytest.fixture(scope="module")
def model(ssp):
    return SEDModel(Parameters(**GIVEN), ssp, Instrument.SDSS().observation())


def spec(**changes):
    return lambda: Parameters(**{**GIVEN, **changes})


SPECS = {
    "misspelt parameter": (spec(dust_tau_dif=1.0), "Did you mean dust_tau_diff"),
    "misspelt parameter of a family": (
        lambda: Parameters(sfh_tsnrm_skew=1.0), "Did you mean sfh_tsnorm_skew"),
    "misspelt setting": (spec(dust_lawdiff="smc"), "Did you mean dust_law_diff"),
    "misspelt law": (spec(dust_law="calzeti"), "Did you mean calzetti"),
    "misspelt family": (spec(mean_sfh_type="tsnrm"), "Did you mean tsnorm"),
    "misspelt IGM": (spec(igm_model="inue"), "Did you mean inoue"),
    "misspelt dust emission": (spec(dust_emission="dl7"), "Did you mean dl07"),
    "a law that is no name": (spec(dust_law=3), "Known: calzetti"),
    "three laws": (spec(dust_law="smc", dust_law_bc="lmc"), "dust_law sets both"),
    "free without effect": (
        spec(dust_law="smc", dust_slope=(-1.0, 0.0)), "no effect.*dust_law='power_law'"),
    "two amplitudes": (
        spec(sfh_tsnorm_log_peak_sfr=1.0, sfh_tsnorm_log_total_mass=10.0), "give one"),
    "time twice": (
        spec(sfh_tsnorm_peak_lbt_gyr=1.0, sfh_tsnorm_peak_lbt_frac=0.1), "give one of them"),
    "outside hard bounds": (spec(dust_tau_bc=(-1.0, 2.0)), r"hard bounds of dust_tau_bc, \[0, 100"),
    "tail outside": (spec(dust_tau_bc=Normal(1.0, 1.0)), "Narrow it with lo= and hi="),
    "fixed outside": (spec(redshift=-1.0), r"hard bounds of redshift, \[0, 20\]"),
    "tuple reversed": (spec(dust_tau_bc=(2.0, 0.0)), "needs lo < hi.*Swap"),
    "tuple of one value": (spec(dust_tau_bc=(2.0, 2.0)), "Use Fixed"),
    "tuple of three": (spec(dust_tau_bc=(0.0, 1.0, 2.0)), "two numbers"),
    "text in a tuple": (spec(dust_tau_bc=(0.0, "a")), "dust_tau_bc hi must be a number"),
    "NaN": (spec(met_logzsol=np.nan), "met_logzsol is NaN"),
    "a list": (spec(met_logzsol=[0.0, 0.1]), "single number"),
    "None": (spec(met_logzsol=None), "Give a number"),
    "the class": (spec(met_logzsol=Uniform), "Give a number"),
    "a name of nothing": (spec(met_logzsol="solar"), "names the parameter to follow"),
    "prior reversed": (lambda: Uniform(1.0, 0.0), "Swap"),
    "log of zero": (lambda: LogUniform(0.0, 1.0), "must be positive"),
    "table that descends": (
        lambda: Parameters(**{**TABLE, "sfh_table_t_gyr": np.linspace(12.0, 0.0, 5)}), "ascend"),
    "table of two lengths": (
        lambda: Parameters(**{**TABLE, "sfh_table_sfr": np.ones(4)}), r"\(5,\).*\(4,\)"),
    "table of nothing": (
        lambda: Parameters(**{**TABLE, "sfh_table_sfr": np.zeros(5)}), "somewhere > 0"),
    "table that is negative": (
        lambda: Parameters(**{**TABLE, "sfh_table_sfr": -np.ones(5)}), "hard bounds"),
    "table with NaN": (
        lambda: Parameters(**{**TABLE, "sfh_table_sfr": np.full(5, np.nan)}), "NaN"),
    "half a table": (
        lambda: Parameters(sfh_table_sfr=np.ones(5)), "sfh_table_t_gyr is an array"),
    "a free table": (lambda: Parameters(**{**TABLE, "sfh_table_sfr": Uniform(0.0, 1.0)}), "array"),
    "a table to be freed": (lambda: Parameters(**{**TABLE, "sfh_table_sfr": FREE}), "prior"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPECS)
def test_specs(case):
    make, message = SPECS[case]
    with pytest.raises(TengriError, match=message):
        make()


CALLS = {
    "NaN": ({"dust_tau_diff": np.nan}, "dust_tau_diff is nan"),
    "infinite": ({"dust_tau_diff": np.inf}, "dust_tau_diff is inf"),
    "out of range": ({"dust_tau_diff": -1.0}, r"dust_tau_diff = -1 .*\[0, 100\]"),
    "None": ({"met_logzsol": None}, "must be a real number"),
    "text": ({"met_logzsol": "solar"}, "must be a real number"),
    "bool": ({"met_logzsol": True}, "must be a real number"),
    "complex": ({"met_logzsol": 1j}, "must be a real number"),
    "ragged": ({"met_logzsol": [1.0, [2.0]]}, "must be a real number"),
    "a prior": ({"met_logzsol": Uniform(0.0, 1.0)}, "must be a real number"),
    "a vector": ({"met_logzsol": np.zeros(3)}, "predict_photometry_batch"),
    "z = 0": ({"redshift": 0.0}, "redshift > 0.*predict_rest_sed"),
    "z < 0": ({"redshift": -0.1}, "redshift = -0.1"),
    "z too high": ({"redshift": 25.0}, r"\[0, 20\]"),
    "misspelt": ({"dust_tau_dif": 0.1}, "Did you mean dust_tau_diff"),
    "a key that is no name": ({3: 0.1}, "Unknown parameter"),
    "a setting": ({"dust_law": "smc"}, "is a setting"),
    "of another component": ({"dust_delta": 0.1}, "no effect.*noll09"),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls(model, case):
    given, message = CALLS[case]
    with pytest.raises(TengriError, match=message):
        model.predict_photometry({**GOOD, **given})


def test_dicts_and_batches(model):
    single, batch = model.predict_photometry, model.predict_photometry_batch
    for call, given, message in (
        (single, None, "Missing free parameters dust_tau_diff, redshift"),
        (single, [0.1], "in a dict, not list"),
        (batch, [GOOD, GOOD], "in a dict, not list"),
        (batch, GOOD, "at least one array"),
        (batch, {**GOOD, "redshift": np.array([0.1, np.nan])}, "redshift is nan at row 1"),
        (batch, {**GOOD, "redshift": np.array([0.1, 0.0])}, "redshift > 0"),
        (batch, {**GOOD, "redshift": np.full((3, 2), 0.1)}, r"shape \(3, 2\)"),
        (batch, {**GOOD, "redshift": np.zeros(0)}, "no galaxies"),
        (batch, {"dust_tau_diff": np.zeros(3), "redshift": np.full(4, 0.1)}, "lengths differ"),
    ):
        with pytest.raises(TengriError, match=message):
            call(given)


def test_tables_of_a_call(ssp):
    model = SEDModel(Parameters(**TABLE, redshift=0.1), ssp, Instrument.SDSS().observation())
    rows = np.ones((3, 5))
    rows[1] = 0.0
    for call, given, message in (
        (model.predict_photometry, {"sfh_table_sfr": np.zeros(5)}, r"somewhere > 0\."),
        (model.predict_photometry, {"sfh_table_sfr": np.ones(7)}, r"shape \(7,\)"),
        (model.predict_photometry, {"sfh_table_t_gyr": np.zeros(5)}, "ascend"),
        (model.predict_photometry_batch, {"sfh_table_sfr": rows}, r"somewhere > 0 \(row 1\)"),
        (model.predict_sfh, {"sfh_table_t_gyr": np.linspace(9.0, 0.0, 5)}, "ascend"),
    ):
        with pytest.raises(TengriError, match=message):
            call(given)


def test_models(ssp):
    good, observation = Parameters(**GIVEN), Instrument.SDSS().observation()
    microns = Observation(Photometry((FilterCurve("own", [0.4, 0.5, 0.6], [0.0, 1.0, 0.0]),)))
    blue = replace(ssp, ssp_wave=ssp.ssp_wave[60:], ssp_flux=ssp.ssp_flux[:, :, 60:])
    far = Parameters(**{**GIVEN, "redshift": (0.1, 15.0)})
    for arguments, options, message in (
        ((GIVEN, ssp), {}, "spec must be Parameters"),
        ((good, "grid.h5"), {}, "load_ssp_data"),
        ((ssp, good), {}, "spec must be Parameters"),
        ((good, ssp, Instrument.SDSS()), {}, r"observation\(\)"),
        ((good, ssp, ["sdss_g"]), {}, "from_names"),
        ((good, ssp, observation), {"units": "njy"}, "Did you mean nJy"),
        ((good, ssp, observation), {"units": ["nJy"]}, "Unknown flux unit"),
        ((good, ssp, microns), {}, r"own \(0.4–0.6 Å\)"),
        ((far, blue, observation), {}, r"sdss_u \(.*The SSP grid covers"),
        ((good, ssp), {"cosmology": "Planck18"}, "astropy cosmology"),
        ((good, ssp), {"cosmology": 70.0}, "astropy cosmology"),
        ((good, ssp), {"cosmology": astropy.cosmology.FlatLambdaCDM}, "astropy cosmology"),
    ):
        with pytest.raises(TengriError, match=message):
            SEDModel(*arguments, **options)
    with pytest.raises(TengriError, match="H0='70'"):
        FlatLambdaCDM(H0="70")


def test_spectra_and_draws(model):
    for call, message in (
        (lambda: model.predict_spectrum([1.0], GOOD), "must lie within"),
        (lambda: model.predict_spectrum([], GOOD), "got nothing"),
        (lambda: model.predict_spectrum("5000 Å", GOOD), "wavelengths in Å"),
        (lambda: model.predict_sfh(GOOD, n_linear=0), "2 or more"),
        (lambda: model.predict_sfh(GOOD, n_linear=2.5), "2 or more"),
        (lambda: model.spec.sample(0), "jax.random.key"),
        (lambda: model.spec.sample_batch(jax.random.key(0), -1), "positive integer"),
        (lambda: model.spec.sample_sobol(0), "positive integer"),
        (lambda: model.spec.from_unit(np.zeros(7)), "2 free numbers"),
    ):
        with pytest.raises(TengriError, match=message):
            call()


def test_bands(tmp_path):
    words = tmp_path / "words.dat"
    words.write_text("hello world\n1 2\n")
    for call, message in (
        (lambda: Instrument.from_names([]), "at least one filter"),
        (lambda: Instrument.from_names("sdss_g"), "list of filter names"),
        (lambda: Instrument.from_names(None), "list of filter names"),
        (lambda: Instrument.from_names(["sdss_gg"]), "Did you mean sdss_g"),
        (lambda: Instrument.from_names(["sdss_g", "sdss_g"]), "given twice"),
        (lambda: Instrument.from_files([tmp_path / "none.dat"]), "no such file"),
        (lambda: Instrument.from_files([words]), "not a file of wavelength"),
        (lambda: Instrument.SDSS().select(["sdss_q"]), "Did you mean"),
        (lambda: Observation(), "needs bands"),
        (lambda: Photometry(()), "at least one filter"),
    ):
        with pytest.raises(TengriError, match=message):
            call()


UNITS = {
    "µm": ({"ssp_wave": np.linspace(0.1, 0.9, 50)}, "must be in Å"),
    "ages in Gyr": ({"ssp_lg_age_gyr": np.array([0.001, 0.1, 13.0])}, "log10 of the age in Gyr"),
    "ages in years": ({"ssp_lg_age_gyr": np.array([6.0, 8.0, 10.1])}, "subtract 9"),
    "relative to solar": ({"ssp_lgmet": np.array([-1.0, 0.3])}, "absolute metal fraction"),
    "erg/s/Hz": ({"ssp_flux": np.full((2, 3, 50), 1e19)}, "must be L_ν in Lsun/Hz"),
    "dark": ({"ssp_flux": np.zeros((2, 3, 50))}, "brightest population 0 Lsun"),
}


@pytest.mark.parametrize("case", [None, *UNITS])
def test_grids_in_other_units(tmp_path, case):
    changed, message = UNITS[case] if case else ({}, "")
    path = tmp_path / "grid.h5"
    good = {
        "ssp_lgmet": np.array([-3.0, -2.0]),
        "ssp_lg_age_gyr": np.array([-3.0, -1.0, 1.0]),
        "ssp_wave": np.linspace(1e3, 9e3, 50),
        "ssp_flux": np.full((2, 3, 50), 1e-14),
    }
    with h5py.File(path, "w") as file:
        for name, values in {**good, **changed}.items():
            file[name] = values
    if case is None:
        assert load_ssp_data(path).shape == (2, 3, 50)
        return
    with pytest.raises(TengriError, match=message):
        load_ssp_data(path)


def test_paths_of_grids():
    with pytest.raises(TengriError, match=r"(?s)no such file.*tengri data build"):
        load_ssp_data("absent.h5")
    with pytest.raises(TengriError, match="path of an HDF5 file, not 3"):
        load_ssp_data(3)
