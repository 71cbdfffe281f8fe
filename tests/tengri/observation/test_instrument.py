"""Instruments, photometry and observations: the public surface."""

from __future__ import annotations

import numpy as np
import pytest

from tengri.errors import ConfigError, UnknownNameError
from tengri.observation import INSTRUMENTS, FilterCurve, Instrument, Observation, Photometry

COUNTS = {
    "SDSS": 5,
    "GALEX": 2,
    "TWOMASS": 3,
    "WISE": 4,
    "SPITZER_IRAC": 4,
    "HERSCHEL": 5,
    "HST_ACS_WFC3": 9,
    "JWST_NIRCam": 8,
    "JWST_MIRI": 9,
    "LSST": 6,
    "ROMAN_WFI": 8,
    "HSC": 5,
    "DECAM": 6,
    "PANSTARRS": 5,
    "VISTA": 5,
    "UKIDSS": 3,
    "EUCLID": 4,
}


def test_the_shipped_set() -> None:
    assert {row["factory"]: row["n_bands"] for row in Instrument.list()} == COUNTS
    assert set(COUNTS) <= set(dir(Instrument))


@pytest.mark.parametrize("key", sorted(COUNTS))
def test_factory(key) -> None:
    instrument = getattr(Instrument, key)()
    assert instrument.photometry.n_filters == COUNTS[key]
    assert instrument.filter_names == INSTRUMENTS[key].filter_names
    assert (np.diff(instrument.photometry.pivots) > 0).all()  # blue to red
    assert instrument.description
    assert instrument.observation().photometry is instrument.photometry
    for name in instrument.filter_names:
        assert name in str(instrument)


def test_unknown_instrument_suggests_and_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Did you mean SDSS"):
        _ = Instrument.SDS
    assert not hasattr(Instrument, "KECK")


def test_sum_keeps_order_and_counts_a_shared_band_once() -> None:
    both = Instrument.SDSS() + Instrument.WISE()
    assert both.name == "SDSS+WISE"
    assert both.filter_names == Instrument.SDSS().filter_names + Instrument.WISE().filter_names
    assert (both + Instrument.SDSS()).filter_names == both.filter_names
    other = FilterCurve("sdss_g", np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    with pytest.raises(ConfigError, match="sdss_g"):
        _ = both + Instrument("fake", Photometry((other,)))


def test_select_reorders() -> None:
    two = Instrument.SDSS().select(["sdss_i", "sdss_g"])
    assert two.filter_names == ("sdss_i", "sdss_g")
    assert two.fingerprint != Instrument.SDSS().select(["sdss_g", "sdss_i"]).fingerprint
    with pytest.raises(UnknownNameError, match="sdss_g"):
        two.select(["sdss_gg"])


def test_custom_instruments(tmp_path) -> None:
    custom = Instrument.from_names(["sdss_g0", "jwst_f150w"], name="two")
    assert (custom.name, custom.filter_names) == ("two", ("sdss_g0", "jwst_f150w"))
    np.savetxt(tmp_path / "blue.txt", [[4000, 0], [4500, 1], [5000, 0]])
    mine = Instrument.from_files([tmp_path / "blue.txt"], name="mine")
    assert mine.filter_names == ("blue",)
    assert mine == Instrument.from_names([str(tmp_path / "blue.txt")], name="mine")


def test_photometry_survives_an_artefact() -> None:
    bands = Instrument.WISE().photometry
    again = Photometry.from_dict(bands.to_dict())
    assert again == bands
    assert again.fingerprint == bands.fingerprint
    assert [w.size for w in again.filter_waves] == [t.size for t in again.filter_trans]


def test_bad_input_is_named() -> None:
    with pytest.raises(ConfigError, match="at least one filter"):
        Photometry(())
    with pytest.raises(ConfigError, match="given twice: sdss_g"):
        Photometry.from_names(["sdss_g", "sdss_r", "sdss_g"])
    with pytest.raises(ConfigError, match="list of filter names"):
        Photometry.from_names("sdss_g")
    with pytest.raises(ConfigError, match="from_names"):
        Photometry(("sdss_g",))
    with pytest.raises(ConfigError, match="from_names"):
        Instrument("x", ("sdss_g",))
    with pytest.raises(ConfigError, match="needs bands"):
        Observation(photometry=None)
    with pytest.raises(ConfigError, match="list of files"):
        Instrument.from_files("blue.txt")
    assert Instrument.SDSS().observation().can_do_photometry
