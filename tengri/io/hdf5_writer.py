"""A new HDF5 file whose disk may fill up.

The HDF5 library can crash the process when a write of its own fails, most of all while it closes
a file. So it writes into a file object that accepts everything: the first failure is kept, nothing
after it reaches the disk, and the error is raised when the library has let go of the file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from tengri.io import seal


@contextmanager
def new_hdf5(path: Path, **options: Any) -> Iterator[h5py.File]:
    """Open a new HDF5 file with room for a seal; the disk's errors are raised at the end.

    Parameters
    ----------
    path : path
        What is there is overwritten: the caller chooses a temporary name.
    **options
        Of ``h5py.File``.

    Raises
    ------
    OSError
        A folder that cannot be written, a full disk; what lies at ``path`` is then no file.
    """
    with open(path, "w+b", buffering=0) as raw:
        tolerant = _TolerantFile(raw)
        try:
            with h5py.File(tolerant, "w", userblock_size=seal.USERBLOCK, **options) as file:
                yield file
        except (OSError, RuntimeError):
            if tolerant.failure is None:
                raise  # else it is a consequence: HDF5 reads back what never reached the disk
        if tolerant.failure is not None:
            raise tolerant.failure


class _TolerantFile(io.RawIOBase):
    """A file that accepts every write and remembers the first that failed."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.failure: OSError | None = None

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def readinto(self, buffer: Any) -> int | None:
        return self._raw.readinto(buffer)

    def truncate(self, size: int | None = None) -> int:
        self._try(lambda: self._raw.truncate(size))
        return size or 0

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        written = len(left)
        self._try(lambda: self._write_all(left))
        return written

    def _write_all(self, left: memoryview) -> None:
        while left:  # on a disk that is nearly full the first call writes a part
            left = left[self._raw.write(left) :]

    def _try(self, act: Any) -> None:
        if self.failure is None:
            try:
                act()
            except OSError as error:
                self.failure = error
