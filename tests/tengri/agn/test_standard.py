"""The ``standard`` nucleus: energy, published orbits, what each parameter says it does."""

from __future__ import annotations

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.agn import AGN_MODELS, LINES, mixing
from tengri.components.agn.continuum import MEAN_CUT_EV, cut_energy, inner_temperature, isco
from tengri.components.agn.lines import luminosity
from tengri.components.blackbody import unit_blackbody

STANDARD = AGN_MODELS["standard"]
DEFAULTS = {p.name: p.default for p in STANDARD.params}
KEV_AA = 12.398420
C_AA = 2.99792458e18


weights = jax.jit(STANDARD.templates.weights)


@lru_cache(maxsize=64)
def templates(wave):
    wave, t = np.frombuffer(wave), STANDARD.templates
    return t.open(wave), t.screened(wave), t.curve(wave)


def nu_lnu(wave, **changed):
    """Return νL_ν/L_bol, summed in NumPy."""
    wave = np.atleast_1d(np.asarray(wave, float))
    unscreened, screened, curve = templates(wave.tobytes())
    fixed, reddened, tau = map(np.asarray, weights(DEFAULTS | changed))
    return (fixed @ unscreened + np.exp(-tau * curve) * (reddened @ screened)) * C_AA / wave


def test_the_spectrum_is_the_sum_of_its_templates():
    wave = np.geomspace(2.0, 1e7, 301)
    p = {"agn_ebv": 0.1, "agn_type": 1.3}
    spectrum = np.asarray(STANDARD.spectrum(wave, DEFAULTS | p)) * C_AA / wave
    np.testing.assert_allclose(spectrum, nu_lnu(wave, **p), rtol=1e-9)


def power(lo, hi, n=4_001, **changed):
    """Integrate over frequency between two wavelengths [Å]."""
    wave = np.geomspace(lo, hi, n)
    return np.trapezoid(nu_lnu(wave, **changed), np.log(wave))


def excess(lo, hi, name, value, **changed):
    """Return the power that a parameter adds over its being 0."""
    return power(lo, hi, **changed, **{name: value}) - power(lo, hi, **changed, **{name: 0.0})


@pytest.mark.parametrize("lbol", [8.0, 11.5, 14.0])
@pytest.mark.parametrize("hole", [(6.0, 0.5, 0.95), (8.0, -1.0, 0.0), (10.0, -3.0, 0.0)])
def test_the_luminosity_is_what_is_seen_from_1um_to_10kev(lbol, hole):
    """Whatever the disc, the corona and the lines, and without the torus."""
    names = ("agn_log_mbh", "agn_log_ledd", "agn_a_spin")
    p = dict(zip(names, hole)) | {"agn_log_lbol": lbol, "agn_baldwin": 0.2, "agn_ew_fe2": 2.0}
    assert power(0.1 * KEV_AA, 1e4, agn_torus_frac=0.0, **p) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("kind", [1.0, 1.4, 2.0])
@pytest.mark.parametrize(("hot", "t_warm", "tau"), [(0.0, 100.0, 0.5), (0.45, 300.0, 10.0)])
def test_the_torus_adds_its_share_of_that_luminosity(kind, hot, t_warm, tau):
    p = {"agn_type": kind, "agn_frac_hot": hot, "agn_T_warm": t_warm, "agn_tau_torus": tau}
    added = excess(3e3, 1e8, "agn_torus_frac", 0.7, **p)
    assert added == pytest.approx(0.7, abs=1e-3)


def test_the_defaults_describe_one_object():
    """L = λ L_Edd, with 3.2e4 Lsun per Msun."""
    eddington = np.log10(1.2571e38 / 3.828e33)
    lbol = DEFAULTS["agn_log_mbh"] + DEFAULTS["agn_log_ledd"] + eddington
    assert DEFAULTS["agn_log_lbol"] == pytest.approx(lbol, abs=0.03)
    assert float(cut_energy(DEFAULTS)) == pytest.approx(MEAN_CUT_EV, rel=1e-3)


@pytest.mark.parametrize("ebv", [0.02, 0.2, 1.0])
def test_polar_dust_emits_what_it_takes(ebv):
    lo, hi = 0.1 * KEV_AA, 1e8
    assert power(lo, hi, agn_ebv=ebv) == pytest.approx(power(lo, hi), rel=2e-3)
    # E(B-V) is that: the colour excess between 4400 and 5500 Å
    seen, bare = (nu_lnu([4400.0, 5500.0], agn_ebv=e) for e in (ebv, 0.0))
    blue, visual = -2.5 * np.log10(seen / bare)
    assert blue - visual == pytest.approx(ebv, rel=0.15)
    assert nu_lnu(9.1, agn_ebv=ebv)[0] == pytest.approx(nu_lnu(9.1)[0], rel=1e-3)  # X-rays pass


def test_type_2_hides_the_disc_and_the_broad_lines():
    near, narrow = "agn_ew_broad", "agn_ew_narrow"
    hidden = {"agn_type": 2.0}
    assert nu_lnu(3000.0, **hidden) < 0.02 * nu_lnu(3000.0)
    assert excess(6000.0, 7200.0, near, 1.0, **hidden) < 0.02 * excess(6000.0, 7200.0, near, 1.0)
    o3 = [excess(4950.0, 5060.0, narrow, 1.0, **p) for p in ({}, hidden)]
    assert o3[1] == pytest.approx(o3[0], rel=0.02)
    # its hot dust is hidden, too, and all in between is a mean
    assert nu_lnu(3e4, **hidden) < 0.5 * nu_lnu(3e4)
    half = 0.5 * (nu_lnu(3000.0) + nu_lnu(3000.0, **hidden))
    assert nu_lnu(3000.0, agn_type=1.5) == pytest.approx(half, rel=0.02)


def test_silicate_is_in_emission_in_type_1_and_in_absorption_in_type_2():
    """Strength ln(F/continuum) at 10 µm; Hao et al. 2007: +0.2 in quasars, -0.6 in Seyfert 2."""

    def strength(**p):
        wave = np.array([7.0e4, 9.8e4, 14.0e4])
        blue, peak, red = np.log(nu_lnu(wave, agn_frac_hot=0.0, **p))
        part = np.log(9.8 / 7.0) / np.log(2.0)
        return peak - (1.0 - part) * blue - part * red

    assert strength() == pytest.approx(0.2, abs=0.1)
    assert strength(agn_type=2.0) == pytest.approx(-0.6, abs=0.15)
    assert strength(agn_tau_torus=0.5) > strength(agn_tau_torus=10.0)


@pytest.mark.parametrize(("kind", "name"), [("narrow", "agn_ew_narrow"), ("iron", "agn_ew_fe2")])
def test_lines_have_the_equivalent_widths_of_the_list(kind, name):
    """Their sum, from spectra with and without them, scaled to one continuum at 1 keV."""
    bare = {"agn_ew_fe2": 0.0, "agn_ew_balmer": 0.0, "agn_ew_broad": 0.0, "agn_ew_narrow": 0.0}
    lit = bare | {name: 1.0}
    scale = nu_lnu(1300.0, **bare) / nu_lnu(1300.0, **lit)
    got = scale * power(1e3, 1e4, **lit) - power(1e3, 1e4, **bare)
    total = sum(luminosity(line) for line in LINES if line.kind == kind)
    assert got / nu_lnu(2500.0, **bare) == pytest.approx(total, rel=0.02)


def test_the_width_of_lines_is_the_one_asked_for():
    """FWHM of Hβ alone, 5900/5000 of the parameter; mixtures are within some per cent."""
    wave = np.geomspace(4500.0, 5250.0, 8001)
    for fwhm in (2000.0, 5000.0, 10000.0):
        p = {"agn_ew_fe2": 0.0, "agn_ew_narrow": 0.0, "agn_fwhm_broad": fwhm}
        line = nu_lnu(wave, **p) / nu_lnu(wave, **p, agn_ew_broad=0.0)
        line = line - line[[0, -1]].mean()
        half = wave[line > 0.5 * line.max()]
        width = np.log(half[-1] / half[0]) * 299792.458
        assert width == pytest.approx(fwhm * 5900.0 / 5000.0, rel=0.12)


def test_the_baldwin_effect():
    """Ultraviolet lines weaken as L^-β; Mg II and Balmer lines do not."""

    def net(lo, hi, lbol):
        # over the continuum, whose share of the luminosity changes with the corona
        p = {"agn_log_lbol": lbol, "agn_baldwin": 0.17}
        lit, bare = (power(lo, hi, **p, agn_ew_broad=e) / nu_lnu(2200.0, **p, agn_ew_broad=e)
                     for e in (1.0, 0.0))  # fmt: skip
        return float(lit[0] - bare[0])

    c4, mg2 = ([net(lo, hi, x) for x in (12.0, 13.0)] for lo, hi in ((1450.0, 1640.0),
                                                                     (2700.0, 2900.0)))  # fmt: skip
    assert np.log10(c4[1] / c4[0]) == pytest.approx(-0.17, abs=0.01)
    assert np.log10(mg2[1] / mg2[0]) == pytest.approx(0.0, abs=0.01)


def test_lines_are_listed():
    names = [line.name for line in LINES]
    assert len(set(names)) == len(names)
    assert {line.kind for line in LINES} == {"high", "low", "narrow", "iron"}
    assert all(900.0 < line.wave_aa < 2e4 and line.ew_aa > 0.0 for line in LINES)


@pytest.mark.parametrize(
    ("spin", "orbit"), [(0.0, 6.0), (0.998, 1.2370), (-0.998, 8.9943), (0.5, 4.2330)]
)
def test_isco_of_bardeen_press_teukolsky(spin, orbit):
    assert float(isco(jnp.asarray(spin))) == pytest.approx(orbit, abs=2e-4)


def test_isco_is_smooth_through_zero_spin():
    # dr/da at a = 0 is −4 √(2/3) (expansion of Bardeen+1972)
    for a in (-0.06, 0.0, 0.06):
        slope = jax.grad(isco)(a)
        numeric = (isco(jnp.asarray(a + 1e-6)) - isco(jnp.asarray(a - 1e-6))) / 2e-6
        assert float(slope) == pytest.approx(float(numeric), rel=1e-4)
    assert float(jax.grad(isco)(0.0)) == pytest.approx(-4.0 * np.sqrt(2.0 / 3.0), rel=1e-3)


def test_temperature_scale_of_the_disc():
    """A 1e8 Msun hole at a tenth of Eddington: T_in of order 1e5 K; T ∝ (λ/M)^1/4."""
    t = float(inner_temperature(DEFAULTS, jnp.asarray(6.0)))
    m_p, c, sigma_t, sigma = 1.67262192e-24, 2.99792458e10, 6.6524587e-25, 5.670374e-5
    gravity, mass, efficiency = 6.6743e-8, 1.98841e41, 0.0572
    below = efficiency * sigma_t * sigma * gravity * mass * 216
    by_hand = (1.5 * 0.1 * m_p * c**5 / below) ** 0.25
    assert t == pytest.approx(by_hand, rel=1e-3)
    hotter = DEFAULTS | {"agn_log_mbh": DEFAULTS["agn_log_mbh"] - 4.0}
    assert float(inner_temperature(hotter, jnp.asarray(6.0))) == pytest.approx(10 * t, rel=1e-6)


def test_a_hotter_disc_is_bluer():
    slope = [float(np.log(np.divide(*nu_lnu([1000.0, 3000.0], agn_log_mbh=m)))) for m in (9.0, 7.0)]
    assert slope[1] > slope[0] + 0.1


def test_mixtures_are_smooth_and_whole():
    at = mixing.log_nodes((np.exp(-1.0), np.exp(3.0)), 0.3)
    x = jnp.linspace(-1.0, 3.0, 1001)
    w = np.asarray(jax.vmap(lambda v: mixing.weights(v, at))(x))
    np.testing.assert_allclose(w.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(w @ at, x, atol=1e-12)  # the mean is the value itself
    slope = np.asarray(jax.vmap(jax.jacfwd(lambda v: mixing.weights(v, at)))(x[1:-1]))
    assert w.min() >= 0.0 and np.abs(np.diff(slope, axis=0)).max() < 0.1


def test_blackbody_is_normalised():
    for t in (30.0, 1e3, 1e5):
        nu = np.logspace(-4, 2, 4000) * t * 2.083661912e10
        lnu = np.asarray(unit_blackbody(jnp.asarray(nu), jnp.asarray(t)))
        assert np.trapezoid(lnu * nu, np.log(nu)) == pytest.approx(1.0, abs=1e-5)


def test_every_parameter_has_a_finite_gradient_and_an_effect():
    """At its default and both ends of its prior, the others at their defaults; in float32."""
    wave = np.unique(np.concatenate([np.geomspace(2.0, 1e6, 60), [1549.0, 4990.0, 5008.0]]))
    params = STANDARD.params
    points = [DEFAULTS | {p.name: value} for p in params
              for value in (p.prior.lo, p.default, p.prior.hi)]  # fmt: skip
    batch = {name: np.array([p[name] for p in points], np.float32) for name in DEFAULTS}

    def flux(p):
        return 1e15 * STANDARD.spectrum(wave, p)

    with jax.enable_x64(False):
        value, gradient = jax.jit(jax.vmap(lambda p: (flux(p), jax.jacfwd(flux)(p))))(batch)
    assert value.dtype == np.float32 and np.isfinite(value).all() and (value >= 0.0).all()
    for i, param in enumerate(params):
        own = np.asarray(gradient[param.name])[3 * i : 3 * i + 3]
        assert np.isfinite(own).all() and (own != 0.0).any(axis=1).all(), param.name


def test_values_and_gradients_are_finite_at_every_bound():
    wave = np.geomspace(2.0, 1e7, 50)
    points = [DEFAULTS | {p.name: v} for p in STANDARD.params for v in p.bounds]
    batch = {name: np.array([p[name] for p in points], np.float32) for name in DEFAULTS}

    def flux(p):
        return 1e15 * STANDARD.spectrum(wave, p)

    with jax.enable_x64(False):
        value, gradient = jax.jit(jax.vmap(lambda p: (flux(p), jax.jacfwd(flux)(p))))(batch)
    assert np.isfinite(value).all()
    for name, g in gradient.items():
        assert np.isfinite(g).all(), name
