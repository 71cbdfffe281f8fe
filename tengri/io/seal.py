"""SHA-256 seals: an HDF5 file that carries the digest of its own contents.

A sealed file starts with a user block of 512 bytes (`HDF5 user block`_), which plain h5py skips:

    ``tengri-sha256 <64 hexadecimal digits>\\n`` followed by zero bytes

The digest covers every byte after the user block; the user block itself must match to the byte.
So a flipped bit anywhere, or a missing tail, is found before any parser sees the contents.

.. _HDF5 user block: https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tengri.errors import DataError
from tengri.io.atomic import os_reason
from tengri.io.regular import check_regular

USERBLOCK = 512
MAGIC = b"tengri-sha256 "
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK = 1 << 20


def file_sha256(path: str | Path, offset: int = 0) -> str:
    """Return the SHA-256 of the bytes of ``path`` from ``offset`` on, in hexadecimal.

    Raises
    ------
    DataError
        Something else than a regular file lies there.
    """
    check_regular(path)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(offset)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def tree_sha256(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by its path there."""
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): file_sha256(p) for p in found}


def seal(path: str | Path) -> str:
    """Write the digest of ``path`` into its user block and return it.

    Parameters
    ----------
    path : path
        A closed HDF5 file made with ``h5py.File(path, "w", userblock_size=512)``.

    Raises
    ------
    DataError
        If the file has no user block of 512 bytes.
    """
    if _signature_at(path, USERBLOCK) != HDF5_SIGNATURE:
        raise DataError(f"{path}: cannot be sealed; write it with userblock_size={USERBLOCK}.")
    digest = file_sha256(path, USERBLOCK)
    with open(path, "r+b") as file:
        file.write(_header(digest))
    return digest


def is_sealed(path: str | Path) -> bool:
    """Return whether ``path`` carries a seal, intact or damaged; raises as `file_sha256` does."""
    check_regular(path)
    with open(path, "rb") as file:
        head = file.read(USERBLOCK + len(HDF5_SIGNATURE))
    behind_user_block = head[USERBLOCK:] == HDF5_SIGNATURE and head[:8] != HDF5_SIGNATURE
    return head.startswith(MAGIC) or behind_user_block


def verify(path: str | Path) -> str:
    """Return the digest of the sealed file ``path`` after checking it.

    Raises
    ------
    DataError
        No such file, a seal that is missing or damaged, contents that do not match it.
    """
    check_regular(path)
    try:
        with open(path, "rb") as file:
            head = file.read(USERBLOCK)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({os_reason(error)}).") from error
    if not head.startswith(MAGIC):
        raise DataError(f"{path}: no intact tengri-sha256 seal in its first bytes. {_FIX}")
    digest = file_sha256(path, USERBLOCK)
    if head != _header(digest):
        raise DataError(f"{path}: its contents do not match its SHA-256 seal. {_FIX}")
    return digest


_FIX = "The file is damaged or was changed: get a fresh copy or build it again."


def _header(digest: str) -> bytes:
    return (MAGIC + digest.encode() + b"\n").ljust(USERBLOCK, b"\0")


def _signature_at(path: str | Path, offset: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(len(HDF5_SIGNATURE))
