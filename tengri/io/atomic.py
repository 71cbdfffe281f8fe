"""Files and folders that come into being in one step: whole, or not at all.

What is written goes to a temporary name beside its place, is synced to the disk and renamed. The
name tells which process on which machine began it, so that another can sweep away what the dead
have left.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tengri.errors import DataError, TengriError

#: Stands for this machine in temporary names.
HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
#: The longest name of which temporary names are made as it is, and the longest ending of one.
MAX_STEM, MAX_ENDING = 120, 16


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
        if _is_device(path):
            yield path  # it takes what it is given
            return
        with _temporary(Path(os.path.realpath(path)) if path.is_symlink() else path) as temporary:
            yield temporary
    except TengriError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({os_reason(error)}).") from error


def _is_device(path: Path) -> bool:
    """Return whether a path is a device, a pipe or a stream of this process, or leads to one."""
    leads_to = os.readlink(path) if path.is_symlink() else ""
    ours = ("/dev/", "/proc/")
    if str(path.absolute()).startswith(ours) or leads_to.startswith(ours):
        return True
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield the temporary name of a regular file and put it in its place."""
    temporary = temporary_name(path)
    try:
        sweep(path)
        yield temporary
        if path.exists():
            shutil.copymode(path, temporary)
        put(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Make a folder with its first contents: as `whole`, but nothing may be there before."""
    temporary = temporary_name(path)
    try:
        _make_parents(path.parent)
        sweep(path)
        temporary.mkdir()
        yield temporary
        os.rename(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        # also what a write inside it says of the temporary name
        raise DataError(f"{path}: cannot be made ({os_reason(error)}).") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _make_parents(folder: Path) -> None:
    """Make a folder and those above it, each name synced."""
    if not folder.is_dir():
        _make_parents(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


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
    with whole(path) as temporary, open(temporary, "ab") as file:
        file.write(data)


def temporary_name(path: Path) -> Path:
    """Return a name beside ``path`` that no other process has, on this machine or another."""
    unique = f"{HOST}-{os.getpid()}-{secrets.randbelow(10**9)}"
    return path.with_name(f".{_stem(path)}.tmp-{unique}{_ending(path)}")


def _stem(path: Path) -> str:
    """Return what temporary names of a path begin with: its name, or a digest of a long one."""
    name = path.name.encode()
    return path.name if len(name) <= MAX_STEM else hashlib.sha256(name).hexdigest()[:32]


def _ending(path: Path) -> str:
    """Return what tells the format: ``.fits``, ``.fits.gz``."""
    ending = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
    return ending if len(ending) <= MAX_ENDING else ""


def sweep(path: Path) -> None:
    """Remove what processes of this machine that are dead had begun to make under this name."""
    for begun in path.parent.glob(f".{glob.escape(_stem(path))}.tmp-{HOST}-*"):
        pid = begun.name.rpartition(f".tmp-{HOST}-")[2].partition("-")[0]
        if not pid.isdecimal() or _is_alive(int(pid)):
            continue
        if begun.is_dir():
            shutil.rmtree(begun, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # another user's, in a folder of all
                begun.unlink()


@contextmanager
def together(*paths: Path) -> Iterator[list[Path]]:
    """Write files of one folder that belong together: they take their places at the end.

    Yields
    ------
    list of Path
        Their names in a temporary folder beside them; raises as `whole` does.
    """
    begun = temporary_name(paths[0].with_suffix(""))
    try:
        sweep(paths[0].with_suffix(""))
        begun.mkdir()
        yield [begun / path.name for path in paths]
        for path in paths:
            put(begun / path.name, path)
    except TengriError:
        raise
    except OSError as error:
        raise DataError(f"{paths[0].parent}: cannot be written ({os_reason(error)}).") from error
    finally:
        shutil.rmtree(begun, ignore_errors=True)


@contextmanager
def scratch(ending: str) -> Iterator[Path]:
    """Yield the name of a file in the system's folder for temporary ones, gone at the end.

    Those of processes that were killed are swept.

    Raises
    ------
    DataError
        That folder is full, or cannot be written.
    """
    try:
        name = Path(tempfile.gettempdir()) / f"tengri-{os.getuid()}{ending}"
        sweep(name)
        path = temporary_name(name)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise DataError(f"no temporary file can be made ({os_reason(error)}).") from error
    try:
        yield path
    except OSError as error:
        if not is_full(error) or isinstance(error, TengriError):
            raise
        raise DataError(
            f"{path.parent}: the disk is full (TMPDIR names another folder)."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def os_reason(error: OSError) -> str:
    """Return why the system refused a file, in words."""
    return "the disk is full" if is_full(error) else error.strerror or str(error)


def is_full(error: OSError) -> bool:
    """Return whether there is no space left; libraries may say so in their text only."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return error.errno in full or any(f"[errno {n}]" in str(error).lower() for n in full)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it is another user's
    return True


def sync_tree(folder: Path) -> None:
    """Make a folder that a library has written, and its name, survive a power cut."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
        else:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut, where the folder can be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written and not read
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
