"""JAX's strict modes: nothing is promoted, broadcast or moved between devices by accident."""

from __future__ import annotations

from contextlib import ExitStack

import jax
import numpy as np
import pytest

from emulator.surrogate import EmulatedSEDModel
from tengri import Parameters, SEDModel
from tests.emulator.conftest import BOX, ONE, draws, tiny_observation, tiny_ssp

MODES = {
    "promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "rank": lambda: jax.numpy_rank_promotion("raise"),
    "transfer": lambda: jax.transfer_guard("disallow"),
}


def built(kind, artefact):
    """A model that was not used: what is made at the first call is made in the strict mode."""
    if kind == "emulated":
        return EmulatedSEDModel(artefact, units="nJy")
    spec = Parameters(**{**BOX, "redshift": 0.3}) if kind == "one redshift" else Parameters(**BOX)
    return SEDModel(spec, tiny_ssp(), tiny_observation(), units="nJy")


@pytest.mark.parametrize("x64", [True, False])
@pytest.mark.parametrize("kind", ["exact", "one redshift", "emulated"])
@pytest.mark.parametrize("mode", MODES)
def test_calls_work(mode, kind, x64, artefact):
    model = built(kind, artefact)
    one = {name: value for name, value in ONE.items() if name in model.spec.free_params}
    with jax.enable_x64(x64):
        batch = draws(model.spec, 3)
        with ExitStack() as stack:
            stack.enter_context(MODES[mode]())
            flux = model.predict_photometry(one)
            many = model.predict_photometry_batch(batch)
            magnitudes = model.predict_magnitudes(one)
            derived = model.predict_derived(one)
        usual = built(kind, artefact)
        np.testing.assert_allclose(flux, usual.predict_photometry(one), rtol=1e-6)
        np.testing.assert_allclose(many, usual.predict_photometry_batch(batch), rtol=1e-6)
        assert np.isfinite(magnitudes).all() and derived["stellar_mass"] > 0.0
