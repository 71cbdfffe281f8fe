"""One process per folder of a run."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path

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
