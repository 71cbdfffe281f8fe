"""The glossary of parameters with their default priors drawn, a page of the manual.

python -m tools.glossary          write it into docs/
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import matplotlib
from matplotlib import mathtext

from tengri.analysis import prior_curve
from tengri.cli import components
from tengri.components.composition import KINDS, registered_params
from tengri.registry import UNIT_SYMBOLS, Param

FILE = Path(__file__).resolve().parents[1] / "docs/parameters.md"
HEAD = ("symbol", "parameter", "default prior", "", "meaning", "of")
TITLES = {"": "Redshift and distance", "sfh": "Star-formation history", "agn": "Active nucleus",
          "dust": "Dust", "nebular": "Gas", "metallicity": "Metals",
          "igm": "Intergalactic medium"}  # fmt: skip
#: Components that a row names; more are counted.
MOST_NAMED = 3
INTRODUCTION = """# Parameters

Every parameter with its symbol, its default prior (what `FREE` in a spec means; drawn over its
range) and the components that have it. What each component is, and its defaults:
[components](components.md). The terms of code and messages: [glossary](glossary.md).
"""


def markdown() -> str:
    """Return the page."""
    known = sorted(registered_params().values(), key=lambda p: (p.family, p.name))
    users = _users()
    sections = [INTRODUCTION]
    for family, params in groupby(known, key=lambda p: p.family):
        rows = "\n".join(_row(param, users.get(param.name, [])) for param in params)
        title = TITLES.get(family, family)
        ruled = f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|"
        sections.append(f"## {title}\n\n{ruled}\n{rows}\n")
    return "\n".join(sections)


def _users() -> dict[str, list[str]]:
    """Return the components that have each parameter."""
    found: dict[str, list[str]] = {}
    listed = [c for kind in KINDS for c in components.components(kind.registry)]
    for component in [*listed, *components.ALWAYS, *components.NAMED]:
        for param in component.params:
            found.setdefault(param.name, []).append(component.name)
    return found


def _row(param: Param, users: list[str]) -> str:
    name, of = f"`{param.name}`", _named(users)
    cells = [_drawn(param.symbol), name, *_prior(param), _meaning(param), of]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _drawn(symbol: str) -> str:
    """Return a symbol as a picture in the colour of the text: pages fetch no typesetter."""
    if not symbol:
        return ""
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "mathtext.fontset": "cm"}):
        mathtext.math_to_image(symbol, file, format="svg")
    text = file.getvalue()[file.getvalue().index("<svg") :]
    white = r'<g id="patch_1">.*?</g>'  # the background
    for part in ("<metadata.*?</metadata>", "<style.*?</style>", "<!--.*?-->", white):
        text = re.sub(part, "", text, flags=re.S)
    text = re.sub(r' id="(figure|text)_1"', "", text).replace("<svg ", '<svg class="symbol" ', 1)
    return re.sub(r"\s+", " ", text)


def _prior(param: Param) -> Iterator[str]:
    """Yield the prior in figures, and drawn."""
    if -1 in param.shape:
        yield from ("an array of yours", "")
        return
    low, high = param.prior.bounds
    kind = type(param.prior).__name__
    yield f"{low:g} … {high:g}" if kind == "Uniform" else f"`{param.prior!r}`"
    yield prior_curve.svg(param.prior)


def _meaning(param: Param) -> str:
    unit = UNIT_SYMBOLS.get(param.unit, param.unit)
    unit = _drawn(unit) if "$" in unit else unit
    return f"{param.description} [{unit}]" if unit else param.description


def _named(users: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in users[:MOST_NAMED])
    left = len(users) - MOST_NAMED
    return f"{shown} and {left} more" if left > 0 else shown


def main() -> None:
    """Write the page."""
    FILE.write_text(markdown())
    print(f"wrote {FILE.name}")


if __name__ == "__main__":
    main()
