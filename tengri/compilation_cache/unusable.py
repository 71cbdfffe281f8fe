"""Why there is no compilation cache: never an error to the user."""

from __future__ import annotations


class UnusableError(Exception):
    """The cache cannot be used; the message says why, in the words of ``tengri doctor``."""
