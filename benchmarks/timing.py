"""Medians of interleaved repeats: noise and other work on the machine hit all contenders alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

Call = Callable[[], Any]


@dataclass(frozen=True)
class Contender:
    """What is timed.

    Attributes
    ----------
    call : callable
        Does the work; what it returns is waited for.
    n : int
        Galaxies in one call.
    calls : int
        How often it is called in a repeat, one after the other: short calls are at the mercy of
        whatever else runs, and their median is not.
    """

    call: Call
    n: int
    calls: int = 1


def seconds(contender: Contender) -> float:
    """Return the seconds of one call, the median of several one after the other."""
    times = []
    for _ in range(contender.calls):
        begin = time.perf_counter()
        jax.block_until_ready(contender.call())
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def measure(contenders: dict[str, Contender], repeats: int) -> dict[str, dict[str, float]]:
    """Return by name: µs per galaxy, median and quartiles, and the seconds of the first call."""
    first = {}
    for name, contender in contenders.items():
        begin = time.perf_counter()
        jax.block_until_ready(contender.call())
        first[name] = time.perf_counter() - begin
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            times[name].append(1e6 * seconds(contender) / contender.n)
    return {name: _row(times[name], first[name], contenders[name].n) for name in contenders}


def _row(times: list[float], first: float, n: int) -> dict[str, float]:
    quartiles = np.percentile(times, [25, 75])
    return {
        "us_per_galaxy": statistics.median(times),
        "quartile_1": float(quartiles[0]),
        "quartile_3": float(quartiles[1]),
        "first_call_s": first,
        "galaxies": n,
    }


PEAK_SIZE = 2048


def peak(repeats: int = 1) -> Contender:
    """Return a square matrix product in the default float; see `gflops`."""
    a = jax.numpy.asarray(np.random.default_rng(0).random((PEAK_SIZE, PEAK_SIZE)), float)
    product = jax.jit(lambda a: jax.numpy.matmul(a, a, precision="highest"))
    return Contender(lambda: product(a), 1, repeats)


def gflops(us_of_product: float) -> float:
    """Return the rate of `peak` [GFLOP/s]."""
    return 2.0 * PEAK_SIZE**3 / (us_of_product * 1e-6) / 1e9
