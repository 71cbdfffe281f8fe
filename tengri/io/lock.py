"""One process per folder: the kernel's locks, which go with the process however it ends.

Two are taken: of the folder itself, which nobody removes while it is in use, and of a file in it,
which says who holds it and which network file systems know as well.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tengri.errors import DataError, TengriError
from tengri.io.atomic import os_reason

#: What flock says of a lock that somebody else has.
HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


class LockedError(TengriError, RuntimeError):
    """Another process works in the same folder."""


class Lock:
    """Holds ``folder/lock`` while in use.

    A file left behind by a dead process locks nobody out, and one that is removed while the lock
    is held lets nobody in.

    Parameters
    ----------
    folder : Path
    shared : bool
        Whether others may share it: then it keeps out those who want it alone.
    """

    def __init__(self, folder: Path, shared: bool = False) -> None:
        self.path = folder / "lock"
        self.recovered = ""
        self._how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        self._fd = self._folder = -1

    def __enter__(self) -> Lock:
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({os_reason(error)}).") from error
        try:
            self._take()
        except BaseException:
            self._close()
            raise
        return self

    def _take(self) -> None:
        holder = self._holder()
        self._folder = os.open(self.path.parent, os.O_RDONLY)
        with suppress(_NoLocks):  # NFS locks no folders; the file is locked all the same
            self._flock(self._folder, holder)
        try:
            self._flock(self._fd, holder)
        except _NoLocks as error:
            raise DataError(
                f"{self.path}: cannot be locked ({error}): this file system knows no locks, and "
                "two processes in one folder would spoil it. Use a disk of this machine."
            ) from None
        if not self._is_there():
            raise LockedError(f"{self.path.parent} has just been removed by its holder: try again.")
        if holder:
            self.recovered = f"stale lock of {holder} recovered"
        self._sign()

    def _flock(self, handle: int, holder: str) -> None:
        try:
            fcntl.flock(handle, self._how)
        except OSError as error:
            if error.errno not in HELD:
                raise _NoLocks(error.strerror) from None
            raise LockedError(
                f"{self.path.parent} is in use by {holder or 'another process'}. Wait for it, or "
                "stop it (Ctrl-C there saves first)."
            ) from None

    def _is_there(self) -> bool:
        """Return whether the file that is locked is the one that others find."""
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except OSError:
            return False

    def _sign(self) -> None:
        """Write down who holds the lock; on a full disk it is held all the same."""
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
            mine = {"pid": os.getpid(), "host": socket.gethostname()}
            os.pwrite(self._fd, json.dumps(mine).encode(), 0)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
        self._close()

    def _close(self) -> None:
        for handle in (self._fd, self._folder):
            if handle >= 0:
                os.close(handle)
        self._fd = self._folder = -1

    def _holder(self) -> str:
        try:
            who = json.loads(os.pread(self._fd, 1000, 0))
            return f"process {int(who['pid'])} on {str(who['host'])[:64]}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ""


class _NoLocks(Exception):
    """The file system has no locks of this kind."""


@contextmanager
def held(folder: Path, shared: bool = False) -> Iterator[None]:
    """Hold a folder, made if it is not there; raises as `Lock` does."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({os_reason(error)}).") from error
    with Lock(folder, shared) as lock:
        try:
            yield
        finally:
            if not shared:
                _remove_empty(folder, lock.path)


def _remove_empty(folder: Path, lock: Path) -> None:
    """Remove a folder in which nothing has been made."""
    with suppress(OSError):
        if list(folder.iterdir()) == [lock]:
            lock.unlink()
            folder.rmdir()
