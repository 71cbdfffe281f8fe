"""Signals that let a training save before it stops."""

from __future__ import annotations

import os
import signal
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tengri.errors import TengriError


class Stopped(TengriError):
    """The run was asked to stop and has saved its state."""


class Signals:
    """SIGINT, SIGTERM and SIGHUP ask for a stop; a second one ends the process at once.

    Within `deferred` the first one only sets ``received``, so that the step is finished and
    saved; elsewhere nothing is lost by an end, and it raises KeyboardInterrupt.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.received = 0
        self._deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for number in self.NUMBERS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup asks for
                self._before[number] = signal.signal(number, self._handle)
        return self

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """While a state exists that is worth saving."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        if self.received:
            _tell("\nstopped at once; the last checkpoint is intact\n")
            os._exit(130)
        self.received = number
        if not self._deferred:
            raise KeyboardInterrupt
        name = signal.Signals(number).name
        _tell(f"\n{name}: finishing this step and saving (again: stop at once)\n")


def _tell(text: str) -> None:
    """Write to standard error, whether or not anybody is there to read it."""
    with suppress(OSError):
        os.write(2, text.encode())
