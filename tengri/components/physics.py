"""The physics of a composition: versions of its components, and settings that came later.

A spec that was stored says which; what it does not say is as it was before versions were counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tengri.registry import Registry, Versioned


@dataclass(frozen=True)
class Physics:
    """Versions and choices by name, JSON-serialisable.

    Attributes
    ----------
    now : dict
        ``"dust law calzetti"`` → version of that component, ``"lya_escape"`` → choice of a
        setting that the first release did not have.
    oldest : dict
        The same of a spec that was stored before there was any of them.
    older : dict
        Components of an older version, and what has changed since, as a clause.
    gone : tuple of str
        Those of them that are no longer at hand; today's stand in their place.
    """

    now: dict[str, Any] = field(default_factory=dict)
    oldest: dict[str, Any] = field(default_factory=dict)
    older: dict[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()

    @property
    def changes(self) -> dict[str, Any]:
        """Those of ``now`` that differ from the oldest."""
        return {name: value for name, value in self.now.items() if value != self.oldest[name]}


class Picker:
    """Takes components from registries, each in the version that a stored spec asks for."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self._stored = stored
        self._versions: dict[str, int] = {}
        self._older: dict[str, str] = {}
        self._gone: dict[str, None] = {}

    def __call__(self, registry: Registry[Any], name: str) -> Any:
        """Return a component; that of today where its older version is gone, which is noted."""
        today: Versioned = registry[name]
        key = f"{registry.kind} {name}"
        version = self._versions[key] = self._stored.get(key, today.physics)
        found = today.at(version)
        if version != today.physics:
            since = "; ".join(change.what for change in today.changes[version - 1 :])
            self._older[key] = f"{key} has changed ({since})"
        if found is None:
            self._gone[key] = None
            return today
        return found

    def physics(self, settings: Mapping[str, tuple[Any, Any]]) -> Physics:
        """Return what was picked, with settings: name → (choice, choice before there was any)."""
        choices = {name: choice for name, (choice, _) in settings.items()}
        before = {name: first for name, (_, first) in settings.items()}
        oldest = {**dict.fromkeys(self._versions, 1), **before}
        now = {**self._versions, **choices}
        return Physics(now, oldest, dict(self._older), tuple(self._gone))
