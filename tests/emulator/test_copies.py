"""Models are values: a copy, fresh or used, pickled or not, gives the same numbers."""

from __future__ import annotations

import copy
import pickle

import cloudpickle
import jax
import numpy as np
import pytest

from emulator.surrogate import EmulatedSEDModel
from tengri import Parameters, SEDModel
from tengri.forward.small_call import SPECIALISE_AFTER
from tests.emulator.conftest import BOX, ONE, draws, tiny_observation, tiny_ssp

COPIES = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "cloudpickle": lambda x: pickle.loads(cloudpickle.dumps(x)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
ACCURACY = {"exact": 1e-12, "emulated": 2e-6}  # of a program with its constants in it


def fresh(kind, artefact, **changes):
    """A model that was not used."""
    if kind == "emulated":
        return EmulatedSEDModel(artefact, out_of_domain="nan", units="nJy")
    spec = Parameters(**{**BOX, **changes})
    return SEDModel(spec, tiny_ssp(), tiny_observation(), units="nJy")


def use(model):
    """Leave all behind that a model keeps: programs of every kind, evaluators in both floats."""
    batch = draws(model.spec, 3)
    for _ in range(SPECIALISE_AFTER + 2):
        model.predict_photometry(ONE)
    model.predict_photometry_batch(batch)
    model.predict_derived(ONE)
    model.predict_sfh(ONE)
    with jax.enable_x64(False):
        model.predict_magnitudes(ONE)


@pytest.mark.parametrize("kind", ["exact", "emulated"])
def test_copies_of_fresh_and_used_models_answer_alike(kind, artefact):
    model = fresh(kind, artefact)
    copies = [copied(model) for copied in COPIES.values()]
    small = len(pickle.dumps(model))
    use(model)
    copies += [copied(model) for copied in COPIES.values()]
    assert len(pickle.dumps(model)) < 1.05 * small, "what was computed is left behind"
    batch = draws(model.spec, 3)
    flux, many = model.predict_photometry(ONE), model.predict_photometry_batch(batch)
    for other in copies:
        assert other.spec == model.spec and other.identity() == model.identity()
        assert other.units == "nJy" and other.filter_names == model.filter_names
        np.testing.assert_allclose(other.predict_photometry(ONE), flux, rtol=ACCURACY[kind])
        np.testing.assert_array_equal(other.predict_photometry_batch(batch), many)


@pytest.mark.parametrize("kind", ["exact", "emulated"])
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_of_posteriors_answer_alike(kind, copied, artefact):
    flat = fresh(kind, artefact).flat_function("unit")
    flux = np.asarray(flat(ONE))
    data, u = flat.data(1.05 * flux, 0.1 * flux), flat.vector(ONE)
    other, same = copied(flat), copied(data)
    assert other.coordinates == "unit" and other.names == flat.names
    expected = float(flat.log_posterior(u, data))
    assert float(other.log_posterior(u, same)) == pytest.approx(expected, rel=1e-5)


def test_a_function_of_batches_is_copied_by_value(artefact):
    model = fresh("emulated", artefact)
    ratio = model.batched(lambda p: model.predict_photometry(p)[0] / model.predict_photometry(p)[1])
    batch = draws(model.spec, 3)
    expected = ratio(batch)
    again = pickle.loads(cloudpickle.dumps(ratio))
    np.testing.assert_allclose(again(batch), expected, rtol=1e-6)
