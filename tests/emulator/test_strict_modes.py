"""JAX's strict modes: no type promoted, no axis added, nothing moved by accident."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
from emulator.surrogate import EmulatedSEDModel
from tengri import Parameters, SEDModel
from tests.emulator.conftest import BOX, ONE, draws, tiny_observation, tiny_ssp

MODES = {
    "types": lambda: jax.numpy_dtype_promotion("strict"),
    "axes": lambda: jax.numpy_rank_promotion("raise"),
}
EVERY_MODE = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
CALLS = MODES | {"transfers": lambda: jax.transfer_guard("disallow")}


@pytest.mark.parametrize("mode", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", ["exact", "emulated"])
def test_calls_work(mode, kind, artefact):
    """Of models that were not used: what is made at the first call is made in the mode."""
    build = {
        "exact": lambda: SEDModel(Parameters(**BOX), tiny_ssp(), tiny_observation(), units="nJy"),
        "emulated": lambda: EmulatedSEDModel(artefact, units="nJy"),
    }[kind]
    model, batch = build(), draws(artefact.spec, 3)
    with mode():
        flux = model.predict_photometry(ONE)
        many = model.predict_photometry_batch(batch)
        derived = model.predict_derived(ONE)
    usual = build()
    np.testing.assert_allclose(flux, usual.predict_photometry(ONE), rtol=2e-6)
    np.testing.assert_allclose(many, usual.predict_photometry_batch(batch), rtol=2e-6)
    assert derived["stellar_mass"] > 0.0


TABLE = {"sfh_table_t_gyr": np.linspace(0.0, 12.0, 9), "sfh_table_sfr": np.linspace(1.0, 3.0, 9)}
WORLDS = {
    "all components": {
        "mean_sfh_type": ["tsnorm", "continuity", "burst", "field"], "n_grid": 32,
        "met_mode": "ramp", "dust_law_bc": "power_law", "dust_law_diff": "noll09",
        "agn_model": "standard", "agn_screen": "diffuse", "dust_emission": "dl07",
    },
    "a table": {"mean_sfh_type": "table", "dust_emission": "casey2012", **TABLE},
    "one redshift": {"mean_sfh_type": "dpl", "redshift": 0.3, "dust_law": "salim18"},
    "a surrogate": None,
}  # fmt: skip


@EVERY_MODE
@pytest.mark.parametrize("x64", [True, False])
@pytest.mark.parametrize("world", WORLDS)
def test_every_component_can_be_traced(mode, x64, world):
    """Bands, their slopes, spectra, derived quantities and the posterior, without compiling."""
    settings = WORLDS[world]
    if settings is None:
        model = emulator.load("sdss")
    else:
        spec = Parameters(**{"redshift": (0.1, 1.0), "dust_tau_diff": (0.0, 3.0), **settings})
        model = SEDModel(spec, tiny_ssp(), tiny_observation())
    drawn = {name: np.asarray(v)[0] for name, v in model.spec.sample_sobol(1).items()}
    with jax.enable_x64(x64), mode():
        p = {name: jnp.asarray(value, float) for name, value in drawn.items()}
        flat = model.flat_function()
        ones, u = np.ones(len(model.filter_names)), jnp.zeros(flat.size)
        data = flat.data(ones, ones)
        for fn, x in (
            (model.evaluator().bands, p),
            (model.predict_photometry, p),
            (jax.grad(lambda p: jnp.sum(model.predict_photometry(p))), p),
            (model.predict_derived, p),
            (model.predict_sfh, p),
            (lambda u: flat.log_posterior(u, data), u),
            (model.flat_function("unit").params, u),
        ):
            jax.eval_shape(fn, x)
        if settings is not None:
            jax.eval_shape(lambda p: model.predict_obs_sed(p).sed, p)
