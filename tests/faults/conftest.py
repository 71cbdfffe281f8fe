"""Counting what was injected: `python -m tests.faults.record` makes the table of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.train.conftest import float32, problem

__all__ = ["float32", "problem"]


@pytest.fixture
def injected(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Return ``injected(promise, n)``, which counts n faults that lost nothing."""

    def count(promise: str, n: int = 1) -> None:
        record_property("faults", (promise, n))

    return count
