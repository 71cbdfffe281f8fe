"""Dust emission: one contract for all models, energy balance, and the infrared grid."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, load_ssp_data
from tengri.components.composition import compose
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import EMISSION_MODELS, dl07
from tengri.cosmology import default_cosmology
from tengri.errors import DataError, UnknownNameError
from tengri.forward.grid import LARGEST_STEP, extended_wave, with_infrared_nodes
from tengri.forward.grid_spectra import GridSpectra
from tengri.observation.bands import BandProjection

MODELS = tuple(EMISSION_MODELS)
#: Lyα as light like any other, which dust takes as the screens say.
LYA = {"lya_escape": "case_b"}
SFH = {"sfh_dpl_tau_gyr": 3.0, "redshift": 0.1, "dust_tau_bc": 1.0, "dust_tau_diff": 0.5}


@pytest.fixture(scope="module")
def ssp():
    return load_ssp_data()


@pytest.fixture(scope="module")
def grid(ssp):
    return extended_wave(ssp.ssp_wave)


@pytest.fixture(scope="module")
def galaxy(ssp):
    return on_grid({"dust_emission": "dl07"}, ssp).galaxy


def on_grid(settings, ssp):
    """Return equations and spectra of components on a grid."""
    return GridSpectra.build(compose(LYA | settings, SFH), ssp, default_cosmology())


def corners(model):
    """Every combination of the ends of the parameters' hard bounds, and the defaults."""
    ends = np.array(np.meshgrid(*[p.bounds for p in model.params])).reshape(len(model.params), -1)
    points = [*ends.T, [p.default for p in model.params]]
    return [{p.name: jnp.asarray(v, float) for p, v in zip(model.params, x)} for x in points]


# --- the contract -------------------------------------------------------------------------------


def test_names():
    assert set(EMISSION_MODELS) == {"modified_blackbody", "casey2012", "dl07"}
    with pytest.raises(UnknownNameError, match="casey2012"):
        EMISSION_MODELS["casey"]


@pytest.mark.parametrize("name", MODELS)
def test_finite_value_and_gradient_over_the_whole_range_in_float32(name, grid, float32):
    model = EMISSION_MODELS[name]
    value = jax.jit(lambda p: 1e12 * model.spectrum(grid, p))
    slope = jax.jit(jax.jacfwd(value))
    for p in corners(model):
        got, gradient = value(p), slope(p)
        assert got.dtype == jnp.float32
        assert np.isfinite(got).all() and (np.asarray(got) >= 0.0).all()
        assert got.sum() > 0
        for parameter, d in gradient.items():
            assert np.isfinite(d).all(), (name, parameter, p)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_has_an_effect_and_the_right_gradient(name):
    model, wave = EMISSION_MODELS[name], np.geomspace(5e4, 1e7, 30)
    defaults = {p.name: jnp.asarray(p.default) for p in model.params}
    if name == "dl07":  # between the nodes of the table
        defaults |= {"dust_qpah": jnp.asarray(2.0), "dust_umin": jnp.asarray(1.7)}
    spectrum = jax.jit(lambda p: model.spectrum(wave, p))
    slope = jax.jit(jax.jacrev(lambda p: jnp.log(spectrum(p))))(defaults)
    for parameter, x in defaults.items():
        h = 1e-6 * float(x)
        above, below = (spectrum(defaults | {parameter: x + d}) for d in (h, -h))
        numeric = np.log(np.asarray(above) / np.asarray(below)) / (2 * h)
        assert np.abs(numeric).max() * float(x) > 1e-3, parameter
        assert np.asarray(slope[parameter]) == pytest.approx(numeric, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_float32_agrees_with_float64(name, grid):
    model = EMISSION_MODELS[name]
    p = {q.name: q.default for q in model.params}
    double = np.asarray(model.spectrum(grid, p))
    with jax.enable_x64(False):
        single = np.asarray(model.spectrum(grid, p))
    assert np.abs(single - double).max() < 1e-5 * double.max()
    seen = double > 1e-6 * double.max()
    assert single[seen] == pytest.approx(double[seen], rel=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_batches_and_single_galaxies_agree(name):
    model, wave = EMISSION_MODELS[name], np.geomspace(1e4, 1e8, 50)
    key = jax.random.key(0)
    p = {q.name: jax.random.uniform(key, (4,), minval=q.prior.lo, maxval=q.prior.hi)
         for q in model.params}  # fmt: skip
    spectrum = jax.jit(lambda row: model.spectrum(wave, row))
    batch = jax.vmap(spectrum)(p)
    for i in range(4):
        one = spectrum({k: v[i] for k, v in p.items()})
        assert np.asarray(batch[i]) == pytest.approx(np.asarray(one), rel=1e-10)


# --- energy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_unit_luminosity_on_the_models_own_grid(name, galaxy):
    model, rng = EMISSION_MODELS[name], np.random.default_rng(5)
    luminosity = jax.jit(lambda p: galaxy.luminosity(model.spectrum(galaxy.wave, p)))
    ends = [dict(zip([q.name for q in model.params], x)) for x in
            np.array(np.meshgrid(*[(q.prior.lo, q.prior.hi) for q in model.params]))
            .reshape(len(model.params), -1).T]  # fmt: skip
    inside = [
        {q.name: rng.uniform(q.prior.lo, q.prior.hi) for q in model.params} for _ in range(50)
    ]
    worst = max(abs(float(luminosity(p)) - 1.0) for p in ends + inside)
    assert worst < 5e-4


@pytest.mark.parametrize("law", tuple(LAWS))
def test_what_dust_absorbs_comes_out_again(law, ssp, monkeypatch):
    for name, imbalance in imbalances(ssp, law, monkeypatch).items():
        assert imbalance == pytest.approx(0.0, abs=5e-4), name


def test_energy_balance_in_float32(ssp, monkeypatch, float32):
    for name, imbalance in imbalances(ssp, "calzetti", monkeypatch).items():
        assert imbalance == pytest.approx(0.0, abs=5e-4), name


def imbalances(ssp, law, monkeypatch):
    """Return L_IR/L_absorbed − 1 by model, each integrated as the galaxy integrates."""
    screen = compose(LYA | {"dust_law": law}, SFH)
    galaxy, spectra = on_grid({"dust_emission": "dl07"}, ssp).cut()
    flux = spectra.in_default_float()

    def light(composition):
        p = at(composition)
        monkeypatch.setattr(galaxy, "composition", composition)
        return galaxy.light(flux, {k: jnp.asarray(v, float) for k, v in p.items()})

    def at(composition):
        return {k: v.default for k, v in composition.params.items()} | SFH

    screened = light(screen)
    history = {k: jnp.asarray(v, float) for k, v in at(screen).items()}
    stars = sum(galaxy.stars(flux, galaxy.ssp_weights(history).weights, {}))
    absorbed = float(galaxy.luminosity(stars - screened.lnu))
    assert absorbed > 0.2 * float(galaxy.luminosity(stars))
    balanced = {
        name: replace(screen, dust_emission=model) for name, model in EMISSION_MODELS.items()
    }
    return {
        name: float(galaxy.luminosity(light(c).lnu - screened.lnu)) / absorbed - 1.0
        for name, c in balanced.items()
    }


def test_hotter_dust_moves_blueward():
    wave = np.geomspace(1e5, 1e7, 2000)
    for name, parameter, values in (
        ("modified_blackbody", "dust_T", (20.0, 40.0, 60.0)),
        ("casey2012", "dust_T", (20.0, 40.0, 60.0)),
        ("dl07", "dust_umin", (0.1, 1.0, 25.0)),
    ):
        model = EMISSION_MODELS[name]
        p = {q.name: q.default for q in model.params}
        peaks = [wave[np.argmax(model.spectrum(wave, p | {parameter: v}))] for v in values]
        assert peaks[0] > peaks[1] > peaks[2], name


def test_templates_are_verified(tmp_path, monkeypatch):
    damaged = tmp_path / "dl07.h5"
    contents = bytearray(dl07.files.resolve("dl07.h5").read_bytes())
    contents[5000] ^= 1
    damaged.write_bytes(contents)
    monkeypatch.setenv("TENGRI_DATA_DIR", str(tmp_path))
    dl07.templates.cache_clear()
    try:
        with pytest.raises(DataError, match="SHA-256"):
            dl07.templates()
    finally:
        dl07.templates.cache_clear()


# --- the grid -----------------------------------------------------------------------------------


def test_infrared_nodes_keep_every_node_and_the_stars(ssp):
    wave, flux = with_infrared_nodes(ssp.ssp_wave, ssp.ssp_flux)
    assert np.isin(ssp.ssp_wave, wave).all() and (np.diff(wave) > 0).all()
    assert flux.dtype == ssp.ssp_flux.dtype
    np.testing.assert_array_equal(flux[..., np.isin(wave, ssp.ssp_wave)], ssp.ssp_flux)
    linear = np.interp(wave, ssp.ssp_wave, ssp.ssp_flux[3, 40])
    assert flux[3, 40] == pytest.approx(linear, rel=1e-6)
    blue = ssp.ssp_wave <= 1e4
    np.testing.assert_array_equal(wave[: blue.sum()], ssp.ssp_wave[blue])


def test_steps_are_no_wider_than_declared(ssp):
    for wave in (ssp.ssp_wave, ssp.ssp_wave[ssp.ssp_wave < 1.6e6], np.array([9e3, 9.5e3])):
        extended = extended_wave(wave)
        assert extended[-1] == max(1e8, wave[-1])
        assert len(extended) < len(wave) + 700
        lo = 1e4
        for edge, step in LARGEST_STEP:
            inside = (extended >= lo) & (extended <= edge)
            assert np.diff(np.log(extended[inside])).max() <= step + 1e-9
            lo = edge


def test_an_ssp_grid_that_ends_early_goes_on_as_rayleigh_jeans(ssp):
    cut = ssp.ssp_wave < 1.6e6
    wave, flux = with_infrared_nodes(ssp.ssp_wave[cut], ssp.ssp_flux[..., cut])
    last = ssp.ssp_wave[cut][-1]
    beyond = wave > last
    expected = ssp.ssp_flux[2, 50, cut][-1] * (last / wave[beyond]) ** 2
    assert flux[2, 50, beyond] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("settings", [{"dust_emission": "casey2012"}])
def test_the_model_has_the_nodes_only_where_they_are_needed(settings, ssp, grid):
    np.testing.assert_array_equal(on_grid(settings, ssp).galaxy.wave, grid)
    np.testing.assert_array_equal(on_grid({}, ssp).galaxy.wave, ssp.ssp_wave)


def test_features_of_the_templates_are_not_blurred(galaxy):
    """WISE and IRAC on the model's wavelengths, against thirty times finer ones."""
    instruments = Instrument.SPITZER_IRAC(), Instrument.WISE()
    filters = tuple(f for i in instruments for f in i.observation().photometry.filters)
    model = EMISSION_MODELS["dl07"]
    p = {q.name: q.default for q in model.params} | {"dust_qpah": 4.58}
    z = np.linspace(0.02, 0.9, 23)

    def bands(wave):
        projection = BandProjection.build(wave, filters, 0.01, 1.0).in_default_float()
        spectrum = 1e15 * model.spectrum(wave, p)
        return np.asarray(jax.jit(jax.vmap(lambda z: projection.project(spectrum, z)))(z))

    with jax.enable_x64(True):
        fine = np.exp(np.arange(np.log(8e3), np.log(4e5), 3e-4))
        np.testing.assert_allclose(bands(galaxy.wave), bands(fine), rtol=2e-3)
