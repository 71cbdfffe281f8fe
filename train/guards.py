"""Guards around a run: one process per folder, and signals that save before they stop."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tengri.errors import DataError, TengriError


class LockedError(TengriError, RuntimeError):
    """Another process works in the same folder."""


class Lock:
    """Holds ``folder/lock`` while in use.

    The kernel drops the lock with the process, however it ends: a file left behind by a dead
    one locks nobody out.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self.recovered = ""
        self._fd = -1

    def __enter__(self) -> Lock:
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror}).") from error
        holder = self._holder()
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise LockedError(
                f"{self.path.parent} is in use by {holder or 'another process'}. Wait for it, or "
                "stop it (Ctrl-C there saves first)."
            ) from None
        if holder:
            self.recovered = f"stale lock of {holder} recovered"
        mine = json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, mine, 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)

    def _holder(self) -> str:
        try:
            who = json.loads(os.pread(self._fd, 1000, 0))
            return f"process {int(who['pid'])} on {str(who['host'])[:64]}"
        except (ValueError, KeyError, TypeError):
            return ""


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
