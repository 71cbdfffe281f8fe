"""Every component and its parameters as Markdown, from the registries and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tengri.components.agn import AGN_MODELS
from tengri.components.composition import DISTANCE, REDSHIFT, SETTINGS
from tengri.components.dust import screen
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import EMISSION_MODELS
from tengri.components.dust.milky_way import MilkyWay
from tengri.components.igm import ABSORBER, DAMPING_WING, IGM_MODELS
from tengri.components.stellar.lyman_alpha import LYA_ESCAPES
from tengri.components.stellar.metallicity import METALLICITY_HISTORIES
from tengri.components.stellar.nebular import NEBULAR_MODELS
from tengri.components.stellar.sfh import SFH_FAMILIES
from tengri.cosmology import REFERENCE as COSMOLOGY
from tengri.registry import Param

HEAD = ("component", "parameter", "default", "default prior", "unit", "meaning", "reference")


@dataclass(frozen=True)
class Component:
    """What a row group of the table says: a name, its parameters, where it was published."""

    name: str
    params: tuple[Param, ...]
    reference: str


# the part of a galaxy, the setting that chooses, and what there is to choose from
KINDS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("Star-formation history", "mean_sfh_type", SFH_FAMILIES),
    ("Metallicity history", "met_mode", METALLICITY_HISTORIES),
    ("Dust attenuation", "dust_law, dust_law_bc, dust_law_diff", LAWS),
    ("Dust emission", "dust_emission", EMISSION_MODELS),
    ("Nebular emission", "nebular", NEBULAR_MODELS),
    ("Escape of Lyα", "lya_escape", LYA_ESCAPES),
    ("Active nucleus", "agn_model", AGN_MODELS),
    ("Intergalactic medium", "igm_model", IGM_MODELS),
)
ALWAYS = (
    Component("two screens of dust", (*screen.SCREEN_PARAMS, screen.CLEAR), screen.REFERENCE),
    Component("redshift", (REDSHIFT, DISTANCE), COSMOLOGY),
)
#: Parameters that act only where a spec names them.
WHERE_NAMED = tuple(
    Component(name, part.params, part.reference)
    for name, part in (("damping wing of neutral gas", DAMPING_WING),
                       ("damped absorber", ABSORBER), ("dust of the Milky Way", MilkyWay()))
)  # fmt: skip


def components(registry: Mapping[str, Any]) -> list[Component]:
    """Return the components of a registry with every parameter that they may have."""
    return [
        Component(c.name, getattr(c, "all_params", getattr(c, "params", ())), c.reference)
        for c in registry.values()
    ]


def markdown() -> str:
    """Return a table for each part of a galaxy, and one of the settings."""
    sections = [f"## {title}: `{setting}`\n\n{_table(HEAD, _rows(components(registry)))}"
                for title, setting, registry in KINDS]  # fmt: skip
    sections.append(f"## In every galaxy\n\n{_table(HEAD, _rows(ALWAYS))}")
    sections.append(f"## Where a spec names it\n\n{_table(HEAD, _rows(WHERE_NAMED))}")
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
