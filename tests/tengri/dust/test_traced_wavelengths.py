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
    for i in range(3 if law.params else 1):
        yield {q.name: (q.default, *q.bounds)[i] for q in law.params}


def curve_and_slope(law):
    """The curve k and ∂k/∂ln λ, compiled."""

    def both(wave, p):
        k, dk = jax.jvp(lambda w: law.curve(w, p), (wave,), (jnp.ones_like(wave),))
        return k, dk * wave

    return jax.jit(both)


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name)
def test_traced_wavelengths_give_the_same_curve_and_its_one_sided_slope(law):
    compiled, h = curve_and_slope(law), 1e-6
    for p in settings(law):
        k, above, below = (law.curve(WAVE * f, p) for f in (1.0, 1 + h, 1 - h))
        assert isinstance(k, jax.Array if law.params else np.ndarray)
        traced, slope = map(np.asarray, compiled(jnp.asarray(WAVE), p))
        assert traced.shape == WAVE.shape and traced.dtype == np.float64
        np.testing.assert_allclose(traced, k, rtol=1e-12)
        assert np.all(np.isfinite(slope))
        error = np.minimum(abs(slope - (above - k) / h), abs(slope - (k - below) / h))
        assert np.all(error < 1e-3 * (abs(slope) + k)), WAVE[np.argmax(error / (abs(slope) + k))]
    assert law.curve(jnp.asarray(WAVE[:7]), p).shape == (7,)


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name)
def test_single_precision_has_the_same_curve_and_slope(law):
    single, double = curve_and_slope(law), curve_and_slope(law)
    smooth = ~np.isin(WAVE, JOINTS)
    wave = WAVE.astype(np.float32)
    for p in settings(law):
        k, slope = map(np.asarray, double(jnp.asarray(wave, float), p))
        with jax.enable_x64(False):
            k32, slope32 = map(np.asarray, single(jnp.asarray(wave), p))
        assert k32.dtype == np.float32 and np.all(np.isfinite(slope32))
        np.testing.assert_allclose(k32[smooth], k[smooth], rtol=3e-5, atol=1e-30)
        assert np.all((abs(slope32 - slope) < 1e-3 * (abs(slope) + k) + 1e-30)[smooth])
