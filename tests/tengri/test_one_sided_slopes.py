"""Slopes of every component at its parameters' defaults and bounds are one-sided derivatives.

A kink (the end of star formation at the epoch of observation, a node of a table) must give the
derivative on one side; on a bound that is the inner side.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.composition import REDSHIFT
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import EMISSION_MODELS
from tengri.components.dust.milky_way import MilkyWay
from tengri.components.dust.screen import SCREEN_PARAMS, transmissions
from tengri.components.igm import ABSORBER, DAMPING_WING, IGM_MODELS
from tengri.components.stellar.metallicity import METALLICITY_HISTORIES
from tengri.components.stellar.nebular import NEBULAR_MODELS
from tengri.components.stellar.sfh import SFH_FAMILIES, StarFormationHistory
from tengri.numerics.interpolation import cell, hat_weights
from tengri.registry import Param

T_UNIV = 13.0
EDGES = np.array([0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 2.0, 5.0, 8.0, 11.0, 14.0])
WAVE = np.geomspace(300.0, 1e8, 60)
LINE = np.linspace(1100.0, 1500.0, 50)
NODES = np.log10([0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05])

Function = Callable[[dict], jax.Array]


def history(types: tuple[str, ...], given: tuple[str, ...] = ()) -> tuple[Function, tuple]:
    sfh = StarFormationHistory.build(types, given)

    def numbers(p: dict) -> jax.Array:
        mass, fractions = sfh.formed(p, EDGES, T_UNIV)
        age, young = sfh.mean_age(p, EDGES, T_UNIV), sfh.formed_since(p, 0.1, EDGES, T_UNIV)
        return jnp.concatenate([jnp.stack([mass, age, young]), fractions])

    return numbers, sfh.params


def histories() -> dict[str, tuple[Function, tuple]]:
    found = {}
    for name, family in SFH_FAMILIES.items():
        types = (name,) if family.kind == "additive" else ("delayed", name)
        found[name] = history(types)
        if family.fractional_times:
            found[f"{name}, fractions"] = history(
                types, tuple(q.name for q in family.fractional_times.values())
            )
    return found


def nebular(table) -> Function:
    young = jnp.linspace(0.1, 0.9, 40)
    return lambda p: jnp.concatenate([
        p["neb_fesc"] * young, (1 - p["neb_fesc"]) * hat_weights(p["neb_logU"], table.logu)
    ])  # fmt: skip


COMPONENTS: dict[str, tuple[Function, tuple]] = {
    **histories(),
    **{f"metallicity {n}": (lambda p, m=m: m.bin_weights(p, EDGES, T_UNIV, NODES).ravel(), m.params)
       for n, m in METALLICITY_HISTORIES.items()},
    **{f"dust {n}": (lambda p, m=m: m.curve(WAVE, p), m.params)
       for n, m in LAWS.items() if m.params},
    "screen": (lambda p: jnp.concatenate(transmissions(p, WAVE**-0.1, WAVE**-0.2)), SCREEN_PARAMS),
    **{f"emission {n}": (lambda p, m=m: m.spectrum(WAVE, p) * 2.998e18 / WAVE, m.params)
       for n, m in EMISSION_MODELS.items()},
    **{f"igm {n}": (lambda p, m=m: m.transmission(WAVE[:25], p["redshift"]), (REDSHIFT,))
       for n, m in IGM_MODELS.items()},
    **{c.name: (lambda p, c=c: c.transmission(LINE, p | {"redshift": 8.0}), c.params)
       for c in (DAMPING_WING, ABSORBER, MilkyWay())},
    **{f"nebular {n}": (nebular(m.table()), m.params) for n, m in NEBULAR_MODELS.items()},
}  # fmt: skip
QUICK = {"const", "const, fractions", "exp", "delayed, fractions", "metallicity two_step",
         "screen", "emission dl07", "igm inoue", "damping_wing",
         "damped_absorber", "nebular cloudy"}  # fmt: skip


def places(q: Param) -> list[tuple[float, tuple[float, ...]]]:
    """Values of a parameter, and on which sides of each to look."""
    lo, hi = q.bounds
    ends = [(v, s) for v, s in ((lo, (1.0,)), (hi, (-1.0,))) if np.isfinite(v)]
    prior = [(v, s) for v, s in ((q.prior.lo, (1.0,)), (q.prior.hi, (-1.0,))) if lo < v < hi]
    inside = (1.0,) if q.default in (lo, q.prior.lo) else (-1.0,)
    inside = inside if q.default in (lo, hi, q.prior.lo, q.prior.hi) else (1.0, -1.0)
    return [(q.default, inside), *ends, *prior]


def one_sided(f: Function, p: dict, name: str, side: float) -> np.ndarray:
    """Finite difference of second order from one side."""
    h = side * 1e-5 * max(abs(p[name]), 0.1)
    near, far = (np.asarray(f(p | {name: p[name] + k * h})) for k in (1, 2))
    return (-3 * np.asarray(f(p)) + 4 * near - far) / (2 * h)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in COMPONENTS]
)
def test_slopes_at_defaults_and_bounds_are_one_sided(name: str) -> None:
    f, params = COMPONENTS[name]
    rng = np.random.default_rng(2)
    own = {q.name: np.float64(q.default) for q in params if q.shape == ()}
    p = own | {q.name: rng.normal(size=q.shape) for q in params if q.shape not in ((), (-1,))}
    if "sfh_table_log_total_mass" in p:
        p |= {"sfh_table_t_gyr": np.linspace(0, 12, 7), "sfh_table_sfr": np.arange(1.0, 8.0)}
    value = jax.jit(f)
    slopes = jax.jit(jax.jacfwd(lambda own, p: f(p | own)))
    faults = []
    for q in (q for q in params if q.shape == ()):
        for at, sides in places(q):
            here = p | {q.name: np.float64(at)}
            got = np.asarray(slopes({k: here[k] for k in own}, here)[q.name])
            wanted = [one_sided(value, here, q.name, side) for side in sides]
            scale = max(np.max(np.abs(w)) for w in wanted)
            error = min(np.max(np.abs(got - w)) for w in wanted)
            if not error <= 0.02 * scale + 1e-6:
                faults.append(f"{q.name} = {at:g}: {error:.2g} of {scale:.2g}")
    assert not faults


@pytest.mark.parametrize("x", [0.0, 1.0, 3.0])
def test_at_a_node_of_a_table_the_slope_is_that_of_one_interval(x: float) -> None:
    nodes, table = np.array([0.0, 1.0, 3.0]), np.array([2.0, 5.0, 1.0])
    slope = {0.0: 3.0, 1.0: -2.0, 3.0: -2.0}[x]
    assert jax.grad(lambda x: hat_weights(x, nodes) @ table)(x) == slope

    def interpolated(x: jax.Array) -> jax.Array:
        i, s = cell(x, nodes)
        return (1 - s) * jnp.asarray(table)[i] + s * jnp.asarray(table)[i + 1]

    assert jax.grad(interpolated)(x) == slope
