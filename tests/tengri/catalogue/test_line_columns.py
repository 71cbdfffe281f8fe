"""Lines as columns of catalogues: the model's own numbers, with units."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import emulator
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.__main__ import main
from tengri.catalogue import predict_table
from tengri.errors import ConfigError, UnknownNameError

STARS = "ssp_bc03_miles_kroupa_noneb.h5"
TABLE = {"neb_logU": np.array([-3.5, -2.5, np.nan]), "redshift": np.array([0.1, 0.5, 0.2])}
GALAXY = {"sfh_const_start_gyr": 0.3, "sfh_const_log_total_mass": 9.0}
ENDS = {"flux": "erg/s/cm2", "lum": "erg/s", "ew_rest": "Angstrom", "ew_obs": "Angstrom"}


@pytest.fixture(scope="module")
def model():
    spec = Parameters(**GALAXY, nebular="cloudy", neb_logU=(-4, 0), redshift=(0.1, 0.5))
    observation = Instrument.from_names(["sdss_r"]).observation()
    return SEDModel(spec, load_ssp_data(STARS), observation, units="nJy")


def test_columns_are_the_model_s_lines(model):
    made = predict_table(model, TABLE, lines=["Halpha", "[OIII]_5008"])
    columns = {f"{name}_{end}" for name in ("Halpha", "[OIII]_5008") for end in ENDS}
    assert set(made) == {"sdss_r", "out_of_domain"} | columns
    lines = model.predict_lines_batch({name: values[:2] for name, values in TABLE.items()})
    for end, attribute in {"flux": "flux", "lum": "luminosity", "ew_rest": "ew_rest"}.items():
        np.testing.assert_allclose(
            made[f"Halpha_{end}"][:2], getattr(lines["Ha_6565"], attribute), rtol=1e-9
        )
        assert np.isnan(made[f"Halpha_{end}"][2]) and made["out_of_domain"][2] == 2
    with pytest.raises(UnknownNameError, match="Did you mean Ha_6565"):
        predict_table(model, TABLE, lines=["Ha_6563"])
    with pytest.raises(ConfigError, match="asked for twice"):
        predict_table(model, TABLE, lines=["Ha", "Ha"])
    fast = emulator.load("sdss_tsnorm")
    with pytest.raises(ConfigError, match="cannot give emission lines"):
        predict_table(fast, fast.spec.sample_sobol(2, seed=1), lines=["Ha"])


@pytest.mark.slow
def test_the_command_writes_them_with_units(capsys, tmp_path, model):
    with h5py.File(tmp_path / "cat.h5", "w") as file:
        for name, values in TABLE.items():
            file[name] = values[:2]
    chosen = [f"{name}={value}" for name, value in {**GALAXY, "nebular": "cloudy"}.items()]
    files = [str(tmp_path / "cat.h5"), "-o", str(tmp_path / "out.h5")]
    options = [word for item in chosen for word in ("--set", item)]
    words = ["predict", *files, "--ssp", STARS, "--bands", "sdss_r", *options]
    assert main([*words, "--lines", "Ha_6563"]) == 1
    assert "Did you mean Ha_6565" in capsys.readouterr().err
    assert main([*words, "--lines", "Ha_6565,OIII_5008", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    lines = model.predict_lines_batch({name: values[:2] for name, values in TABLE.items()})
    with h5py.File(tmp_path / "out.h5") as file:
        for end, unit in ENDS.items():
            assert file[f"OIII_5008_{end}"].attrs["unit"] == unit
        np.testing.assert_allclose(file["Ha_6565_lum"][()], lines["Ha"].luminosity, rtol=1e-5)
        assert file["Ha_6565_lum"].dtype == np.float64
