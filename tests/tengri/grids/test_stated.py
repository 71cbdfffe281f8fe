"""What a user says of a grid: in one word on a command line, checked, and part of its digest."""

from __future__ import annotations

import layouts
import numpy as np
import pytest

from tengri.cli.wording import in_options
from tengri.components.stellar.ssp import load_named_ssp, load_ssp_data
from tengri.errors import ConfigError, DataError
from tengri.grids.stated import parse


def test_a_grid_in_one_word():
    assert parse("grid.h5") == ("grid.h5", {})
    path, stated = parse("a b.h5, afe=0.2,nebular=true ,axes.log_u=-2,spectrum=transmitted+nebular")
    assert path == "a b.h5"
    assert stated == {
        "afe": 0.2, "nebular": True, "axes": {"log_u": -2}, "spectrum": "transmitted+nebular",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="write a grid as FILE,KEYWORD=VALUE"):
        parse("grid.h5,afe")


def test_the_word_loads_what_the_keywords_do(tmp_path):
    path = layouts.ceridwen(tmp_path / "a.h5", afe=(0.0, 0.2, 0.4))
    ssp = load_named_ssp(f"{path},afe=0.1")
    np.testing.assert_array_equal(ssp.ssp_flux, load_ssp_data(path, afe=0.1).ssp_flux)
    with pytest.raises(DataError, match="outside of"):
        load_named_ssp(f"{path},afe=3")
    comma = path.rename(tmp_path / "a,b=c.h5")  # the name of a file is taken whole
    with pytest.raises(DataError, match=r"axis \[α/Fe\]"):
        load_named_ssp(str(comma))


def test_one_file_at_two_values_is_two_grids(tmp_path):
    path = layouts.ceridwen(tmp_path / "a.h5", afe=(0.0, 0.4))
    digests = {load_ssp_data(path, afe=afe).sha256 for afe in (0.0, 0.2, np.float32(0.4))}
    assert len(digests) == 3
    plain = layouts.dsps(tmp_path / "b.h5")
    assert load_ssp_data(plain, imf="Chabrier").sha256 == load_ssp_data(plain).sha256


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [("afe", "high", "a number"), ("afe", float("nan"), "a number"), ("zsun", -0.02, "above zero"),
     ("nebular", 1, "True or False"), ("imf", 3, "a word"), ("axes", {"u": "x"}, "each axis")],
)  # fmt: skip
def test_values_of_keywords_are_checked(tmp_path, name, value, wanted):
    grids = {"afe": layouts.ceridwen, "axes": layouts.synthesizer}
    path = grids.get(name, layouts.dsps)(tmp_path / "a.h5")
    with pytest.raises(ConfigError, match=wanted):
        load_ssp_data(path, **{name: value})


def test_errors_say_the_option_of_the_command():
    said = "Say which: load_ssp_data(…, zsun=0.0142)."
    assert in_options(said, "predict") == "Say which: --ssp FILE,zsun=0.0142."
    assert in_options(said, "data") == "Say which: --zsun 0.0142."
    assert in_options("load_ssp_data(…, vacuum=False)", "data") == "--air"
    axes = "load_ssp_data(…, axes={'log_u': -2})"
    assert in_options(axes, "fit") == "--ssp FILE,axes.log_u=-2"
    assert in_options(axes, "data") == "--axis log_u=-2"
