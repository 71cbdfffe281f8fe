"""Nebular emission on a stellar grid, driven by the ionising photons of the stars."""

from __future__ import annotations

from dataclasses import dataclass

from tengri.registry import Param, Registry


@dataclass(frozen=True)
class NebularModel:
    """A nebular component: its name, parameters and reference."""

    name: str
    params: tuple[Param, ...]
    reference: str


NEBULAR_MODELS: Registry[NebularModel] = Registry("nebular model")
