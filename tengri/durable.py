"""Small files that a run reads back: JSON under a SHA-256, written whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from tengri.errors import DataError

MAX_JSON_BYTES = 1 << 26


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` with its digest: temporary name, fsync, rename."""
    write_text(path, _sealed(content))


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote, after checking every byte of it.

    Raises
    ------
    DataError
        A missing file, or one that differs in any byte from what was written.
    """
    fix = "It is damaged: restore it from a copy, or start the run again."
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise DataError(f"{path}: too large to be one of ours. {fix}")
        text = path.read_bytes().decode("utf-8")
        document = json.loads(text)
    except FileNotFoundError:
        raise DataError(f"{path} is missing.") from None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read ({error}). {fix}") from None
    if not isinstance(document, dict) or set(document) != {"content", "sha256"}:
        raise DataError(f"{path}: not a sealed JSON file. {fix}")
    if text != _sealed(document["content"]):
        raise DataError(f"{path}: its contents do not match its SHA-256. {fix}")
    return document["content"]


def read_object(path: Path, *keys: str) -> dict[str, Any]:
    """Return what `write_json` wrote, an object with ``keys``; raises as `read_json` does."""
    content = read_json(path)
    if not isinstance(content, dict) or not set(keys) <= set(content):
        raise DataError(f"{path}: malformed, it needs {', '.join(keys) or 'an object'}.")
    return content


def _sealed(content: Any) -> str:
    body = json.dumps(content, sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(body.encode()).hexdigest()
    document = {"content": json.loads(body), "sha256": digest}
    return json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text file: temporary name, fsync, rename."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file: temporary name, fsync, rename; a failure leaves no trace.

    Raises
    ------
    DataError
        A full disk, a folder that cannot be written; what was there before is untouched.
    """
    temporary = temporary_name(path)
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error


def temporary_name(path: Path) -> Path:
    """Return a name beside ``path`` that no other process has, on this machine or another."""
    return path.with_name(f".{path.name}.tmp-{os.getpid()}-{secrets.randbelow(10**9)}")


def sweep(path: Path) -> None:
    """Remove what processes of this machine that are dead had begun to make under this name."""
    for begun in path.parent.glob(f".{glob.escape(path.name)}.tmp-*"):
        pid = begun.name.rpartition(".tmp-")[2].partition("-")[0]
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
