"""Reading ahead and writing behind: files are worked on by threads while the model computes.

One thing is read ahead and one is written behind at a time, so memory stays that of a few chunks;
what comes out is in order, and an error of a thread is raised by whoever waits for it.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import jax

T = TypeVar("T")


def ahead(made: Iterable[T]) -> Iterator[T]:
    """Yield what an iterable yields; a thread makes the next one in the meantime.

    It computes in the default float of who asks: a setting of JAX that is each thread's own.
    """
    source, end, x64 = iter(made), object(), jax.config.jax_enable_x64  # type: ignore[attr-defined]

    def following() -> Any:
        with jax.enable_x64(x64):
            return next(source, end)

    with ThreadPoolExecutor(1, thread_name_prefix="tengri-ahead") as thread:
        coming: Future[Any] = thread.submit(following)
        while (found := coming.result()) is not end:
            coming = thread.submit(following)
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


class _Ended(Exception):
    """Ends a thread whose work is not wanted any more."""


@contextmanager
def fed(call: Callable[[Iterator[T]], Any]) -> Iterator[Callable[[T], None]]:
    """Yield ``give(item)``: a thread makes one call of all that is given, in order.

    One item waits at a time. What the call raises is raised where the next one is given, or at the
    end of the block; where the block itself fails, the call sees an error in place of an item.
    """
    waiting: queue.Queue[Any] = queue.Queue(1)
    end, failed = object(), object()

    def items() -> Iterator[T]:
        while (item := waiting.get()) is not end:
            if item is failed:
                raise _Ended
            yield item

    def give(item: Any) -> None:
        while not task.done():
            with suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return
        task.result()

    with ThreadPoolExecutor(1, thread_name_prefix="tengri-fed") as thread:
        task = thread.submit(call, items())
        try:
            yield give
        except BaseException:
            with suppress(Exception):  # the block's own error is the one to tell
                give(failed)
                task.result()
            raise
        give(end)
        task.result()
