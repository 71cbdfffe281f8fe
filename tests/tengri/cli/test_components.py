"""The table of components says everything that the registries know; the document is of today."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tengri.citations import bibtex
from tengri.cli import components
from tengri.components.composition import KINDS, SETTINGS, registered_params
from tengri.components.stellar.sfh import SFH_FAMILIES

# definitions, for which there is nothing to cite
DEFINED_HERE = {"const", "table", "delta", "none", "ramp"}


def listed() -> list[components.Component]:
    chosen = [c for kind in KINDS for c in components.components(kind.registry)]
    return [*chosen, *components.ALWAYS, *components.NAMED]


def test_every_component_carries_a_reference():
    for component in listed():
        assert component.reference.strip(), component.name
        if component.name not in DEFINED_HERE:
            assert bibtex(component.reference), f"{component.name}: {component.reference}"


def test_every_parameter_and_its_prior_is_in_the_table():
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in components.markdown().splitlines() if line.startswith("| ")]  # fmt: skip
    shown = {row[0].strip("`"): row for row in rows if len(row) == len(components.HEAD)}
    # of further bins, which a setting adds, those that there are by default speak
    more = {param.name for family in SFH_FAMILIES.values() for param in family.more_params}
    for name, param in registered_params().items():
        if name in more:
            continue
        _, default, prior, unit, meaning = shown[name]
        assert unit == param.unit and meaning
        if param.shape == ():
            assert float(default) == float(f"{param.default:g}") and repr(param.prior) in prior
    assert {row[0].strip("`") for row in rows if len(row) == 4} >= set(SETTINGS)


def test_kinds_hold_every_choice_of_every_setting():
    """A registry that a setting chooses from is a kind of the table."""
    known = {name for kind in KINDS for name in kind.registry}
    for setting in SETTINGS.values():
        choices = setting.choices() if setting.choices else ()
        if isinstance(choices, Mapping):
            assert set(choices) <= known, setting.name
