"""Shared test configuration: float64 on, a float32 scope on request, no display."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# before JAX: what tests compile, here and in processes that they start, stays out of users' caches
os.environ["TENGRI_COMPILATION_CACHE"] = "0"

import jax
import matplotlib
import pytest

matplotlib.use("Agg")
jax.config.update("jax_enable_x64", True)


@pytest.fixture
def float32() -> Iterator[None]:
    """Run one test in JAX's own default precision."""
    with jax.enable_x64(False):
        yield


#: Tests of whole processes, a minute each: begun first, so that no worker is left alone with one.
LONGEST = ("test_documents.py", "test_seed.py", "test_wheel.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first and leave the others in their order."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


#: A worker larger than this, and grown since, forgets its compiled programs [bytes].
LARGE, GROWN = 1.4 * 2**30, 0.25 * 2**30
_after = [0]


@pytest.fixture(autouse=True, scope="module")
def collected_between_modules() -> Iterator[None]:
    """Collect garbage between modules, not while JAX traces: cycles of tracers are many there.

    What survives a collection is not looked at again until the worker has grown: each look at
    all that JAX holds takes seconds.
    """
    gc.disable()
    yield
    gc.enable()
    full = _resident() > max(LARGE, _after[0] + GROWN)
    if full:
        gc.unfreeze()
        jax.clear_caches()
    gc.collect()
    gc.freeze()
    if full:
        with suppress(AttributeError, OSError):  # not every C library can return what is free
            ctypes.CDLL(None).malloc_trim(0)
        _after[0] = _resident()


def _resident() -> int:
    """Return the memory of this process [bytes], 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()
