"""The table of components says everything that the registries know; the document is of today."""

from __future__ import annotations

import re

from tengri.components.composition import SETTINGS, registered_params
from tengri.program import components
from tengri.references import bibtex

# definitions, for which there is nothing to cite
DEFINED_HERE = {"const", "table", "none", "ramp"}


def listed() -> list[components.Component]:
    chosen = [c for *_, registry in components.KINDS for c in components.components(registry)]
    return [*chosen, *components.ALWAYS, *components.WHERE_NAMED]


def test_every_component_carries_a_reference():
    for component in listed():
        assert component.reference.strip(), component.name
        if component.name not in DEFINED_HERE:
            assert bibtex(component.reference), f"{component.name}: {component.reference}"


def test_every_parameter_and_its_prior_is_in_the_table():
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in components.markdown().splitlines() if line.startswith("| ")]  # fmt: skip
    shown = {row[1].strip("`"): row for row in rows if len(row) == len(components.HEAD)}
    for name, param in registered_params().items():
        _, _, default, prior, unit, meaning, _ = shown[name]
        assert unit == param.unit and meaning
        if param.shape == ():
            assert float(default) == float(f"{param.default:g}") and repr(param.prior) in prior
    assert {row[0].strip("`") for row in rows if len(row) == 4} >= set(SETTINGS)


def test_kinds_hold_every_choice_of_every_setting():
    """A registry that a setting chooses from is a kind of the table."""
    known = {name for *_, registry in components.KINDS for name in registry}
    apart = {"agn_screen", "mw_sfd_recalibration"}
    for setting in SETTINGS.values():
        if setting.name not in apart and setting.choices:
            assert set(setting.choices()) <= known, setting.name
