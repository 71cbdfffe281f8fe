"""From what a user gave to one entry per parameter: given, filled in, mirrored or inert."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tengri.components.composition import (
    FOREGROUND_PARAMS,
    SETTINGS,
    Composition,
    compose,
    registered_params,
)
from tengri.errors import (
    ParameterError,
    TengriError,
    UnknownNameError,
    unknown,
)
from tengri.parameters.values import Mirror, check_bounds, fill_in, read_value
from tengri.priors import Distribution, Fixed
from tengri.registry import Param

_WHERE_NAMED = frozenset(param.name for param in FOREGROUND_PARAMS)


@dataclass(frozen=True)
class Entry:
    """One parameter of a spec.

    ``prior`` is that of the source where the entry is a mirror (``source`` is its name, else
    None). ``status`` is ``given``, ``filled in`` or ``inert`` (fixed and without effect).
    """

    param: Param
    prior: Distribution
    status: str
    source: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one value."""
        if -1 in self.param.shape:
            return np.shape(self.prior.default)
        return self.param.shape

    @property
    def is_free(self) -> bool:
        """Whether the parameter is sampled in its own right."""
        return self.source is None and not self.prior.is_fixed


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keywords into (settings, parameters)."""
    settings = {name: value for name, value in given.items() if name in SETTINGS}
    return settings, {name: value for name, value in given.items() if name not in SETTINGS}


def compose_named(
    settings: Mapping[str, Any], names: Collection[str], physics: Mapping[str, Any] | None = None
) -> Composition:
    """Choose the components; a misspelt parameter name is reported before what it led to."""
    strange = [name for name in names if name not in registered_params()]
    try:
        composition = compose(settings, frozenset(names), physics)
    except TengriError:
        for name in strange:
            raise unknown_name(name) from None
        raise
    active = composition.params
    for name in strange:
        if name not in active:
            raise unknown_name(name)
    return composition


def unknown_name(name: str) -> UnknownNameError:
    """Return the did-you-mean error over parameters and settings together."""
    return unknown("parameter or setting", name, {**registered_params(), **SETTINGS})


def build(
    composition: Composition,
    settings: Mapping[str, Any],
    values: Mapping[str, Any],
    filled: Mapping[str, Any],
) -> dict[str, Entry]:
    """Return the entries of all active parameters, in the composition's order, then inert ones.

    ``filled`` are values for parameters that are not mentioned; the others take their defaults.
    """
    params = composition.params
    entries: dict[str, Entry] = {}
    mirrors: dict[str, Mirror] = {}
    for name, param in params.items():
        source = values if name in values else filled
        read = read_value(param, source[name]) if name in source else fill_in(param)
        if isinstance(read, Mirror):
            mirrors[name] = read
            continue
        check_bounds(param, read, name)
        entries[name] = Entry(param, _named_length(param, read), _status(name, values))
    for name, mirror in mirrors.items():
        entries[name] = _mirrored(params[name], mirror.source, entries, mirrors)
    active = {name: entries[name] for name in params}
    inert = {n: _inert(n, v, settings, values) for n, v in values.items() if n not in params}
    return {**active, **inert}


def _status(name: str, values: Mapping[str, Any]) -> str:
    return "given" if name in values else "filled in"


def _named_length(param: Param, prior: Distribution) -> Distribution:
    """Check that an array of any length has been given one."""
    if -1 in param.shape and np.shape(prior.default) == ():
        raise ParameterError(f"{param.name} is an array: give its values, e.g. Fixed([…]).")
    return prior


def _mirrored(
    param: Param, source: str, entries: Mapping[str, Entry], mirrors: Mapping[str, Mirror]
) -> Entry:
    name = param.name
    if source == name:
        raise ParameterError(f"{name} cannot follow itself.")
    if source in mirrors:
        raise ParameterError(
            f"{name} follows {source}, which itself follows {mirrors[source].source}: "
            f"let {name} follow {mirrors[source].source}."
        )
    if source not in entries:
        raise ParameterError(
            f"{name}={source!r}: a string names the parameter to follow. "
            + str(unknown("active parameter", source, entries))
        )
    if entries[source].shape != param.shape:
        raise ParameterError(f"{name} {param.shape} cannot follow {source}: shapes differ.")
    check_bounds(param, entries[source].prior, f"{name} follows {source}, which")
    return Entry(param, entries[source].prior, "given", source)


def _inert(name: str, value: Any, settings: Mapping[str, Any], values: Mapping[str, Any]) -> Entry:
    """Accept a fixed parameter that the chosen components do not use; refuse a free one."""
    param = registered_params()[name]
    read = read_value(param, value)
    if not isinstance(read, Fixed):
        raise ParameterError(no_effect(name, settings, values))
    check_bounds(param, read, name)
    return Entry(param, read, "inert")


def no_effect(name: str, settings: Mapping[str, Any], values: Collection[str]) -> str:
    """Say that a parameter changes nothing, and which settings would make it count."""
    users = _users(name, settings, values)
    hint = f" It is used with {' or '.join(users)}." if users else ""
    return f"{name} has no effect in the chosen model: fix it or leave it out.{hint}"


def _users(name: str, settings: Mapping[str, Any], values: Collection[str]) -> list[str]:
    """Return the single settings that would bring the parameter into the model."""
    found = [f"{name}=… in Parameters(…)"] if name in _WHERE_NAMED else []
    for setting in SETTINGS.values():
        for choice in setting.choices() if setting.choices else ():
            try:
                composition = compose({**settings, setting.name: choice}, frozenset(values))
            except TengriError:  # contradicts another setting: not a way to use it
                continue
            if name in composition.params:
                found.append(f"{setting.name}={choice!r}")
    return found[:6]
