"""Rows of text as aligned columns, for terminals, and as HTML tables, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Sequence

Row = Sequence[str]


def aligned(rows: Sequence[Row]) -> list[str]:
    """Return rows as lines, two blanks before and between columns that are as wide as needed."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in rows
    ]


def html_table(head: Row, rows: Sequence[Row], title: str = "") -> str:
    """Return rows as an HTML table under their head; every text is escaped."""
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    body = "".join(_html_row(row, "td") for row in rows)
    return f"<table>{caption}<thead>{_html_row(head, 'th')}</thead><tbody>{body}</tbody></table>"


def html_folded(title: str, inside: str) -> str:
    """Return HTML that opens under its title."""
    return f"<details><summary>{html.escape(title)}</summary>{inside}</details>"


def _html_row(row: Row, tag: str) -> str:
    style = " style='text-align:left'"
    return f"<tr>{''.join(f'<{tag}{style}>{html.escape(c)}</{tag}>' for c in row)}</tr>"
