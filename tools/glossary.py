"""The glossary of parameters with their default priors drawn, a page of the manual.

python -m tools.glossary          write it into docs/
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

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
    cells = [param.symbol, f"`{param.name}`", *_prior(param), _meaning(param), _named(users)]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


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
