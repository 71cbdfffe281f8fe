"""Small files that are read back: JSON under a SHA-256, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tengri.errors import DataError
from tengri.io.atomic import write_text
from tengri.io.regular import check_regular

MAX_JSON_BYTES = 1 << 24
FIX = "It is damaged: restore it from a copy, or start the run again."


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` with its digest, whole or not at all."""
    write_text(path, _sealed(content))


def read_small(path: Path) -> bytes:
    """Return the bytes of a file of this kind, unchecked.

    Raises
    ------
    DataError
        No regular file, or a larger one than any of this kind.
    OSError
        As ``Path.read_bytes``.
    """
    check_regular(path)
    if path.stat().st_size > MAX_JSON_BYTES:
        raise DataError(f"{path}: too large to be a file of tengri. {FIX}")
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote, after checking every byte of it.

    Raises
    ------
    DataError
        A missing file, or one that differs in any byte from what was written.
    """
    try:
        text = read_small(path).decode("utf-8")
        document = json.loads(text)
    except FileNotFoundError:
        raise DataError(f"{path} is missing.") from None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read ({error}). {FIX}") from None
    if not isinstance(document, dict) or set(document) != {"content", "sha256"}:
        raise DataError(f"{path}: not a sealed JSON file. {FIX}")
    if text != _sealed(document["content"]):
        raise DataError(f"{path}: its contents do not match its SHA-256. {FIX}")
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
