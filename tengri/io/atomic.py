"""Files and folders that come into being in one step: whole, or not at all.

What is written goes to a temporary name beside its place, is synced to the disk and renamed. The
name tells which process on which machine began it, so that another can sweep away what the dead
have left.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tengri.errors import DataError, TengriError

#: Stands for this machine in temporary names.
HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write a file whole: yield the temporary name that takes its place when the block ends.

    Parameters
    ----------
    path : Path
        The file to be; what is there before stays until the new one is complete.

    Yields
    ------
    Path
        A name beside it, with the same ending. Whoever reads the file back before it takes its
        place does so inside the block.

    Raises
    ------
    DataError
        A full disk, a folder that cannot be written; nothing is left behind.
    """
    try:
        if path.exists() and not path.is_file():
            yield path  # a device or a pipe takes what it is given
            return
        with _temporary(path.resolve() if path.is_symlink() else path) as temporary:
            yield temporary
    except TengriError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield the temporary name of a regular file and put it in its place."""
    temporary = temporary_name(path)
    try:
        sweep(path)
        yield temporary
        put(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Make a folder with its first contents: as `whole`, but nothing may be there before."""
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        temporary.mkdir()
        yield temporary
        os.rename(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        # also what a write inside it says of the temporary name
        raise DataError(f"{path}: cannot be made ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def put(complete: Path, path: Path) -> None:
    """Put a complete file in its place, so that it survives a crash of the machine."""
    with open(complete, "rb") as file:
        os.fsync(file.fileno())
    os.replace(complete, path)
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, in UTF-8; raises as `whole` does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole; raises as `whole` does."""
    with whole(path) as temporary:
        temporary.write_bytes(data)


def temporary_name(path: Path) -> Path:
    """Return a name beside ``path`` that no other process has, on this machine or another."""
    unique = f"{HOST}-{os.getpid()}-{secrets.randbelow(10**9)}"
    return path.with_name(f".{path.name}.tmp-{unique}{_ending(path)}")


def _ending(path: Path) -> str:
    """Return what tells the format: ``.fits``, ``.fits.gz``."""
    return "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix


def sweep(path: Path) -> None:
    """Remove what processes of this machine that are dead had begun to make under this name."""
    for begun in path.parent.glob(f".{glob.escape(path.name)}.tmp-{HOST}-*"):
        pid = begun.name.rpartition(f".tmp-{HOST}-")[2].partition("-")[0]
        if not pid.isdecimal() or _is_alive(int(pid)):
            continue
        if begun.is_dir():
            shutil.rmtree(begun, ignore_errors=True)
        else:
            begun.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it is another user's
    return True


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
