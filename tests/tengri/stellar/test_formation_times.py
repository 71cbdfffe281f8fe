"""Recent mass, mean age and mean metallicity of every history, against its SFR integrated."""

from __future__ import annotations

import curves
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.stellar.metallicity import METALLICITY_HISTORIES, Formation
from tengri.components.stellar.sfh import SFH_FAMILIES, StarFormationHistory

# like the bins of an SSP grid, with few edges where histories have theirs
EDGES = np.concatenate([[0.0], 10 ** np.arange(-3.01, 1.15, 0.1)])
TABLE = {"sfh_table_t_gyr": np.linspace(0.013, 12, 9), "sfh_table_sfr": np.arange(9.0) % 4}
T_UNIV = 13.787, 3.2, 0.64
N = 6

MIXED = [("const", "burst"), ("dpl", "tsnorm"), ("delayed", "continuity", "burst")]
# one age has no SFR to integrate: test_delta.py
ALONE = [(n,) for n, f in SFH_FAMILIES.items() if f.kind == "additive" and n != "delta"]


def draws(history: StarFormationHistory) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    u = {q.name: rng.uniform(size=(N, *q.shape)) for q in history.params if q.shape != (-1,)}
    rows = {q.name: np.asarray(q.prior.from_unit(u[q.name])) for q in history.params if q.name in u}
    return rows | {k: np.tile(v, (N, 1)) for k, v in TABLE.items() if "table" in history.types}


def numbers(history: StarFormationHistory, p: dict, t_univ: float) -> jax.Array:
    """Fractions younger than 10, 100 and 500 Myr (the last one traced), mean age."""
    since = [history.formed_since(p, t, EDGES, t_univ) for t in (0.01, 0.1, jnp.asarray(0.5))]
    return jnp.stack([*since, history.mean_age(p, EDGES, t_univ)])


def panels(history: StarFormationHistory, p: dict, t_univ: float) -> np.ndarray:
    """Limits between which the SFR is smooth."""
    own = [
        t
        for name in history.types
        for t in curves.breakpoints(name, short(history, name, p, t_univ), t_univ)
    ]
    own += list(TABLE["sfh_table_t_gyr"]) if "table" in history.types else []
    early = t_univ * (1 - np.geomspace(1e-7, 1, 300))
    limits = [early, np.geomspace(1e-7, 1, 300), np.arange(0, t_univ, 0.03), own, [0.01, 0.1, 0.5]]
    limits = np.unique(np.concatenate([*limits, [0.0, t_univ]]))
    return limits[(limits >= 0) & (limits <= t_univ)]


def short(history: StarFormationHistory, name: str, p: dict, t_univ: float) -> dict[str, float]:
    return {k: float(v) for k, v in history._local(name, p, t_univ).items() if np.ndim(v) == 0}  # noqa: SLF001  (short names)


def integrated(history: StarFormationHistory, p: dict, t_univ: float) -> np.ndarray:
    """The numbers above by Gauss-Legendre over the panels."""
    limits = panels(history, p, t_univ)
    x, w = np.polynomial.legendre.leggauss(5)
    size = 2000  # one shape, so one compilation
    limits = np.append(limits, np.full(size - limits.size, t_univ))
    width = np.diff(limits)[:, None]
    t = limits[:-1, None] + width * 0.5 * (x + 1)
    mass = curves.sfr(history, p, t, t_univ) * 0.5 * w * width
    young = [mass[t < limit].sum() for limit in (0.01, 0.1, 0.5)]
    return np.append(young, (mass * t).sum()) / mass.sum()


SLOW = pytest.mark.slow
QUICK = [("const",), ("delayed",), ("table",), ("continuity",), ("const", "burst")]
CASES = [
    pytest.param(types, as_fractions, marks=() if types in QUICK and not as_fractions else SLOW)
    for types in ALONE + MIXED
    for as_fractions in (False, True)
]


@pytest.mark.parametrize(("types", "as_fractions"), CASES, ids=str)
def test_recent_mass_and_mean_age_are_integrals_of_the_sfr(
    types: tuple, as_fractions: bool
) -> None:
    fractions = [q.name for n in types for q in SFH_FAMILIES[n].fractional_times.values()]
    history = StarFormationHistory.build(types, fractions if as_fractions else ())
    rows = draws(history)
    compiled = jax.jit(jax.vmap(lambda p, t: numbers(history, p, t), (0, None)))
    for t_univ in T_UNIV:
        got = np.asarray(compiled(rows, t_univ))
        for i in range(N):
            p = {k: v[i] for k, v in rows.items()}
            if curves.formed(history, p, EDGES, t_univ)[0] < 0:
                continue  # ended before the Big Bang
            expected = integrated(history, p, t_univ)
            np.testing.assert_allclose(got[i, :3], expected[:3], rtol=1e-3, atol=1e-6)
            assert got[i, 3] == pytest.approx(expected[3], rel=2e-4)


@pytest.mark.parametrize("name", ["const", "tsnorm", pytest.param("dirichlet", marks=SLOW)])
def test_single_precision_agrees(name: str) -> None:
    history = StarFormationHistory.build(name)
    rows = draws(history)
    double = jax.jit(jax.vmap(lambda p: numbers(history, p, 5.0)))(rows)
    with jax.enable_x64(False):
        single = jax.jit(jax.vmap(lambda p: numbers(history, p, 5.0)))(rows)
        assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["const", *(pytest.param(n, marks=SLOW) for n in ("delayed", "lnorm", "norm", "burst"))],
)
def test_gradients_are_right(name: str) -> None:
    types = (name,) if SFH_FAMILIES[name].kind == "additive" else ("tau", name)
    history = StarFormationHistory.build(types)
    p = {k: v[0] for k, v in draws(history).items()} | {"t_univ": 5.75}
    p |= {"sfh_const_start_gyr": 3.0} if name == "const" else {}
    f = jax.jit(lambda p: numbers(history, p, p["t_univ"]))
    exact = jax.jit(jax.jacfwd(lambda p: numbers(history, p, p["t_univ"])))(p)
    for key, value in p.items():
        h = 1e-5 * max(abs(value), 0.1)
        numeric = (f(p | {key: value + h}) - f(p | {key: value - h})) / (2 * h)
        np.testing.assert_allclose(exact[key], numeric, rtol=1e-4, atol=1e-7, err_msg=key)


def test_the_age_limit_is_differentiable() -> None:
    """d(fraction since t)/dt is the SFR over the mass."""
    for types in ("tsnorm", "delayed"):
        history = StarFormationHistory.build(types)
        p = {k: v[0] for k, v in draws(history).items()}
        since = jax.jit(jax.grad(lambda p, t: history.formed_since(p, t, EDGES, 5.0), 1))  # noqa: B023
        slope = since(p, 0.7)
        mass = 10 ** curves.formed(history, p, EDGES, 5.0)[0]
        assert float(slope) == pytest.approx(
            float(curves.sfr(history, p, 0.7, 5.0)) * 1e9 / mass, rel=1e-2
        )


def test_a_stochastic_history_keeps_the_masses_of_its_bins() -> None:
    history = StarFormationHistory.build(("const", "field", "burst"))
    p = {k: v[1] for k, v in draws(history).items()} | {"sfh_const_start_gyr": 9.0}
    p["sfh_field_psd_sigma"], p["sfh_field_psd_tau_myr"] = 0.5, 80.0
    _, fractions = curves.formed(history, p, EDGES, 13.0)
    since = jax.jit(jax.vmap(lambda t: history.formed_since(p, t, EDGES, 13.0)))
    at_100_myr = jax.jit(lambda p: history.formed_since(p, 0.1, EDGES, 13.0))
    ends = EDGES[1:-1]
    np.testing.assert_allclose(since(ends), np.cumsum(fractions)[:-1], rtol=1e-9)
    young = since(np.linspace(0, 13, ends.size))
    assert np.all(np.diff(young) >= 0) and young[-1] == pytest.approx(1.0)
    recent = float(at_100_myr(p))  # known beforehand, or traced
    assert recent == pytest.approx(float(since(np.array([0.1]))[0]), rel=1e-12)
    # recent bins are narrow beside the correlation time: the mean of the curve itself
    t = np.linspace(0, 0.1, 20001)
    curve = curves.sfr(history, p, t, 13.0).mean() * 0.1e9
    mass = 10 ** curves.formed(history, p, EDGES, 13.0)[0]
    assert recent * mass == pytest.approx(curve, rel=0.05)


def test_ages_of_known_histories() -> None:
    def age(name: str, **p: float) -> float:
        history = StarFormationHistory.build(name)
        values = {q.name: q.default for q in history.params}
        values |= {f"sfh_{name}_{k}": v for k, v in p.items()}
        return float(jax.jit(lambda p: history.mean_age(p, EDGES, 13.0))(values))

    assert age("const", start_gyr=0.30, end_gyr=0.29) == pytest.approx(0.295, rel=1e-12)
    assert age("const", start_gyr=30.0) == pytest.approx(6.5, rel=1e-12)
    # τ much shorter than the time since the onset: it ends τ (or, delayed, 2τ) after it
    assert age("tau", age_gyr=6.0, tau_gyr=0.1) == pytest.approx(5.9, rel=1e-10)
    assert age("delayed", age_gyr=6.0, tau_gyr=0.1) == pytest.approx(5.8, rel=1e-10)
    assert age("exp", start_gyr=0.2, tau_gyr=0.1) == pytest.approx(0.3, rel=1e-10)
    assert age("norm", peak_lbt_gyr=4.0, width_gyr=0.3) == pytest.approx(4.0, rel=1e-9)
    # a power law in cosmic time T: T^β has its mean at (1 + β)/(2 + β)
    beta = age("dpl", alpha=1.0, beta=2.0, tau_gyr=100.0)
    assert beta == pytest.approx(13.0 * (1 - 3 / 4), rel=5e-3)


@pytest.mark.parametrize("mode", METALLICITY_HISTORIES)
@pytest.mark.parametrize("name", ["const", "delayed"])
def test_mean_metallicity_is_that_of_the_mass(mode: str, name: str) -> None:
    history, metals = StarFormationHistory.build(name), METALLICITY_HISTORIES[mode]
    p = {q.name: q.default for q in history.params} | {q.name: q.default for q in metals.params}
    p |= {"sfh_const_start_gyr": 0.30, "sfh_const_end_gyr": 0.29, "met_step_age_gyr": 0.2975}
    p |= {"met_logzsol": -0.4}
    t_univ = 9.0

    def mean(p: dict) -> jax.Array:
        formation = Formation(
            history.mean_age(p, EDGES, t_univ),
            lambda age: history.formed_since(p, age, EDGES, t_univ),
            t_univ,
        )
        return metals.mean(p, formation)

    t = (np.arange(90_000) + 0.5) / 1e4
    of_age = {
        "delta": np.full_like(t, -0.4),
        "two_step": np.where(t > 0.2975, -0.5, 0.0),
        "ramp": -1.0 * t / t_univ,
    }[mode]
    rate = curves.sfr(history, p, t, t_univ)
    value, slope = jax.jit(jax.value_and_grad(mean))({k: jnp.asarray(v) for k, v in p.items()})
    assert float(value) == pytest.approx(np.average(of_age, weights=rate), abs=2e-4)
    assert all(np.isfinite(s) for s in slope.values())
    if mode == "two_step":
        density = (
            1 / 0.01 if name == "const" else rate[np.argmin(abs(t - 0.2975))] / rate.mean() / 9
        )
        assert float(slope["met_step_age_gyr"]) == pytest.approx(0.5 * density, rel=1e-3)


def test_numbers_of_a_history_that_ended_before_the_big_bang_are_finite() -> None:
    history = StarFormationHistory.build("const")
    p = {"sfh_const_log_total_mass": 10.0, "sfh_const_start_gyr": 9.0, "sfh_const_end_gyr": 2.0}
    values = jax.jit(lambda p: numbers(history, p, 0.64))(p)
    slopes = jax.jit(jax.jacfwd(lambda p: numbers(history, p, 0.64)))(p)
    assert np.isfinite(values).all()
    assert all(np.isfinite(s).all() for s in slopes.values())
