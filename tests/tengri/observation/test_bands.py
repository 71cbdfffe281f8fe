"""The band integral against brute-force quadrature on the explicit union grid."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.errors import ConfigError
from tengri.observation.bands import BandProjection, band_matrix, coverage, rest_window
from tengri.observation.filters import FilterCurve, load_filter
from tengri.observation.instrument import INSTRUMENTS
from tengri.observation.projection import JoinedProjection, build_projection
from tengri.observation.shared import SharedProjection

LINES = (1216.0, 3728.5, 4862.7, 5008.2, 6564.6, 12822.0)
Z_MIN, Z_MAX = 0.01, 3.0
BANDS = ("sdss_u", "sdss_r", "lsst_i", "jwst_f200w", "hst_f160w", "wise_w3", "herschel_250")

LSST = tuple(f"lsst_{b}" for b in "ugrizy")
VISTA = tuple(f"vista_{b}" for b in ("z", "y", "j", "h", "ks"))
#: Bands, and the projection that serves them.
SETS = {
    "by band": (BANDS, BandProjection),
    "shared, equal steps": (LSST, SharedProjection),
    "shared": (VISTA, SharedProjection),
    "both": (("sdss_r", *LSST[:3], "hst_f160w", *LSST[3:]), JoinedProjection),
}
#: Of a weight, in float64: curves of many knots have more to lose.
TIGHT = {"by band": 1e-12, "shared, equal steps": 2e-12, "shared": 2e-12, "both": 2e-12}


def line_grid() -> np.ndarray:
    """A logarithmic grid to 1 mm with clusters of nodes at σ = 100 km/s around the lines."""
    offsets = np.linspace(-4.0, 4.0, 17) * 100.0 / 2.998e5
    clusters = [line * (1.0 + offsets) for line in LINES]
    return np.unique(np.concatenate([np.geomspace(91.0, 1e7, 1500), *clusters]))


def spiky_sed(wave: np.ndarray) -> np.ndarray:
    """A rising, rippled continuum with emission lines a hundred times its height."""
    continuum = 1e-3 + (wave / 5500.0) ** 0.5 * (1.0 + 0.3 * np.sin(wave / 37.0))
    widths = [(wave / line - 1.0) * 2.998e5 / 100.0 for line in LINES]
    return continuum + sum(100.0 * np.exp(-0.5 * w**2) for w in widths)


def brute_force(wave: np.ndarray, lnu: np.ndarray, curve: FilterCurve, z: float) -> float:
    """Eight-point Gauss quadrature on every piece of the union grid."""
    x = wave * (1.0 + z)
    inside = x[(x > curve.wave[0]) & (x < curve.wave[-1])]
    union = np.union1d(curve.wave, inside)
    for _ in range(3):  # halve the pieces: long ones of coarse curves too
        union = np.union1d(union, (union[1:] + union[:-1]) / 2.0)
    node, weight = np.polynomial.legendre.leggauss(8)
    half, mid = np.diff(union) / 2.0, (union[1:] + union[:-1]) / 2.0
    at = mid[:, None] + half[:, None] * node
    trans = np.interp(at, curve.wave, curve.trans) * weight * half[:, None] / at
    return float((np.interp(at, x, lnu) * trans).sum() / trans.sum())


@pytest.fixture(scope="module", params=SETS)
def bands(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def filters(bands) -> list[FilterCurve]:
    return [load_filter(name) for name in SETS[bands][0]]


@pytest.fixture(scope="module")
def projection(bands, filters: list[FilterCurve]):
    made = build_projection(line_grid(), filters, Z_MIN, Z_MAX)
    assert isinstance(made, SETS[bands][1])
    return made


@pytest.mark.parametrize("z", [Z_MIN, 0.4321, 1.7, Z_MAX])
def test_equals_quadrature_on_the_union_grid(projection, filters, z) -> None:
    wave = line_grid()
    lnu = spiky_sed(wave)
    truth = [brute_force(wave, lnu, f, z) for f in filters]
    np.testing.assert_allclose(jax.jit(projection.project)(lnu, z), truth, rtol=1e-10)
    np.testing.assert_allclose(band_matrix(wave, filters, z) @ lnu, truth, rtol=1e-10)


@pytest.mark.parametrize("z", [Z_MIN, 0.7, Z_MAX])
def test_rows_are_the_matrix_of_the_projection(projection, filters, z) -> None:
    rows = jax.jit(projection.rows)(z)
    expected = band_matrix(line_grid(), filters, z)
    np.testing.assert_allclose(rows, expected, atol=1e-10 * expected.max())
    lnu = spiky_sed(line_grid())
    np.testing.assert_allclose(rows @ lnu, expected @ lnu, rtol=1e-10)


def test_flat_spectrum_comes_out_as_its_level_in_every_shipped_band() -> None:
    names = {name for entry in INSTRUMENTS.values() for name in entry.filter_names}
    wave = line_grid()
    shipped = [load_filter(n) for n in sorted(names)]
    assert coverage(wave[0], wave[-1], shipped, 0.0, 2.0).all()
    projection = BandProjection.build(wave, shipped, 0.0, 2.0)
    lnu = jnp.full(wave.size, 3.631e-20)
    flux = jax.jit(jax.vmap(projection.project, (None, 0)))(lnu, jnp.array([0.0, 0.31, 2.0]))
    np.testing.assert_allclose(flux, 3.631e-20, rtol=1e-12)


def test_float32_resolves_lines(projection, filters, bands, float32) -> None:
    wave = line_grid()
    lnu = spiky_sed(wave)
    z = np.linspace(Z_MIN, Z_MAX, 40, dtype=np.float32)
    project = projection.in_default_float().project
    flux = jax.jit(jax.vmap(project, (None, 0)))(jnp.asarray(lnu), jnp.asarray(z))
    assert flux.dtype == jnp.float32
    truth = np.stack([band_matrix(wave, filters, float(one)) @ lnu for one in z])
    np.testing.assert_allclose(flux, truth, rtol=2e-5 if bands == "by band" else 3e-5)


def test_gradients_are_exact(projection, filters, bands) -> None:
    wave = line_grid()
    lnu, step = spiky_sed(wave), 1e-6
    slope_z = jax.jit(jax.jacfwd(projection.project, argnums=1))
    slope_lnu = jax.jit(jax.jacrev(projection.project))
    for z in (0.05, 0.8123, 2.5):
        ends = [band_matrix(wave, filters, z + d) @ lnu for d in (step, -step)]
        np.testing.assert_allclose(slope_z(lnu, z), (ends[0] - ends[1]) / (2 * step), rtol=2e-5)
        np.testing.assert_allclose(
            slope_lnu(lnu, z), band_matrix(wave, filters, z), atol=TIGHT[bands]
        )


def test_float32_gradients_are_finite(projection, float32) -> None:
    lnu = jnp.asarray(spiky_sed(line_grid()))
    z = jnp.linspace(Z_MIN, Z_MAX, 50)
    slopes = jax.jacrev(projection.in_default_float().project, argnums=(0, 1))
    slope = jax.jit(jax.vmap(slopes, (None, 0)))(lnu, z)
    assert all(bool(jnp.isfinite(part).all()) for part in slope)


@pytest.mark.parametrize("edge", [1e-4, 5.0])
def test_steep_edges_and_coarse_grids(edge) -> None:
    """Knots far closer than the lookup bins, and SED intervals wider than the whole filter."""
    top = FilterCurve(
        "top", np.array([5000, 5000 + edge, 9000 - edge, 9000]), np.array([0, 1, 1, 0])
    )
    narrow = FilterCurve("narrow", np.array([6000.0, 6001.0, 6002.0]), np.array([0.2, 1.0, 0.4]))
    for wave in (line_grid(), np.array([100.0, 4000.0, 2e4])):
        project = jax.jit(BandProjection.build(wave, [top, narrow], 0.0, 1.0).project)
        lnu = spiky_sed(wave)
        for z in (0.0, 0.377, 1.0):
            truth = [brute_force(wave, lnu, f, z) for f in (top, narrow)]
            np.testing.assert_allclose(project(lnu, z), truth, rtol=1e-10)


def test_knots_closer_than_the_bins_take_more_steps() -> None:
    wave = np.concatenate([[5000.0], 5500.0 + 1e-3 * np.arange(5), [9000.0]])
    comb = FilterCurve("comb", wave, np.array([0.0, 1.0, 0.2, 0.9, 0.1, 0.8, 0.0]))
    grid = np.union1d(line_grid(), np.linspace(5499.99, 5500.02, 37))
    projection = BandProjection.build(grid, [comb], 0.0, 0.1)
    assert projection.curves.more_steps > 0
    project = jax.jit(projection.project)
    lnu = spiky_sed(grid)
    for z in (0.0, 0.0431):
        truth = brute_force(grid, lnu, comb, z)
        np.testing.assert_allclose(project(lnu, z), truth, rtol=1e-10)


def test_rest_window_is_enough_and_small() -> None:
    wave, optical = line_grid(), [load_filter(name) for name in BANDS[:2]]
    window = rest_window(wave, optical, 0.1, 0.5)
    part = wave[window]
    assert part.size < wave.size / 3
    assert part[1] * 1.5 > optical[0].wave[0] >= part[0] * 1.5
    assert part[-2] * 1.1 < optical[1].wave[-1] <= part[-1] * 1.1
    project = jax.jit(BandProjection.build(part, optical, 0.1, 0.5).project)
    for z in (0.1, 0.33, 0.5):
        whole = band_matrix(wave, optical, z) @ spiky_sed(wave)
        np.testing.assert_allclose(project(spiky_sed(part), z), whole, rtol=1e-10)


def narrow(name: str, first: float) -> FilterCurve:
    return FilterCurve(name, first + np.arange(401.0), np.sin(np.pi * np.arange(401) / 400.0))


@pytest.mark.parametrize("kind", [BandProjection, SharedProjection])
def test_a_bright_line_before_the_band_leaves_nothing_in_float32(kind) -> None:
    band, wave, z = [load_filter("sdss_z")], line_grid(), 0.0994
    if kind is SharedProjection:  # Hα is before the second and the third
        band = [narrow("a", 7100.0), narrow("b", 7230.0), narrow("c", 7240.0)]
    wave = wave[rest_window(wave, band, 0.01, 1.0)]  # ends with the band at the lowest redshift
    lnu = 1e-3 + np.where(wave < 7000.0, spiky_sed(wave), 0.0)  # H alpha is at 7217 Å
    with jax.enable_x64(False):
        projection = kind.build(wave, band, 0.01, 1.0).in_default_float()
        project = jax.jit(jax.vmap(projection.project, (None, 0)))
        found = project(jnp.asarray(lnu), jnp.full(64, z))
    exact = band_matrix(wave, band, float(np.float32(z))) @ lnu
    if kind is SharedProjection:
        np.testing.assert_allclose(found[:, 1:], np.tile(exact[1:], (64, 1)), rtol=1e-6)
    else:
        np.testing.assert_allclose(found, np.tile(exact, (64, 1)), rtol=1e-6)


def test_coverage_names_the_bands_out_of_reach() -> None:
    filters = [load_filter(name) for name in BANDS]
    reach = coverage(91.0, 1.6e6, filters, 0.0, 3.0)
    assert dict(zip(BANDS, reach.tolist())) == {name: name != "herschel_250" for name in BANDS}
    assert coverage(91.0, 1.6e6, filters, 2.0, 3.0).all()
    assert not coverage(912.0, 1.6e6, filters, 2.0, 3.0)[0]  # u reaches 750 Å at z = 3
    short = coverage(912.0, 1e4, filters, 0.0, 0.1)
    assert short.tolist() == [True, True, False, False, False, False, False]


def test_bad_input_is_named() -> None:
    filters = [load_filter(name) for name in BANDS]
    with pytest.raises(ConfigError, match="increasing"):
        build_projection(np.array([2.0, 1.0]), filters, 0.0, 1.0)
    with pytest.raises(ConfigError, match="at least one filter"):
        build_projection(line_grid(), [], 0.0, 1.0)
    with pytest.raises(ConfigError, match="z_min <= z_max"):
        build_projection(line_grid(), filters, 2.0, 1.0)
