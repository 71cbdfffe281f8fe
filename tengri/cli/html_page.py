"""Self-contained HTML pages: text, tables and figures, nothing to fetch."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable

from tengri.cli.streams import printable

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1150px;margin:2em auto;padding:0 1em}"
    "pre{background:#f4f4f4;padding:.8em;overflow-x:auto;font-size:12px}"
    "img{max-width:100%}figure{margin:1.5em 0}figcaption{color:#555}"
    ".useless,.poor{background:#fdd;padding:.6em}.usable{background:#ffd;padding:.6em}"
    ".good{background:#dfd;padding:.6em}"
    "pre.words{white-space:pre-wrap}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:.15em .7em .15em 0;text-align:left;border-bottom:1px solid #ddd;"
    "white-space:nowrap}"
)


def render(title: str, parts: Iterable[str]) -> str:
    """Return a whole page; ``parts`` are HTML."""
    head = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escaped(title)}</h1>"
    )
    return "\n".join([head, *parts, "</body></html>\n"])


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


def image(name: str, png: bytes, caption: str) -> str:
    """Return a figure with its caption, the picture inside the page."""
    encoded = base64.b64encode(png).decode()
    return (
        f"<figure><img alt='{escaped(name)}' src='data:image/png;base64,{encoded}'>"
        f"<figcaption>{escaped(caption)}</figcaption></figure>"
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of texts, escaped; it scrolls where the window is narrow."""
    top = "".join(f"<th>{escaped(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<div class='wide'><table><tr>{top}</tr>{body}</table></div>"
