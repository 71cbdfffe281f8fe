"""The table that a spec prints, on a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tengri import tabular
from tengri.parameters.parse import Entry

HEAD = ("parameter", "prior or value", "unit", "status", "description")


@dataclass(frozen=True)
class SpecSummary:
    """What a spec says of itself, as text.

    Attributes
    ----------
    title : str
        How many parameters there are.
    head : tuple of str
        Names of the columns of ``parameters``.
    parameters, settings : tuple of tuple of str
        One row for each parameter and for each setting.
    """

    title: str
    parameters: tuple[tuple[str, ...], ...]
    settings: tuple[tuple[str, str], ...]
    head: tuple[str, ...] = HEAD

    @classmethod
    def of(cls, entries: Mapping[str, Entry], settings: Mapping[str, Any]) -> SpecSummary:
        """Return the summary of parsed entries and chosen settings."""
        rows = tuple(_row(name, entry) for name, entry in entries.items())
        n_free = sum(entry.is_free for entry in entries.values())
        chosen = tuple((name, str(value)) for name, value in settings.items())
        return cls(f"Parameters: {len(rows)}, of which free: {n_free}", rows, chosen)

    def with_column(self, name: str, cells: Mapping[str, str]) -> SpecSummary:
        """Return the summary with a column before the description; ``cells`` by parameter."""
        head = (*self.head[:-1], name, self.head[-1])
        rows = tuple((*row[:-1], cells.get(row[0], ""), row[-1]) for row in self.parameters)
        return SpecSummary(self.title, rows, self.settings, head)

    def text(self) -> str:
        """Return the tables as text."""
        table = tabular.aligned([self.head, *self.parameters])
        return "\n".join([self.title, "", *table, "", "Settings", *tabular.aligned(self.settings)])

    def html(self) -> str:
        """Return the tables as HTML; settings open on a click."""
        settings = tabular.html_table(("setting", "value"), self.settings)
        return tabular.html_table(self.head, self.parameters, self.title) + tabular.html_folded(
            "Settings", settings
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
