"""What a grid is, is measured on its spectra: renamed, shifted, cut and rescaled ones are found."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_grid_commands import run

from tengri import Parameters, SEDModel
from tengri.components.stellar.ionising import IonisingLight
from tengri.components.stellar.ssp import load_ssp_data
from tengri.components.stellar.ssp_data import SSPData
from tengri.errors import ConfigError, DataError
from tengri.grids import bc03, compact, files
from tengri.grids.measurement import Sample, measure

C_AA_PER_S = 2.99792458e18
YOUNG = {"mean_sfh_type": "const", "sfh_const_log_total_mass": 10.0, "redshift": 0.1}


@pytest.fixture(scope="module")
def stars() -> SSPData:
    return thinned(load_ssp_data(files.STELLAR_SSP))


@pytest.fixture(scope="module")
def gas() -> SSPData:
    return thinned(load_ssp_data())


def thinned(ssp: SSPData) -> SSPData:
    """Every fourth age, without the two metallicities next to the highest."""
    ages, metals = slice(None, None, 4), [0, 2, 4]
    return replace(ssp, ssp_lgmet=ssp.ssp_lgmet[metals], ssp_lg_age_gyr=ssp.ssp_lg_age_gyr[ages],
                   ssp_flux=ssp.ssp_flux[metals, ages].astype(np.float64))  # fmt: skip


def written(path: Path, ssp: SSPData, attrs: dict | None = None, **changed: np.ndarray) -> Path:
    """Write the four datasets of a DSPS file."""
    names = ("ssp_lgmet", "ssp_lg_age_gyr", "ssp_wave", "ssp_flux")
    with h5py.File(path, "w") as file:
        file.update({name: getattr(ssp, name) for name in names} | changed)
        file.attrs.update(attrs or {})
    return path


def air(vacuum: np.ndarray) -> np.ndarray:
    """Return air wavelengths above 2000 Å, by inverting the conversion that the code has."""
    guess = vacuum.copy()
    for _ in range(5):
        guess -= bc03.vacuum(guess) - vacuum
    return guess


@pytest.mark.parametrize("attrs", [{}, {"nebular": False}])
def test_gas_that_is_called_stars(tmp_path, gas, attrs):
    path = written(tmp_path / "ssp_miles_noneb.h5", gas, attrs)
    with pytest.warns(UserWarning, match=r"name says stars alone, the spectra are stars and gas"):
        ssp = load_ssp_data(path)
    assert ssp.nebular and ssp.measured.ionising == "taken" and ssp.measured.halpha_aa > 1000.0
    assert ssp.measured.logu == pytest.approx(-3.0, abs=0.2)
    with pytest.raises(ConfigError, match="count twice"):
        SEDModel(Parameters(**YOUNG, nebular="cloudy"), ssp)
    with pytest.warns(UserWarning, match="nebular= says"):
        assert not load_ssp_data(path, nebular=False).nebular


def test_stars_that_are_called_gas(tmp_path, stars):
    path = written(tmp_path / "ssp_miles_chabrier_wNE_logGasU-2.0.h5", stars)
    with pytest.warns(UserWarning, match="name says stars and gas, the spectra are stars alone"):
        ssp = load_ssp_data(path)
    assert not ssp.nebular and ssp.measured.logu is None
    SEDModel(Parameters(**YOUNG, nebular="cloudy"), ssp)


def test_a_grid_without_statements_is_told_by_its_spectra(tmp_path, stars, gas):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, grid in (("a.h5", stars), ("b.h5", gas)):
            found = load_ssp_data(written(tmp_path / name, grid))
            assert found.nebular is (grid is gas)
            assert found.measured.air is False and found.measured.relative is False
            assert found.measured.per_aa is False and found.measured.fading


def test_nebular_continuum_without_lines_is_gas(stars, gas):
    """Lines taken out and the ionising light left in: the Balmer jump is still that of gas."""
    wave = gas.ssp_wave
    blue = wave < 912.0
    flux = np.where(blue, stars.ssp_flux, gas.ssp_flux)
    ages = gas.ssp_lg_age_gyr
    logs = np.log(wave), np.log(wave[::40])
    smooth = [[np.exp(np.interp(*logs, np.log(row[::40] + 1e-30))) for row in plane]
              for plane in flux]  # fmt: skip
    bare = np.where(blue, flux, np.minimum(flux, smooth))
    found = measure(Sample.of(wave, ages, gas.ssp_lgmet, bare))
    assert found.gas and found.ionising == "kept" and found.halpha_aa < 100.0


def test_relative_metallicities(tmp_path, stars):
    relative = stars.ssp_lgmet[:2] - np.log10(0.0142)  # below every limit of the axis itself
    path = written(tmp_path / "a.h5", stars, ssp_lgmet=relative, ssp_flux=stars.ssp_flux[:2])
    with pytest.raises(DataError, match=r"relative to solar.*1\.8 dex poorer.*zsun="):
        load_ssp_data(path)
    ssp = load_ssp_data(path, zsun=0.0142)
    np.testing.assert_allclose(ssp.ssp_lgmet, stars.ssp_lgmet[:2], atol=1e-12)
    assert abs(ssp.measured.lgmet_excess) < 0.2


def test_wavelengths_in_air(tmp_path, stars):
    path = written(tmp_path / "a.h5", stars, ssp_wave=air(stars.ssp_wave))
    with pytest.raises(DataError, match=r"in air: the Balmer lines lie -1\.\d\d Å.*vacuum=False"):
        load_ssp_data(path)
    ssp = load_ssp_data(path, vacuum=False)
    np.testing.assert_allclose(ssp.ssp_wave, stars.ssp_wave, rtol=1e-8)
    np.testing.assert_array_equal(load_ssp_data(path, vacuum=True).ssp_wave, air(stars.ssp_wave))


@pytest.mark.parametrize("factor", [1.0, 1e-11])
def test_light_per_angstrom(tmp_path, stars, factor):
    """In Lsun/Å it is too bright by far; scaled into the plausible range its slopes betray it."""
    flux = stars.ssp_flux * C_AA_PER_S / stars.ssp_wave**2 * factor
    path = written(tmp_path / "a.h5", stars, ssp_flux=flux)
    with pytest.raises(DataError, match=r"per Å.*multiply by λ²/c|In Lsun/Å it would be plausible"):
        load_ssp_data(path)


def test_a_grid_without_the_first_ten_million_years(tmp_path, stars):
    old = stars.ssp_lg_age_gyr > -1.9
    path = written(tmp_path / "a.h5", stars, ssp_lg_age_gyr=stars.ssp_lg_age_gyr[old],
                   ssp_flux=stars.ssp_flux[:, old])  # fmt: skip
    ssp = load_ssp_data(path)
    assert any("No stars younger than" in note for note in ssp.notes)
    free = Parameters(**YOUNG, nebular="cloudy", neb_logU=(-4.0, -1.0))
    with pytest.raises(ConfigError, match=r"parameters of the gas change nothing.*ionising light"):
        SEDModel(free, ssp)
    SEDModel(Parameters(**YOUNG), ssp)


def test_rounding_below_zero_is_cleaned_with_a_note(tmp_path, stars):
    flux = stars.ssp_flux.copy()
    flux[1, 3, :5] = -1e-40
    ssp = load_ssp_data(written(tmp_path / "a.h5", stars, ssp_flux=flux))
    assert (ssp.ssp_flux[1, 3, :5] == 0.0).all() and ssp.ssp_flux.min() == 0.0
    assert any(note.startswith("5 negative values") for note in ssp.notes)


def test_a_nan_is_named_by_age_and_metallicity(tmp_path, stars):
    flux = stars.ssp_flux.copy()
    flux[2, 5, 7] = np.nan
    age = 1e3 * 10 ** stars.ssp_lg_age_gyr[5]
    with pytest.raises(DataError, match=rf"Z = 0\.02\), the first at the age of {age:.4g} Myr"):
        load_ssp_data(written(tmp_path / "a.h5", stars, ssp_flux=flux))


def test_inspect_prints_the_verdict_and_draws_it(tmp_path, gas, stars, capsys):
    path = written(tmp_path / "ssp_noneb.h5", gas)
    page = tmp_path / "page.png"
    assert run("data", "inspect", str(path), "-o", str(page)) == 0
    text = capsys.readouterr().out
    for words in ("stars and gas, logU ≈ -3", "taken (10^", "its name says stars alone", "usable"):
        assert words in text
    assert page.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert run("data", "inspect", str(path), "-o", str(tmp_path / "page.html"), "--quiet") == 0
    capsys.readouterr()
    text = (tmp_path / "page.html").read_text()
    assert "its name says stars alone" in text and "src='data:image/png;base64," in text
    shifted = written(tmp_path / "air.h5", stars, ssp_wave=air(stars.ssp_wave))
    assert run("data", "inspect", str(shifted), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["measured"]["air"] is True and "vacuum=False" in found["problems"][0]
    assert run("data", "inspect", str(shifted), "--air", "--quiet") == 0


def test_convert_writes_the_same_grid(tmp_path, stars, capsys):
    """Every wavelength kept: the same to float32, sealed, with photons and facts beside it."""
    attrs = {"imf": "Kroupa 2001", "zsun": 0.02}
    path = written(tmp_path / "a.h5", stars, attrs, ssp_wave=air(stars.ssp_wave))
    out = tmp_path / "b.h5"
    assert run("data", "convert", str(path), str(out), "--air", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["loss_mmag"] is None and told["n_wave"] == len(stars.ssp_wave)
    ssp = load_ssp_data(out)
    np.testing.assert_allclose(ssp.ssp_flux, stars.ssp_flux, rtol=1e-7, atol=1e-36)
    np.testing.assert_allclose(ssp.ssp_wave, stars.ssp_wave, rtol=1e-8)
    assert ssp.facts["imf"] == "Kroupa 2001" and ssp.facts["zsun"] == 0.02
    wave, n_young = ssp.ssp_wave, int(np.sum(ssp.age_edges_gyr < 0.01))
    young = ssp.ssp_flux[:, :n_young]
    counted = IonisingLight.measured(wave, ssp.ssp_flux, ssp.ssp_lg_age_gyr)
    np.testing.assert_allclose(ssp.ionising.photons, counted.photons, rtol=1e-6)
    left = ssp.ionising.passed(wave, young)
    np.testing.assert_allclose(left, np.where(wave <= 911.75, 0.0, young), rtol=1e-6, atol=1e-30)


def test_what_gas_answers_to_is_counted_before_wavelengths_are_left_out(
    tmp_path, stars, monkeypatch
):
    """Photons of the full spectrum, and behind gas its light from the Lyman limit on."""
    coarse = tuple((start, 6.0 * width) for start, width in compact.SPACING)
    monkeypatch.setattr(compact, "SPACING", coarse)
    path, out = written(tmp_path / "a.h5", stars), tmp_path / "b.h5"
    words = "--instrument", "SDSS", "--largest-redshift", "0"
    assert run("data", "convert", str(path), str(out), *words, "--quiet") == 0
    full, few = load_ssp_data(path), load_ssp_data(out)
    assert len(few.ssp_wave) < 0.7 * len(full.ssp_wave)
    counted = IonisingLight.measured(full.ssp_wave, full.ssp_flux, full.ssp_lg_age_gyr)
    np.testing.assert_allclose(few.ionising.photons, counted.photons, rtol=1e-12)
    n_young = few.ionising.behind_gas.shape[1]

    def light(ssp, flux):
        at = np.linspace(900.0, 995.0, 2000)
        return np.trapezoid(compact.interpolated(ssp.ssp_wave, flux, at), at)

    behind = light(few, few.ionising.passed(few.ssp_wave, few.ssp_flux[:, :n_young]))
    dark = np.where(full.ssp_wave <= 911.75, 0.0, full.ssp_flux[:, :n_young])
    np.testing.assert_allclose(behind, light(full, dark), rtol=0.1)


def test_convert_for_instruments_states_its_loss(tmp_path, gas, monkeypatch, capsys):
    """No magnitude of the bands that it was made for is off by more than the loss it states."""
    from tengri import Instrument

    coarse = tuple((start, 6.0 * width) for start, width in compact.SPACING)
    monkeypatch.setattr(compact, "SPACING", coarse)  # the source has that of the embedded grids
    path, out = written(tmp_path / "a.h5", gas), tmp_path / "b.h5"
    words = ["data", "convert", str(path), str(out), "--instrument", "SDSS"]
    assert run(*words, "--largest-redshift", "1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    loss = told["loss_mmag"]
    assert told["n_wave"] < 0.6 * len(gas.ssp_wave) and told["gas"]
    assert 0.0 < loss["median"] < loss["p99"] < loss["worst"] < 100.0
    spec = Parameters(**{**YOUNG, "redshift": 0.5}, met_logzsol=0.0)
    bands = Instrument.SDSS().observation()
    both = [np.asarray(SEDModel(spec, load_ssp_data(p), bands).predict_magnitudes())
            for p in (path, out)]  # fmt: skip
    off = 1e3 * np.abs(both[1] - both[0]).max()
    assert 0.0 < off <= loss["worst"]
