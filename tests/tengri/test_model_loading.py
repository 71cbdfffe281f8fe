"""One function loads exact and emulated models; a notebook shows what they are."""

import numpy as np
import pytest

import tengri
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.cli import models
from tengri.errors import ConfigError, DataError, ParameterError, TengriError
from tengri.parameters.summary import SpecSummary
from tengri.tabular import html_table

GALAXY = {"sfh_dpl_tau_gyr": 3.0, "met_logzsol": 0.0, "redshift": 0.1}


def test_exact_model_of_words_is_the_one_of_objects():
    words = tengri.load_model("exact", {**GALAXY, "redshift": (0.01, 1.0)}, "SDSS", units="nJy")
    spec = Parameters(**{**GALAXY, "redshift": (0.01, 1.0)})
    objects = SEDModel(spec, load_ssp_data(), Instrument.SDSS().observation(), units="nJy")
    assert words.identity() == objects.identity() and words.units == "nJy"


@pytest.mark.parametrize("bands", [["sdss_g", "sdss_r"], "SDSS", Instrument.SDSS(), "sdss_g",
                                   Instrument.SDSS().observation()])  # fmt: skip
def test_bands_are_objects_or_names(bands):
    names = tengri.load_model("exact", GALAXY, bands).filter_names
    assert set(names) <= set(Instrument.SDSS().filter_names) and "sdss_g" in names


def test_surrogates_need_no_other_import():
    fast = tengri.load_model("sdss", {"redshift": 0.1}, ["sdss_r", "sdss_g"], out_of_domain="nan")
    assert fast.filter_names == ("sdss_r", "sdss_g") and fast.spec.fixed_value("redshift") == 0.1
    assert type(fast).__module__.startswith("emulator.")
    same = tengri.load_model("sdss", fast.spec, ["sdss_r", "sdss_g"], out_of_domain="nan")
    assert same.identity() == fast.identity()
    drawn = {name: np.asarray(v)[0] for name, v in fast.spec.sample_sobol(1).items()}
    magnitudes = fast.predict_magnitudes({name: drawn[name] for name in fast.spec.free_params})
    assert np.isfinite(magnitudes).all()


def test_the_command_line_knows_the_same_word():
    assert models.EXACT == tengri.model_loading.EXACT == "exact"


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (("sds",), DataError, "Did you mean sdss"),
        (("exact", None, "SDS"), TengriError, "Did you mean SDSS"),
        (("exact", None, ["sdss_q"]), TengriError, "sdss_z"),
        (("exact", None, 3), ConfigError, "got int"),
        (("exact", None, []), ConfigError, "got list"),
        (("exact", {}), ConfigError, "empty"),
        (("sdss", {"redshift": 3.0}), ParameterError, "redshift"),
    ],
)
def test_wrong_arguments_are_one_clear_error(given, error, words):
    with pytest.raises(error, match=words):
        tengri.load_model(*given)


def test_options_of_the_other_kind_are_refused():
    with pytest.raises(ConfigError, match="no trained box"):
        tengri.load_model("exact", out_of_domain="nan")
    with pytest.raises(ConfigError, match="carries its own grid"):
        tengri.load_model("sdss", cosmology="Planck18")


def test_names_are_escaped_on_pages():
    assert "<b>" not in html_table(("<b>",), [("<b>x</b>",)], "<b>")
    hostile = SpecSummary("<b>", (("<b>",) * 5,), (("<b>", "<b>"),)).html()
    assert "<b>" not in hostile and "&lt;b&gt;" in hostile
