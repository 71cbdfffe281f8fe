"""Why there is no compilation cache: never an error to the user."""

from __future__ import annotations


class UnusableError(Exception):
    """The cache cannot be used; why, and what to do, in the words of ``tengri doctor``."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix
