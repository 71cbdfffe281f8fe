"""A user's script that shares its work out to processes; ``test_processes.py`` runs it.

It registers a dust law, builds an exact model with it and a surrogate, and has others evaluate
them: ``python workers.py WAY surrogate.h5``.
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import emcee
import numpy as np

import emulator
from tengri import Parameters, SEDModel
from tengri.components.array_module import array_module
from tengri.components.dust.attenuation import LAWS, DustLaw
from tests.emulator.conftest import BOX, ONE, draws, tiny_observation, tiny_ssp

LAWS.add(DustLaw("own", (), lambda wave, p: 5500.0 / array_module(wave).asarray(wave), "k ∝ 1/λ"))


def models(surrogate):
    """An exact model behind the own law, and the surrogate."""
    box = {name: value for name, value in BOX.items() if name != "dust_slope"}
    own = SEDModel(Parameters(**box, dust_law="own"), tiny_ssp(), tiny_observation(), units="nJy")
    return own, emulator.load(surrogate, units="nJy")


def answer(model, one, batch):
    """What a worker is asked for."""
    return np.asarray(model.predict_photometry(one)), np.asarray(
        model.predict_photometry_batch(batch)
    )


def with_executor(method, model, batch):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(answer, model, ONE, batch).result(timeout=300)


def with_pool(method, model, batch):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply_async(answer, (model, ONE, batch)).get(timeout=300)


def compared(ask, surrogate):
    """Every model, fresh and used, answers there what it answers here."""
    for model in models(surrogate):
        batch = draws(model.spec, 5)
        theirs = ask(model, batch)  # a fresh one
        ours = answer(model, ONE, batch)
        for again in (theirs, ask(model, batch)):
            for a, b in zip(again, ours):
                np.testing.assert_allclose(a, b, rtol=2e-6)


def sampled(surrogate):
    """emcee shares its walkers out to a pool; the chain is that of one process."""
    _, fast = models(surrogate)
    flat = fast.flat_function()
    flux = np.asarray(flat(ONE))
    data, centre = flat.data(flux, 0.1 * flux), np.asarray(flat.vector(ONE))
    start = centre + 0.01 * np.random.default_rng(0).normal(size=(2 * flat.size, flat.size))

    def chain(pool):
        density = partial(flat.log_posterior, data=data)
        sampler = emcee.EnsembleSampler(len(start), flat.size, density, pool=pool)
        sampler.random_state = np.random.RandomState(1).get_state()
        sampler.run_mcmc(start, 2)
        return sampler.get_log_prob()

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        np.testing.assert_allclose(chain(pool), chain(None), rtol=1e-5)


WAYS = {
    "executor, spawn": partial(compared, partial(with_executor, "spawn")),
    "executor, forkserver": partial(compared, partial(with_executor, "forkserver")),
    "pool, spawn": partial(compared, partial(with_pool, "spawn")),
    "emcee, spawn": sampled,
}

if __name__ == "__main__":
    WAYS[sys.argv[1]](sys.argv[2])
    print("alike")
