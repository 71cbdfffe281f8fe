"""Attenuation laws at wavelengths that are traced: the same curves, and their slopes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.array_module import as_floats
from tengri.components.dust.attenuation import LAWS, DustLaw
from tengri.components.dust.attenuation.law import extended, fixed
from tengri.priors import Uniform
from tengri.registry import Param

#: Where pieces of the published curves meet, or where they end [Å].
JOINTS = [912.0, 970.0, 1200.0, 1250.0, 1e4 / 5.9, 1500.0, 1800.0, 1e4 / 3.3, 6000.0, 6300.0,
          1e4 / 1.1, 22000.0, 26000.0]  # fmt: skip
WAVE = np.unique(np.concatenate([np.geomspace(100.0, 1e8, 700), JOINTS, [2175.0, 5500.0]]))

OWN = (
    DustLaw(
        "own_curve",
        (),
        fixed(extended(lambda um: 2.0 + (0.55 / um) ** 1.2, blue=0.1, red=2.0)),
        "a curve measured between 0.1 and 2 µm",
    ),
    DustLaw(
        "own_slope",
        (Param("dust_own", -1.0, Uniform(-1.5, -0.5), (-2.0, 0.0), "", "exponent"),),
        lambda wave, p: jnp.exp(p["dust_own"] * jnp.log(as_floats(wave) / 5500.0)),
        "a power law",
    ),
)
ALL = [*LAWS.values(), *OWN]


def settings(law):
    """The defaults and the ends of the hard limits."""
    for i in range(3):
        yield {q.name: (q.default, *q.bounds)[i] for q in law.params}


def slope(law, p, wave):
    """∂k/∂λ, every wavelength on its own."""
    return jax.jvp(lambda w: law.curve(w, p), (wave,), (jnp.ones_like(wave),))[1]


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name)
def test_traced_and_concrete_wavelengths_give_one_curve(law):
    for p in settings(law):
        concrete = law.curve(WAVE, p)
        assert isinstance(concrete, jax.Array if law.params else np.ndarray)
        traced = jax.jit(lambda w, p: law.curve(w, p))(jnp.asarray(WAVE), p)
        assert traced.shape == WAVE.shape and traced.dtype == np.float64
        np.testing.assert_allclose(traced, concrete, rtol=1e-12)
        assert law.curve(jnp.asarray(WAVE[:7]), p).shape == (7,)


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name)
def test_the_slope_of_the_curve_is_its_one_sided_difference(law):
    h = 1e-6
    for p in settings(law):
        k, above, below = (np.asarray(law.curve(WAVE * f, p)) for f in (1.0, 1 + h, 1 - h))
        got = np.asarray(jax.jit(lambda w, p: slope(law, p, w))(jnp.asarray(WAVE), p)) * WAVE
        assert np.all(np.isfinite(got))
        error = np.minimum(abs(got - (above - k) / h), abs(got - (k - below) / h))
        assert np.all(error < 1e-3 * (abs(got) + k)), WAVE[np.argmax(error / (abs(got) + k))]


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name)
def test_single_precision_has_the_same_curve_and_slope(law):
    smooth = WAVE[~np.isin(WAVE, JOINTS)].astype(np.float32)
    for p in settings(law):
        curve = np.asarray(law.curve(smooth.astype(np.float64), p))
        steep = np.asarray(slope(law, p, jnp.asarray(smooth, float))) * smooth
        with jax.enable_x64(False):
            k = law.curve(jnp.asarray(smooth), p)
            assert k.dtype == np.float32
            np.testing.assert_allclose(k, curve, rtol=3e-5, atol=1e-30)
            single = np.asarray(slope(law, p, jnp.asarray(smooth))) * smooth
            assert np.all(abs(single - steep) < 1e-3 * (abs(steep) + curve) + 1e-30)
            assert np.all(np.isfinite(slope(law, p, jnp.asarray(WAVE))))
