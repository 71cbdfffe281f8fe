"""What is compiled, and when: sizes of batches and values of parameters compile nothing anew."""

from __future__ import annotations

import gc
from dataclasses import fields, replace

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emulator
from emulator.surrogate import EmulatedSEDModel
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tests.compilations import compilations
from tests.emulator.conftest import BOX, ONE, draws, tiny_observation, tiny_ssp
from tests.evaluators import evaluators_of


def tiny(**changes) -> SEDModel:
    """The model of the tiny world with other values."""
    return SEDModel(Parameters(**{**BOX, **changes}), tiny_ssp(), tiny_observation())


def log_flux(model):
    return lambda p: jnp.log(model.predict_photometry(p)).sum()


@pytest.mark.parametrize("kind", ["exact", pytest.param("emulated", marks=pytest.mark.slow)])
def test_no_size_of_a_batch_is_compiled_anew(kind):
    """Values and gradients, and nothing is left behind either."""
    model = tiny() if kind == "exact" else emulator.load("sdss", units="maggies")
    galaxies = draws(model.spec, 5000)
    calls = model.predict_photometry_batch, model.batched(jax.grad(log_flux(model)))
    for call in calls:
        call({name: value[:10] for name, value in galaxies.items()})
    sizes = np.random.default_rng(0).integers(1, 5001, 28)
    gc.collect()
    before = len(jax.live_arrays())
    with compilations() as compiled:
        for n in (1, 5000, *sizes):
            for call in calls:
                result = call({name: value[:n] for name, value in galaxies.items()})
                assert {len(x) for x in jax.tree.leaves(result)} == {n}
    assert compiled.count == 0
    del result
    gc.collect()
    assert len(jax.live_arrays()) <= before


def everything(model: SEDModel, one: dict, batch: dict) -> None:
    """One call of every kind."""
    model.predict_photometry(one)
    model.predict_photometry_batch(batch)
    model.predict_obs_sed(one)
    model.predict_derived(one)


@pytest.mark.parametrize("changed", [{"sfh_tsnorm_skew": 0.5}, {"dust_slope": -1.1}])
def test_models_of_equal_structure_share_their_programs(changed):
    """Other fixed values are other arguments of the same programs."""
    first, second = tiny(), tiny(**changed)
    batch = draws(first.spec, 7)
    everything(first, ONE, batch)
    with compilations() as compiled:
        everything(second, ONE, batch)
    assert compiled.count == 0
    name, value = next(iter(changed.items()))
    np.testing.assert_allclose(
        second.predict_photometry(ONE), first.predict_photometry({**ONE, name: value}), rtol=1e-10
    )


def test_fixed_redshifts_share_their_programs_where_nodes_pad_alike():
    """Making the nodes of a redshift compiles the screens on its wavelengths, once."""
    models = [tiny(redshift=z) for z in (0.3, 0.31)]
    evaluators = [evaluators_of(m).at(float(m.spec.fixed_value("redshift"))) for m in models]
    structures = {jax.tree.structure(e) for e in evaluators}
    shapes = {tuple(x.shape for x in jax.tree.leaves(e)) for e in evaluators}
    assert len(structures) == len(shapes) == 1
    one = {name: value for name, value in ONE.items() if name != "redshift"}
    for model in models:  # each makes its evaluator
        model.predict_photometry(one)
    flux = jax.jit(lambda evaluator, packed: evaluator.bands(packed.unpack()).flux)
    flux(evaluators[0], models[0].pack(one))
    with compilations() as compiled:
        flux(evaluators[1], models[1].pack(one))
        models[0].predict_photometry(one)
        models[1].predict_photometry(one)
    assert compiled.count == 0


@pytest.fixture(scope="module", params=["exact", "emulated"])
def model(request, exact, surrogate):
    return exact if request.param == "exact" else surrogate


def test_an_evaluator_is_a_pytree(model):
    evaluator, p = model.evaluator(), {name: jnp.asarray(value) for name, value in ONE.items()}
    leaves, structure = jax.tree.flatten(evaluator)
    again = jax.tree.unflatten(structure, leaves)
    flux = jax.jit(lambda evaluator, p: evaluator.bands(p).flux)
    expected = flux(evaluator, p)
    with compilations() as compiled:
        np.testing.assert_array_equal(flux(again, p), expected)
        doubled = flux(jax.tree.map(lambda x: x, evaluator), p)
    assert compiled.count == 0
    np.testing.assert_array_equal(doubled, expected)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)


def test_an_evaluator_can_be_mapped_and_differentiated(model):
    evaluator, batch = model.evaluator(), draws(model.spec, 5)
    bands = jax.jit(jax.vmap(evaluator.bands))({k: jnp.asarray(v) for k, v in batch.items()})
    flux = bands.flux * 10.0 ** bands.log10_scale[:, None]
    np.testing.assert_allclose(flux, model.predict_photometry_batch(batch), rtol=2e-5)

    def magnitudes(p):
        bands = evaluator.bands(p)
        return (-2.5 * (jnp.log10(bands.flux) + bands.log10_scale)).sum()

    p = {name: jnp.asarray(value, float) for name, value in ONE.items()}
    slope = jax.jit(jax.grad(magnitudes))(p)
    want = jax.jit(jax.grad(lambda p: model.predict_magnitudes(p).sum()))(p)
    for name, value in slope.items():
        np.testing.assert_allclose(value, want[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_spectra_are_leaves_and_nothing_of_them_is_static():
    """What is static is hashed and compared at every call, and held by every program."""
    spec = Parameters(redshift=(0.01, 1.0), dust_tau_diff=(0.0, 3.0))
    model = SEDModel(spec, load_ssp_data(), Instrument.SDSS().observation())
    evaluator = model.evaluator()
    assert static_size(evaluator) < 0.05 * sum(x.nbytes for x in jax.tree.leaves(evaluator))
    p = {name: jnp.asarray(0.2) for name in spec.free_params}
    brighter = replace(evaluator, spectra=jax.tree.map(lambda x: 2.0 * x, evaluator.spectra))
    flux = jax.jit(lambda evaluator: evaluator.bands(p).flux)
    plain = flux(evaluator)
    with compilations() as compiled:
        twice = flux(brighter)
    assert compiled.count == 0
    np.testing.assert_allclose(twice, 2.0 * plain, rtol=1e-12)


def test_weights_are_leaves_and_nothing_of_them_is_static():
    surrogate = emulator.load("sdss")
    evaluator = surrogate.evaluator()
    n_weights = sum(np.size(x) for x in jax.tree.leaves(surrogate.artefact.params))
    assert sum(x.size for x in jax.tree.leaves(evaluator)) > n_weights > 10_000
    assert static_size(evaluator.light) < n_weights


def static_size(evaluator) -> int:
    """Bytes of the static fields."""
    static = [getattr(evaluator, f.name) for f in fields(evaluator) if f.metadata.get("static")]
    assert static
    return len(cloudpickle.dumps(static))


def test_surrogates_of_equal_structure_share_their_programs(artefact, surrogate):
    weights = jax.tree.map(lambda x: 1.01 * x, artefact.params)
    other = EmulatedSEDModel(replace(artefact, params=weights))
    batch = draws(surrogate.spec, 7)
    surrogate.predict_photometry(ONE)
    surrogate.predict_photometry_batch(batch)
    with compilations() as compiled:
        ours, theirs = other.predict_photometry(ONE), surrogate.predict_photometry(ONE)
        other.predict_photometry_batch(batch)
    assert compiled.count == 0
    assert np.abs(ours / theirs - 1.0).max() > 1e-3
