from __future__ import annotations

from decimal import Decimal, localcontext

import h5py
import numpy as np
import pytest
from astropy.io import fits

from tengri.components.stellar.ssp import load_ssp_data
from tengri.errors import DataError
from tengri.grids import bc03, build, compact, dl07, ionising, nebular
from tengri.io import seal


@pytest.fixture(scope="module")
def stars(wheel_file):
    return bc03.read_stellar(wheel_file)


@pytest.fixture(scope="module")
def gas(wheel_file, stars):
    return nebular.read_nebular(wheel_file, stars, -3.0)


def luminosity(wave, flux):
    """∫ L_ν dν for L_ν piecewise linear in λ, on a grid fine enough for 1/λ²."""
    return np.trapezoid(flux * compact.C_AA_PER_S / wave**2, wave)


def test_our_fits_reader_agrees_with_astropy(synthetic, tmp_path):
    images = {"A_NAME": np.arange(6.0).reshape(2, 3), "LONE": np.linspace(0, 1, 500)}
    path = tmp_path / "a.fits"
    fits.HDUList(
        [fits.PrimaryHDU(), *(fits.ImageHDU(image, name=name) for name, image in images.items())]
    ).writeto(path)
    for content in (path.read_bytes(), synthetic.fits_bytes(images)):
        found = bc03.read_images(content, "a.fits")
        assert list(found) == list(images)
        assert all(np.array_equal(found[name], images[name]) for name in images)


@pytest.mark.parametrize("cut", [100, 3000, -4000])
def test_a_truncated_fits_file_is_an_error(synthetic, cut):
    content = synthetic.fits_bytes({"A": np.zeros((40, 50))})
    with pytest.raises(DataError, match="truncated"):
        bc03.read_images(content[:cut], "a.fits")


def test_vacuum_wavelengths_are_those_of_known_lines():
    # air and vacuum of Hα, Hβ, [O III] and Na D from the NIST Atomic Spectra Database
    air = np.array([1215.67, 4861.35, 6562.79, 5006.843, 5889.951])
    vacuum = np.array([1215.67, 4862.71, 6564.60, 5008.240, 5891.583])
    assert np.allclose(bc03.vacuum(air), vacuum, atol=0.02)
    assert bc03.vacuum(air)[0] == air[0]


def test_stellar_grid_in_our_units(stars, synthetic):
    np.testing.assert_allclose(stars.z, [0.0001, 0.02, 0.1], rtol=1e-5)
    assert len(stars.age_gyr) == len(synthetic.AGES_YR) - 1  # age 0 is dropped
    assert stars.edges_gyr[0] == 0.0 and stars.edges_gyr[-1] >= 20.0
    assert 0.01 in stars.edges_gyr
    images = synthetic.stellar_images()
    per_aa = np.trapezoid(images["ZMET_1.000ZSOL"][5], images["WAVELENGTHS_AA"])
    assert luminosity(stars.wave, stars.flux[1, 4]) == pytest.approx(
        per_aa * 3.826 / 3.828, rel=2e-3
    )


def test_remaining_mass_follows_metallicity_and_age(stars):
    assert stars.remaining.shape == stars.flux.shape[:2]
    assert (np.diff(stars.remaining, axis=1) <= 1e-12).all()


def test_thinning_conserves_what_a_constant_rate_forms(stars):
    thin = bc03.thinned(stars)
    assert set(thin.edges_gyr) <= set(stars.edges_gyr)
    assert 0.01 in thin.edges_gyr
    assert len(thin.age_gyr) < len(stars.age_gyr)
    whole = np.einsum("j,mjw->mw", np.diff(stars.edges_gyr), stars.flux)
    same = np.einsum("j,mjw->mw", np.diff(thin.edges_gyr), thin.flux)
    np.testing.assert_allclose(same, whole, rtol=1e-12)


def test_nebular_light_carries_the_ionising_energy(stars, gas):
    """The source scales lines and continuum to the ionising energy, to the accuracy of bins."""
    shone, lines = nebular.with_nebular(stars, gas)
    young = int(np.searchsorted(stars.edges_gyr, 0.002))
    below = stars.wave <= nebular.LYMAN_LIMIT
    ionising = luminosity(stars.wave[below], stars.flux[1, young][below])
    added = luminosity(stars.wave[~below], (shone.flux - stars.flux)[1, young][~below])
    assert added + lines[1, young].sum() == pytest.approx(ionising, rel=0.08)


def test_nebular_light_ends_at_ten_myr_and_absorbs_below_the_lyman_limit(stars, gas):
    shone, lines = nebular.with_nebular(stars, gas)
    lit = stars.edges_gyr[1:] <= 0.01
    below = stars.wave < nebular.LYMAN_LIMIT
    assert (shone.flux[:, lit][..., below] == 0.0).all()
    assert np.array_equal(shone.flux[:, ~lit], stars.flux[:, ~lit])
    assert (lines[:, lit].sum(-1) > 0).all() and (lines[:, ~lit] == 0.0).all()


def test_nebular_light_is_proportional_to_the_ionising_photons(stars, gas):
    """Between its nodes the line light per photon is interpolated, not the line light."""
    _, lines = nebular.with_nebular(stars, gas)
    lit = np.flatnonzero(stars.edges_gyr[1:] <= 0.01)
    rate = nebular.photon_rate(stars.wave, stars.flux)[1, lit]
    per_photon = lines[1, lit, 1] / rate
    nodes = gas.lines[1, :, 1]
    assert nodes.min() * (1 - 1e-9) <= per_photon.min()
    assert per_photon.max() <= nodes.max() * (1 + 1e-9)


def test_an_absent_logu_names_those_there(wheel_file, stars):
    with pytest.raises(DataError, match=r"\[-3\.0, -2\.0\]"):
        nebular.read_nebular(wheel_file, stars, -1.7)


@pytest.mark.parametrize("line", [1215.67, 1025.72, 4862.69, 6564.61])
def test_a_drawn_line_keeps_flux_and_centroid(stars, line):
    wave = compact.nodes(stars.wave, np.array([line]))
    flux = compact.add_lines(wave, np.zeros(len(wave)), np.array([line]), np.array([7.0]))
    fine = np.union1d(wave, np.linspace(line - 20, line + 20, 40001))
    per_aa = np.interp(fine, wave, flux) * compact.C_AA_PER_S / fine**2
    assert np.trapezoid(per_aa, fine) == pytest.approx(7.0, rel=1e-4)
    assert np.trapezoid(per_aa * fine, fine) / 7.0 == pytest.approx(line, rel=1e-4)
    spread = np.trapezoid(per_aa * (fine - line) ** 2, fine) / 7.0
    assert np.sqrt(spread) == pytest.approx(line * 100.0 / 299792.458, rel=0.02)


def test_half_of_lyman_alpha_lies_redward_of_its_step(stars):
    wave = compact.nodes(stars.wave, np.array([1215.67]))
    flux = compact.add_lines(wave, np.zeros(len(wave)), np.array([1215.67]), np.array([1.0]))
    seen = flux * (wave >= 1215.67)
    assert np.trapezoid(seen, wave) == pytest.approx(0.5 * np.trapezoid(flux, wave), rel=1e-3)


def test_projection_keeps_the_moments_and_is_not_negative():
    wave = np.linspace(900.0, 3000.0, 4201)
    rng = np.random.default_rng(0)
    flux = np.exp(rng.normal(0.0, 1.0, (3, len(wave)))) * np.where(wave < 1216.0, 1e-4, 1.0)
    nodes = compact.spaced(wave)
    values = compact.project(wave, flux, nodes)
    assert (values >= 0.0).all()
    moments = compact.hat_moments(wave, flux, nodes)
    kept = compact.hat_moments(nodes, values, nodes)
    free = values > 0.0
    assert np.allclose(kept[free], moments[free], rtol=1e-9, atol=1e-12)


def test_projection_onto_the_same_nodes_changes_nothing():
    wave = np.sort(np.random.default_rng(1).uniform(100.0, 2000.0, 300))
    flux = np.random.default_rng(2).uniform(0.1, 1.0, (2, 300))
    np.testing.assert_allclose(compact.project(wave, flux, wave), flux, rtol=1e-9)


def test_rounding_keeps_sixteen_bits():
    values = np.random.default_rng(3).lognormal(-30.0, 5.0, 1000)
    assert np.abs(compact.rounded(values) / values - 1.0).max() <= 2.0**-16 * 1.001
    assert (compact.rounded(values).view(np.uint32) % 256 == 0).all()
    assert compact.rounded(np.array([1e-40]))[0] == 0.0


@pytest.mark.parametrize("with_gas", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_a_built_grid_loads_and_keeps_its_light(wheel_file, tmp_path, with_gas, full):
    path = tmp_path / build.ssp_name(with_gas, -3.0, full)
    build.build_ssp(wheel_file, path, with_gas=with_gas, full=full)
    ssp = load_ssp_data(path)
    assert ssp.nebular is with_gas and ssp.attrs["zsun"] == 0.02
    assert ssp.attrs["source_sha256"] == seal.file_sha256(wheel_file)
    assert 0.01 in ssp.age_edges_gyr
    stars = bc03.read_stellar(wheel_file)
    old_full = np.trapezoid(stars.flux[:, -1], stars.wave)
    old = np.trapezoid(ssp.ssp_flux[:, -1].astype(float), ssp.ssp_wave)
    np.testing.assert_allclose(old, old_full, rtol=0.2 if not full else 1e-4)
    young = ssp.ssp_flux[1, 0]
    at = np.searchsorted(ssp.ssp_wave, 6564.6)
    assert (young[at - 2 : at + 2].max() > 1.5 * young[at - 12]) is np.bool_(with_gas)


def test_every_dataset_is_checksummed_compressed_and_has_a_unit(wheel_file, tmp_path):
    path = tmp_path / "a.h5"
    build.build_ssp(wheel_file, path)
    with h5py.File(path) as file:
        for item in file.values():
            assert item.fletcher32 and item.shuffle and item.compression == "gzip"
            assert item.attrs["unit"]
        for key in ("source", "source_version", "imf", "zsun", "logu", "citation"):
            assert key in file.attrs
    assert list(tmp_path.iterdir()) == [path]  # nothing temporary stays


@pytest.mark.parametrize("with_gas", [True, False])
def test_the_same_wheel_gives_the_same_bytes(wheel_file, tmp_path, with_gas):
    paths = [tmp_path / name for name in ("a.h5", "b.h5")]
    for path in paths:
        build.build_ssp(wheel_file, path, with_gas=with_gas)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_logarithms_do_not_depend_on_the_processor():
    """Correctly rounded: within half a unit in the last place, in exact arithmetic."""
    values = np.random.default_rng(4).lognormal(0.0, 6.0, 200)
    found = bc03.log10(values)
    with localcontext(prec=50):
        for value, log in zip(map(Decimal, values.tolist()), found):
            assert abs(Decimal(float(log)) - value.log10()) <= Decimal(np.spacing(abs(log))) / 2


@pytest.mark.parametrize("full", [True, False])
def test_stars_alone_know_what_gas_answers_to(wheel_file, tmp_path, stars, full):
    """Photons and light behind gas are those of the nebular grid of the same wheel."""
    path = tmp_path / "a.h5"
    build.build_ssp(wheel_file, path, with_gas=False, full=full)
    found, grid = load_ssp_data(path).ionising, load_ssp_data(path)
    share = bc03.average_over(stars.edges_gyr, grid.age_edges_gyr)
    photons = ionising.photon_rate(stars.wave, stars.flux)
    np.testing.assert_allclose(found.photons * 1e47, photons @ share.T, rtol=1e-6)
    # the mean over the photons lies within the bin (a source's age may be at its edge)
    low, high = grid.age_edges_gyr[1:-2], grid.age_edges_gyr[2:-1]
    mean = 10 ** found.lg_age_gyr[:, 1:-1]
    assert ((mean > low * (1 - 1e-6)) & (mean < high * (1 + 1e-6))).all()

    build.build_ssp(wheel_file, path, with_gas=True, full=full)
    nebular_grid = load_ssp_data(path)
    np.testing.assert_array_equal(nebular_grid.ssp_wave, grid.ssp_wave)
    n_young, n_blue = found.behind_gas.shape[1:]
    assert grid.age_edges_gyr[n_young] == 0.01
    np.testing.assert_array_equal(found.wave, grid.ssp_wave[:n_blue])
    below = found.wave < compact.LYMAN_LIMIT - 10.0
    np.testing.assert_array_equal(found.behind_gas[..., below], 0.0)
    # the synthetic gas does not shine below 1000 Å: what is left there are the stars
    left = nebular_grid.ssp_flux[:, :n_young, :n_blue]
    np.testing.assert_allclose(found.behind_gas, left, rtol=1e-4, atol=1e-6 * left.max())


def test_nebular_file_holds_light_per_photon_at_every_logu(wheel_file, tmp_path, stars, gas):
    path = tmp_path / "nebular.h5"
    build.build_nebular(wheel_file, path)
    seal.verify(path)
    with h5py.File(path) as file:
        assert file["logu"][()].tolist() == [-3.0, -2.0]
        assert file["lines"].shape == (2, 3, len(gas.age_gyr), len(gas.line_wave))
        lines, light = file["lines"][()], file["continuum"][()].astype(float)
        replaced = file["replaced"][()] == 1  # the synthetic gas knows no case B
        lines[replaced], light[replaced] = file["source_lines"], file["source_continuum"]
        np.testing.assert_allclose(lines[0], gas.lines * 1e47, rtol=2e-5)
        wave, glow = file["wave"][()], light[0, 1, 0]
    full = np.trapezoid(gas.continuum[1, 0], stars.wave) * 1e47
    assert np.trapezoid(glow, wave) == pytest.approx(full, rel=1e-3)


def test_dust_templates_are_normalised_at_umin_one(wheel_file, tmp_path):
    path = tmp_path / "dl07.h5"
    build.build_dl07(wheel_file, path)
    seal.verify(path)
    with h5py.File(path) as file:
        wave, umin = file["wave"][()], file["umin"][()]
        power = luminosity(wave, file["umin_only"][()].astype(float))
        assert file["umin_only"].shape == file["umin_umax"].shape == (2, len(umin), len(wave))
    np.testing.assert_allclose(power, np.broadcast_to(umin, power.shape), rtol=2e-3)
    assert 10.0 not in umin  # the tables of the source have no such column


def test_dust_templates_of_other_umin_are_refused(synthetic, tmp_path):
    wrong = synthetic.write_wheel(tmp_path / "w.whl", np.where(dl07.UMIN == 12.0, 10.0, dl07.UMIN))
    with pytest.raises(DataError, match="Umin"):
        dl07.read(wrong)


def test_a_file_that_is_no_wheel_is_refused(tmp_path):
    path = tmp_path / "a.whl"
    path.write_text("no")
    with pytest.raises(DataError, match="not a wheel"), bc03.wheel(path):
        pass
