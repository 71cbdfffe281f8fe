"""Contracts that every attenuation law keeps, over its whole range of parameters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.dust.attenuation import LAWS
from tengri.errors import UnknownNameError
from tests.compilations import compilations

#: 91 Å to 1 cm, with the edges of the published ranges, and 5500 Å.
WAVE = np.unique(
    np.concatenate([
        np.geomspace(91.0, 1e8, 600),
        [909.0, 912.0, 970.0, 1000.0, 1200.0, 1250.0, 1500.0, 1800.0, 2175.0, 5500.0],
        [6000.0, 6300.0, 9090.9, 22000.0, 26000.0, 28500.0, 33333.3],
    ])
)  # fmt: skip

WITH_PARAMETERS = [name for name, law in LAWS.items() if law.params]


def corners(law):
    """Every combination of the ends of the priors, and the defaults."""
    grids = np.meshgrid(*[[q.prior.lo, q.default, q.prior.hi] for q in law.params])
    values = np.stack([g.ravel() for g in grids], -1) if grids else np.zeros((1, 0))
    return [dict(zip((q.name for q in law.params), map(float, row))) for row in values]


def bounds(law):
    """The ends of the hard limits."""
    grids = np.meshgrid(*[q.bounds for q in law.params])
    values = np.stack([g.ravel() for g in grids], -1) if grids else np.zeros((1, 0))
    return [dict(zip((q.name for q in law.params), map(float, row))) for row in values]


@pytest.mark.parametrize("name", LAWS)
def test_curve_is_finite_positive_and_one_at_5500(name):
    law = LAWS[name]
    for p in corners(law) + bounds(law):
        k = np.asarray(law.curve(WAVE, p))
        assert k.shape == WAVE.shape
        assert np.all(np.isfinite(k)) and np.all(k >= 0.0), p
        assert k[WAVE == 5500.0][0] == pytest.approx(1.0, abs=4e-16)


@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_single_precision_agrees(name):
    law = LAWS[name]
    table = {n: np.array([p[n] for p in corners(law)]) for n in corners(law)[0]}
    double = jax.jit(jax.vmap(lambda p: law.curve(WAVE, p)))(table)
    with jax.enable_x64(False):
        single = jax.jit(jax.vmap(lambda p: law.curve(WAVE, p)))(
            {n: jnp.asarray(v) for n, v in table.items()}
        )
        assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=3e-5, atol=1e-30)


@pytest.mark.parametrize("name", WITH_PARAMETERS)
@pytest.mark.parametrize("x64", [True, False])
def test_gradients_are_finite_and_right(name, x64):
    law, h = LAWS[name], 1e-6
    table = {n: np.array([p[n] for p in corners(law)]) for n in corners(law)[0]}
    curves = jax.jit(jax.vmap(lambda p: law.curve(WAVE, p)))
    with jax.enable_x64(x64):
        jacobian = jax.jit(jax.vmap(jax.jacfwd(lambda p: law.curve(WAVE, p))))(
            {n: jnp.asarray(v) for n, v in table.items()}
        )
        assert all(np.all(np.isfinite(g)) for g in jacobian.values())
    for n in table if x64 else ():
        up, down = (np.asarray(curves({**table, n: table[n] + s * h})) for s in (1, -1))
        np.testing.assert_allclose(jacobian[n], (up - down) / (2 * h), rtol=1e-5, atol=1e-8)
        assert np.min(np.max(np.abs(jacobian[n]), axis=1)) > 1e-3, f"{n} has no effect"


@pytest.mark.parametrize("name", LAWS)
def test_laws_declare_what_they_read(name):
    law = LAWS[name]
    assert law.name == name and law.reference
    assert isinstance(law.curve(WAVE, {}) if not law.params else None, np.ndarray | None)
    for q in law.params:
        assert q.bounds[0] <= q.prior.lo <= q.default <= q.prior.hi <= q.bounds[1]
        with pytest.raises(KeyError, match=q.name):
            law.curve(WAVE, {r.name: r.default for r in law.params if r is not q})


@pytest.mark.parametrize("name", LAWS)
def test_extinction_rises_into_the_ultraviolet_and_vanishes_in_the_far_infrared(name):
    law = LAWS[name]
    p = {q.name: q.default for q in law.params}
    uv, blue, red, near_ir, millimetre = law.curve(np.array([1500.0, 4400.0, 7000.0, 2e4, 1e7]), p)
    assert uv > blue > 1.0 > red > near_ir > millimetre >= 0.0
    assert millimetre < 0.01


@pytest.mark.parametrize("name", ["calzetti", "leitherer02", "reddy15", "noll09", "cardelli"])
def test_curve_continues_without_a_step_beyond_its_data(name):
    law = LAWS[name]
    p = {q.name: q.default for q in law.params}
    for edge in (909.1, 912.0, 970.0, 1200.0, 22000.0, 26000.0, 33333.3):
        below, above = np.asarray(law.curve(edge * np.array([1 - 1e-6, 1 + 1e-6]), p))
        assert above == pytest.approx(below, rel=1e-3), edge
    k = np.asarray(law.curve(np.array([91.0, 500.0, 911.9]), p))
    np.testing.assert_allclose(k, k[-1], rtol=1e-12)


@pytest.mark.parametrize("name", ["noll09", "kriek_conroy", "salim18", "cardelli", "mw", "lmc"])
def test_laws_with_a_bump_show_it_by_default(name):
    law = LAWS[name]
    p = {q.name: q.default for q in law.params}
    short, peak, long = law.curve(np.array([1900.0, 2175.0, 2500.0]), p)
    chord = short + (long - short) * (2175.0 - 1900.0) / (2500.0 - 1900.0)
    assert peak > 1.02 * chord


def test_the_bump_strength_has_one_name_and_a_meaning_per_law():
    default = {n: q.default for n, law in LAWS.items() for q in law.params
               if q.name == "dust_bump_strength"}  # fmt: skip
    assert default == {"noll09": 3.0, "salim18": 3.0, "kriek_conroy": 1.0}


def test_a_misspelt_law_is_answered():
    with pytest.raises(UnknownNameError, match="calzetti"):
        LAWS["calzeti"]


def test_batches_compile_once():
    law = LAWS["salim18"]
    curves = jax.jit(jax.vmap(lambda d, b: law.curve(WAVE, {"dust_delta": d,
                                                            "dust_bump_strength": b})))  # fmt: skip
    slopes, steeper = (scale * jnp.linspace(-1, 0.4, 5) for scale in (0.5, 1.0))
    bump = jnp.full(5, 2.0)
    assert curves(slopes, bump).shape == (5, WAVE.size)
    with compilations() as compiled:
        assert curves(steeper, bump).shape == (5, WAVE.size)
    assert compiled.count == 0
