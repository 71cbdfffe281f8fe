"""How many programs JAX compiles while something runs, in whatever thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax.monitoring

EVENT = "/jax/core/compile/backend_compile_duration"


@dataclass
class Compilations:
    """Programs handed to the compiler so far."""

    count: int = 0


@contextmanager
def compilations() -> Iterator[Compilations]:
    """Count the programs that are compiled inside the block."""
    seen = Compilations()

    def listen(event: str, duration: float, **_: Any) -> None:
        seen.count += event == EVENT

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
