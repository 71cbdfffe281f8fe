"""The specs of a training: the one that is emulated, and that of every family of histories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tengri.components.composition import belongs_to
from tengri.components.dust.attenuation import LAWS
from tengri.factory import build_spec
from tengri.parameters import Parameters
from train.config import ModelOptions


def spec_of_family(model: ModelOptions, family: list[str], law: str = "") -> Parameters:
    """Return a spec with another star-formation history, and dust law if one is named.

    Their parameters have default priors.
    """
    given = model.parameters
    others = {n: v for n, v in given.items() if n == "n_grid" or not belongs_to("sfh", n)}
    dust: dict[str, Any] = {}
    if law:
        of_laws = {param.name for known in LAWS.values() for param in known.params}
        chosen = {"dust_law", "dust_law_bc", "dust_law_diff"}
        others = {n: v for n, v in others.items() if n not in of_laws | chosen}
        dust = {"dust_law": law} | {param.name: param.prior for param in LAWS[law].params}
    bare = build_spec({"mean_sfh_type": family, **others, **dust}, model.physics)
    history = {p.name: p.prior for p in bare.composition.sfh.params if p.shape == ()}
    return build_spec({"mean_sfh_type": family, **others, **dust, **history}, model.physics)


def todays_physics(model: ModelOptions) -> dict[str, Any]:
    """Return the physics of all specs of a training that begins today."""
    return {name: value for spec in _specs(model) for name, value in spec.physics.items()}


def oldest_physics(model: ModelOptions) -> dict[str, Any]:
    """Return the physics that a training had before physics had versions."""
    found = (spec.composition.physics.oldest for spec in _specs(model))
    return {name: value for oldest in found for name, value in oldest.items()}


def _specs(model: ModelOptions) -> Iterator[Parameters]:
    """Yield the spec of every family, and last the one that is emulated."""
    for family in model.histories:
        yield spec_of_family(model, family.split("+"))
    yield build_spec(model.parameters, model.physics)
