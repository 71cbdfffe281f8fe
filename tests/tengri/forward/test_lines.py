"""Emission lines: recombination, screens and distances by hand, and the model's own spectrum."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
from tengri import Parameters, SEDModel, load_ssp_data
from tengri.components.agn import AGN_MODELS
from tengri.components.igm import IGM_MODELS
from tengri.components.line_list import LineList
from tengri.constants import C_AA_PER_S, MPC_CM
from tengri.errors import ConfigError, DataError, ParameterError, UnknownNameError
from tests.compilations import compilations

PLANCK = 6.62607015e-27
#: In units of Hβ; 2.86, 0.468, 0.339 and 0.163 at 1e4 K.
RATIOS = {"Ha_6565": (2.75, 3.04), "Hg": (0.458, 0.476), "Paalpha": (0.28, 0.41),
          "Pab_12822": (0.14, 0.19)}  # fmt: skip
YOUNG = {"sfh_const_log_total_mass": 8.0, "sfh_const_start_gyr": 0.006, "met_logzsol": -0.4}
GAS = {"neb_logU": (-4, 0), "neb_fesc": (0, 1), "dust_tau_bc": (0, 3), "dust_tau_diff": (0, 3)}
CLEAR = {"neb_logU": -2.5, "neb_fesc": 0.0, "dust_tau_bc": 0.0, "dust_tau_diff": 0.0}
DUSTY = CLEAR | {"dust_tau_bc": 1.0, "dust_tau_diff": 0.5}


@pytest.fixture(scope="module")
def stars():
    return load_ssp_data("ssp_bc03_miles_kroupa_noneb.h5")


@pytest.fixture(scope="module")
def model(stars):
    spec = Parameters(**YOUNG, **GAS, nebular="cloudy", redshift=(0, 8), dust_slope=-0.9)
    return SEDModel(spec, stars)


@pytest.fixture(scope="module")
def clear(model):
    return model.predict_lines(CLEAR | {"redshift": 0.1})


def test_recombination_is_that_of_case_b(model, stars, clear):
    """Storey & Hummer (1995), 20 000 to 5000 K; photons counted on the light of stars alone."""
    for name, (low, high) in RATIOS.items():
        assert low < clear[name].luminosity / clear["Hb"].luminosity < high
    dark = {name: 0.0 for name in ("dust_tau_bc", "dust_tau_diff")}
    sed = SEDModel(Parameters(**YOUNG, **dark, redshift=0.1), stars).predict_rest_sed()
    wave, lnu = np.asarray(sed.wavelength), np.asarray(sed.sed)
    blue = wave < 911.75
    photons = np.trapezoid(lnu[blue] / wave[blue], wave[blue]) / PLANCK
    assert clear["Ha"].luminosity == pytest.approx(1.37e-12 * photons, rel=0.06)
    leaking = model.predict_lines(CLEAR | {"redshift": 0.1, "neb_fesc": 0.25})
    np.testing.assert_allclose(leaking.luminosity, 0.75 * clear.luminosity, rtol=1e-12)


def test_lines_are_behind_both_screens(model, clear):
    seen = model.predict_lines(DUSTY | {"redshift": 0.1})
    screens = np.exp(-1.5 * (clear.wavelength / 5500.0) ** -0.9)
    others = np.array([name != "Lya_1216" for name in clear.names])
    expected = clear.luminosity * screens
    np.testing.assert_allclose(seen.luminosity[others], expected[others], rtol=1e-12)


def test_luminosities_and_widths_are_those_of_the_spectrum(model):
    """Lines above the light beside them, integrated on the model's own wavelengths."""
    p = DUSTY | {"redshift": 0.1}
    lines, sed = model.predict_lines(p), model.predict_rest_sed(p)
    wave, lnu = np.asarray(sed.wavelength), np.asarray(sed.sed)

    def llam(at):
        return np.interp(at, wave, lnu) * C_AA_PER_S / at**2

    for name in ("Hb", "Pab", "HeI_5877", "Pad"):  # no other line is in their windows
        centre, sides = lines[name].wavelength[0], []
        for sign in (-1.0, 1.0):
            at = centre * (1.0 + sign * np.linspace(0.006, 0.012, 4001))
            sides.append(abs(np.trapezoid(llam(at), at) / (at[-1] - at[0])))
        direct = lines[name].luminosity / np.mean(sides)
        assert lines[name].ew_rest == pytest.approx(float(direct), rel=1e-4)
    np.testing.assert_allclose(lines.ew_obs[8:], 1.1 * lines.ew_rest[8:], rtol=1e-12)
    # two values of log U: stars and their absorption lines drop out of the difference
    other = model.predict_rest_sed(p | {"neb_logU": -3.5}).sed
    change = lines.luminosity - model.predict_lines(p | {"neb_logU": -3.5}).luminosity
    for name in ("[OIII]_5008", "[SIII]_9533", "[NeIII]_3870"):
        centre = lines[name].wavelength[0]
        at = np.linspace(0.998 * centre, 1.002 * centre, 20001)
        above = llam(at) - np.interp(at, wave, np.asarray(other)) * C_AA_PER_S / at**2
        above -= np.interp(at, at[[0, -1]], above[[0, -1]])
        found = change[lines.line_list.index(name)]
        assert np.trapezoid(above, at) == pytest.approx(float(found), rel=2e-3)


def test_fluxes_spread_over_the_sphere(model, stars):
    from astropy.cosmology import FlatLambdaCDM

    lines = model.predict_lines(DUSTY | {"redshift": 2.0})
    d = FlatLambdaCDM(67.66, 0.30966, Tcmb0=0.0).luminosity_distance(2.0).value * MPC_CM
    red = lines.wavelength > 1216.0
    np.testing.assert_allclose(
        lines.flux[red], lines.luminosity[red] / (4.0 * np.pi * d**2), rtol=1e-7
    )
    assert np.isnan(model.predict_lines(DUSTY | {"redshift": 0.0}).flux).all()
    near = Parameters(**YOUNG, nebular="cloudy", redshift=0.0, distance_mpc=10.0, mw_ebv=0.5)
    found, sky = SEDModel(near, stars).predict_lines(), near.composition.milky_way
    faded = 10.0 ** (-0.4 * 0.5 * sky.extinction(found.wavelength))
    sphere = 4.0 * np.pi * (10.0 * MPC_CM) ** 2
    np.testing.assert_allclose(found.flux, found.luminosity * faded / sphere, rtol=3e-4)
    np.testing.assert_allclose(found.ew_obs, found.ew_rest, rtol=1e-12)


def test_lyman_alpha_is_a_share_or_behind_everything(stars, clear):
    given = {**YOUNG, **DUSTY, "nebular": "cloudy", "redshift": 3.0}
    emitted = float(clear["Lya"].luminosity) / (1.67e-3 * 1.1**2.57)
    share = SEDModel(Parameters(**given, neb_fesc_lya=0.2), stars).predict_lines()
    assert share["Lya"].luminosity == pytest.approx(0.2 * emitted, rel=2e-3)
    assert share["Lya"].ew_obs == pytest.approx(4.0 * float(share["Lya"].ew_rest))
    plain = SEDModel(Parameters(**given, lya_escape="case_b"), stars).predict_lines()
    assert plain["Lya"].luminosity < 0.02 * emitted  # τ = 1.5 at 5500 Å
    for name in ("Lya", "Lyb"):
        centre = plain[name].wavelength[0]
        sides = np.asarray(IGM_MODELS["inoue"].transmission(centre * np.array([0.9996, 1.0004]), 3))
        passed = float(plain[name].ew_obs / (4.0 * plain[name].ew_rest))
        assert passed == pytest.approx(sides.mean(), rel=2e-3)


@pytest.mark.parametrize("name", AGN_MODELS)
def test_lines_of_a_nucleus_are_what_its_spectrum_has_above_the_rest(name):
    """Integrated over all wavelengths, with a Baldwin effect, polar dust and half hidden."""
    agn = AGN_MODELS[name]
    p = {q.name: jnp.asarray(q.default) for q in agn.params}
    p |= {"agn_baldwin": 0.2, "agn_log_lbol": 11.0, "agn_type": 1.5, "agn_ebv": 0.05,
          "agn_ew_narrow": 2.0, "agn_ew_broad": 1.3}  # fmt: skip
    wave = np.geomspace(800.0, 3e4, 15_001)
    above = np.asarray(agn.spectrum(wave, p) - agn.lines.continuum(wave, p))
    total = -np.trapezoid(above, C_AA_PER_S / wave)
    # the screen is taken at the centre of broad lines, not along them
    assert float(agn.lines.luminosities(p).sum()) == pytest.approx(total, rel=2e-3)
    bare = p | {"agn_ebv": 0.0}
    above = np.asarray(agn.spectrum(wave, bare) - agn.lines.continuum(wave, bare))
    total = -np.trapezoid(above, C_AA_PER_S / wave)
    assert float(agn.lines.luminosities(bare).sum()) == pytest.approx(total, rel=1e-6)


EVERYTHING = {
    "nebular": "cloudy", "agn_model": "standard", "agn_screen": "diffuse", "dust_emission": "dl07",
    "escape": "picket_fence", "met_mode": "ramp", "dust_law": "noll09",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*outside the SSP grid")
def test_the_contract_of_components(stars):
    """Finite values and slopes, each parameter with an effect, equal to finite differences."""
    free = {"agn_frac_5100": (0.1, 0.6), "agn_ebv": (0.0, 0.3), "agn_baldwin": (0.0, 0.3),
            "neb_logz": (-1.0, 0.0), "neb_fesc_lya": (0.0, 1.0), "mw_ebv": (0.0, 0.5),
            "dust_f_clear": (0.0, 1.0), "dust_bump_strength": (0.0, 3.0),
            "agn_ew_narrow": (0.0, 3.0), "redshift": (0.05, 3.0)}  # fmt: skip
    history = {"sfh_const_log_total_mass": (8, 11), "sfh_const_start_gyr": (0.01, 1.0)}
    model = SEDModel(Parameters(**EVERYTHING, **history, **GAS, **free), stars)
    draws = model.spec.sample_batch(jax.random.key(3), 4)
    names, known = list(model.spec.free_params), model.line_list
    x = np.stack([np.asarray(draws[name]) for name in names], axis=-1)

    def vector(row):
        lines = model.predict_lines({n: row[i] for i, n in enumerate(names)})
        return jnp.log(jnp.stack([lines.flux, lines.ew_obs])).reshape(-1)

    value, jacobian = jax.jit(jax.vmap(vector)), jax.jit(jax.vmap(jax.jacfwd(vector)))
    exact = np.asarray(jacobian(x))
    assert np.isfinite(exact).all() and len(known) == 158
    assert [n for i, n in enumerate(names) if not np.abs(exact[..., i]).max() > 1e-9] == []
    # the forest begins at z = 0: blueward of Lyα there is a step where a line passes 1216 Å
    red, step = np.tile(np.array(known.waves) > 1300.0, 2), 1e-4 * np.abs(x).max(axis=0)
    for i, name in enumerate(names):
        h = step[i] * np.eye(len(names))[i]
        near, far = value(x + h) - value(x - h), value(x + 2 * h) - value(x - 2 * h)
        numeric = np.asarray(8 * near - far)[:, red] / (12 * step[i])
        error = np.abs(numeric - exact[:, red, i]).max() / np.abs(exact[..., i]).max()
        assert error < 2e-3, (name, error)


def test_batches_single_precision_and_compilation(model):
    draws = {
        name: np.asarray(v) for name, v in model.spec.sample_batch(jax.random.key(4), 3).items()
    }
    many = model.predict_lines_batch(draws)
    row = {name: values[1] for name, values in draws.items()}
    one = model.predict_lines(row)
    assert many.flux.shape == (3, 124) and one["Ha"].flux.shape == ()
    for quantity in ("luminosity", "flux", "ew_rest", "ew_obs"):
        np.testing.assert_allclose(getattr(many, quantity)[1], getattr(one, quantity), rtol=1e-9)
    assert many[["Ha", "Hbeta"]].names == ("Ha_6565", "Hb_4863")
    with jax.enable_x64(False):
        single = model.predict_lines_batch(draws)
        with compilations() as compiled:
            model.predict_lines_batch({name: values[::-1] for name, values in draws.items()})
        assert compiled.count == 0
        assert single.flux.dtype == np.float32 and single.luminosity.dtype == np.float64
        np.testing.assert_allclose(single.luminosity, many.luminosity, rtol=2e-4)
        np.testing.assert_allclose(single.ew_obs, many.ew_obs, rtol=1e-3)
        slope = jax.grad(lambda z: model.predict_lines(row | {"redshift": z})["Ha"].flux)
        assert np.isfinite(slope(0.5))
        with pytest.raises(ConfigError, match="luminosity_lsun"):
            jax.grad(lambda z: model.predict_lines(row | {"redshift": z})["Ha"].luminosity)(0.5)


def test_names(model):
    known = model.line_list
    for spelt in ("Ha_6565", "Halpha", "Hα", "ha", "HALPHA"):
        assert known.names[known.index(spelt)] == "Ha_6565"
    for spelt in ("[OIII]_5008", "OIII_5008", "OIII5008", "[O III] 5008"):
        assert known.names[known.index(spelt)] == "[OIII]_5008"
    assert known.names[known.index("CII_158um")] == "[CII]_158um"
    for wrong, near in {
        "Ha_6563": "Ha_6565",
        "[OIII]_5007": r"\[OIII\]_5008",
        "Halfa": "Halpha",
    }.items():
        with pytest.raises(UnknownNameError, match=f"Did you mean.* {near}"):
            known.index(wrong)
    with pytest.raises(ParameterError, match="by its name"):
        known.index(6565)
    with pytest.raises(DataError, match="has no name"):
        LineList.of_table([5000.0])


def test_what_has_no_lines_says_so(stars):
    with pytest.raises(ConfigError, match=r"no table lists them: take load_ssp_data\('ssp_bc03"):
        SEDModel(Parameters(**YOUNG, redshift=0.1), load_ssp_data()).predict_lines()
    with pytest.raises(ConfigError, match=r"Nothing in this model emits lines.*nebular='cloudy'"):
        SEDModel(Parameters(**YOUNG, redshift=0.1), stars).predict_lines()
    with pytest.raises(ConfigError, match="cannot give emission lines"):
        emulator.load("sdss").predict_lines({})
    nucleus = Parameters(
        mean_sfh_type="none", agn_model="standard", agn_log_lbol=11.0, redshift=0.1
    )
    found = SEDModel(nucleus, stars).predict_lines()
    assert len(found) == 34 and found["agn_Ha"].ew_rest == pytest.approx(358.0, rel=0.15)
