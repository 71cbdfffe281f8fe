"""Self-contained HTML pages: text, tables and figures, light and dark, nothing to fetch."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable

from tengri.cli.html_assets import SCRIPT, STYLE
from tengri.cli.streams import printable


def render(title: str, parts: Iterable[str]) -> str:
    """Return a whole page; ``parts`` are HTML."""
    head = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escaped(title)}</h1>"
    )
    return "\n".join([head, *parts, f"<script>{SCRIPT}</script></body></html>\n"])


def escaped(text: str) -> str:
    """Return text as HTML or Markdown show it, whatever a file has put into it."""
    return html.escape(printable(text))


def pre(text: str) -> str:
    """Return text as it stands, escaped."""
    return f"<pre>{escaped(text)}</pre>"


def words(text: str) -> str:
    """Return lines as they stand, escaped, and broken where the window ends."""
    return f"<pre class='words'>{escaped(text)}</pre>"


def heading(text: str) -> str:
    """Return a section heading."""
    return f"<h2>{escaped(text)}</h2>"


def paragraph(text: str) -> str:
    """Return a paragraph, escaped."""
    return f"<p>{escaped(text)}</p>"


def lead(sentences: Iterable[str]) -> str:
    """Return the sentences with which a page begins, escaped, one below the other."""
    # a number and its per cent stay on one line
    items = "".join(
        f"<li>{escaped(sentence).replace(' %', '&nbsp;%')}</li>" for sentence in sentences
    )
    return f"<div class='lead'><ul>{items}</ul></div>"


def beside(*parts: str) -> str:
    """Return HTML parts in columns, below each other where the window is narrow."""
    return f"<div class='beside'>{''.join(f'<div>{part}</div>' for part in parts)}</div>"


def folded(title: str, parts: Iterable[str]) -> str:
    """Return HTML parts behind a line that opens them."""
    return f"<details><summary>{escaped(title)}</summary>{''.join(parts)}</details>"


def image(name: str, png: bytes, caption: str) -> str:
    """Return a figure with its caption, the picture inside the page."""
    encoded = base64.b64encode(png).decode()
    return (
        f"<figure><img alt='{escaped(name)}' src='data:image/png;base64,{encoded}'>"
        f"<figcaption>{escaped(caption)}</figcaption></figure>"
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]], wraps: bool = False) -> str:
    """Return a table of texts, escaped: a click on a head sorts it, a narrow window scrolls it.

    Where it ``wraps``, long texts break in the place of being scrolled to.
    """
    return raw_table(head, ((escaped(cell) for cell in row) for row in rows), wraps)


def raw_table(head: Iterable[str], rows: Iterable[Iterable[str]], wraps: bool = False) -> str:
    """Return a table whose cells are HTML."""
    top = "".join(f"<th>{escaped(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<div class='wide'><table class='sortable{' wraps' * wraps}'><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )
