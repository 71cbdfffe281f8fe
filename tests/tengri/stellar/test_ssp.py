from __future__ import annotations

import gc
import os
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tengri.components.stellar.ssp import load_ssp_data
from tengri.cosmology import default_cosmology
from tengri.errors import DataError
from tengri.forward.grid_spectra import GridSpectra
from tengri.grids import files
from tengri.grids.ages import log_midpoint_edges
from tengri.grids.write import write_sealed
from tengri.io import seal
from tengri.parameters import Parameters

LG_AGE = np.array([-3.0, -2.0, -1.0, 0.5])


def contents() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "ssp_lgmet": np.array([-3.0, -2.0, -1.5]),
        "ssp_lg_age_gyr": LG_AGE,
        "ssp_wave": np.geomspace(91.0, 1e6, 50),
        "ssp_flux": rng.uniform(1e-18, 1e-14, (3, 4, 50)).astype(np.float32),
    }


def foreign(path: Path, attrs: dict | None = None, **changed: np.ndarray | None) -> Path:
    """Write a DSPS file as others do; ``None`` leaves a dataset out."""
    with h5py.File(path, "w") as file:
        for name, values in {**contents(), **changed}.items():
            if values is not None:
                file[name] = values
        file.attrs.update(attrs or {})
    return path


@pytest.fixture
def sealed(tmp_path) -> Path:
    values = contents()
    path = tmp_path / "sealed.h5"
    write_sealed(path, values, dict.fromkeys(values, "unit"), {"imf": "an IMF", "nebular": True})
    return path


# -- one in memory ------------------------------------------------------------------------------


def test_a_grid_is_in_memory_once_and_cannot_be_written_to(tmp_path):
    path = foreign(tmp_path / "one.h5")
    grid = load_ssp_data(path)
    assert load_ssp_data(path) is grid and grid.is_constant
    with pytest.raises(ValueError, match="read-only"):
        grid.ssp_flux[0] = 0.0
    assert load_ssp_data(path, nebular=True) is not grid
    brighter = 2.0 * contents()["ssp_flux"]
    path.unlink()
    np.testing.assert_array_equal(
        load_ssp_data(foreign(path, ssp_flux=brighter)).ssp_flux, brighter
    )
    forgotten = weakref.ref(grid)
    del grid
    gc.collect()
    assert forgotten() is None


def test_models_that_are_alike_share_the_spectra_made_of_a_grid():
    grid, cosmology = load_ssp_data(), default_cosmology()
    one, other = (Parameters(redshift=z).composition for z in (0.1, 0.2))
    made = GridSpectra.of(one, grid, cosmology)
    assert GridSpectra.of(other, load_ssp_data(), default_cosmology()) is made
    dusty = Parameters(redshift=0.1, dust_emission="dl07").composition
    assert GridSpectra.of(dusty, grid, cosmology) is not made
    # what somebody may write to is made anew
    own = replace(grid, ssp_flux=grid.ssp_flux.copy())
    assert GridSpectra.of(one, own, cosmology) is not GridSpectra.of(one, own, cosmology)


# -- what is embedded ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, files.DEFAULT_SSP, files.STELLAR_SSP])
def test_embedded_grids(name):
    ssp = load_ssp_data(name)
    assert ssp.shape == (7, len(ssp.ssp_lg_age_gyr), len(ssp.ssp_wave))
    np.testing.assert_allclose(
        10**ssp.ssp_lgmet, [0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05, 0.1], rtol=1e-5
    )
    assert ssp.age_edges_gyr[0] == 0.0 and ssp.age_edges_gyr[-1] >= 20.0
    assert 0.01 in ssp.age_edges_gyr
    inside = (10**ssp.ssp_lg_age_gyr > ssp.age_edges_gyr[:-1]) & (
        10**ssp.ssp_lg_age_gyr < ssp.age_edges_gyr[1:]
    )
    assert inside.all()
    assert ssp.nebular is (name != files.STELLAR_SSP)
    assert (ssp.ionising is None) is ssp.nebular
    assert os.path.getsize(ssp.path) < 10 * 2**20
    for key in ("source", "source_sha256", "imf", "zsun", "citation"):
        assert ssp.attrs[key]


def test_bolometric_light_of_embedded_stars():
    """BC03, Kroupa-like IMF: some 1e3 Lsun/Msun at 1 Myr, about 0.2 at 12 Gyr (their figure 1)."""
    ssp = load_ssp_data(files.STELLAR_SSP)
    bolometric = np.trapezoid(
        ssp.ssp_flux[4].astype(float) * 2.99792458e18 / ssp.ssp_wave**2, ssp.ssp_wave
    )
    at = np.interp([-3.0, np.log10(12.0)], ssp.ssp_lg_age_gyr, np.log10(bolometric))
    assert 10 ** at[0] == pytest.approx(1000.0, rel=0.2)
    assert 10 ** at[1] == pytest.approx(0.22, rel=0.2)
    left = np.interp(1.0, ssp.ssp_lg_age_gyr, ssp.ssp_mass_remaining[4])
    assert left == pytest.approx(0.5, abs=0.1)


def test_hydrogen_lines_of_embedded_nebulae():
    """Case B at 1e4 K: L(Hβ) = 4.78e-13 erg per photon, Hα/Hβ = 2.86 (Osterbrock & Ferland)."""
    gas, stars = load_ssp_data(), load_ssp_data(files.STELLAR_SSP)
    young = slice(0, int(np.searchsorted(gas.age_edges_gyr, 0.003)))
    below = stars.ssp_wave < 911.76
    wave = stars.ssp_wave[below]
    flux = stars.ssp_flux[:6, young][..., below].astype(float)
    photons = np.trapezoid(flux / wave, wave) * 3.828e33 / 6.62607015e-27
    assert ((photons[:5] > 10**46.3) & (photons[:5] < 10**47.0)).all()

    def line(centre: float) -> np.ndarray:
        near = np.abs(gas.ssp_wave - centre) < 6.0
        light = gas.ssp_flux[:6, young][..., near].astype(float)
        base = np.linspace(light[..., 0], light[..., -1], near.sum(), axis=-1)
        return np.trapezoid((light - base), gas.ssp_wave[near]) / centre**2 * 2.99792458e18

    beta, alpha = line(4862.69), line(6564.61)
    np.testing.assert_allclose(beta[:5] * 3.828e33 / photons[:5], 4.78e-13, rtol=0.12)
    np.testing.assert_allclose(alpha[:5] / beta[:5], 2.86, rtol=0.06)


def test_absorption_lines_lie_at_vacuum_wavelengths():
    """Hα, Hβ and Hδ of stars of 0.4 Gyr; in air they would be 1.8, 1.4 and 1.2 Å bluer."""
    ssp = load_ssp_data(files.STELLAR_SSP)
    age = int(np.argmin(np.abs(ssp.ssp_lg_age_gyr + 0.4)))
    offsets = []
    for line, half in ((6564.61, 40.0), (4862.69, 50.0), (4102.89, 40.0)):
        wave = np.linspace(line - half, line + half, 2001)
        flux = np.interp(wave, ssp.ssp_wave, ssp.ssp_flux[4, age].astype(float))
        depth = np.maximum(np.interp(wave, wave[[0, -1]], flux[[0, -1]]) - flux, 0.0)
        offsets.append(np.sum(depth * wave) / np.sum(depth) - line)
    assert np.mean(offsets) == pytest.approx(0.0, abs=0.6)


def test_lyman_continuum_is_absorbed_where_gas_is():
    ssp = load_ssp_data()
    lit = ssp.age_edges_gyr[1:] <= 0.01
    assert (ssp.ssp_flux[:, lit][..., ssp.ssp_wave < 905.0] == 0.0).all()
    assert (ssp.ssp_flux[:5, ~lit][..., ssp.ssp_wave < 905.0].max(-1) > 0.0).all()


# -- files of others ----------------------------------------------------------------------------


def test_a_dsps_file_without_the_optional_datasets(tmp_path):
    ssp = load_ssp_data(foreign(tmp_path / "a.h5", {"imf": "Chabrier"}))
    assert ssp.ssp_mass_remaining is None and not ssp.nebular
    assert ssp.ssp_flux.dtype == np.float32 and ssp.attrs["imf"] == "Chabrier"
    assert ssp.sha256 == seal.file_sha256(tmp_path / "a.h5")
    np.testing.assert_allclose(ssp.age_edges_gyr[:3], [0.0, 10**-2.5, 10**-1.5], rtol=1e-5)
    assert ssp.age_edges_gyr[-1] == 20.0


def test_edges_reach_beyond_an_older_last_age():
    assert log_midpoint_edges(np.array([0.5, 1.5]))[-1] == pytest.approx(100.0)
    assert log_midpoint_edges(np.array([0.0])).tolist() == [0.0, 20.0]


def test_another_solar_luminosity_is_rescaled(tmp_path):
    ssp = load_ssp_data(foreign(tmp_path / "a.h5", {"lsun_erg_per_s": 3.839e33}))
    np.testing.assert_allclose(ssp.ssp_flux, contents()["ssp_flux"] * 3.839 / 3.828, rtol=1e-6)


def with_value(name: str, value: float) -> np.ndarray:
    values = contents()[name].copy()
    values.flat[-1] = value
    return values


FAULTS = {
    "missing": ("ssp_flux", None, "missing"),
    "axes swapped": ("ssp_flux", np.ones((50, 4, 3)), "axes"),
    "two axes": ("ssp_flux", np.ones((3, 50)), "shape"),
    "empty": ("ssp_lgmet", np.ones(0), "empty"),
    "text": ("ssp_lgmet", np.array([b"a", b"b", b"c"]), "numbers"),
    "unsorted age": ("ssp_lg_age_gyr", LG_AGE[::-1], "increase"),
    "repeated wave": ("ssp_wave", np.repeat(np.arange(1.0, 26.0), 2), "increase"),
    "wave of zero": ("ssp_wave", np.arange(50.0), "positive"),
    "NaN": ("ssp_flux", with_value("ssp_flux", np.nan), "NaN"),
    "infinite": ("ssp_wave", with_value("ssp_wave", np.inf), "infinite"),
    "negative": ("ssp_flux", with_value("ssp_flux", -1e-16), "negative"),
    "wrong mass": ("ssp_mass_remaining", np.ones((4, 3)), "shape"),
    "wrong edges": ("ssp_age_edges_gyr", np.arange(1.0, 6.0), "start at 0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_names_file_dataset_and_fix(tmp_path, fault):
    name, values, word = FAULTS[fault]
    path = foreign(tmp_path / "faulty.h5", **{name: values})
    with pytest.raises(DataError) as error:
        load_ssp_data(path)
    assert "faulty.h5" in str(error.value) and name in str(error.value)
    assert word in str(error.value)


def test_a_wrong_solar_luminosity_is_an_error(tmp_path):
    with pytest.raises(DataError, match="lsun_erg_per_s"):
        load_ssp_data(foreign(tmp_path / "a.h5", {"lsun_erg_per_s": 1.0}))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_foreign_file_is_an_error(tmp_path, share):
    path = foreign(tmp_path / "a.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"a\.h5.*fresh copy"):
        load_ssp_data(path)


def test_text_is_not_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("not a grid")
    with pytest.raises(DataError, match="HDF5"):
        load_ssp_data(path)


# -- seals --------------------------------------------------------------------------------------


def test_a_sealed_file_is_plain_hdf5(sealed):
    assert seal.is_sealed(sealed) and len(seal.verify(sealed)) == 64
    with h5py.File(sealed) as file:
        assert file["ssp_flux"].shape == (3, 4, 50)
    assert load_ssp_data(sealed).nebular


def test_a_flipped_bit_is_found_before_parsing(sealed, monkeypatch):
    """Anywhere: in the seal, its padding, the HDF5 signature, the metadata, the data."""
    content = sealed.read_bytes()
    load_ssp_data(sealed)
    monkeypatch.setattr(h5py, "File", lambda *_: pytest.fail("parsed a damaged file"))
    places = [
        0,
        5,
        13,
        14,
        40,
        78,
        79,
        300,
        511,
        512,
        519,
        600,
        len(content) // 2,
        len(content) - 1,
    ]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        sealed.write_bytes(damaged)
        with pytest.raises(DataError, match=r"sealed\.h5"):
            load_ssp_data(sealed)


@pytest.mark.parametrize("length", [-1, 5000, 600])
def test_a_truncated_sealed_file_is_found(sealed, length):
    sealed.write_bytes(sealed.read_bytes()[:length])
    with pytest.raises(DataError, match="seal"):
        load_ssp_data(sealed)


def test_an_embedded_name_must_be_sealed(tmp_path, monkeypatch):
    monkeypatch.setenv(files.ENVIRONMENT, str(tmp_path))
    foreign(tmp_path / files.DEFAULT_SSP)
    with pytest.raises(DataError, match="no intact tengri-sha256 seal"):
        load_ssp_data()


def test_a_file_without_user_block_cannot_be_sealed(tmp_path):
    with pytest.raises(DataError, match="userblock_size"):
        seal.seal(foreign(tmp_path / "a.h5"))


# -- finding files ------------------------------------------------------------------------------


def test_a_missing_path_lists_what_is_there_and_how_to_get_more():
    name = "data/ssp_prsc_miles_chabrier_wNE_logGasU-3.0_logGasZ0.0.h5"
    with pytest.raises(DataError) as error:
        load_ssp_data(name)
    for word in (name, files.DEFAULT_SSP, "tengri data build", "tengri data fetch"):
        assert word in str(error.value)


def test_a_name_is_found_in_the_data_folders(tmp_path, monkeypatch):
    monkeypatch.setenv(files.ENVIRONMENT, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / files.LOCAL).mkdir()
    path = foreign(tmp_path / files.LOCAL / "mine.h5")
    assert Path(load_ssp_data("data/mine.h5").path) == path
    assert path in files.available()
    shutil.copy(path, tmp_path / "mine.h5")
    assert Path(load_ssp_data("mine.h5").path).resolve() == tmp_path / "mine.h5"
