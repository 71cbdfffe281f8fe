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


# --- spectra ----------------------------------------------------------------------------------

#: Pixels, and R near both ends: those of the papers and of the JWST user documentation.
SPECTRA = {
    "DESI": (7781, 2000, 5100),
    "SDSS_SPECTRA": (3840, 1850, 2200),
    "BOSS": (4607, 1560, 2650),
    "JWST_NIRSpec_PRISM": (405, 65, 324),
    "JWST_NIRSpec_G140M_F070LP": (893, 500, 907),
    "JWST_NIRSpec_G140M_F100LP": (1367, 692, 1317),
    "JWST_NIRSpec_G235M_F170LP": (1321, 705, 1312),
    "JWST_NIRSpec_G395M_F290LP": (1242, 725, 1296),
    "JWST_NIRSpec_G140H_F070LP": (1856, 1491, 2329),
    "JWST_NIRSpec_G140H_F100LP": (3456, 1778, 3426),
    "JWST_NIRSpec_G235H_F170LP": (3272, 1839, 3211),
    "JWST_NIRSpec_G395H_F290LP": (3435, 1931, 3631),
}


@pytest.mark.parametrize("key", SPECTRA)
def test_spectrographs_by_name(key) -> None:
    instrument = getattr(Instrument, key)()
    (pixels,) = instrument.spectrographs
    n, first, last = SPECTRA[key]
    assert len(pixels) == n
    np.testing.assert_allclose(pixels.resolution[[0, -1]], [first, last], rtol=0.01)
    assert (np.diff(pixels.edges) > 0.0).all()
    assert (instrument.filter_names, pixels.name) == ((), key)
    assert instrument.description in str(instrument)


def test_pixels_are_those_of_the_surveys() -> None:
    desi, boss, prism, g395m = (
        getattr(Instrument, key)().spectrographs[0]
        for key in ("DESI", "BOSS", "JWST_NIRSpec_PRISM", "JWST_NIRSpec_G395M_F290LP")
    )
    np.testing.assert_allclose(desi.wave, np.linspace(3600.0, 9824.0, 7781), rtol=1e-12)
    np.testing.assert_allclose(np.diff(np.log10(boss.edges)), 1e-4, rtol=1e-9)
    # the documentation's dispersion of G395M is 17.95 Å a pixel, and R is 1000 at 3.95 µm
    np.testing.assert_allclose(np.diff(g395m.edges), 17.95, rtol=0.01)
    np.testing.assert_allclose(np.interp(39500.0, g395m.wave, g395m.resolution), 1000.0, rtol=0.01)
    np.testing.assert_allclose(2.2 * np.diff(prism.edges), prism.wave / prism.resolution, rtol=0.02)
    assert 11000.0 < prism.wave[np.argmin(prism.resolution)] < 13000.0


def test_bands_and_spectra_are_one_observation() -> None:
    both = Instrument.SDSS() + Instrument.DESI() + Instrument.DESI()
    seen = both.observation()
    assert (len(seen.filters), seen.spectrum_names) == (5, ("DESI",))
    assert seen.spectrograph() is seen.spectrograph("DESI")
    assert seen.fingerprint != Instrument.SDSS().observation().fingerprint
    assert "7781 pixels" in str(both) and "sdss_g" in str(both)
    own = Instrument.spectrum(np.arange(4000.0, 5000.0), 900.0, name="mine")
    three = (own + both).observation()
    assert three.spectrum_names == ("mine", "DESI")
    with pytest.raises(ConfigError, match="mine, DESI"):
        three.spectrograph()
    with pytest.raises(UnknownNameError, match="Did you mean DESI"):
        three.spectrograph("DESY")
    with pytest.raises(ConfigError, match="no spectrum"):
        Instrument.SDSS().observation().spectrograph()
    with pytest.raises(ConfigError, match="named twice: spectrum"):
        Observation(spectrographs=[Instrument.spectrum(edges=e).spectrographs[0]
                                   for e in ([1, 2, 3], [4, 5, 6])])  # fmt: skip
    with pytest.raises(ConfigError, match="no bands to select"):
        own.select(["sdss_g"])
    assert (own + Instrument.BOSS()).observation().photometry is None
