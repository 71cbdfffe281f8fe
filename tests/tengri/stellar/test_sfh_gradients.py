"""Values and gradients: right against finite differences, finite in every prior corner."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from curves import formed, sfr

from tengri.components.stellar.sfh import SFH_FAMILIES, StarFormationHistory

EDGES = np.array([0.0, 0.01, 0.05, 0.2, 0.4, 0.6, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0])
TABLE = {"sfh_table_t_gyr": np.linspace(0, 12, 7), "sfh_table_sfr": np.arange(1.0, 8.0)}


def with_base(name: str) -> tuple[str, ...]:
    return (name,) if SFH_FAMILIES[name].kind == "additive" else ("delayed", name)


def variants(name: str) -> list[StarFormationHistory]:
    family = SFH_FAMILIES[name]
    fractions = {p.name for p in family.fractional_times.values()}
    return [
        StarFormationHistory.build(with_base(name), given)
        for given in (
            {f"{family.prefix}log_peak_sfr"},
            {f"{family.prefix}log_total_mass", *fractions},
        )
    ]


def middle(history: StarFormationHistory) -> dict:
    rng = np.random.default_rng(5)
    p = {}
    for i, param in enumerate(history.params):
        if param.shape == ():
            p[param.name] = float(param.prior.from_unit(0.37 + 0.0131 * i))
        elif param.shape == (-1,):
            p[param.name] = TABLE[param.name]
        else:
            p[param.name] = rng.normal(size=param.shape)
    return p


def signature(history: StarFormationHistory, p: dict, t_univ: float) -> jax.Array:
    """One number that everything enters: mass and how it is spread."""
    mass, fractions = history.formed(p, EDGES, t_univ)
    return mass + jnp.sum(jnp.sin(np.arange(len(EDGES) - 1)) * fractions)


QUICK = ("tsnorm", "dpl", "continuity", "burst")


FAMILIES = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in SFH_FAMILIES]
)


@FAMILIES
def test_gradient_of_every_parameter(name: str) -> None:
    for history in variants(name):
        p = middle(history)
        p["t_univ"] = 4.7
        p = {k: np.asarray(v) for k, v in p.items()}
        both = jax.jit(jax.value_and_grad(lambda p: signature(history, p, p["t_univ"])))  # noqa: B023
        grad = both(p)[1]
        for key, at in p.items():
            steps = np.asarray(at)
            where = [()] if steps.ndim == 0 else [(0,), (steps.size // 2,)]
            for index in where:
                up, down = steps.astype(float).copy(), steps.astype(float).copy()
                up[index] += 1e-5
                down[index] -= 1e-5
                numeric = (both({**p, key: up})[0] - both({**p, key: down})[0]) / 2e-5
                np.testing.assert_allclose(
                    np.asarray(grad[key])[index], numeric, rtol=1e-3, atol=2e-7, err_msg=key
                )
            if key != "t_univ" and SFH_FAMILIES[name].kind == "additive":
                assert np.any(np.asarray(grad[key]) != 0) or key in INERT_INSIDE, key


# const: lookback times of onset beyond the Big Bang
INERT_INSIDE = {"sfh_const_start_gyr"}


@FAMILIES
@pytest.mark.parametrize("bits", [32, 64])
def test_finite_in_every_corner(name: str, bits: int) -> None:
    with jax.enable_x64(bits == 64):
        history = variants(name)[
            bits == 64
        ]  # peak SFR and Gyr in one, mass and fractions in the other
        p = middle(history)
        own = [q for q in history.params if q.shape == () and "delayed" not in q.name]
        own = own or [q for q in history.params if q.shape == ()]
        corners = np.array(list(itertools.product([0.0, 1.0], repeat=min(len(own), 6))))
        batch = {k: np.broadcast_to(v, (len(corners), *np.shape(v))) for k, v in p.items()}
        batch |= {q.name: np.asarray(q.prior.from_unit(u)) for q, u in zip(own, corners.T)}
        both = jax.value_and_grad(lambda p, t: signature(history, p, t))
        both = jax.jit(jax.vmap(both, (0, None)))
        for t_univ in (13.787, 0.64):
            value, grad = both(batch, t_univ)
            assert np.isfinite(value).all()
            assert [k for k, g in grad.items() if not np.isfinite(g).all()] == []


def test_a_peak_long_before_the_big_bang() -> None:
    pars = {"peak_lbt_gyr": 12.0, "width_gyr": 0.2, "skew": 0.0, "trunc": 3.0}
    p = {f"sfh_tsnorm_{k}": v for k, v in pars.items()}
    by_peak = StarFormationHistory.build("tsnorm")
    by_mass = StarFormationHistory.build("tsnorm", {"sfh_tsnorm_log_total_mass"})
    mass, _ = formed(by_peak, {**p, "sfh_tsnorm_log_peak_sfr": 1.0}, EDGES, 0.64)
    assert np.isfinite(mass) and mass < -600
    p["sfh_tsnorm_log_total_mass"] = 10.0
    mass, fractions = formed(by_mass, p, EDGES, 0.64)
    assert mass == 10 and fractions.sum() == pytest.approx(1)
    assert fractions[np.searchsorted(EDGES, 0.64) - 1] > 0.99


def test_no_stars_is_a_finite_number_below_one_sun() -> None:
    for amplitude in ("log_peak_sfr", "log_total_mass"):
        history = StarFormationHistory.build("const", {f"sfh_const_{amplitude}"})
        p = {
            f"sfh_const_{amplitude}": 10.0,
            "sfh_const_start_gyr": 9.0,
            "sfh_const_end_gyr": 2.0,
        }
        mass, fractions = formed(history, p, EDGES, 0.64)
        assert np.isfinite(mass) and mass < 0
        assert fractions.sum() == 1 and np.isfinite(fractions).all()
        assert (sfr(history, p, EDGES, 0.64) == 0).all()
        grad = jax.jit(jax.grad(lambda p: history.formed(p, EDGES, 0.64)[0]))(p)  # noqa: B023
        assert all(np.isfinite(g) for g in grad.values())
