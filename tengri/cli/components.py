"""Every component and its parameters as Markdown, from the registries and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tengri.components.composition import DISTANCE, KINDS, REDSHIFT, SETTINGS, WHERE_NAMED
from tengri.components.dust import screen
from tengri.cosmology import REFERENCE as COSMOLOGY
from tengri.registry import Param

HEAD = ("parameter", "default", "default prior", "unit", "meaning")


@dataclass(frozen=True)
class Component:
    """What a section says: a name, its parameters, where it was published."""

    name: str
    params: tuple[Param, ...]
    reference: str


ALWAYS = (
    Component("two screens of dust", (*screen.SCREEN_PARAMS, screen.CLEAR), screen.REFERENCE),
    Component("redshift", (REDSHIFT, DISTANCE), COSMOLOGY),
)
#: Parameters that act only where a spec names them.
NAMED = tuple(
    Component(row.title, row.component.params, row.component.reference) for row in WHERE_NAMED
)


def components(registry: Mapping[str, Any]) -> list[Component]:
    """Return the components of a registry with every parameter that they may have."""
    return [
        Component(c.name, getattr(c, "all_params", getattr(c, "params", ())), c.reference)
        for c in registry.values()
    ]


def markdown() -> str:
    """Return a section for each part of a galaxy, a table for each component, and the settings."""
    sections = [_section(f"{kind.title}: `{', '.join(kind.chosen_by)}`", components(kind.registry))
                for kind in KINDS]  # fmt: skip
    sections.append(_section("In every galaxy", ALWAYS))
    sections.append(_section("Where a spec names it", NAMED))
    sections.append(
        f"## Settings\n\n{_table(('setting', 'default', 'choices', 'meaning'), _settings())}"
    )
    return "\n\n".join(sections)


def _section(title: str, listed: Iterable[Component]) -> str:
    return "\n\n".join([f"## {title}", *map(_component, listed)])


def _component(component: Component) -> str:
    """Return a heading, where it was published, and a table of its parameters."""
    rows = [(f"`{param.name}`", *_said(param)) for param in component.params]
    told = _table(HEAD, rows) if rows else "No parameters."
    return f"### `{component.name}`\n\n{component.reference}\n\n{told}"


def _said(param: Param) -> tuple[str, str, str, str]:
    if param.shape == ():
        return f"{param.default:g}", f"`{param.prior!r}`", param.unit, param.description
    if -1 in param.shape:
        return "", "an array of yours", param.unit, param.description
    return (
        f"{param.default:g}",
        f"`{param.prior!r}` × {np.prod(param.shape)}",
        param.unit,
        param.description,
    )


def _settings() -> Iterator[tuple[str, ...]]:
    for setting in SETTINGS.values():
        choices = ", ".join(f"`{c}`" for c in setting.choices()) if setting.choices else ""
        yield f"`{setting.name}`", f"`{setting.default}`", choices, setting.description


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    ruled = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in ruled
    )
