"""Priors against scipy: draws, densities, quantiles, coordinates, gradients, errors."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from tengri.errors import ParameterError, UnknownNameError
from tengri.priors import (
    Distribution,
    Fixed,
    Gaussian,
    Laplace,
    LogNormal,
    LogUniform,
    Normal,
    StudentT,
    Uniform,
)


def truncated(law, lo, hi):
    """Return (cdf, pdf) of a scipy law restricted to [lo, hi], from the nearer tail."""
    mass = law.sf(lo) - law.sf(hi) if law.cdf(lo) > 0.5 else law.cdf(hi) - law.cdf(lo)

    def cdf(x):
        x = np.clip(x, lo, hi)
        if law.cdf(lo) > 0.5:
            return (law.sf(lo) - law.sf(x)) / mass
        return (law.cdf(x) - law.cdf(lo)) / mass

    return cdf, lambda x: law.pdf(x) / mass


INF = math.inf
CASES = {
    "uniform": (Uniform(-1.0, 2.5), stats.uniform(-1.0, 3.5)),
    "log-uniform": (LogUniform(0.01, 30.0), stats.loguniform(0.01, 30.0)),
    "normal": (Normal(1.0, 2.0), stats.norm(1.0, 2.0)),
    "normal cut": (Normal(1.0, 2.0, -0.5, 1.5), stats.norm(1.0, 2.0)),
    "normal one side": (Normal(0.0, 1.0, lo=0.3), stats.norm(0.0, 1.0)),
    "normal upper tail": (Normal(0.0, 1.0, 6.0, 9.0), stats.norm(0.0, 1.0)),
    "normal lower tail": (Normal(0.0, 1.0, -INF, -6.0), stats.norm(0.0, 1.0)),
    "log-normal": (LogNormal(0.2, 0.7), stats.lognorm(0.7, scale=math.exp(0.2))),
    "log-normal cut": (LogNormal(0.2, 0.7, 0.5, 4.0), stats.lognorm(0.7, scale=math.exp(0.2))),
    "t2": (StudentT(0.0, 0.3, 2.0), stats.t(2.0, 0.0, 0.3)),
    "t2 cut": (StudentT(0.0, 0.3, 2.0, -5.0, 5.0), stats.t(2.0, 0.0, 0.3)),
    "t3.7": (StudentT(1.0, 0.5, 3.7), stats.t(3.7, 1.0, 0.5)),
    "t30 tail": (StudentT(0.0, 1.0, 30.0, 2.0, 7.0), stats.t(30.0)),
    "laplace": (Laplace(0.5, 2.0), stats.laplace(0.5, 2.0)),
    "laplace cut": (Laplace(0.5, 2.0, -1.0, 9.0), stats.laplace(0.5, 2.0)),
}
# Laws that another case of the same law, or of the same kind of cut, stands for.
SLOW = {
    "normal one side",
    "normal lower tail",
    "log-normal cut",
    "t2",
    "t2 cut",
    "t30 tail",
    "laplace cut",
}
EVERY = pytest.mark.parametrize(
    "prior, law",
    [pytest.param(*case, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
     for name, case in CASES.items()],
)  # fmt: skip
FINITE = {k: v for k, v in CASES.items() if all(map(math.isfinite, v[0].bounds))}


@EVERY
def test_draws_follow_the_law(prior, law):
    draws = np.asarray(prior.sample(jax.random.key(3), (20_000,)))
    cdf, _ = truncated(law, *prior.bounds)
    assert draws.min() >= prior.lo and draws.max() <= prior.hi
    ends = prior.from_unit(jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(ends, prior.reach, rtol=1e-6)
    assert stats.kstest(draws, cdf).pvalue > 1e-3


@EVERY
def test_log_prob_is_scipys_and_normalised(prior, law):
    x = np.asarray(prior.from_unit(np.linspace(0.001, 0.999, 41)))
    _, pdf = truncated(law, *prior.bounds)
    np.testing.assert_allclose(prior.log_prob(x), np.log(pdf(x)), rtol=1e-10, atol=1e-10)
    lo, hi = (float(prior.from_unit(u)) for u in (1e-6, 1.0 - 1e-6))
    # in log x where the law spans decades
    grid = jnp.geomspace(lo, hi, 40_001) if lo > 0 else jnp.linspace(lo, hi, 400_001)
    mass = integrate.simpson(np.exp(prior.log_prob(grid)), x=np.asarray(grid))
    assert mass == pytest.approx(1.0 - 2e-6, abs=2e-5)


@EVERY
def test_quantiles_invert_the_cumulative_probability(prior, law):
    u = np.array([1e-9, 1e-4, 0.1, 0.3, 0.5, 0.7, 0.9, 0.9999, 1 - 1e-9])
    cdf, _ = truncated(law, *prior.bounds)
    np.testing.assert_allclose(cdf(np.asarray(prior.from_unit(u))), u, rtol=2e-6, atol=1e-13)
    np.testing.assert_allclose(prior.to_unit(prior.from_unit(u)), u, rtol=1e-9, atol=1e-14)


@EVERY
def test_standard_normal_coordinates_invert(prior, law):
    xi = jnp.linspace(-5.0, 5.0, 41)
    x = prior.unstandardize(xi)
    np.testing.assert_allclose(prior.standardize(x), xi, rtol=1e-6, atol=1e-8)
    cdf, _ = truncated(law, *prior.bounds)
    np.testing.assert_allclose(cdf(np.asarray(x)), stats.norm.cdf(xi), rtol=1e-6, atol=1e-15)


@EVERY
def test_unbounded_coordinates_invert_with_their_jacobian(prior, law):
    x = prior.from_unit(jnp.linspace(0.01, 0.99, 15))
    y = prior.to_unbounded(x)
    np.testing.assert_allclose(prior.from_unbounded(y), x, rtol=1e-12)
    slope = jax.jit(jax.vmap(jax.grad(prior.from_unbounded)))(y)
    np.testing.assert_allclose(prior.log_abs_det(y), jnp.log(jnp.abs(slope)), atol=1e-10)
    far = prior.from_unbounded(jnp.array([-50.0, 50.0]))
    assert (far >= prior.lo).all() and (far <= prior.hi).all()


@EVERY
def test_quantile_gradient_is_one_over_the_density(prior, law):
    u = jnp.array([1e-3, 0.2, 0.45, 0.55, 0.8, 0.999])
    slope = jax.jit(jax.vmap(jax.grad(prior.from_unit)))(u)
    np.testing.assert_allclose(slope, np.exp(-prior.log_prob(prior.from_unit(u))), rtol=1e-8)


@EVERY
def test_values_and_gradients_are_finite_in_float32(prior, law, float32):
    draws = prior.sample(jax.random.key(0), (5_000,))
    assert draws.dtype == jnp.float32
    assert stats.kstest(np.asarray(draws, float), truncated(law, *prior.bounds)[0]).pvalue > 1e-3
    xi = jnp.linspace(-5.0, 5.0, 101)
    for function, x in (
        (prior.unstandardize, xi),
        (prior.from_unbounded, xi),
        (prior.log_prob, draws[:100]),
        (lambda y: prior.log_prob(prior.from_unbounded(y)) + prior.log_abs_det(y), xi),
    ):
        value, slope = jax.jit(jax.vmap(jax.value_and_grad(function)))(x)
        assert jnp.isfinite(value).all() and jnp.isfinite(slope).all()
    near = xi[20:81]  # |xi| <= 3: further out, float32 positions beside a bound coincide
    np.testing.assert_allclose(prior.standardize(prior.unstandardize(near)), near, atol=5e-3)


@pytest.mark.parametrize("prior, law", FINITE.values(), ids=FINITE.keys())
def test_edges_of_the_unit_interval_are_the_bounds(prior, law):
    np.testing.assert_allclose(prior.from_unit(jnp.array([0.0, 1.0])), prior.bounds, rtol=1e-9)
    np.testing.assert_allclose(prior.to_unit(jnp.array(prior.bounds)), [0.0, 1.0], atol=1e-12)


@EVERY
def test_outside_is_impossible(prior, law):
    outside = [b + s for b, s in zip(prior.bounds, (-1.0, 1.0)) if math.isfinite(b)]
    for x in [*outside, math.nan]:
        assert prior.log_prob(x) == -jnp.inf
        assert jnp.isfinite(jax.grad(prior.log_prob)(x)) or math.isnan(x)


@EVERY
def test_identity_survives_repr_json_and_pickle(prior, law):
    assert eval(repr(prior)) == prior
    assert Distribution.from_dict(json.loads(json.dumps(prior.to_dict()))) == prior
    assert pickle.loads(pickle.dumps(prior)) == prior
    assert len({prior, eval(repr(prior))}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        prior.lo = 0.0


@pytest.mark.parametrize("df", [1.0, 1.3, 2.0, 2.0 + 1e-9, 400.0])
def test_student_quantiles_for_any_degrees_of_freedom(df):
    u = np.concatenate([np.geomspace(1e-12, 0.4, 12), [0.5, 0.6, 0.99, 1 - 1e-9]])
    x = StudentT(0.0, 1.0, df).from_unit(u)
    np.testing.assert_allclose(x, stats.t(df).ppf(u), rtol=1e-7, atol=1e-12)


def test_fixed_holds_its_value():
    fixed = Fixed(np.float32(0.5), units="dex")
    assert fixed.is_fixed and fixed.default == fixed.lo == fixed.hi == 0.5
    assert fixed.bounds == (0.5, 0.5)
    assert fixed.sample(jax.random.key(0), (3,)).tolist() == [0.5] * 3
    assert fixed.log_prob(0.5) == 0.0
    assert fixed.from_unit(0.1) == fixed.unstandardize(2.0) == fixed.from_unbounded(3.0) == 0.5
    assert Fixed(np.arange(3)) == Fixed([0, 1, 2]) != Fixed([0, 1, 3])
    assert eval(repr(Fixed([1.0, 2.0]))) == Fixed([1, 2])


def test_signatures_keep_their_positions():
    assert Uniform(0, 1, "what", units="Gyr", default=0.5).description == "what"
    assert Gaussian is Normal
    assert Normal(0, 1, -2, 2, "d").hi == 2.0
    assert (LogNormal().mu, LogNormal().sigma, LogNormal().lo) == (0.0, 1.0, 0.0)
    assert (StudentT().mu, StudentT().sigma, StudentT().df) == (0.0, 1.0, 3.0)
    assert repr(Uniform(0, 1, default=0.5)) == "Uniform(0.0, 1.0, default=0.5)"


BAD = {
    "swapped": (lambda: Uniform(2, 1), "Swap"),
    "empty": (lambda: Uniform(1, 1), "Fixed"),
    "infinite uniform": (lambda: Uniform(0, INF), "finite"),
    "nan": (lambda: Uniform(0, math.nan), "NaN"),
    "text": (lambda: Uniform("0", 1), "number"),
    "bool": (lambda: Fixed(True), "number"),
    "infinite value": (lambda: Fixed(INF), "finite"),
    "log of zero": (lambda: LogUniform(0, 1), "positive"),
    "sigma": (lambda: Normal(0, 0), "positive"),
    "negative sigma": (lambda: Laplace(0, -1), "positive"),
    "df": (lambda: StudentT(0, 1, 0.5), "df"),
    "default outside": (lambda: Uniform(0, 1, default=2), "default"),
    "no mass": (lambda: Normal(0, 1, 20, 30), "Uniform"),
    "negative log-normal": (lambda: LogNormal(0, 1, -1, 2), "0 or more"),
    "infinite mean": (lambda: Normal(INF, 1), "finite"),
    "misread": (lambda: Distribution.from_dict({"kind": "Uniform", "low": 1}), "rebuilt"),
}


@pytest.mark.parametrize("make, says", BAD.values(), ids=BAD.keys())
def test_bad_arguments_are_named(make, says):
    with pytest.raises(ParameterError, match=says):
        make()


def test_unknown_kind_and_traced_argument():
    with pytest.raises(UnknownNameError, match="Did you mean Uniform"):
        Distribution.from_dict({"kind": "Unifrom", "lo": 0, "hi": 1})
    with pytest.raises(ParameterError, match="traced"):
        jax.jit(lambda x: Uniform(0.0, x).hi)(1.0)
