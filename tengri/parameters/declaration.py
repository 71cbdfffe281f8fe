"""Contents of a spec: active parameters, free ones, and values of the others."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, Self

import numpy as np

from tengri.components.composition import SETTINGS, UNCHANGED, Composition, registered_params
from tengri.errors import ConfigError, ParameterError, unknown
from tengri.parameters import serialise, validate
from tengri.parameters.parse import Entry, build, compose_named, split
from tengri.parameters.summary import SpecSummary
from tengri.parameters.transforms import Layout
from tengri.parameters.values import Mirror
from tengri.priors import Distribution

#: What is filled in where nothing was stored.
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Declaration:
    """Parameters and settings as they were declared: immutable, hashable, comparable."""

    _given: dict[str, Any]
    _composition: Composition
    _entries: dict[str, Entry]
    _mirrors: dict[str, str]
    _arrays: tuple[str, ...]
    _layout: Layout
    _slots: dict[str, validate.Slot]

    def _set_up(
        self,
        given: Mapping[str, Any],
        filled: Mapping[str, Any] = NOTHING,
        physics: Mapping[str, Any] | None = None,
        names: Collection[str] = (),
    ) -> None:
        """Choose the components and make the entries.

        ``filled`` are values that fill in where the defaults of today would; ``names`` count as
        mentioned, besides those of ``given``.
        """
        settings, values = split(given)
        composition = compose_named(settings, {*values, *names}, physics)
        entries = build(composition, settings, values, filled)
        composition.check_together({n: e.prior.default for n, e in entries.items() if e.shape})
        for name, value in {
            "_given": {**settings, **_normal_forms(entries)},
            "_mirrors": {n: e.source for n, e in entries.items() if e.source is not None},
            "_arrays": tuple(n for n, e in entries.items() if -1 in e.param.shape),
            "_composition": composition,
            "_entries": entries,
            "_layout": Layout.of(entries),
            "_slots": validate.make_slots(entries.values()),
        }.items():
            object.__setattr__(self, name, value)

    # --- what it says -------------------------------------------------------------------------

    @property
    def composition(self) -> Composition:
        """The chosen components."""
        return self._composition

    @property
    def settings(self) -> dict[str, Any]:
        """All settings as resolved."""
        return dict(self._composition.settings)

    @property
    def mean_sfh_type(self) -> Any:
        """Family, or families, of the star-formation history."""
        return self._composition.settings["mean_sfh_type"]

    @property
    def all_params(self) -> list[str]:
        """Names of all parameters that act, sorted."""
        return sorted(n for n, e in self._entries.items() if e.status != "inert")

    @property
    def free_params(self) -> list[str]:
        """Names of the free parameters, sorted: the order of the vectors."""
        return list(self._layout.names)

    @property
    def fixed_params(self) -> list[str]:
        """Names of the fixed parameters that act, sorted."""
        return sorted(set(self.all_params) - set(self._layout.names) - set(self._mirrors))

    @property
    def filled_in(self) -> list[str]:
        """Names that were not mentioned and took the registry's default, sorted."""
        return sorted(n for n, e in self._entries.items() if e.status == "filled in")

    @property
    def inert(self) -> list[str]:
        """Names of fixed parameters that no chosen component uses, sorted."""
        return sorted(n for n, e in self._entries.items() if e.status == "inert")

    @property
    def mirrors(self) -> dict[str, str]:
        """Parameters that follow another one: name → source."""
        return dict(self._mirrors)

    @property
    def valid_param_names(self) -> list[str]:
        """Names of all parameters that the registry knows, sorted."""
        return sorted(registered_params())

    @property
    def n_free(self) -> int:
        """Number of free parameters; a latent field counts once."""
        return len(self._layout.names)

    @property
    def n_latent(self) -> int:
        """Number of free numbers, the length of the vectors; a field counts all its points."""
        return self._layout.size

    @property
    def distributions(self) -> dict[str, Distribution]:
        """Prior of every parameter that acts (a mirror shows its source's), by sorted name."""
        return {name: self._entries[name].prior for name in self.all_params}

    def get_distribution(self, name: str) -> Distribution:
        """Return the prior of one parameter."""
        return self._entry(name).prior

    def is_fixed(self, name: str) -> bool:
        """Say whether a parameter is fixed (a mirror: whether its source is)."""
        return self._entry(name).prior.is_fixed

    def fixed_value(self, name: str) -> Any:
        """Return the value of a fixed parameter: a float, or an array."""
        entry = self._entry(name)
        if not entry.prior.is_fixed:
            raise ParameterError(f"{name} is free ({entry.prior!r}); it has no fixed value.")
        value = entry.prior.default
        return value if entry.shape == () else np.broadcast_to(value, entry.shape).copy()

    def get_fixed_values(self) -> dict[str, Any]:
        """Return the values of the fixed parameters that act."""
        return {name: self.fixed_value(name) for name in self.fixed_params}

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            raise unknown("parameter of this spec", name, self._entries)
        return self._entries[name]

    # --- text, files, identity ----------------------------------------------------------------

    def summary(self) -> str:
        """Return a table: name, prior or value, unit, status, description; then the settings."""
        return self.describe().text()

    def describe(self) -> SpecSummary:
        """Return what `summary` prints, in parts."""
        return SpecSummary.of(self._entries, self.settings)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description from which `from_dict` rebuilds the spec."""
        settings = split(self._given)[0]
        return serialise.describe(self._entries, settings, self._composition.physics.changes)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a spec; what was filled in keeps the values it had, and physics its version."""
        return cls.stored(*serialise.read(data))

    @classmethod
    def stored(
        cls,
        given: Mapping[str, Any],
        physics: Mapping[str, Any],
        filled: Mapping[str, Any] = NOTHING,
    ) -> Self:
        """Return a spec of its time.

        Parameters
        ----------
        given : mapping
            What was given to ``Parameters``.
        physics : mapping
            The `physics` that it had; what is not named is of the first release.
        filled : mapping
            Values that had been filled in.
        """
        settings, values = split(given)
        oldest = compose_named(settings, {*values, *filled}).physics.oldest
        return cls._made(given, filled, {**oldest, **physics}, filled)

    @classmethod
    def _made(
        cls,
        given: Mapping[str, Any],
        filled: Mapping[str, Any] = NOTHING,
        physics: Mapping[str, Any] | None = None,
        names: Collection[str] = (),
    ) -> Self:
        spec = cls.__new__(cls)
        cls._set_up(spec, given, filled, physics, names)
        return spec

    @property
    def physics(self) -> dict[str, Any]:
        """Versions of the components, and choices of settings that the first release lacked."""
        return dict(self._composition.physics.now)

    def check_physics(self) -> None:
        """Raise ConfigError where a component is of a version that is no longer at hand."""
        physics = self._composition.physics
        if physics.gone:
            raise ConfigError(
                "This spec is of older physics, which the exact model no longer has: "
                f"{'; '.join(physics.older[name] for name in physics.gone)}. "
                "Parameters.with_current_physics() brings it up to date."
            )

    def with_current_physics(self) -> Self:
        """Return the spec with today's version of every component."""
        return self._made(self._given)

    def with_physics(self, physics: Mapping[str, Any]) -> Self:
        """Return the spec with components and settings as ``physics`` of another spec has them.

        A setting that was given stays as it is.
        """
        return self._made(self._given, self._filled(), {**self.physics, **physics})

    def _filled(self) -> dict[str, Distribution]:
        """Return what was filled in: it stays when other entries change."""
        entries = {name: self._entries[name] for name in self.filled_in}
        return {name: entry.prior for name, entry in entries.items() if entry.shape == ()}

    def fingerprint(self) -> str:
        """Return the SHA-256 of parameters, priors, resolved settings and physics."""
        settings = self.settings.items()
        first = {n: value for n, value in settings if SETTINGS[n].before is UNCHANGED}
        return serialise.fingerprint(self._entries, first, self._composition.physics.changes)

    @functools.cached_property
    def _identity(self) -> str:
        return self.fingerprint()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Declaration) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{n}={_shown(v)}' for n, v in self._given.items())})"

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return self.describe().html()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.to_dict(),)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("Parameters are immutable; derive others with with_params(…).")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("Parameters are immutable; derive others with without_params(…).")


def _normal_forms(entries: Mapping[str, Entry]) -> dict[str, Distribution | Mirror]:
    """Return what was given, as priors and mirrors."""
    given = {n: e for n, e in entries.items() if e.status != "filled in"}
    return {n: Mirror(e.source) if e.source else e.prior for n, e in given.items()}


def _shown(value: Any) -> str:
    return repr(value.source) if isinstance(value, Mirror) else repr(value)


def differences(one: Declaration, other: Declaration) -> str:
    """Return in what the physics of two specs differs, where both have it; empty if in nothing."""
    a, b = one.physics, other.physics
    return ", ".join(
        f"{name}: {a[name]} and {b[name]}" for name in a if b.get(name, a[name]) != a[name]
    )
