"""Filter curves: names, files, validation, properties."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from tengri.errors import ConfigError, DataError, UnknownNameError
from tengri.observation import filters as module
from tengri.observation.filters import FilterCurve, filter_names, load_filter

WAVE, TRANS = np.array([4000.0, 5000.0, 6000.0]), np.array([0.0, 1.0, 0.0])

# pivot wavelengths [Å] as published: SDSS (Fukugita+1996 / SVO), HST (STScI), JWST (JDox,
# pivot), WISE (Wright+2010 per photon: 3.368, 12.082 µm), 2MASS (SVO), Euclid (Schirmer+2022 / SVO)
PUBLISHED_PIVOTS = {
    "sdss_u": 3556.5,
    "sdss_g": 4702.5,
    "sdss_r": 6175.6,
    "sdss_i": 7490.0,
    "sdss_z": 8946.7,
    "hst_f814w": 8045.5,
    "hst_f160w": 15369.2,
    "jwst_f150w": 15010.0,
    "jwst_f277w": 27760.0,
    "jwst_f444w": 44040.0,
    "wise_w1": 33680.0,
    "wise_w3": 120820.0,
    "2mass_j": 12358.0,
    "euclid_h": 17649.0,
}


@pytest.mark.parametrize("name", PUBLISHED_PIVOTS)
def test_pivot_is_the_published_one(name) -> None:
    assert load_filter(name).pivot == pytest.approx(PUBLISHED_PIVOTS[name], rel=5e-3)


def test_pivot_and_width_of_a_top_hat() -> None:
    top = FilterCurve("top", np.array([4000.0, 4000.001, 5999.999, 6000.0]), np.array([0, 3, 3, 0]))
    expected = np.sqrt((6000.0**2 - 4000.0**2) / 2.0 / np.log(1.5))
    assert top.pivot == pytest.approx(expected, rel=1e-6)
    assert top.effective_width == pytest.approx(2000.0, rel=1e-5)


def test_every_name_loads() -> None:
    names = [name for name in filter_names() if not name.startswith("euclid")]
    assert len(names) > 350
    for name in names:
        curve = load_filter(name)
        assert curve.name == name
        assert curve.wave[0] < curve.pivot < curve.wave[-1]
        peak = curve.trans.max()
        assert (curve.trans[1] > 0 or curve.trans[0] > 0) and curve.trans[-2:].max() > 1e-5 * peak


def test_short_and_sedfitting_names_are_the_same_curve() -> None:
    short, long = load_filter("sdss_g"), load_filter("sdss_g0")
    assert short != long  # the name is part of what an artefact records
    assert short.renamed("sdss_g0") == long
    assert hash(short.renamed("sdss_g0")) == hash(long)


def test_unknown_name_suggests() -> None:
    with pytest.raises(UnknownNameError, match=r"'jwst_f277'.*jwst_f277w"):
        load_filter("jwst_f277")


@pytest.mark.parametrize(
    ("wave", "trans", "message"),
    [
        (WAVE, TRANS[:2], "two axes"),
        (WAVE[::-1], TRANS, "strictly increasing"),
        (WAVE[[0, 0, 2]], TRANS, "strictly increasing"),
        (WAVE - 4000.0, TRANS, "positive"),
        (WAVE, [0.0, np.nan, 0.0], "not finite"),
        (WAVE, [0.0, 1.0, -0.1], "negative transmission"),
        (WAVE, [0.0, 0.0, 0.0], "no transmission"),
    ],
)
def test_bad_curve_is_one_clear_error(wave, trans, message) -> None:
    with pytest.raises(ConfigError, match=f"'bad'.*{message}"):
        FilterCurve("bad", wave, trans)


def test_curve_cannot_be_changed() -> None:
    given = TRANS.copy()
    curve = FilterCurve("one", WAVE, given)
    given[1] = 7.0
    assert curve.trans[1] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        curve.trans[1] = 2.0


def test_file_round_trip(tmp_path) -> None:
    wave, trans = np.arange(10.0) * 10 + 5000, np.array([0, 0, 0, 1, 2, 1, 0, 0, 0, 0.0])
    (tmp_path / "mine.dat").write_text(
        "# Å  T\n" + "\n".join(f"{w} {t}" for w, t in zip(wave, trans))
    )
    (tmp_path / "mine.csv").write_text("\n".join(f"{w},{t},9" for w, t in zip(wave, trans)))
    curve = load_filter(str(tmp_path / "mine.dat"))
    assert curve.name == "mine"
    np.testing.assert_array_equal(curve.wave, wave[2:7])  # one zero kept on each side
    assert FilterCurve.from_file(tmp_path / "mine.csv") == curve
    assert FilterCurve.from_dict(curve.to_dict()) == curve
    assert curve != FilterCurve("mine", curve.wave, curve.trans * 2)


def test_bad_files_are_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"absent\.dat"):
        load_filter(str(tmp_path / "absent.dat"))
    (tmp_path / "words.txt").write_text("not a curve\n")
    with pytest.raises(DataError, match=r"words\.txt"):
        load_filter(str(tmp_path / "words.txt"))


def test_euclid_without_its_extra_says_what_to_install(monkeypatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("speclite"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"pip install speclite"):
        module._euclid_curve("euclid_vis")  # noqa: SLF001  (load_filter keeps what it read)


@pytest.mark.parametrize(("short", "full"), [("cfht_u", "cfht_megacam_us_9301"),
                                             ("cfht_ks", "cfht_wircam_Ks_8302"),
                                             ("suprimecam_b", "subaru_suprimecam_B")])  # fmt: skip
def test_clumsy_names_have_short_ones(short, full) -> None:
    assert np.array_equal(load_filter(short).trans, load_filter(full).trans)


def test_a_band_without_its_telescope_is_answered_with_those_that_have_it() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean .*_u"):
        load_filter("u_band")
