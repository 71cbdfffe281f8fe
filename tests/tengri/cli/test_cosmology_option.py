"""``--cosmology``: by a name of astropy's or by its numbers, for the exact model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.cosmology import WMAP9

import emulator
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.__main__ import main
from tengri.cli import models
from tengri.cosmology import FlatLambdaCDM
from tengri.errors import ConfigError, UnknownNameError

SWEEP = ["sweep", "dust_tau_diff", "0", "1", "-n", "2", "--bands", "sdss_r"]


def test_read() -> None:
    assert models.read_cosmology(None) is None
    assert models.read_cosmology("WMAP9") is WMAP9
    assert models.read_cosmology("H0=70,Om0=0.3") == FlatLambdaCDM(70.0, 0.3)
    assert models.read_cosmology("Om0=0.3") == FlatLambdaCDM(Om0=0.3)
    with pytest.raises(UnknownNameError, match="Planck18"):
        models.read_cosmology("Plank18")
    with pytest.raises(UnknownNameError, match="H0"):
        models.read_cosmology("h0=70,Om0=0.3")
    with pytest.raises(ConfigError, match="0 < Om0 < 1"):
        models.read_cosmology("H0=70,Om0=3")


def test_the_exact_model_has_it(capsys, tmp_path) -> None:
    out = ["-o", str(tmp_path / "a.png"), "--json", "--set", "redshift=0.5"]
    assert main([*SWEEP, "--cosmology", "H0=50,Om0=0.9", *out]) == 0
    found = json.loads(capsys.readouterr().out)["magnitudes"]
    spec = Parameters(dust_tau_diff=(0.0, 1.0), redshift=0.5)
    bands = Instrument.from_names(["sdss_r"]).observation()
    model = SEDModel(spec, load_ssp_data(), bands, cosmology=FlatLambdaCDM(50.0, 0.9))
    expected = model.predict_magnitudes({"dust_tau_diff": 1.0})
    np.testing.assert_allclose(found[1], expected, rtol=1e-9)


def test_a_surrogate_keeps_that_of_its_training() -> None:
    trained = emulator.load("sdss").cosmology
    models.check_cosmology(None, trained)
    models.check_cosmology("H0=67.66,Om0=0.30966", trained)
    with pytest.raises(ConfigError, match=r"was trained with .*67.66.*--model exact"):
        models.check_cosmology("WMAP9", trained)
