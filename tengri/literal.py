"""Values typed on a command line."""

from __future__ import annotations

import ast
import tomllib
from typing import Any


def read_value(text: str) -> Any:
    """Read a TOML or Python literal; anything else is a string."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, or a number of 4300 digits
        return text
