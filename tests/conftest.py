"""Shared test configuration: float64 on, a float32 scope on request, no display."""

from __future__ import annotations

import gc
from collections.abc import Iterator

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


@pytest.fixture(autouse=True, scope="module")
def collected_between_modules() -> Iterator[None]:
    """Collect garbage between modules, not while JAX traces: cycles of tracers are many there."""
    gc.disable()
    yield
    gc.enable()
    gc.collect()
