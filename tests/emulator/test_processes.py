"""Models in other processes: spawned ones answer, forked ones say why they cannot."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from tengri import Parameters
from tengri.errors import ConfigError
from tests.emulator.conftest import ONE, draws

ROOT = Path(__file__).parents[2]
WORKERS = Path(__file__).with_name("workers.py")
WAYS = ("executor, spawn", "executor, forkserver", "pool, spawn", "emcee, spawn")


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_other_processes_answer_what_this_one_does(way, file):
    """Exact and emulated, fresh and used, behind a law that the user's script registers."""
    run = subprocess.run(
        [sys.executable, str(WORKERS), way, str(file)],
        capture_output=True, text=True, timeout=600, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout == "alike\n"


def calls_of(model):
    """Every call that asks JAX for something, with what it needs made here."""
    flat, unit = model.flat_function(), model.flat_function("unit")
    flux = np.asarray(flat(ONE))
    data, u = flat.data(flux, 0.1 * flux), np.asarray(flat.vector(ONE))
    batch, key = draws(model.spec, 3), jax.random.key(0)
    several = model.batched(lambda p: model.predict_photometry(p).sum())
    calls = {
        "single": lambda: model.predict_photometry(ONE),
        "magnitudes": lambda: model.predict_magnitudes(ONE),
        "batch": lambda: model.predict_photometry_batch(batch),
        "derived": lambda: model.predict_derived(ONE),
        "sfh": lambda: model.predict_sfh(ONE),
        "batched": lambda: several(batch),
        "in jit": lambda: jax.jit(model.predict_photometry)(ONE),
        "evaluator": model.evaluator,
        "domain": lambda: model.in_domain(batch),
        "posterior": lambda: flat.log_posterior(u, data),
        "prior": lambda: flat.log_prior(u),
        "unit prior": lambda: unit.log_prior(u),
        "params": lambda: unit.params(u),
        "vector": lambda: unit.vector(ONE),
        "sample": lambda: model.spec.sample(key),
        "sobol": lambda: model.spec.sample_sobol(4),
    }
    if hasattr(model, "ssp"):
        calls |= {
            "rest": lambda: model.predict_rest_sed(ONE),
            "rest batch": lambda: model.predict_rest_sed_batch(batch),
            "parts": lambda: model.predict_rest_components_batch(batch),
            "observed": lambda: model.predict_obs_sed(ONE),
            "spectrum": lambda: model.predict_spectrum([5000.0], ONE),
        }
    return calls


def refused(calls, queue):
    """Put what each call says, by name."""
    for name, call in calls.items():
        try:
            queue.put((name, f"answered with {type(call()).__name__}"))
        except ConfigError as error:
            queue.put((name, str(error)))


@pytest.mark.parametrize("kind", ["exact", "emulated"])
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_process_says_why_in_every_call(kind, exact, surrogate):
    """Never a hang: JAX's threads are not there."""
    calls = calls_of(exact if kind == "exact" else surrogate)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=refused, args=(calls, queue))
    child.start()
    try:
        said = dict(queue.get(timeout=60) for _ in calls)
    finally:
        child.kill()
        child.join()
    assert set(said) == set(calls)
    for name, words in said.items():
        assert "spawn" in words and "vectorize=True" in words, (name, words)
    assert np.isfinite(exact.predict_photometry(ONE)).all()  # the parent goes on


@pytest.mark.slow
def test_a_process_forked_before_jax_starts_answers(file):
    code = f"""
import multiprocessing
import emulator
from tests.emulator.conftest import ONE

def answer(queue):
    queue.put(emulator.load({str(file)!r}).predict_photometry(ONE).shape)

context = multiprocessing.get_context("fork")
queue = context.Queue()
child = context.Process(target=answer, args=(queue,))
child.start()
assert queue.get(timeout=120) == (4,)
child.join()
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_worker_that_lacks_the_law_says_its_name():
    """A law travels by its name: the workers must register it, too."""
    text = json.dumps(Parameters(dust_law="smc", redshift=0.1).to_dict())
    with pytest.raises(ConfigError, match="unheard_of"):
        Parameters.from_dict(json.loads(text.replace('"smc"', '"unheard_of"')))
