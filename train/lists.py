"""Lists of this package for ``tengri list``."""

from __future__ import annotations

from typing import Any


def configs() -> list[dict[str, Any]]:
    """Return the configurations that come with the package and what they are for."""
    from train import config

    return [{"config": name, "description": _first_line(name)} for name in config.names()]


def _first_line(name: str) -> str:
    """Return the first sentence of a configuration's own comment."""
    from train import config

    text = config.locate(name).read_text(encoding="utf-8")
    return text.lstrip('"# ').splitlines()[0].rstrip('"')
