"""Galaxies of a page that open: exact and emulated light, residuals, parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tengri.cli.html_page import beside, escaped, raw_table
from tengri.cli.streams import printable

#: Significant digits of what a page draws.
DIGITS = 6


@dataclass(frozen=True)
class GalaxyCard:
    """One galaxy of a page.

    Attributes
    ----------
    title : str
        What is seen while it is closed.
    x : ndarray, shape (n,)
        Wavelengths [µm].
    exact, emulated, residual : ndarray, shape (n,)
        In the units of a `Look`; NaN is not drawn.
    params : mapping
        Text of each parameter.
    names : tuple of str
        Of the points, shown under the pointer.
    bars : ndarray, shape (n,), or None
        Error bars of the residuals.
    """

    title: str
    x: np.ndarray
    exact: np.ndarray
    emulated: np.ndarray
    residual: np.ndarray
    params: Mapping[str, str]
    names: tuple[str, ...] = ()
    bars: np.ndarray | None = None


@dataclass(frozen=True)
class Look:
    """Axes of the galaxies of one page.

    ``kind`` is ``bands`` (points) or ``spectrum`` (lines); ``upside`` turns the upper axis, as
    magnitudes want it.
    """

    x: str
    y: str
    residual: str
    kind: str = "bands"
    upside: bool = False


def galaxies(cards: Sequence[GalaxyCard], look: Look) -> str:
    """Return galaxies, closed; a click opens one, and the page's script draws it."""
    opened = "".join(_details(card) for card in cards)
    told = {"look": vars(look), "galaxies": [_drawn(card) for card in cards]}
    # neither a tag nor a comment can begin inside the data
    data = json.dumps(told, ensure_ascii=True).replace("<", "\\u003c")
    return f"<div class='galaxies'><script type='application/json'>{data}</script>{opened}</div>"


def _details(card: GalaxyCard) -> str:
    rows = ((f"<code>{escaped(k)}</code>", escaped(v)) for k, v in card.params.items())
    inside = beside("<div class='plot'></div>", raw_table(("parameter", "value"), rows))
    return f"<details><summary>{escaped(card.title)}</summary>{inside}</details>"


def _drawn(card: GalaxyCard) -> dict[str, Any]:
    return {
        "x": _numbers(card.x), "exact": _numbers(card.exact), "emulated": _numbers(card.emulated),
        "residual": _numbers(card.residual), "names": [printable(name) for name in card.names],
        "bars": None if card.bars is None else _numbers(card.bars),
    }  # fmt: skip


def _numbers(values: ArrayLike) -> list[float | None]:
    flat = np.asarray(values, float)
    return [float(f"{v:.{DIGITS}g}") if np.isfinite(v) else None for v in flat]
