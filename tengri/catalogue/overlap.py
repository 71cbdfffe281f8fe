"""Reading ahead and writing behind: files are worked on by threads while the model computes.

One thing is read ahead and one is written behind at a time, so memory stays that of a few chunks;
what comes out is in order, and an error of a thread is raised by whoever waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(made: Iterable[T]) -> Iterator[T]:
    """Yield what an iterable yields; a thread makes the next one in the meantime."""
    source, end = iter(made), object()
    with ThreadPoolExecutor(1, thread_name_prefix="tengri-ahead") as thread:
        coming: Future[Any] = thread.submit(next, source, end)
        while (found := coming.result()) is not end:
            coming = thread.submit(next, source, end)
            yield found


@contextmanager
def behind() -> Iterator[Callable[..., None]]:
    """Yield ``later(call, *args)``, which has a thread make calls one after the other.

    It waits for the call before, and raises its error; the end of the block waits for the last.
    """
    waiting: list[Future[Any]] = []

    def later(call: Callable[..., Any], *args: Any) -> None:
        if waiting:
            waiting.pop().result()
        waiting.append(thread.submit(call, *args))

    with ThreadPoolExecutor(1, thread_name_prefix="tengri-behind") as thread:
        yield later
        for last in waiting:
            last.result()
