"""Regular files only: a pipe waits for somebody, a device may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tengri.errors import DataError

#: What else may lie at a path.
KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def check_regular(path: str | Path) -> None:
    """Raise DataError where something else than a regular file lies at a path; links are followed.

    A path at which nothing is passes: whoever opens it says so.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (OSError, ValueError):
        return
    if kind != stat.S_IFREG:
        raise DataError(f"{path} is {KINDS.get(kind, 'something else')}, not a regular file.")
