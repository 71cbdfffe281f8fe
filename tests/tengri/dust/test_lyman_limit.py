"""Attenuation below the Lyman limit: constant in every law, also in one that a user adds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.agn import torus
from tengri.components.dust.attenuation import LAWS, DustLaw
from tengri.errors import ConfigError
from tengri.priors import Uniform
from tengri.registry import Param

OWN = DustLaw(
    "own",
    (Param("dust_own", -1.0, Uniform(-1.5, -0.5), (-2.0, 0.0), "", "exponent"),),
    lambda wave, p: jnp.exp(p["dust_own"] * jnp.log(jnp.asarray(wave) / 5500.0)),
    "a power law at all wavelengths",
)
CHANGED = {"power_law", "noll09", "kriek_conroy", "salim18", "smc", "lmc", "mw"}
BELOW = np.array([1.0, 50.0, 228.0, 504.0, 911.0, 912.0])
ABOVE = np.geomspace(912.0, 1e7, 200)


def settings(law):
    """The defaults and the ends of the hard limits."""
    for i in range(3 if law.params else 1):
        yield {q.name: (q.default, *q.bounds)[i] for q in law.params}


@pytest.mark.parametrize("law", [*LAWS.values(), OWN], ids=lambda law: law.name)
def test_the_curve_is_constant_below_the_limit(law):
    for p in settings(law):
        k = np.asarray(law.curve(BELOW, p))
        np.testing.assert_array_equal(k, k[-1])
        traced = jax.jit(law.curve)(jnp.asarray(BELOW), p)
        np.testing.assert_allclose(traced, k[-1], rtol=1e-12)
    slope = jax.grad(lambda wave: jnp.sum(law.curve(wave, p)))(jnp.asarray(BELOW[:-1]))
    np.testing.assert_array_equal(slope, 0.0)


@pytest.mark.parametrize("name", LAWS)
def test_laws_remember_how_they_went_on(name):
    law = LAWS[name]
    assert law.physics == (2 if name in CHANGED else 1)
    before = law.at(1)
    for p in settings(law):
        np.testing.assert_array_equal(before.curve(ABOVE, p), law.curve(ABOVE, p))
    with pytest.raises(ConfigError, match="newer release"):
        law.at(3)
    if name in CHANGED:
        p = {q.name: q.default for q in law.params}
        k = np.asarray(before.curve(np.array([228.0, 912.0]), p))
        assert abs(k[0] / k[1] - 1.0) > 1e-4


def test_a_power_law_at_228_aa():
    """(5500/228)^0.7 = 9.28 in the first version; (5500/912)^0.7 = 3.52."""
    p, law = {"dust_slope": -0.7}, LAWS["power_law"]
    at = np.array([228.0])
    assert float(law.at(1).curve(at, p)[0]) == pytest.approx((5500.0 / 228.0) ** 0.7)
    assert float(law.curve(at, p)[0]) == pytest.approx((5500.0 / 912.0) ** 0.7)


def test_polar_dust_of_a_nucleus_keeps_the_published_curve():
    """Pei (1992) fits down to 100 Å, where the disc shines."""
    wave = np.geomspace(100.0, 1e5, 50)
    expected = torus.TAU_PER_EBV * np.asarray(LAWS["smc"].at(1).curve(wave, {}))
    np.testing.assert_array_equal(torus.polar_curve(wave), expected)
