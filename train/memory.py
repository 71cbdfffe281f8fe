"""Memory that is free, given back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Give back what is free: C's allocator keeps it, in many pieces of many threads.

    Nothing happens where the allocator is another than glibc's.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
