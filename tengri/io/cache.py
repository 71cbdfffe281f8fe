"""The user's folder for what can be had again: downloads, compiled programs."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Return ``tengri`` in ``$XDG_CACHE_HOME`` (``~/.cache``).

    Raises
    ------
    RuntimeError
        There is no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")  # to be ignored if relative, says its standard
    home = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return home / "tengri"
