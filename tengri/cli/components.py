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

HEAD = ("component", "parameter", "default", "default prior", "unit", "meaning", "reference")


@dataclass(frozen=True)
class Component:
    """What a row group of the table says: a name, its parameters, where it was published."""

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
    """Return a table for each part of a galaxy, and one of the settings."""
    sections = [f"## {kind.title}: `{', '.join(kind.chosen_by)}`\n\n"
                f"{_table(HEAD, _rows(components(kind.registry)))}" for kind in KINDS]  # fmt: skip
    sections.append(f"## In every galaxy\n\n{_table(HEAD, _rows(ALWAYS))}")
    sections.append(f"## Where a spec names it\n\n{_table(HEAD, _rows(NAMED))}")
    sections.append(
        f"## Settings\n\n{_table(('setting', 'default', 'choices', 'meaning'), _settings())}"
    )
    return "\n\n".join(sections)


def _rows(listed: Iterable[Component]) -> Iterator[tuple[str, ...]]:
    """Yield a row per parameter; name and reference of a component stand in its first."""
    for component in listed:
        first, last = f"`{component.name}`", component.reference
        for param in component.params:
            yield (first, f"`{param.name}`", *_said(param), last)
            first = last = ""
        if not component.params:
            yield first, "–", "", "", "", "", last


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
