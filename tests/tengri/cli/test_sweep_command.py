"""``tengri sweep``: the numbers are the model's, the figure is drawn, mistakes are named."""

from __future__ import annotations

import json

import numpy as np
import pytest

import emulator
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.__main__ import main


def swept(capsys, *words: str):
    assert main(["sweep", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_exact(capsys, tmp_path):
    out = tmp_path / "sweep.png"
    numbers = swept(capsys, "dust_tau_diff", "0", "1", "-n", "3", "--bands", "sdss_g,sdss_r",
                    "--set", "met_logzsol=-0.5", "--set", "dust_law=smc",
                    "-o", str(out))  # fmt: skip
    assert out.read_bytes()[:4] == b"\x89PNG"
    spec = Parameters(dust_tau_diff=(0.0, 1.0), met_logzsol=-0.5, dust_law="smc")
    bands = Instrument.from_names(["sdss_g", "sdss_r"]).observation()
    model = SEDModel(spec, load_ssp_data(), bands)
    expected = model.predict_magnitudes({"dust_tau_diff": 0.5})
    np.testing.assert_allclose(numbers["magnitudes"][1], expected, rtol=1e-9)
    assert numbers["galaxy"] == {n: spec.fixed_value(n) for n in spec.fixed_params}
    assert main(["sweep", "redshift", "0.1", "0.2", "-n", "2", "--bands", "sdss_g", "-o",
                 str(out)]) == 0  # fmt: skip
    assert "galaxy  dust_slope = -0.7, " in capsys.readouterr().out


def test_a_surrogate_rests_at_the_prior_median(capsys, tmp_path):
    numbers = swept(capsys, "redshift", "0.1", "0.3", "-n", "3", "--model", "sdss_tsnorm",
                    "--bands", "sdss_r", "-o", str(tmp_path / "z.pdf"))  # fmt: skip
    fast = emulator.load("sdss_tsnorm")
    base = {n: fast.spec.get_distribution(n).from_unit(0.5) for n in fast.spec.free_params}
    expected = fast.predict_magnitudes({**base, "redshift": 0.2})[2]
    np.testing.assert_allclose(numbers["magnitudes"][1][0], expected, rtol=1e-6)
    assert numbers["bands"] == ["sdss_r"]
    assert set(numbers["galaxy"]) == set(fast.spec.all_params) - {"redshift"}
    assert {n: numbers["galaxy"][n] for n in base if n != "redshift"} == pytest.approx(
        {n: float(v) for n, v in base.items() if n != "redshift"}
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", ["exact", "spectrum_compact"])
def test_a_spectrograph_sees_it(capsys, tmp_path, model):
    out = tmp_path / "prism.png"
    numbers = swept(capsys, "dust_tau_diff", "0", "1", "-n", "2", "--model", model,
                    "--instrument", "JWST_NIRSpec_PRISM", "--set", "redshift=2",
                    "-o", str(out))  # fmt: skip
    assert out.read_bytes()[:4] == b"\x89PNG"
    pixels = Instrument.JWST_NIRSpec_PRISM().spectrographs[0]
    np.testing.assert_allclose(numbers["wavelength"], pixels.wave)
    dim, bright = np.array(numbers["flux"])[::-1]
    ratio = dim / bright
    assert np.shape(numbers["flux"]) == (2, len(pixels)) and ratio[-1] > ratio[0]
    assert numbers["units"] == "maggies" and len(numbers["too_sharp"]) == len(pixels)


def test_lines_need_no_bands(capsys, tmp_path):
    out = tmp_path / "lines.png"
    gas = ["--ssp", "ssp_bc03_miles_kroupa_noneb.h5", "--set", "nebular=cloudy"]
    numbers = swept(capsys, "neb_logU", "-3", "-2", "-n", "3", *gas, "--line", "OIII_5008,Hb",
                    "-o", str(out))  # fmt: skip
    assert out.read_bytes()[:4] == b"\x89PNG" and numbers["lines"] == ["[OIII]_5008", "Hb_4863"]
    ratio = np.divide(*np.transpose(numbers["luminosity"]))
    assert np.all(np.diff(ratio) > 0.0) and np.shape(numbers["ew_rest"]) == (3, 2)
    np.testing.assert_allclose(numbers["galaxy"]["redshift"], 0.1)
    assert main(["sweep", "neb_logU", "-3", "-2", *gas, "--line", "OIII_5007"]) == 1
    assert "Did you mean" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dust_tau_diff", "0", "1"], "--instrument SDSS"),
        (["dust_tau_dif", "0", "1", "--bands", "sdss_g"], "Did you mean dust_tau_diff"),
        (["dust_tau_diff", "1", "0", "--bands", "sdss_g"], "larger HI"),
        (["dust_tau_diff", "0", "1", "--bands", "sdss_gg"], "Did you mean sdss_g"),
        (["dust_tau_diff", "0", "1", "--instrument", "SDDS"], "Did you mean SDSS"),
        (["dust_tau_diff", "0", "1", "--instrument", "DESI", "--spectrum"], "of it alone"),
        (["dust_tau_diff", "0", "9", "--model", "sdss_tsnorm"], "trained on [0, 3]"),
        (
            ["dust_tau_diff", "0", "1", "--model", "sdss_tsnorm", "--ssp", "x.h5"],
            "carries its grid",
        ),
        (
            ["dust_tau_diff", "0", "1", "--model", "sdss_tsnorm", "--bands", "2mass_j"],
            "band of this",
        ),
        (["dust_tau_diff", "0", "1", "--set", "dust_law"], "NAME=VALUE"),
        (["dust_tau_diff", "0", "1", "--config", "no.toml"], "cannot be read"),
    ],
)
def test_mistakes(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", *words]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_model_of_a_training_configuration(capsys, tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text('[model]\nbands = ["sdss_g"]\n[model.parameters]\nmet_logzsol = [-1, 0.2]\n'
                      "redshift = 0.05\n[run]\nminutes = 1\n")  # fmt: skip
    numbers = swept(capsys, "met_logzsol", "-1", "0", "-n", "2", "--config", str(config),
                    "-o", str(tmp_path / "s.svg"))  # fmt: skip
    assert numbers["bands"] == ["sdss_g"]
    config.write_text("[model]\nband = ['sdss_g']\n")
    assert main(["sweep", "met_logzsol", "-1", "0", "--config", str(config)]) == 1
    assert "Did you mean bands" in capsys.readouterr().err
