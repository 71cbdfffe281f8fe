from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sedpy.observate import Filter

from tengri.components.stellar.ssp import load_ssp_data
from tengri.grids import bc03, build, compact, files
from tengri.grids.accuracy import PopulationSpectra, band_fluxes, band_weights, compared
from tengri.io.seal import file_sha256
from tools import grid_accuracy as accuracy

TARGETS = {files.STELLAR_SSP: (0.5, 3.0, 10.0), files.DEFAULT_SSP: (1.0, 10.0, 40.0)}


def no_igm(wave: np.ndarray, z: float) -> np.ndarray:
    return np.ones_like(wave)


@pytest.fixture(scope="module")
def published() -> dict:
    return json.loads((Path(load_ssp_data().path).parent / "accuracy.json").read_text())


@pytest.mark.parametrize("name", TARGETS)
def test_published_table_is_of_the_embedded_file_and_meets_its_targets(published, name):
    row = published[name]
    assert row["sha256"] == file_sha256(files.resolve(name))
    measured = row["median_mmag"], row["p99_mmag"], row["worst_mmag"]
    assert all(found <= target for found, target in zip(measured, TARGETS[name]))
    assert row["n_compared"] > 1e6


def test_the_readme_shows_the_table(published):
    text = (Path(load_ssp_data().path).parent / "README.md").read_text()
    for row in published.values():
        for key in ("median_mmag", "p99_mmag", "worst_mmag"):
            assert f" {row[key]:.3g} " in text, "write the table of accuracy.json into README.md"


def test_band_weights_integrate_linear_times_linear_exactly():
    """∫ (a + bλ)(c + dλ) dλ/λ by hand, on wavelengths that share no point with the curve."""
    wave = np.sort(np.random.default_rng(0).uniform(3000.0, 9000.0, 40))
    curve_wave = np.array([4010.0, 5500.0, 7003.0])
    curve = 2e-4 * curve_wave - 0.3
    nodes, weights = band_weights(wave, curve_wave, curve)
    found = (1.0 + 3e-4 * wave[nodes]) @ weights

    def integral(a: float, b: float) -> float:
        def antiderivative(x: float) -> float:
            return -0.3 * a * np.log(x) + (2e-4 * a - 0.3 * b) * x + 1e-4 * b * x**2

        return antiderivative(7003.0) - antiderivative(4010.0)

    assert found == pytest.approx(integral(1.0, 3e-4) / integral(1.0, 0.0), rel=1e-8)


def test_band_fluxes_agree_with_sedpy_on_a_fine_spectrum():
    wave = np.arange(3000.0, 9000.0, 0.5)
    flux = 1.0 + 0.5 * np.sin(wave / 40.0)
    spectra = PopulationSpectra(wave, flux[None])
    for name in ("sdss_g0", "sdss_r0"):
        curve = Filter(name)
        curves = {name: (curve.wavelength, curve.transmission)}
        found = band_fluxes(spectra, curves, 0.0, no_igm)[0, 0]
        maggies = curve.obj_counts(wave, flux * 3631e-23 * compact.C_AA_PER_S / wave**2)
        assert found == pytest.approx(maggies / curve.ab_zero_counts, rel=1e-3)


def test_histories_form_everything_whatever_the_bins():
    edges = np.concatenate([[0.0], np.geomspace(1e-3, 20.0, 30)])
    formed = accuracy.histories(edges, 20)
    assert np.allclose(formed[:, -1], 1.0) and (np.diff(formed) >= 0.0).all()
    coarse = accuracy.histories(edges[::3], 20)
    assert np.allclose(coarse, formed[:, ::3], atol=2e-3)


def test_a_coarser_grid_is_found_to_be_worse(wheel_file, tmp_path, monkeypatch):
    """The measure can fail: with a tenth of the wavelengths the figures grow."""
    monkeypatch.setattr(accuracy, "REDSHIFTS", np.array([0.1, 2.0]))
    monkeypatch.setattr(accuracy, "FAMILIES", ("sdss_",))
    worst = []
    for factor in (1.0, 15.0):
        spacing = tuple((start, width * factor) for start, width in compact.SPACING)
        with monkeypatch.context() as patch:
            patch.setattr(compact, "SPACING", spacing)
            build.build_ssp(wheel_file, tmp_path / "a.h5", with_gas=False)
        ssp = load_ssp_data(tmp_path / "a.h5")
        masses, coarse = accuracy.populations(
            bc03.read_stellar(wheel_file).edges_gyr, ssp.age_edges_gyr, 3, 4
        )
        exact = accuracy.reference(wheel_file, False, -3.0, masses)
        grid = PopulationSpectra(ssp.ssp_wave, np.tensordot(coarse, ssp.ssp_flux.astype(float), 2))
        curves = accuracy.filter_curves(("sdss_",))
        found = compared(exact, grid, curves, no_igm, np.array([0.1, 2.0]))
        single = found[:, : ssp.shape[0] * ssp.shape[1]]
        worst.append(np.nanmax(single))
    assert worst[0] < 1e-3 and worst[1] > 3 * worst[0]
