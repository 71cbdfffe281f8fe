"""The torus of clouds: the published spectra, their energy, and the same nucleus as before."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.agn import AGN_MODELS
from tengri.grids.nenkova08 import TAU_V

CLOUDS, STANDARD = AGN_MODELS["nenkova08"], AGN_MODELS["standard"]
DEFAULTS = {p.name: p.default for p in CLOUDS.params}
WEIGHTS = {model.name: jax.jit(model.templates.weights) for model in (CLOUDS, STANDARD)}
C_AA = 2.99792458e18


@cache
def templates(name, wave):
    at, t = np.frombuffer(wave), AGN_MODELS[name].templates
    return t.open(at), t.screened(at), t.curve(at)


def nu_lnu(wave, model=CLOUDS, **changed):
    """Return νL_ν/L_bol, summed in NumPy."""
    wave = np.atleast_1d(np.asarray(wave, float))
    unscreened, screened, curve = templates(model.name, wave.tobytes())
    p = {q.name: q.default for q in model.params} | changed
    fixed, reddened, tau = map(np.asarray, WEIGHTS[model.name](p))
    return (fixed @ unscreened + np.exp(-tau * curve) * (reddened @ screened)) * C_AA / wave


def torus(wave, **changed):
    """Return what the torus adds."""
    return nu_lnu(wave, **changed) - nu_lnu(wave, **(changed | {"agn_torus_frac": 0.0}))


# f_ν of dust/Nenkova08_y010_torusg_n10_q2.0.dat of FSPS at some wavelengths [Å], by depth
WAVE = np.array([1.3e4, 3e4, 6e4, 9.7e4, 1.8e5, 6e5])
PUBLISHED = {
    10.0: np.array([3.862e-17, 2.251e-15, 1.029e-14, 1.327e-14, 1.941e-14, 1.926e-15]),
    60.0: np.array([5.944e-17, 4.878e-16, 5.280e-15, 1.044e-14, 3.151e-14, 1.565e-14]),
}


@pytest.mark.parametrize("tau", TAU_V)
@pytest.mark.parametrize("kind", [1.0, 2.0])
def test_the_torus_adds_its_share(tau, kind):
    wave = np.geomspace(150.0, 1e9, 6001)
    light = torus(wave, agn_tau_v=tau, agn_torus_frac=0.7, agn_type=kind)
    assert np.trapezoid(light, np.log(wave)) == pytest.approx(0.7, abs=1e-3)


def test_disc_lines_and_x_rays_are_those_of_standard():
    wave = np.geomspace(2.0, 1e7, 801)
    p = {"agn_torus_frac": 0.0, "agn_type": 1.4, "agn_ebv": 0.1, "agn_log_mbh": 7.0}
    ours, theirs = (nu_lnu(wave, model, **p) for model in (CLOUDS, STANDARD))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert {p.name for p in CLOUDS.params} - {p.name for p in STANDARD.params} == {"agn_tau_v"}


def test_silicate_is_shallow_as_of_clouds():
    """Clouds make no deep bands (Levenson et al. 2007, ApJ 654, L45; Nenkova et al. 2008b).

    Strength ln(F/continuum) at 9.8 µm, quasars +0.2 and Seyfert 2 galaxies -0.6 in the mean (Hao
    et al. 2007, ApJ 655, L77): in emission of thin clouds, in absorption of τ_V = 30 to 60.
    """

    def strength(tau):
        blue, peak, red = np.log(torus([7.0e4, 9.8e4, 14.0e4], agn_tau_v=tau))
        part = np.log(9.8 / 7.0) / np.log(2.0)
        return peak - (1.0 - part) * blue - part * red

    found = {tau: strength(tau) for tau in TAU_V}
    assert all(-1.0 < s < 0.6 for s in found.values())
    assert 0.2 < found[5.0] < 0.6 and all(-0.8 < found[t] < -0.3 for t in (20.0, 30.0, 40.0, 60.0))
    assert found[150.0] > found[100.0] > found[60.0]  # thick clouds: their warm faces alone


def test_thicker_clouds_are_cooler():
    """νL_ν(30 µm)/νL_ν(6 µm) rises with τ_V; it is dust, with less than 3 per cent below 1 µm."""
    colour = [np.divide(*torus([3e5, 6e4], agn_tau_v=t)) for t in TAU_V]
    assert np.all(np.diff(colour) > 0.0)
    wave = np.geomspace(150.0, 1e4, 801)
    for tau in TAU_V:
        assert np.trapezoid(torus(wave, agn_tau_v=tau), np.log(wave)) < 0.03 * 0.5


def test_mid_infrared_slope_of_quasars():
    """νL_ν(6 µm)/νL_ν(5100 Å) is 0.67 to 2.32 (Polletta et al. 2007, ApJ 663, 81); and Richards.

    100 µm to 10 keV over νL_ν(5100 Å) is 10.3 ± 2.1 (Richards et al. 2006, ApJS 166, 470).
    """
    assert 0.67 < np.divide(*nu_lnu([6e4, 5100.0])) < 2.32
    wave = np.geomspace(1.2398, 1e6, 12_001)
    assert np.trapezoid(nu_lnu(wave), np.log(wave)) / nu_lnu(5100.0)[0] == pytest.approx(
        10.3, abs=2.1
    )


def test_gradients_in_the_optical_depth():
    """Finite at both ends and at nodes, and the slope of differences between them; in float32."""
    wave = np.array([1e4, 3e4, 6e4, 9.7e4, 2e5, 1e6])

    def flux(tau):
        return 1e15 * CLOUDS.spectrum(wave, {**DEFAULTS, "agn_tau_v": tau})

    slope = jax.jit(jax.vmap(jax.jacfwd(flux)))
    with jax.enable_x64(False):
        found = np.asarray(slope(np.array([5.0, 10.0, 25.0, 100.0, 150.0], np.float32)))
    assert np.isfinite(found).all() and (found != 0.0).all()
    at = jnp.array([7.0, 25.0, 120.0])
    numeric = [(flux(t + 1e-4) - flux(t - 1e-4)) / 2e-4 for t in at]
    np.testing.assert_allclose(slope(at), numeric, rtol=1e-5)


def test_templates_are_the_published_ones():
    """f_ν relative to that at 6 µm, read off the file of FSPS, at nodes of both axes."""
    for tau, f_nu in PUBLISHED.items():
        ours = torus(WAVE, agn_tau_v=tau) * WAVE
        np.testing.assert_allclose(ours / ours[2], f_nu / f_nu[2], rtol=2e-3)


@pytest.mark.slow
def test_it_is_an_active_nucleus_to_wise():
    """W1 - W2 > 0.8 (Vega; Stern et al. 2012, ApJ 753, 30), whatever τ_V, to z = 1.2."""
    spec = Parameters(mean_sfh_type="none", agn_model="nenkova08", agn_log_lbol=12.5,
                      agn_tau_v=(5.0, 150.0), redshift=(0.1, 1.5))  # fmt: skip
    model = SEDModel(spec, load_ssp_data(), Instrument.WISE().observation())
    tau, z = (a.ravel() for a in np.meshgrid([5.0, 10.0, 40.0, 150.0], np.linspace(0.2, 1.2, 6)))
    magnitudes = np.asarray(model.predict_magnitudes_batch({"agn_tau_v": tau, "redshift": z}))
    w1, w2 = magnitudes[:, 0] - 2.699, magnitudes[:, 1] - 3.339  # AB to Vega
    assert (w1 - w2 > 0.8).all()


@pytest.mark.slow
def test_energy_on_the_grid_of_a_galaxy_and_one_redshift():
    """The grid holds the torus to 0.2 per cent; a fixed redshift gives the bands of a free one."""
    settings = {"mean_sfh_type": "none", "agn_model": "nenkova08", "agn_tau_v": (5.0, 150.0),
                "agn_torus_frac": (0.0, 1.0), "agn_log_lbol": 11.0}  # fmt: skip
    ssp, bands = load_ssp_data(), Instrument.WISE().observation()
    free = SEDModel(Parameters(**settings, redshift=(0.1, 2.0)), ssp, bands)
    fixed = SEDModel(Parameters(**settings, redshift=1.0), ssp, bands)
    batch = {"agn_tau_v": np.array([5.0, 13.0, 40.0, 150.0]), "agn_torus_frac": np.full(4, 0.6)}
    at_one = {**batch, "redshift": np.ones(4)}
    np.testing.assert_allclose(
        free.predict_photometry_batch(at_one), fixed.predict_photometry_batch(batch), rtol=1e-8
    )
    lit, dark = (
        np.asarray(free.predict_rest_sed_batch({**at_one, "agn_torus_frac": np.full(4, f)}).sed)
        for f in (0.6, 0.0)
    )
    power = -np.trapezoid(lit - dark, C_AA / free.galaxy.wave, axis=1) / 3.828e33
    np.testing.assert_allclose(power, 0.6e11, rtol=2e-3)
