"""The ``standard`` nucleus: energy, published orbits, the disc's known limits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.agn import AGN_MODELS
from tengri.components.agn.standard import disc, inner_temperature, isco, two_temperature_torus
from tengri.components.blackbody import unit_blackbody

NU = np.logspace(9.5, 18.5, 6000)
DEFAULTS = {p.name: jnp.asarray(p.default) for p in AGN_MODELS["standard"].params}


def integral(lnu):
    return np.trapezoid(np.asarray(lnu) * NU, np.log(NU))


@pytest.mark.parametrize("mbh", [6.0, 8.0, 10.0])
@pytest.mark.parametrize("ledd", [-3.0, 0.0])
def test_disc_and_torus_integrate_to_one(mbh, ledd):
    p = DEFAULTS | {"agn_log_mbh": jnp.asarray(mbh), "agn_log_ledd": jnp.asarray(ledd)}
    assert integral(disc(jnp.asarray(NU), p)) == pytest.approx(1.0, abs=2e-3)
    assert integral(two_temperature_torus(jnp.asarray(NU), p)) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_torus_has_its_share(share):
    p = DEFAULTS | {"agn_torus_frac": jnp.asarray(share)}
    wave = 2.99792458e18 / NU
    infrared = wave > 1e4  # the disc of a 1e8 Msun hole leaves < 3 % there, the torus all
    total = np.asarray(AGN_MODELS["standard"].spectrum(wave, p))
    ir = np.trapezoid((total * NU)[infrared], np.log(NU[infrared]))
    disc_ir = np.trapezoid(
        (np.asarray(disc(jnp.asarray(NU), p)) * NU)[infrared], np.log(NU[infrared])
    )
    assert integral(total) == pytest.approx(1.0, abs=2e-3)
    assert ir - (1.0 - share) * disc_ir == pytest.approx(share, abs=0.02)


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


def test_annuli_resolve_the_disc():
    """32 annuli against 20 000, written out with the textbook's numbers."""
    p = DEFAULTS | {"agn_log_mbh": jnp.asarray(7.0), "agn_log_ledd": jnp.asarray(-0.5)}
    r_in, t_in = 6.0, float(inner_temperature(p, jnp.asarray(6.0)))
    r_out = 2150.0 * 10 ** (-0.5 * 4 / 9) * 0.1 ** (-2 / 9)
    r = np.geomspace(r_in * (1 + 1e-9), r_out, 20_001)
    t = t_in * (r / r_in) ** -0.75 * (1 - np.sqrt(r_in / r)) ** 0.25
    nu = np.geomspace(3e13, 1e17, 30)
    planck = nu[:, None] ** 3 / np.expm1(np.clip(4.799243e-11 * nu[:, None] / t, 1e-9, 500))
    lnu = np.trapezoid(planck * r**2, np.log(r), axis=1)
    power = np.trapezoid(5.670374e-5 / np.pi * t**4 * r**2, np.log(r))  # ∫∫ B_ν dν r dr
    lnu *= 2 * 6.62607015e-27 / 2.99792458e10**2 / power
    got = np.asarray(disc(jnp.asarray(nu), p))
    bright = nu * lnu > 1e-4 * (nu * lnu).max()
    assert np.abs(got / lnu - 1)[bright].max() < 0.01


def test_blackbody_is_normalised():
    for t in (30.0, 1e3, 1e5):
        nu = np.logspace(-4, 2, 4000) * t * 2.083661912e10
        lnu = np.asarray(unit_blackbody(jnp.asarray(nu), jnp.asarray(t)))
        assert np.trapezoid(lnu * nu, np.log(nu)) == pytest.approx(1.0, abs=1e-5)


def test_every_parameter_has_a_finite_gradient_and_an_effect():
    """At its default and both ends of its prior, the others at their defaults; in float32."""
    wave = np.logspace(2.5, 6, 40)
    params = [p for p in AGN_MODELS["standard"].params if p.name != "agn_log_lbol"]
    points = [DEFAULTS | {p.name: value} for p in params
              for value in (p.prior.lo, p.default, p.prior.hi)]  # fmt: skip
    batch = {name: np.array([p[name] for p in points], np.float32) for name in DEFAULTS}

    def flux(p):
        return 1e15 * AGN_MODELS["standard"].spectrum(wave, p)

    with jax.enable_x64(False):
        value, gradient = jax.jit(jax.vmap(lambda p: (flux(p), jax.jacfwd(flux)(p))))(batch)
    assert value.dtype == np.float32 and np.isfinite(value).all()
    for i, param in enumerate(params):
        own = np.asarray(gradient[param.name])[3 * i : 3 * i + 3]
        assert np.isfinite(own).all() and (own != 0.0).any(axis=1).all(), param.name
