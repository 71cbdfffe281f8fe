"""The table that a spec prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tengri.parameters.parse import Entry

HEAD = ("parameter", "prior or value", "unit", "status", "description")


def table(entries: Mapping[str, Entry], settings: Mapping[str, Any]) -> str:
    """Return the parameters, one line each, and the settings."""
    rows = [_row(name, entry) for name, entry in entries.items()]
    n_free = sum(entry.is_free for entry in entries.values())
    chosen = [(name, str(value)) for name, value in settings.items()]
    return "\n".join(
        [
            f"Parameters: {len(rows)}, of which free: {n_free}",
            "",
            *_aligned([HEAD, *rows]),
            "",
            "Settings",
            *_aligned(chosen),
        ]
    )


def _row(name: str, entry: Entry) -> tuple[str, ...]:
    param = entry.param
    return (name, _shown(entry), param.unit, _status(entry), param.description)


def _shown(entry: Entry) -> str:
    if entry.source is not None:
        return f"= {entry.source}"
    value = entry.prior.default
    if not entry.prior.is_fixed:
        return repr(entry.prior)
    return f"{value:g}" if np.ndim(value) == 0 else f"array {np.shape(value)}"


def _status(entry: Entry) -> str:
    if entry.source is not None:
        return "mirror"
    kind = "free" if entry.is_free else "fixed"
    return {"given": kind, "filled in": f"{kind}, filled in", "inert": "fixed, inert"}[entry.status]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in rows
    ]
