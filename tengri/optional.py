"""Packages that only some need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tengri.errors import ConfigError


def optional(module: str, wanted_for: str) -> Any:
    """Return an optional package.

    Raises
    ------
    ConfigError
        It is not installed; the message says how to get it.
    """
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ConfigError(f"{wanted_for} needs {package}: pip install {package}") from None
