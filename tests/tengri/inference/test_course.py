"""Rounds of importance sampling where a posterior is thin and bent."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from tengri.errors import ConfigError
from tengri.forward.evaluator import Bands, FixedValues
from tengri.inference import Observations, fit
from tengri.inference.importance import SamplingPlan
from tests.tengri.inference.toy import BANDS, MEAN, NAMES, WIDTH, Toy

BEND, ERROR = 3.0, 0.05
PLAN = SamplingPlan(starts=8, steps=6, components=32, rounds=5, draws=400)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class BentEvaluator:
    """Fluxes 100 + 10 (y + BEND x²) in every band, x and y in widths of their priors."""

    fixed: FixedValues

    def bands(self, p):
        x, y = ((p[name] - m) / w for name, m, w in zip(NAMES, MEAN, WIDTH))
        flux = 100.0 + 10.0 * (y + BEND * x * x)
        return Bands(jnp.asarray(-32.0), flux * jnp.ones(len(BANDS)), jnp.zeros(()))


class BentToy(Toy):
    def evaluator(self, z_range=None):
        return BentEvaluator(FixedValues.of(self.spec))


def test_a_thin_arc_is_covered_to_its_ends():
    """Two parameters, one of whose combinations is known to a twentieth of its width."""
    flux, error = np.full((1, 3), 140.0), np.full((1, 3), 3**0.5 * 10.0 * ERROR)
    data = Observations.of(flux, error, BANDS)
    found = fit(BentToy(), data, "importance", derived=False, plan=PLAN)
    assert found.usable.all()
    x = np.linspace(-4.0, 4.0, 40_001)
    p = norm.pdf(x) * norm.pdf(4.0, BEND * x * x, np.hypot(1.0, ERROR))
    below = np.cumsum(p) / p.sum()
    for name, q in (("p02", 0.025), ("p16", 0.16), ("p84", 0.84), ("p97", 0.975)):
        at = (found.columns[f"{NAMES[0]}_{name}"][0] - MEAN[0]) / WIDTH[0]
        assert np.interp(at, x, below) == pytest.approx(q, abs=0.35 * min(q, 1.0 - q) + 0.005)
    y = (found.columns[f"{NAMES[1]}_p50"][0] - MEAN[1]) / WIDTH[1]
    arc = 4.0 - BEND * x * x
    order = np.argsort(arc)
    middle = np.interp(0.5, np.cumsum(p[order]) / p.sum(), arc[order])
    assert y == pytest.approx(middle, abs=0.1)


def test_a_plan_has_room_for_its_starts():
    with pytest.raises(ConfigError, match="components"):
        SamplingPlan(starts=20, components=10)
