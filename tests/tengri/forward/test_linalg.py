"""No matrix product is left to an accelerator's default, which has 10 bits of mantissa."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import emulator
from emulator import published
from tengri import Instrument, Parameters, SEDModel, load_ssp_data

HIGHEST = (jax.lax.Precision.HIGHEST,) * 2


def products(jaxpr):
    """Precisions of all matrix products, those of inner functions included."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation.params["precision"]
        for inner in jax.tree.leaves(tuple(equation.params.values())):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from products(inner)


def asked(function, batch):
    found = list(products(jax.make_jaxpr(function)(batch).jaxpr))
    assert found
    return set(found)


EXACT = {
    "stars and gas": {"nebular": "cloudy", "neb_logU": (-4.0, -1.0)},
    "dust emission": {"dust_emission": "dl07"},
    "a nucleus": {"agn_model": "standard", "agn_log_lbol": (9.0, 12.0)},
    "a field": {"mean_sfh_type": ("dpl", "field")},
}


@pytest.mark.parametrize("given", EXACT.values(), ids=EXACT)
@pytest.mark.parametrize("redshift", [(0.01, 1.0), 0.3], ids=["free", "fixed"])
def test_of_the_exact_model_and_its_gradient(given, redshift):
    grid = "ssp_bc03_miles_kroupa_noneb.h5" if "nebular" in given else None
    spec = Parameters(redshift=redshift, met_logzsol=(-2.0, 0.2), dust_tau_diff=(0, 3), **given)
    model = SEDModel(spec, load_ssp_data(grid), Instrument.SDSS().observation())
    drawn = spec.sample_batch(jax.random.key(0), 2)
    batch = {name: np.asarray(drawn[name], np.float32) for name in spec.free_params}
    assert asked(model.predict_photometry_batch, batch) == {HIGHEST}
    slope = jax.grad(lambda b: model.predict_photometry_batch(b).sum())
    assert asked(slope, batch) == {HIGHEST}


@pytest.mark.parametrize("name", published.names())
def test_of_every_published_surrogate(name):
    model = emulator.load(name)
    drawn = model.spec.sample_batch(jax.random.key(0), 2)
    batch = {n: np.asarray(drawn[n], np.float32) for n in model.spec.free_params}
    assert asked(model.predict_photometry_batch, batch) == {HIGHEST}
