"""Entries of the compilation cache: sealed files, of which the least recently used ones go.

They take the place of the files that JAX would keep. Those are written where they are read, so that
another process can find half of one, which stays if the writer is killed; when compressed with
zstandard they carry no checksum, and damaged code would be run; to bound their size they need one
more package, and a lock that all processes wait for (with programs of every size in it, long). Here
an entry begins with a SHA-256 and takes its place by a rename: no lock, no half entry, and nothing
damaged ever reaches XLA. The name of the folder, which stands for the machine, is under the seal,
too: nothing that was copied from another machine does either.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from tengri.io.atomic import temporary_name

ENDING = ".xla"
SEAL = hashlib.sha256().digest_size
#: What a folder may hold [bytes]; beyond, the least recently used entries go, down to a share.
MAX_BYTES = 512_000_000
KEPT_SHARE = 0.8

_state: dict[str, Entries] = {}


class Entries:
    """A folder of compiled programs, as JAX asks for them; safe to share among processes.

    Parameters
    ----------
    folder : Path
    max_bytes : int
        Upper bound of the size of the folder, temporary files included.
    may_load : bool
        Whether entries are given to JAX; they are not before loading has been tried out.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES, may_load: bool = True):
        self._path = folder  # JAX names it in its log
        self.max_bytes = max_bytes
        self.may_load = may_load
        self.loaded: set[str] = set()
        self._size: int | None = None
        self._writable = True

    def get(self, key: str) -> bytes | None:
        """Return an entry, or None where there is none that is whole; a damaged one is removed."""
        if not self.may_load:
            return None
        file = self._file(key)
        try:
            sealed = file.read_bytes()
        except OSError:
            return None
        seal, value = sealed[:SEAL], sealed[SEAL:]
        if self._seal(key, value) != seal:
            self._remove(file)
            return None
        with contextlib.suppress(OSError):  # one that is read only
            os.utime(file)  # last used now
        if value:
            self.loaded.add(key)
        return value or None

    def put(self, key: str, value: bytes) -> None:
        """Write an entry; one that is there stays.

        JAX compiles what it was given and could not load: such an entry becomes an empty one, so
        that it is not tried again.
        """
        refused = key in self.loaded
        file = self._file(key)
        if not self._writable or (file.exists() and not refused):
            return
        try:
            self._write(file, key, b"" if refused else value)
            self._make_room()
        except OSError:  # a full disk, a folder that is read only: no more in this process
            self._writable = False

    def files(self) -> list[tuple[Path, os.stat_result]]:
        """Return the files of the folder with their status, least recently used first."""
        found = []
        for file in self._path.iterdir():
            with contextlib.suppress(OSError):  # another process was faster
                if file.suffix == ENDING:
                    found.append((file, file.stat()))
        return sorted(found, key=lambda item: item[1].st_mtime_ns)

    def _file(self, key: str) -> Path:
        """Return the place of an entry; names of programs may be longer than those of files."""
        return self._path / (hashlib.sha256(key.encode()).hexdigest()[:40] + ENDING)

    def _seal(self, key: str, value: bytes) -> bytes:
        return hashlib.sha256(f"{self._path.name}\n{key}\n".encode() + value).digest()

    def _write(self, file: Path, key: str, value: bytes) -> None:
        """Put a whole file in its place; not synced: after a power cut its seal tells."""
        if SEAL + len(value) > self.max_bytes:
            return
        temporary = temporary_name(file)
        try:
            with open(temporary, "xb") as handle:
                handle.write(self._seal(key, value) + value)
            os.replace(temporary, file)
        finally:
            self._remove(temporary)
        if self._size is not None:
            self._size += SEAL + len(value)

    def _make_room(self) -> None:
        """Remove the least recently used entries of a folder that has grown beyond its bound."""
        if self._size is not None and self._size <= self.max_bytes:
            return
        files = self.files()
        self._size = sum(status.st_size for _, status in files)
        if self._size <= self.max_bytes:
            return
        for file, status in files:
            if self._size <= KEPT_SHARE * self.max_bytes:
                return
            self._remove(file)
            self._size -= status.st_size

    @staticmethod
    def _remove(file: Path) -> None:
        with contextlib.suppress(OSError):
            file.unlink()


def attach(folder: Path, may_load: bool) -> Entries:
    """Let JAX keep its programs in a folder, in this process from here on; return the entries.

    All programs, however small and fast to compile: JAX leaves out what takes less than a second,
    of which a first prediction has dozens. XLA's own files are left out: they carry no seal.
    """
    import jax
    from jax._src import compilation_cache as jax_cache
    from jax.experimental.compilation_cache.compilation_cache import reset_cache

    if attached(folder):
        return _state[str(folder)]
    entries = Entries(folder, may_load=may_load)
    _state[str(folder)] = entries
    theirs = jax_cache.get_file_cache

    def choose(path: str) -> Any:
        return (entries, path) if path == str(folder) else theirs(path)

    jax_cache.get_file_cache = choose  # the one place where JAX chooses what keeps its entries
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    reset_cache()  # a process that has compiled something has chosen already
    return entries


def attached(folder: Any) -> bool:
    """Whether JAX keeps its programs in this folder, and through us."""
    import jax

    given = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    return str(folder) in _state and given == str(folder)


def available() -> bool:
    """Whether this JAX has the place where its cache can be exchanged."""
    from jax._src import compilation_cache as jax_cache

    return hasattr(jax_cache, "get_file_cache")
